//! The whole serial host port.

use super::{FrameReceiver, FrameSender, FrameStore, SerialBridge, UartReceiver, UartSender};
use mattock_spec::serial::{MAX_FRAME_BYTES, WINDOW_BYTES};
use rtl_gen::bundle::{connect, expose};
use rtl_gen::{Builder, Instance, Module, bit, bits};

/// How bytes reach the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SerialPins {
    /// `uart_rx` and `uart_tx`.
    Uart,
    /// A byte a clock, without the UART: `rx_valid`, `rx_data` in; `tx_valid`, `tx_data` out, `tx_ready` in.
    /// For simulations that are not about the line.
    Bytes,
}

/// The serial host port of a card: bytes from the host on one side, registers and memory on the other.
///
/// | port | dir | meaning |
/// |---|---|---|
/// | `uart_rx`, `uart_tx`, or `rx_*`, `tx_*` | | the line, see [`SerialPins`] |
/// | `write*`, `read*` | | register bus, as [`crate::bus::AxiLiteSlave`] has it |
/// | `mem_*` | | request port of [`crate::memory::CardMemory`] |
/// | `irq` | in | interrupt level, told in every reply |
#[derive(Clone, Copy, Debug)]
pub struct SerialPort {
    /// Bytes or bits.
    pub pins: SerialPins,
    /// Clocks of a bit on the line.
    pub clocks_per_bit: u32,
    /// What the requests reach.
    pub bridge: SerialBridge,
}

impl SerialPort {
    /// A request is given up after the silence of two longest frames, to the next power of two.
    fn silence_bits(&self) -> u32 {
        (2 * MAX_FRAME_BYTES * 10 * self.clocks_per_bit).next_power_of_two().trailing_zeros()
    }

    fn line<'m>(&self, m: &'m Builder, receiver: Instance<'m>, sender: Instance<'m>) {
        match self.pins {
            SerialPins::Uart => {
                let clocks_per_bit = self.clocks_per_bit;
                let rx = m.inst("uart_receiver", &UartReceiver { clocks_per_bit });
                let tx = m.inst("uart_sender", &UartSender { clocks_per_bit });
                rx.set("rx", m.input_async("uart_rx", bit()));
                for port in ["valid", "data", "error"] {
                    receiver.set(port, rx.get(port));
                }
                connect(sender, "out_", tx, "in_");
                m.output("uart_tx", tx.get("tx"));
            }
            SerialPins::Bytes => {
                receiver.set("valid", m.input("rx_valid", bit()));
                receiver.set("data", m.input("rx_data", bits(8)));
                receiver.set("error", m.low());
                expose(m, sender, "out_", "tx_");
            }
        }
    }
}

impl Module for SerialPort {
    fn name(&self) -> String {
        match self.pins {
            SerialPins::Uart => format!("serial_port_c{}", self.clocks_per_bit),
            SerialPins::Bytes => "serial_port_bytes".into(),
        }
    }

    fn build(&self, m: &Builder) {
        m.doc("Serial host port: frames in, register and memory accesses, frames out.");
        let receiver = m.inst("receiver", &FrameReceiver { silence_bits: self.silence_bits() });
        let store = m.inst("frames", &FrameStore { depth: WINDOW_BYTES + 1 });
        let bridge = m.inst("bridge", &self.bridge);
        let sender = m.inst("sender", &FrameSender);
        self.line(m, receiver, sender);
        for port in ["put", "put_data", "commit", "rollback"] {
            store.set(port, receiver.get(port));
        }
        receiver.set("full", store.get("full"));
        connect(store, "out_", bridge, "in_");
        connect(bridge, "out_", sender, "in_");
        for prefix in ["write", "read", "mem_", "irq"] {
            expose(m, bridge, prefix, prefix);
        }
    }
}
