//! The card's top module.

use super::controller::Controller;
use super::engine::{EngineSlot, Tied};
use super::host::HostSide;
use super::{gemm, spgemm};
use crate::cells::counter;
use crate::control::Csr;
use crate::serial::SerialPins;
use mattock_spec::config::Control;
use mattock_spec::{CardConfig, ConfigError, Tuple};
use rtl_gen::{BuildErrors, Builder, Design, Module, Sig, all, any, bit};

/// A card: registers behind a host port, engines with an AXI4 master each, an interrupt; with `control = "riscv"` also
/// rings, with a master of their own after those of the engines, and a processor.
///
/// The module is named `<name>_card`.
///
/// | port | dir | on cards with | meaning |
/// |---|---|---|---|
/// | `s_axi_*` | | `host = "axi"` | AXI4-Lite slave: BAR0 |
/// | `m<n>_axi_*` | | `host = "axi"` | AXI4 masters of the engines, one after the other |
/// | `irq` | out | `host = "axi"`, or [`SerialPins::Bytes`] | level: an enabled cause is set |
/// | `uart_rx`, `uart_tx` | in, out | `host = "uart"` | serial line; the memory is on the card |
/// | `sdram_*` | | `[sdram]` | pins of the memory chip, see [`Sdram`](crate::memory::Sdram) |
///
/// A soft reset flushes all engines; it is complete when they are idle, at most as long as the memory takes
/// to answer what is outstanding.
#[derive(Clone, Debug)]
pub struct Card {
    config: CardConfig,
    engines: Vec<EngineSlot>,
    pins: SerialPins,
}

/// Why a card cannot be generated.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CardError {
    /// The configuration is wrong or asks for what is not there yet.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A type tuple the dense engine does not compute.
    #[error(
        "the dense engine does not compute {tuple}: operands have 3 to 8 bits, integers give i32, floats f32; change `gemm.tuples`"
    )]
    Tuple {
        /// The tuple.
        tuple: Tuple,
    },
    /// The generator made a mistake.
    #[error("the generated hardware is inconsistent, please report it:\n{0}")]
    Build(#[from] BuildErrors),
}

impl Card {
    /// The card a configuration describes.
    ///
    /// # Errors
    /// [`CardError::Config`], [`CardError::Tuple`]: what the configuration asks for cannot be built.
    pub fn from_config(config: &CardConfig) -> Result<Card, CardError> {
        config.check_buildable()?;
        let dense = gemm::slot(config).map_err(|tuple| CardError::Tuple { tuple })?;
        let engines = [dense, spgemm::slot(config)].into_iter().flatten().collect();
        Ok(Card::with_engines(config, engines))
    }

    /// A card with the given engines: one for each engine of `config`, in the order GEMM, SpGEMM.
    pub fn with_engines(config: &CardConfig, engines: Vec<EngineSlot>) -> Card {
        Card { config: config.clone(), engines, pins: SerialPins::Uart }
    }

    /// The same card with other pins at its serial port, if it has one.
    pub fn with_serial_pins(self, pins: SerialPins) -> Card {
        Card { pins, ..self }
    }

    /// Builds and checks the design.
    ///
    /// # Errors
    /// [`CardError::Build`] when an engine does not keep to the contract of [`EngineSlot`].
    pub fn design(&self) -> Result<Design, CardError> {
        Ok(Design::elaborate(self)?)
    }

    /// Prefix of memory port number `index`.
    pub fn bus_prefix(index: usize) -> String {
        format!("m{index}_axi_")
    }
}

impl Module for Card {
    fn name(&self) -> String {
        // A card may be called like a keyword (`small` is one) or like a module inside it.
        format!("{}_card", self.config.name)
    }

    fn build(&self, m: &Builder) {
        m.doc("A Mattock card: registers behind a host port, engines with an AXI4 master each.");
        let stored = self.engines.iter().any(|slot| slot.words);
        let csr = m.inst("csr", &Csr { card: self.config.clone(), stored });
        let own_control = self.config.control == Control::Riscv;
        let of_engines: usize = self.engines.iter().map(|slot| slot.masters).sum();
        let masters = of_engines + usize::from(own_control);
        let direct = self.engines.iter().filter(|slot| slot.direct).map(|slot| slot.masters).sum();
        let host = HostSide::new(m, &self.config, masters, direct, self.pins);
        let resetting = m.state("resetting", bit(), 0);
        let control = own_control.then(|| {
            let blocks: Vec<&str> = self.engines.iter().map(|slot| slot.map.name).collect();
            Controller::new(m, &self.config, csr, &host, &blocks, of_engines, resetting.q())
        });
        if control.is_none() {
            for port in ["write", "write_addr", "write_data", "write_strb", "read", "read_addr"] {
                csr.set(port, host.port.get(port));
            }
            host.port.set("read_data", csr.get("read_data"));
        }

        let mut joined = 0;
        let tie = |(i, slot): (usize, &EngineSlot)| {
            let (engine, tied) =
                slot.tie(m, csr, resetting.q(), control.as_ref().map(|control| (control, i)));
            for port in slot.ports() {
                host.join(m, engine, &port, joined);
                joined += 1;
            }
            (slot.map.name, tied)
        };
        let engines: Vec<(&str, Tied)> = self.engines.iter().enumerate().map(tie).collect();
        let launches: Vec<_> =
            engines.iter().filter_map(|(name, tied)| Some((*name, tied.launch?))).collect();
        let rings = control.as_ref().map(|control| control.finish(m, csr, &launches));

        // An engine notices `flush` a cycle or two later; only then does its idleness count.
        let settled = m.delay("resetting_since", resetting.q(), 3);
        let idle = engines.iter().map(|e| e.1.idle).chain([settled]);
        let idle: Vec<Sig> = idle.chain(rings.map(|r| r.0)).collect();
        let reset_over = all(&idle).named("reset_over");
        resetting.drive(csr.get("card_soft_reset") | (resetting.q() & !reset_over));

        let mut causes: Vec<Sig> = rings.iter().map(|r| r.1).collect();
        for block in ["gemm", "spgemm"] {
            let tied = engines.iter().find(|e| e.0 == block).map(|e| &e.1);
            let (busy, ended) = match tied {
                Some(tied) => (tied.busy | resetting.q(), tied.ended),
                None => (m.low(), m.low()),
            };
            csr.set(&format!("card_status_{block}_busy"), busy);
            let cause = format!("card_irq_status_{block}_done");
            csr.set(&format!("{cause}_set"), ended);
            causes.push(csr.get(&cause) & csr.get(&format!("card_irq_enable_{block}_done")));
        }
        host.interrupt(m, m.reg_reset("irq_q", any(&causes), 0));
        csr.set("card_cycles", counter(m, "cycles", 64, m.low(), m.high()).as_bits());
    }
}
