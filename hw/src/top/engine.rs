//! How an engine is tied to registers, memory port and interrupt.

use super::controller::Controller;
use crate::control::{Account, RegisterValue, values};
use mattock_spec::command::Counters;
use mattock_spec::regs::{Access, RegMap};
use rtl_gen::ir::Direction;
use rtl_gen::{Builder, Instance, Module, Sig, bits, cat};
use std::rc::Rc;

/// An engine of a card: a module and the register block it obeys.
///
/// Ports of the module, all in one clock domain:
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `start` | in | bit | pulse: run a command; the values below hold still until `done` |
/// | each RW value of the block | in | any type | named as in [`values`]; low bits when the port is narrower |
/// | `flush` | in | bit | level: give up the command, drop everything, keep to the bus protocol; held until `idle` |
/// | `idle` | out | bit | no command, no outstanding transfer; may fall the cycle after `start` |
/// | `done` | out | bit | pulse: the command ended and every bus response is back |
/// | `error`, `error_info` | out | bits(8), bits(32) | with `done`: an error code of `mattock_spec` and its detail |
/// | each RO value of the block | out | that width | but STATUS, ERROR_INFO: [`Account`] keeps those |
/// | `read_beat`, `write_beat` | out | bit | instead of `cycles`, `bytes_read`, `bytes_written`: a data beat moves on the bus |
/// | `m_axi_*` | | | AXI4 master; with several, `m0_axi_*`, `m1_axi_*`, ... |
///
/// Inputs the module does not have are left out; outputs must be there.
#[derive(Clone, Debug)]
pub struct EngineSlot {
    /// Its registers.
    pub map: RegMap,
    /// Further registers of its commands.
    pub more: Vec<RegMap>,
    /// The engine.
    pub module: Rc<dyn Module>,
    /// Bytes of a data beat of its bus.
    pub bus_bytes: u32,
    /// Its memory ports.
    pub masters: usize,
    /// They are direct ones of [`CardMemory`](crate::memory::CardMemory), `m_near_*`, not AXI4 masters.
    pub direct: bool,
    /// It takes its registers one word a cycle after `start`: inputs `word_valid`, `word_index`, `word`, `loaded` of
    /// [`Csr`](crate::control::Csr) in the place of its RW values.
    pub words: bool,
}

/// What the card needs of an engine it has tied.
pub(super) struct Tied<'m> {
    /// It runs a command.
    pub(super) busy: Sig<'m>,
    /// Pulse: a command ended.
    pub(super) ended: Sig<'m>,
    /// No command, no transfer.
    pub(super) idle: Sig<'m>,
    /// What starts it, on cards with a controller.
    pub(super) launch: Option<Instance<'m>>,
}

impl EngineSlot {
    /// The prefixes of its memory ports.
    pub(super) fn ports(&self) -> Vec<String> {
        match self.masters {
            1 if self.direct => vec!["m_near_".into()],
            1 => vec!["m_axi_".into()],
            several => (0..several).map(super::Card::bus_prefix).collect(),
        }
    }

    /// Ties an instance of the engine to its registers; its memory port is left to the caller. With a controller, the
    /// registers are those of the next command: the engine has copies, taken over when it starts.
    pub(super) fn tie<'m>(
        &self,
        m: &'m Builder,
        csr: Instance<'m>,
        reset: Sig<'m>,
        control: Option<(&Controller<'m>, usize)>,
    ) -> (Instance<'m>, Tied<'m>) {
        let block = self.map.name;
        let engine = m.inst(&format!("{block}_engine"), &*self.module);
        let beats = (!has_output(engine, "cycles")).then_some(self.bus_bytes);
        let account = m.inst(&format!("{block}_account"), &Account { beats });
        let launch = control.map(|(control, index)| control.launch(m, csr, block, index));
        let (start, flush) = match launch {
            Some(launch) => (launch.get("go"), reset | launch.get("expired")),
            None => (csr.get(&format!("{block}_start")), reset),
        };
        engine.set("start", start).set("flush", flush);
        let running = account.get("status_busy");
        let busy = launch.map_or(running, |launch| running | launch.get("waits"));
        if self.words {
            for port in ["word_valid", "word_index", "word", "loaded"] {
                engine.set(port, csr.get(&format!("{block}_{port}")));
            }
        }
        // Of addresses the register block has as many bits as the card.
        for value in values(&self.map, 64) {
            let port = format!("{block}_{}", value.name);
            match value.access {
                Access::Rw if self.words => {}
                Access::Rw => feed(m, engine, &value, csr.get(&port), launch, block),
                Access::Ro if value.name == "status_busy" => {
                    csr.set(&port, busy);
                }
                Access::Ro => {
                    let source = if has_output(account, &value.name) { account } else { engine };
                    // Counters are as wide as they can get.
                    csr.set(&port, source.get(&value.name).as_bits().resize(value.width));
                }
                Access::Wo | Access::W1c => {}
            }
        }
        let idle = engine.get("idle");
        account.set("start", start).set("reset", flush).set("idle", idle);
        account.set("done", engine.get("done"));
        account.set("error", engine.get("error")).set("info", engine.get("error_info"));
        for beat in ["read_beat", "write_beat"].iter().filter(|_| beats.is_some()) {
            account.set(beat, engine.get(beat));
        }
        let ended = account.get("ended");
        let locked = match (control, launch) {
            (Some((control, index)), Some(launch)) => {
                launch.set("busy", running).set("ended", ended).set("reset", reset);
                // The first of the names that is counted somewhere.
                let counted = |names: &[&str], width| {
                    let places = names.iter().flat_map(|n| [(account, *n), (engine, *n)]);
                    let mut values = places.filter(|(part, name)| has_output(*part, name));
                    values.next().map_or_else(
                        || m.lit(bits(width), 0),
                        |(part, name)| part.get(name).as_bits().resize(width),
                    )
                };
                let counters = Counters::LAYOUT.iter().rev();
                let counters: Vec<_> =
                    counters.map(|(names, width)| counted(names, *width)).collect();
                for (port, value) in [
                    ("code", account.get("status_error")),
                    ("info", account.get("error_info")),
                    ("result", counted(&["nnz_c"], 32)),
                    ("cycles", counted(&["cycles"], 64)),
                    ("counters", cat(&counters)),
                    ("counted", m.lit(bits(1), 1)),
                ] {
                    control.outcome(index, port, value);
                }
                launch.get("armed") | (!control.run & busy)
            }
            _ => busy,
        };
        csr.set(&format!("{block}_locked"), locked | reset);
        for more in &self.more {
            for value in values(more, 64) {
                let port = format!("{}_{}", more.name, value.name);
                feed(m, engine, &value, csr.get(&port), launch, more.name);
            }
            csr.set(&format!("{}_locked", more.name), locked | reset);
        }
        (engine, Tied { busy, ended, idle, launch })
    }
}

/// The low bits of a register value into the engine's input of its name, if there is one.
fn feed<'m>(
    m: &'m Builder,
    engine: Instance<'m>,
    value: &RegisterValue,
    sig: Sig<'m>,
    launch: Option<Instance<'m>>,
    block: &str,
) {
    let inputs = engine.ports().into_iter();
    let mut inputs = inputs.filter(|p| p.1 == Direction::Input && p.0 == value.name);
    if let Some((name, _, ty)) = inputs.next() {
        let sig = sig.resize(ty.width()).as_type(ty);
        let sig = match launch {
            Some(l) => m.reg_when(&format!("{block}_running_{name}"), l.get("load"), sig),
            None => sig,
        };
        engine.set(&name, sig);
    }
}

fn has_output(inst: Instance<'_>, name: &str) -> bool {
    inst.ports().iter().any(|p| p.1 == Direction::Output && p.0 == name)
}
