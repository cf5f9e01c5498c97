//! Bytes on two wires: 8 data bits, no parity, one stop bit.

use mattock_spec::serial::MIN_CLOCKS_PER_BIT;
use rtl_gen::{Builder, Module, Sig, bit, bits, cat, index_width, uint};

/// Receives bytes.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `rx` | in | bit, asynchronous | the line; 1 at rest |
/// | `valid`, `data` | out | bit, bits(8) | pulse: a byte |
/// | `error` | out | bit | pulse: no stop bit where one must be: noise, another baud rate, or a break |
///
/// Each bit is the majority of three samples around its middle, so a glitch of one clock does no harm
/// and a low of less than half a bit starts nothing. Bytes are right while the sender's rate is within 3 % of
/// `clocks_per_bit`. After an error the line must rise before a byte can start. Latency: a byte is out 3 clocks
/// after the middle of its stop bit.
#[derive(Clone, Copy, Debug)]
pub struct UartReceiver {
    /// Clocks of a bit, from [`MIN_CLOCKS_PER_BIT`].
    pub clocks_per_bit: u32,
}

impl Module for UartReceiver {
    fn name(&self) -> String {
        format!("uart_receiver_c{}", self.clocks_per_bit)
    }

    fn check(&self) -> Result<(), String> {
        check(self.clocks_per_bit)
    }

    fn build(&self, m: &Builder) {
        m.doc("UART receiver, 8N1: majority of three samples in the middle of each bit.");
        let line = m.synchronizer("line", m.input_async("rx", bit()), 2);
        let (before, earlier) = (m.reg_reset("line_before", line, 1), m.state("earlier", bit(), 1));
        earlier.drive(before);
        let earlier = earlier.q();
        let sample = ((line & before) | (line & earlier) | (before & earlier)).named("sample");

        // Samples are counted: the start bit is number 0, the stop bit 9.
        let busy = m.state("busy", bit(), 0);
        let number = m.state("number", uint(4), 0);
        let wait = m.state("pause", uint(index_width(self.clocks_per_bit)), 0);
        let start = (!busy.q() & before & !line).named("start");
        let due = (busy.q() & wait.q().is(0)).named("due");
        let (first, stop) = (number.q().is(0), number.q().is(9));
        let no_start = (due & first & sample).named("no_start");
        let end = (due & stop).named("over");
        busy.drive(start | (busy.q() & !no_start & !end));
        number.update(&[(start, number.q().lit(0)), (due, number.q().inc())]);
        let period = wait.q().lit((self.clocks_per_bit - 1).into());
        let half = wait.q().lit(((self.clocks_per_bit - 1) / 2).into());
        wait.update(&[(start, half), (due, period), (busy.q(), wait.q().dec())]);

        let shift = m.reg_decl("shift", bits(8));
        shift.drive_when(due & !stop, cat(&[sample, shift.q().slice(7, 1)]));
        m.output("valid", m.reg_reset("valid_q", end & sample, 0));
        m.output("error", m.reg_reset("error_q", end & !sample, 0));
        m.output("data", shift.q());
    }
}

/// Sends bytes.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `in_valid`, `in_data` | in | bit, bits(8) | byte offered |
/// | `in_ready` | out | bit | taken; its start bit begins in the next clock |
/// | `tx` | out | bit | the line, a register; 1 at rest |
///
/// A byte takes exactly 10 bits of `clocks_per_bit` clocks; the next one follows without a gap.
#[derive(Clone, Copy, Debug)]
pub struct UartSender {
    /// Clocks of a bit, from [`MIN_CLOCKS_PER_BIT`].
    pub clocks_per_bit: u32,
}

impl Module for UartSender {
    fn name(&self) -> String {
        format!("uart_sender_c{}", self.clocks_per_bit)
    }

    fn check(&self) -> Result<(), String> {
        check(self.clocks_per_bit)
    }

    fn build(&self, m: &Builder) {
        m.doc("UART sender, 8N1.");
        let (valid, data) = (m.input("in_valid", bit()), m.input("in_data", bits(8)));
        let line = m.state("line", bit(), 1);
        // Bits that are not over yet, the one on the line included.
        let left = m.state("left", uint(4), 0);
        let wait = m.state("pause", uint(index_width(self.clocks_per_bit)), 0);
        let due = wait.q().is(0);
        let ready = (left.q().le(left.q().lit(1)) & due).named("ready");
        let take = (valid & ready).named("take");
        let shift = m.reg_decl("shift", bits(8));
        let filled = cat(&[m.high(), shift.q().slice(7, 1)]);
        shift.update(&[(take, data), (due, filled)]);
        line.update(&[(take, m.low()), (due & !left.q().is(0), shift.q().bit(0))]);
        left.update(&[(take, left.q().lit(10)), (due & !left.q().is(0), left.q().dec())]);
        let period: Sig = wait.q().lit((self.clocks_per_bit - 1).into());
        let next_bit = due & left.q().gt(left.q().lit(1));
        wait.update(&[(take | next_bit, period), (!due, wait.q().dec())]);
        m.output("in_ready", ready);
        m.output("tx", line.q());
    }
}

fn check(clocks_per_bit: u32) -> Result<(), String> {
    if (MIN_CLOCKS_PER_BIT..=1 << 24).contains(&clocks_per_bit) {
        return Ok(());
    }
    Err(format!("{clocks_per_bit} clocks per bit are not in {MIN_CLOCKS_PER_BIT}..={}", 1 << 24))
}
