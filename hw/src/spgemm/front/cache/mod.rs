//! The banked, non-blocking line cache in front of the rows of B.

mod bank;
mod misses;
mod plru;
mod tags;
#[cfg(test)]
mod tests;

use crate::cells::round_robin;
use crate::spgemm::front::hub::{LineHub, one_hot_index};
use bank::Bank;
use rtl_gen::{
    Builder, Instance, Module, Sig, all, any, bit, bits, index_width, one_hot_mux, uint,
};

/// Banked cache of memory lines: hits pass misses, many misses in flight, answers in any order.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `c{c}_req_valid`, `c{c}_req_addr`, `c{c}_req_tag` | in | bit, uint(`addr_bits`), bits(`tag_bits`) | client `c` asks for a line |
/// | `c{c}_req_ready` | out | bit | request taken; follows the `valid` of all clients |
/// | `c{c}_rsp_valid`, `c{c}_rsp_tag`, `c{c}_rsp_data` | out | bit, bits(`tag_bits`), bits(`line_bits`) | an answer, in any order; no back-pressure |
/// | `mem_req_valid`, `mem_req_addr` | out | bit, uint(`addr_bits`) | line wanted from memory; registers |
/// | `mem_req_ready` | in | bit | request taken |
/// | `mem_rsp_valid`, `mem_rsp_data`, `mem_rsp_error` | in | bit, bits(`line_bits`), bit | answers in the order of the requests; always accepted |
/// | `invalidate` | in | bit | pulse: forget every line |
/// | `ready` | out | bit | 0 from the cycle after `invalidate` (and after reset) until all lines are forgotten; no request is taken |
/// | `hits`, `misses` | out | uint | answered without, and with, a memory request of their own: finished look-ups of this cycle |
/// | `error` | out | bit | pulse: memory answered with an error; the line's data is garbage |
///
/// Capacity is `banks * ways * sets` lines. The bank of a line is the exclusive or of its address's digits in base
/// `banks` (the lowest three), so that runs of lines and power-of-two strides both spread over the banks; sets are indexed plainly.
/// Replacement: invalid ways first, then the tree pseudo-LRU way. `invalidate` waits for open requests and then takes
/// `sets` cycles.
///
/// Throughput: every bank one look-up a cycle, every client one request and one answer a cycle, less what clients lose when
/// several want one bank (5 clients streaming hits from 8 banks: 1.00 the last, 0.80 the others, printed by
/// `cargo test -p mattock-hw full_rate -- --nocapture`). The last client goes before the others, as the pointers of
/// rows are asked for there: each is work for the others, and one a cycle keeps nobody else from a bank for long. Latency of a hit through
/// idle queues is 8 cycles from the request being taken to `rsp_valid`; of a miss, the memory's latency and 14 more.
///
/// It cannot deadlock: memory answers always find their place (the victim's frame was emptied before the request left),
/// an answered miss replays its waiting requests with priority over look-ups, and answers leave without asking the client.
/// A look-up waits only for a miss slot, a place to wait, a frame without a pending line or room in the answer queue,
/// and each of these is given back by an answered miss or a leaving answer, never by another look-up.
#[derive(Clone, Copy, Debug)]
pub struct Cache {
    /// Banks; a power of two from 2.
    pub banks: u32,
    /// Ways of a set; a power of two from 2.
    pub ways: u32,
    /// Sets of a bank; a power of two from 2.
    pub sets: u32,
    /// Clients, from 1.
    pub clients: u32,
    /// Lines asked of memory at once, in all banks; a power of two from `2 * banks`.
    pub misses: u32,
    /// Requests that can wait for one line, the first included; a power of two from 2.
    pub waiters: u32,
    /// Bits of a request's tag.
    pub tag_bits: u32,
    /// Bits of a line.
    pub line_bits: u32,
    /// Bits of a line address.
    pub addr_bits: u32,
}

impl Cache {
    fn bank(&self) -> Bank {
        Bank {
            bank_bits: index_width(self.banks),
            ways: self.ways,
            sets: self.sets,
            client_bits: index_width(self.clients),
            misses: self.misses / self.banks,
            waiters: self.waiters,
            tag_bits: self.tag_bits,
            line_bits: self.line_bits,
            addr_bits: self.addr_bits,
        }
    }
}

impl Module for Cache {
    fn name(&self) -> String {
        format!("cache_b{}_c{}_m{}_{}", self.banks, self.clients, self.misses, self.bank().shape())
    }

    fn check(&self) -> Result<(), String> {
        for (name, value, least) in [
            ("banks", self.banks, 2),
            ("ways", self.ways, 2),
            ("sets", self.sets, 2),
            ("misses", self.misses, 2 * self.banks),
            ("waiters", self.waiters, 2),
        ] {
            if !value.is_power_of_two() || value < least {
                return Err(format!("cache: {name} is {value}; a power of two from {least}"));
            }
        }
        if self.clients == 0 {
            return Err("cache: clients is 0; at least 1".into());
        }
        let digit = index_width(self.banks);
        let least = (3 * digit).max(digit + index_width(self.sets) + 1);
        if self.addr_bits < least {
            return Err(format!(
                "cache: addr_bits is {}; at least {least} with {} banks and {} sets",
                self.addr_bits, self.banks, self.sets
            ));
        }
        Ok(())
    }

    fn build(&self, m: &Builder) {
        m.doc("Banked, non-blocking line cache.");
        let invalidate = m.input("invalidate", bit());
        let hub = m.inst(
            "memory",
            &LineHub {
                clients: self.banks,
                line_bits: self.line_bits,
                addr_bits: self.addr_bits,
                in_flight: self.misses,
            },
        );
        let banks: Vec<Instance> = (0..self.banks)
            .map(|b| {
                let bank = m.inst(&format!("bank_{b}"), &self.bank());
                let (valid, addr) = (bank.get("mem_req_valid"), bank.get("mem_req_addr"));
                hub.set(&format!("c{b}_req_valid"), valid).set(&format!("c{b}_req_addr"), addr);
                bank.set("mem_req_ready", hub.get(&format!("c{b}_req_ready")))
                    .set("fill_valid", hub.get(&format!("c{b}_rsp_valid")))
                    .set("fill_data", hub.get("rsp_data"))
                    .set("invalidate", invalidate)
            })
            .collect();
        let of = |port: &str| -> Vec<Sig> { banks.iter().map(|b| b.get(port)).collect() };
        let ready = all(&of("ready")).named("all_ready");
        m.output("ready", ready);
        self.requests(m, &banks, ready);
        self.answers(m, &banks);
        for name in ["hit", "miss"] {
            let plural = if name == "hit" { "hits" } else { "misses" };
            m.output(plural, m.reg_reset(&format!("{plural}_q"), ones(&of(name)), 0));
        }

        hub.set("mem_req_ready", m.input("mem_req_ready", bit()));
        m.output("mem_req_valid", hub.get("mem_req_valid"));
        m.output("mem_req_addr", hub.get("mem_req_addr"));
        hub.set("mem_rsp_valid", m.input("mem_rsp_valid", bit()))
            .set("mem_rsp_data", m.input("mem_rsp_data", bits(self.line_bits)))
            .set("mem_rsp_error", m.input("mem_rsp_error", bit()));
        let filled: Vec<Sig> =
            (0..self.banks).map(|b| hub.get(&format!("c{b}_rsp_valid"))).collect();
        m.output("error", m.reg_reset("error_q", any(&filled) & hub.get("rsp_error"), 0));
    }
}

impl Cache {
    /// Every bank chooses among the clients that want it.
    fn requests<'m>(&self, m: &'m Builder, banks: &[Instance<'m>], ready: Sig<'m>) {
        let n = self.clients;
        let valid: Vec<Sig> = (0..n).map(|c| m.input(&format!("c{c}_req_valid"), bit())).collect();
        let beat: Vec<[Sig; 2]> = (0..n)
            .map(|c| {
                let addr = m.input(&format!("c{c}_req_addr"), uint(self.addr_bits));
                [addr.as_bits(), m.input(&format!("c{c}_req_tag"), bits(self.tag_bits))]
            })
            .collect();
        let digit = index_width(self.banks);
        let home: Vec<Sig> = (0..n as usize)
            .map(|c| {
                let a = beat[c][0];
                let fold = a.lane(0, digit) ^ a.lane(1, digit) ^ a.lane(2, digit);
                fold.named(&format!("c{c}_bank"))
            })
            .collect();
        let mut taken: Vec<Vec<Sig>> = vec![vec![]; n as usize];
        for (b, bank) in banks.iter().enumerate() {
            let wants: Vec<Sig> =
                (0..n as usize).map(|c| valid[c] & home[c].is(b as i128)).collect();
            let open = bank.get("req_ready") & ready;
            let grant = last_first(m, &format!("bank_{b}_in"), &wants, open);
            for (list, &g) in taken.iter_mut().zip(&grant) {
                list.push(g & open);
            }
            let pick = |field: usize| {
                one_hot_mux(
                    &grant.iter().zip(&beat).map(|(&g, v)| (g, v[field])).collect::<Vec<_>>(),
                )
            };
            bank.set("req_valid", any(&wants) & ready)
                .set("req_addr", pick(0).as_u())
                .set("req_tag", pick(1))
                .set("req_client", one_hot_index(m, &grant));
        }
        for (c, list) in taken.iter().enumerate() {
            m.output(&format!("c{c}_req_ready"), any(list));
        }
    }

    /// Every client takes one answer a cycle; a bank reads its data only once its answer may leave.
    fn answers<'m>(&self, m: &'m Builder, banks: &[Instance<'m>]) {
        let mut granted: Vec<Vec<Sig>> = vec![vec![]; banks.len()];
        for c in 0..self.clients {
            let mine = |bank: &Instance<'m>, valid: &str, client: &str| {
                bank.get(valid) & bank.get(client).as_u().is(c as i128)
            };
            let offers: Vec<Sig> =
                banks.iter().map(|b| mine(b, "answer_valid", "answer_client")).collect();
            let grant = round_robin(m, &format!("c{c}_out"), &offers, m.high());
            for (list, &g) in granted.iter_mut().zip(&grant) {
                list.push(g);
            }
            let leaving: Vec<Sig> =
                banks.iter().map(|b| mine(b, "rsp_valid", "rsp_client")).collect();
            let pick = |port: &str| {
                one_hot_mux(
                    &leaving.iter().zip(banks).map(|(&g, b)| (g, b.get(port))).collect::<Vec<_>>(),
                )
            };
            m.output(&format!("c{c}_rsp_valid"), any(&leaving));
            m.output(&format!("c{c}_rsp_tag"), pick("rsp_tag"));
            m.output(&format!("c{c}_rsp_data"), pick("rsp_data"));
        }
        for (bank, list) in banks.iter().zip(&granted) {
            bank.set("answer_take", any(list));
        }
    }
}

/// One-hot grant: the last request goes before the others, which take turns.
fn last_first<'m>(
    m: &'m Builder,
    name: &str,
    requests: &[Sig<'m>],
    advance: Sig<'m>,
) -> Vec<Sig<'m>> {
    let (last, others) = requests.split_last().expect("there are clients");
    if others.is_empty() {
        return requests.to_vec();
    }
    let turns = round_robin(m, name, others, advance & !*last);
    turns.into_iter().map(|turn| turn & !*last).chain([*last]).collect()
}

/// How many of the flags are 1.
fn ones<'m>(flags: &[Sig<'m>]) -> Sig<'m> {
    match flags {
        [one] => one.as_u(),
        _ => {
            let (a, b) = flags.split_at(flags.len() / 2);
            ones(a) + ones(b)
        }
    }
}
