//! The AXI4-Lite slave.

use rtl_gen::bundle::{self, AxiLite, AxiLiteConfig};
use rtl_gen::{Builder, Module, bit, bits};

/// Turns the host's register accesses into a simple register bus.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `s_axi_*` | | | AXI4-Lite slave, 32 data bits |
/// | `write` | out | bit | pulse: write `write_data` to `write_addr` |
/// | `write_addr`, `write_data`, `write_strb` | out | uint(`addr_bits`), bits(32), bits(4) | with `write` |
/// | `read` | out | bit | pulse: read `read_addr` |
/// | `read_addr` | out | uint(`addr_bits`) | with `read` |
/// | `read_data` | in | bits(32) | from the cycle after `read` until the next one |
///
/// Every access is answered, with OKAY: a read 3 cycles after its address at the latest, a write 2 cycles after
/// the later of address and data, not counting how long the host takes to accept the answer. No answer is ever
/// given in the cycle of its request. One read and one write may be in work at once.
#[derive(Clone, Copy, Debug)]
pub struct AxiLiteSlave {
    /// Address bits; higher ones are the interconnect's business.
    pub addr_bits: u32,
}

impl Module for AxiLiteSlave {
    fn name(&self) -> String {
        format!("axi_lite_slave_a{}", self.addr_bits)
    }

    fn check(&self) -> Result<(), String> {
        if (3..=64).contains(&self.addr_bits) {
            return Ok(());
        }
        Err(format!("addr_bits {} is not in 3..=64", self.addr_bits))
    }

    fn build(&self, m: &Builder) {
        m.doc("AXI4-Lite slave: register accesses of the host on a simple register bus.");
        let bus = AxiLite::slave(m, "s_axi", AxiLiteConfig { addr: self.addr_bits, data: 32 });
        bus.check_protocol();
        write_side(m, &bus);
        read_side(m, &bus);
    }
}

fn write_side<'m>(m: &'m Builder, bus: &bundle::AxiLiteSlave<'m>) {
    let have_address = m.state("have_address", bit(), 0);
    let have_data = m.state("have_data", bit(), 0);
    let answer = m.state("answer_write", bit(), 0);
    bus.aw.ready.assign(!have_address.q());
    bus.w.ready.assign(!have_data.q());
    bus.b.drive(answer.q(), &[("resp", m.lit(bits(2), 0))]);

    let write = (have_address.q() & have_data.q() & !answer.q()).named("write_now");
    let (take_address, take_data) = (bus.aw.fire(), bus.w.fire());
    have_address.drive(take_address | (have_address.q() & !write));
    have_data.drive(take_data | (have_data.q() & !write));
    answer.drive(write | (answer.q() & !bus.b.ready));

    m.output("write", write);
    m.output("write_addr", m.reg_when("write_addr_q", take_address, bus.aw.field("addr")));
    m.output("write_data", m.reg_when("write_data_q", take_data, bus.w.field("data")));
    m.output("write_strb", m.reg_when("write_strb_q", take_data, bus.w.field("strb")));
}

fn read_side<'m>(m: &'m Builder, bus: &bundle::AxiLiteSlave<'m>) {
    let (fetch, answer) = (m.state("fetch", bit(), 0), m.state("answer_read", bit(), 0));
    bus.ar.ready.assign(!(fetch.q() | answer.q()));
    bus.r.drive(
        answer.q(),
        &[("data", m.input("read_data", bits(32))), ("resp", m.lit(bits(2), 0))],
    );

    let take = bus.ar.fire();
    fetch.drive(take);
    answer.drive(fetch.q() | (answer.q() & !bus.r.ready));
    m.output("read", fetch.q());
    m.output("read_addr", m.reg_when("read_addr_q", take, bus.ar.field("addr")));
}
