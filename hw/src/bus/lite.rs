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
/// Every access is answered, with OKAY: a read 2 cycles after its address was taken, a write 2 cycles after
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

#[cfg(test)]
mod tests {
    use super::AxiLiteSlave;
    use rand::{Rng, SeedableRng, rngs::StdRng};
    use rtl_gen::{Design, Interpreter};

    /// Reads and writes at once, by a host that offers each part and takes each answer when it likes: every
    /// access reaches the register bus once and is answered within the cycles promised.
    #[test]
    fn every_access_is_answered_once() {
        let design = Design::elaborate(&AxiLiteSlave { addr_bits: 14 }).unwrap();
        let mut sim = Interpreter::new(&design).unwrap();
        let valid = ["s_axi_awvalid", "s_axi_wvalid", "s_axi_arvalid"];
        let ready = ["s_axi_awready", "s_axi_wready", "s_axi_arready"];
        let [answer, accept] = [["s_axi_bvalid", "s_axi_rvalid"], ["s_axi_bready", "s_axi_rready"]];
        valid.iter().chain(&accept).for_each(|port| sim.set(*port, 0));
        sim.set("rst", 1);
        sim.tick();
        sim.set("rst", 0);
        let mut rng = StdRng::seed_from_u64(4);
        for _ in 0..500 {
            let (to, from) = (rng.random_range(0..1u64 << 14), rng.random_range(0..1u64 << 14));
            let (data, strobes) = (rng.random::<u32>(), rng.random_range(0..16u64));
            sim.set("s_axi_awaddr", to);
            sim.set("s_axi_wdata", data.into());
            sim.set("s_axi_wstrb", strobes);
            sim.set("s_axi_araddr", from);
            let starts = [0; 3].map(|_| rng.random_range(0..5));
            let patience = [0; 2].map(|_| rng.random_range(0..5));
            let mut taken = [None; 3];
            let (mut written, mut answered) = (0, [None; 2]);
            for cycle in 0..20 {
                for i in 0..3 {
                    sim.set(valid[i], u64::from(cycle >= starts[i] && taken[i].is_none()));
                }
                for i in 0..2 {
                    let waited = answered[i].is_some_and(|since| cycle >= since + patience[i]);
                    sim.set(accept[i], u64::from(waited));
                }
                let register = sim.get("read_addr");
                sim.set("read_data", 5 * register);
                if sim.get("write") == 1 {
                    written += 1;
                    let seen = ["write_addr", "write_data", "write_strb"].map(|p| sim.get(p));
                    assert_eq!(seen, [to, data.into(), strobes]);
                }
                for i in 0..2 {
                    if sim.get(answer[i]) == 1 {
                        answered[i].get_or_insert(cycle);
                    }
                }
                if sim.get("s_axi_rvalid") == 1 {
                    assert_eq!((sim.get("s_axi_rdata"), sim.get("s_axi_rresp")), (5 * from, 0));
                }
                for i in 0..3 {
                    if sim.get(valid[i]) == 1 && sim.get(ready[i]) == 1 {
                        taken[i] = Some(cycle);
                    }
                }
                sim.tick();
            }
            let [address, data, read] = taken.map(|at| at.unwrap_or_else(|| panic!("not taken")));
            assert_eq!(answered, [Some(address.max(data) + 2), Some(read + 2)]);
            assert_eq!(written, 1);
        }
        assert_eq!(sim.failure(), None);
    }
}
