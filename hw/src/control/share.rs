//! Registers for two: the host and the card's own processor.

use super::ADDR_BITS;
use super::processor::WORD_BITS;
use mattock_spec::regs::controller::MEMORY_BASE;
use mattock_spec::regs::{gemm, spgemm};
use rtl_gen::{Builder, Module, Sig, bit, bits, mux, uint};

/// The address lies in the window onto the processor's memory.
fn in_window(address: Sig<'_>) -> Sig<'_> {
    address.slice(13, 12).is((MEMORY_BASE >> 12).into())
}

/// Lets the processor at the register bus whenever the host is not.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `h_write`, `h_write_addr`, `h_write_data`, `h_write_strb`, `h_read`, `h_read_addr`, `h_read_data` | | | the host's register bus, as of [`AxiLiteSlave`](crate::bus::AxiLiteSlave) |
/// | `write`, ..., `read_data` | | | the register block's, as of [`Csr`](super::Csr) |
/// | `bar_write`, `bar_read`, `bar_addr`, `bar_data`, `bar_take` | | | the processor's, as of [`Processor`](super::Processor) |
/// | `w_write`, ..., `w_read_data` | | | the window onto the processor's memory |
/// | `run` | in | bit | the processor runs: the window is closed, and what the host writes to engine registers is dropped |
///
/// The host never waits. What it has read holds until its next read, whatever the processor reads meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct BusShare;

impl Module for BusShare {
    fn name(&self) -> String {
        "bus_share".into()
    }

    fn build(&self, m: &Builder) {
        m.doc("Registers for two: the host, and the card's own processor when the host is idle.");
        let run = m.input("run", bit());
        let address = |name| m.input(name, uint(ADDR_BITS));
        let (h_write, h_write_addr) = (m.input("h_write", bit()), address("h_write_addr"));
        let (h_read, h_read_addr) = (m.input("h_read", bit()), address("h_read_addr"));
        let (data, strobes) = (m.input("h_write_data", bits(32)), m.input("h_write_strb", bits(4)));

        let bases = [gemm::MAP.base, spgemm::MAP.base];
        let page = h_write_addr.slice(13, 12);
        let of_engine = bases.map(|b| page.is(i128::from(b >> 12)));
        let dropped = run & (of_engine[0] | of_engine[1]);
        let host_writes = (h_write & !in_window(h_write_addr) & !dropped).named("host_writes");
        let (b_write, b_read) = (m.input("bar_write", bit()), m.input("bar_read", bit()));
        let b_addr = address("bar_addr");
        m.output("bar_take", (b_write & !h_write) | (b_read & !h_read));
        m.output("write", mux(h_write, host_writes, b_write));
        m.output("write_addr", mux(h_write, h_write_addr, b_addr));
        m.output("write_data", mux(h_write, data, m.input("bar_data", bits(32))));
        m.output("write_strb", mux(h_write, strobes, m.lit(bits(4), 15)));
        m.output("read", h_read | b_read);
        m.output("read_addr", mux(h_read, h_read_addr, b_addr));

        let window_write = h_write & in_window(h_write_addr) & !run;
        m.output("w_write", window_write);
        m.output("w_write_addr", h_write_addr.slice(WORD_BITS + 1, 2).as_u());
        m.output("w_write_data", data);
        m.output("w_write_strb", strobes);
        m.output("w_read", h_read & in_window(h_read_addr) & !run);
        m.output("w_read_addr", h_read_addr.slice(WORD_BITS + 1, 2).as_u());

        let fresh = m.reg_reset("fresh", h_read, 0);
        let from_window = m.reg_when("from_window", h_read, in_window(h_read_addr) & !run);
        let word = m.input("w_read_data", bits(32));
        let now = from_window.mux(word, m.input("read_data", bits(32))).named("now");
        let held = m.reg_when("held", fresh, now);
        m.output("h_read_data", fresh.mux(now, held));
    }
}
