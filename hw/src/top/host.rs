//! What the host is to a card: how registers are reached, and where memory is.

use super::Card;
use crate::bus::AxiLiteSlave;
use crate::control::ADDR_BITS;
use crate::memory::{AxiRamPort, CardMemory, Sdram};
use crate::serial::{SerialBridge, SerialPins, SerialPort};
use mattock_spec::CardConfig;
use rtl_gen::bundle::{connect, expose};
use rtl_gen::{Builder, Instance, Sig};

/// The host port of a card and the memory of its engines.
pub(super) struct HostSide<'m> {
    /// Has the register bus.
    pub(super) port: Instance<'m>,
    memory: Option<Instance<'m>>,
    interrupt_pin: bool,
}

impl<'m> HostSide<'m> {
    /// Draws the host port, and the memory when it is on the card, with a port for each of `masters`, of which the first
    /// `direct` are no AXI masters.
    pub(super) fn new(
        m: &'m Builder,
        config: &CardConfig,
        masters: usize,
        direct: usize,
        pins: SerialPins,
    ) -> Self {
        let Some(uart) = &config.uart else {
            let port = m.inst("host_port", &AxiLiteSlave { addr_bits: ADDR_BITS });
            expose(m, port, "s_axi_", "s_axi_");
            return HostSide { port, memory: None, interrupt_pin: true };
        };
        let (bus_bytes, addr_bits) = (config.memory.bus_bytes, config.memory.address_bits);
        let memory_bytes = config.memory.kib * 1024;
        let clocks_per_bit = uart.clocks_per_bit(config.clock_mhz);
        let bridge = SerialBridge { bus_bytes, memory_bytes };
        let port = m.inst("host_port", &SerialPort { pins, clocks_per_bit, bridge });
        let chip = config.sdram.map(|chip| Sdram { chip, bus_bytes, clock_mhz: config.clock_mhz });
        let ahead = if chip.is_some() { 8 } else { 4 };
        let ram = CardMemory {
            direct: direct as u32,
            ports: (masters - direct) as u32,
            port: AxiRamPort { bus_bytes, addr_bits, memory_bytes, ahead },
            chip,
        };
        let memory = m.inst("memory", &ram);
        if chip.is_some() {
            expose(m, memory, "sdram_", "sdram_");
        }
        connect(port, "mem_", memory, "mem_");
        for prefix in ["uart_", "rx_", "tx_"] {
            expose(m, port, prefix, prefix);
        }
        HostSide { port, memory: Some(memory), interrupt_pin: pins == SerialPins::Bytes }
    }

    /// Joins the memory port `prefix` of an engine to the memory, as master number `index`.
    pub(super) fn join(&self, m: &'m Builder, engine: Instance<'m>, prefix: &str, index: usize) {
        match self.memory {
            Some(memory) => {
                let kind = prefix.trim_start_matches(|c: char| c == 'm' || c.is_ascii_digit());
                connect(engine, prefix, memory, &format!("s{index}{kind}"));
            }
            None => expose(m, engine, prefix, &Card::bus_prefix(index)),
        }
    }

    /// Takes the card's interrupt to the host.
    pub(super) fn interrupt(&self, m: &'m Builder, level: Sig<'m>) {
        if self.memory.is_some() {
            self.port.set("irq", level);
        }
        if self.interrupt_pin {
            m.output("irq", level);
        }
    }
}
