//! Many readers of memory lines on one port.

use crate::cells::{Fifo, Skid, round_robin};
use rtl_gen::{Builder, Module, Sig, any, bit, bits, cat, index_width, one_hot_mux, uint};

/// Joins the line requests of several clients into one stream and routes the answers back.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `c{i}_req_valid`, `c{i}_req_addr` | in | bit, uint(`addr_bits`) | client `i` asks for a line |
/// | `c{i}_req_ready` | out | bit | request taken; follows the `valid` of all clients |
/// | `c{i}_rsp_valid` | out | bit | `rsp_data` is the answer to the oldest open request of client `i` |
/// | `rsp_data`, `rsp_error` | out | bits(`line_bits`), bit | the answer, shared; no back-pressure |
/// | `mem_req_valid`, `mem_req_addr` | out | bit, uint(`addr_bits`) | request to memory |
/// | `mem_req_ready` | in | bit | request taken |
/// | `mem_rsp_valid`, `mem_rsp_data`, `mem_rsp_error` | in | bit, bits(`line_bits`), bit | answers in the order of the requests; always accepted |
///
/// Round robin: a client waits for at most one request of each other client. A client must have room for
/// every line it asks for. Latency one cycle for requests and one for answers (all outputs but `req_ready` are
/// registers); throughput one request and one answer a cycle; at most `in_flight` requests are open.
#[derive(Clone, Copy, Debug)]
pub struct LineHub {
    /// Readers, from 1.
    pub clients: u32,
    /// Bits a line.
    pub line_bits: u32,
    /// Bits of a line address.
    pub addr_bits: u32,
    /// Requests open at once; a power of two from 2.
    pub in_flight: u32,
}

impl Module for LineHub {
    fn name(&self) -> String {
        let LineHub { clients, line_bits, addr_bits, in_flight } = self;
        format!("line_hub_c{clients}_w{line_bits}_a{addr_bits}_f{in_flight}")
    }

    fn check(&self) -> Result<(), String> {
        if self.clients == 0 {
            return Err("line hub: clients is 0; at least 1".into());
        }
        Ok(())
    }

    fn build(&self, m: &Builder) {
        m.doc("Line hub: round-robin requests of several clients, answers routed back in order.");
        let n = self.clients;
        let id_bits = index_width(n);
        let valid: Vec<Sig> = (0..n).map(|i| m.input(&format!("c{i}_req_valid"), bit())).collect();
        let addr: Vec<Sig> =
            (0..n).map(|i| m.input(&format!("c{i}_req_addr"), uint(self.addr_bits))).collect();

        let owners = m.inst("owners", &Fifo { width: id_bits, depth: self.in_flight });
        let skid = m.inst("skid", &Skid { width: self.addr_bits });
        let room = (owners.get("in_ready") & skid.get("in_ready")).named("room");
        let grant = round_robin(m, "clients", &valid, room);
        let take = (any(&valid) & room).named("take");
        for (i, &g) in grant.iter().enumerate() {
            m.output(&format!("c{i}_req_ready"), g & room);
        }
        let arms: Vec<_> = grant.iter().zip(&addr).map(|(&g, &a)| (g, a.as_bits())).collect();
        skid.set("in_valid", take).set("in_data", one_hot_mux(&arms));
        skid.set("out_ready", m.input("mem_req_ready", bit()));
        m.output("mem_req_valid", skid.get("out_valid"));
        m.output("mem_req_addr", skid.get("out_data").as_u());
        owners.set("in_valid", take).set("in_data", one_hot_index(m, &grant));

        let answer = m.input("mem_rsp_valid", bit());
        let (data, error) =
            (m.input("mem_rsp_data", bits(self.line_bits)), m.input("mem_rsp_error", bit()));
        owners.set("out_ready", answer);
        m.assert("answer_was_asked_for", !answer | owners.get("out_valid"));
        let owner = owners.get("out_data").as_u();
        for i in 0..n {
            let mine = answer & owner.is(i as i128);
            m.output(&format!("c{i}_rsp_valid"), m.reg_reset(&format!("c{i}_answer"), mine, 0));
        }
        m.output("rsp_data", m.reg_when("answer_data", answer, data));
        m.output("rsp_error", m.reg_when("answer_error", answer, error));
    }
}

/// The index of the one bit that is 1, as `bits(index_width(n))`; 0 when none is.
pub(super) fn one_hot_index<'m>(m: &'m Builder, flags: &[Sig<'m>]) -> Sig<'m> {
    let parts: Vec<Sig> = (0..index_width(flags.len() as u32))
        .rev()
        .map(|b| {
            let set: Vec<Sig> =
                (0..flags.len()).filter(|i| i >> b & 1 == 1).map(|i| flags[i]).collect();
            if set.is_empty() { m.low() } else { any(&set) }
        })
        .collect();
    cat(&parts)
}

#[cfg(test)]
mod tests {
    use super::LineHub;
    use crate::spgemm::front::bench::{Memory, expect_sound, start};
    use rand::{Rng, SeedableRng, rngs::StdRng};
    use std::collections::VecDeque;

    /// Runs clients that ask in `rates` percent of the cycles; returns requests served and the longest wait of each.
    fn run(rates: &[u32], stall: u32, cycles: u64) -> Vec<(u64, u64)> {
        let n = rates.len();
        let shape = LineHub { clients: n as u32, line_bits: 64, addr_bits: 16, in_flight: 128 };
        let mut sim = start(&shape);
        let mut memory = Memory::new(&sim, 100, stall, |addr| vec![addr as u32, !addr as u32]);
        let mut rng = StdRng::seed_from_u64(6);
        let mut open: Vec<VecDeque<u64>> = vec![VecDeque::new(); n];
        let mut asking: Vec<Option<(u64, u64)>> = vec![None; n];
        let mut result = vec![(0, 0); n];
        for _ in 0..cycles {
            memory.drive(&mut sim);
            for (i, rate) in rates.iter().enumerate() {
                if asking[i].is_none() && rng.random_range(0..100) < *rate {
                    asking[i] = Some((rng.random_range(0..1 << 16), sim.cycle()));
                }
                sim.set(format!("c{i}_req_valid").as_str(), u64::from(asking[i].is_some()));
                sim.set(format!("c{i}_req_addr").as_str(), asking[i].map_or(0, |a| a.0));
            }
            memory.sample(&mut sim);
            let mut answers = 0;
            for i in 0..n {
                if sim.get(format!("c{i}_rsp_valid").as_str()) == 1 {
                    let addr = open[i].pop_front().expect("an answer nobody waits for");
                    assert_eq!(sim.get("rsp_data"), (!addr & 0xffff_ffff) << 32 | addr);
                    answers += 1;
                }
                if let Some((addr, since)) = asking[i]
                    && sim.get(format!("c{i}_req_ready").as_str()) == 1
                {
                    open[i].push_back(addr);
                    asking[i] = None;
                    let (served, wait) = &mut result[i];
                    (*served, *wait) = (*served + 1, (*wait).max(sim.cycle() - since));
                }
            }
            assert!(answers <= 1);
            sim.tick();
        }
        expect_sound(&sim);
        result
    }

    #[test]
    fn answers_return_to_their_client() {
        for (rates, stall) in [(vec![100, 30, 70], 30), (vec![50], 0), (vec![100; 9], 10)] {
            let served = run(&rates, stall, 4000);
            assert!(served.iter().all(|s| s.0 > 100), "{served:?}");
        }
    }

    #[test]
    fn one_request_a_cycle_and_nobody_starves() {
        let served = run(&[100, 100, 5, 100], 0, 4000);
        assert!(served.iter().map(|s| s.0).sum::<u64>() >= 3995, "{served:?}");
        assert!(served.iter().all(|s| s.1 <= 3), "{served:?}");
    }
}
