//! Dispatcher, lanes and cache together, as the cluster connects them: the bench of their rates.

use super::{Cache, Dispatcher, LaneFetch};
use mattock_spec::config::Dispatch;
use rtl_gen::{Builder, Instance, Module, Sig, any, bit, bits, index_width, uint};

/// The part of the front end that works element by element.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `task_*` | | | tasks, as [`Dispatcher`] |
/// | `col_base`, `val_base`, `lo_{s}`, `hi_{s}`, `open_{s}` | in | | arrays of B and windows, as [`LaneFetch`] |
/// | `l{l}_valid`, `l{l}_ready`, `l{l}_half`, `l{l}_row`, `l{l}_col`, `l{l}_a`, `l{l}_b` | | | elements of lane `l`, for the merge core |
/// | `p_req_*`, `p_rsp_*` | | | one more cache port, for the pointer fetch |
/// | `mem_req_*`, `mem_rsp_*` | | | lines of memory, as [`Cache`] |
/// | `pending_{s}` | out | bit | an element of window `s` may still leave; 0 from one cycle after the last one left |
/// | `flush`, `idle` | in, out | bit | drop everything, as [`LaneFetch`]; the extra cache port is not touched |
/// | `invalidate`, `ready`, `hits`, `misses`, `error` | | | as [`Cache`] |
///
/// The cache's clients are the lanes, then the extra port.
///
/// Four lanes, 8 banks, warm cache: 0.95 to 0.99 elements a cycle and lane (start and tail included) for rows of 4, 6 and 400 elements and lines of 16
/// words; with lines of 4 words, 0.86 for unaligned rows of 4, whose requests meet at the banks
/// (`cargo test -p mattock-hw busy_from_a_warm -- --nocapture`).
#[derive(Clone, Copy, Debug)]
struct Fetch {
    /// Lanes, from 1.
    lanes: u32,
    /// Each of them.
    lane: LaneFetch,
    /// The cache; `clients` is `lanes + 1`, tags, lines and addresses are as wide as the lane's.
    cache: Cache,
}

impl Module for Fetch {
    fn name(&self) -> String {
        format!("fetch_n{}_{}_{}", self.lanes, self.lane.name(), self.cache.name())
    }

    fn check(&self) -> Result<(), String> {
        let (lane, cache) = (&self.lane, &self.cache);
        for (name, value, want) in [
            ("clients", cache.clients, self.lanes + 1),
            ("tag_bits", cache.tag_bits, lane.tag_bits),
            ("line_bits", cache.line_bits, 32 * lane.line_words),
            ("addr_bits", cache.addr_bits, lane.addr_bits),
        ] {
            if value != want {
                return Err(format!("fetch: the cache's {name} is {value}; the lanes want {want}"));
            }
        }
        Ok(())
    }

    fn build(&self, m: &Builder) {
        m.doc("Dispatcher, lanes and cache of an SpGEMM cluster.");
        let flush = m.input("flush", bit());
        let row = bits(self.lane.row_bits);
        let dispatcher = m.inst(
            "dispatcher",
            &Dispatcher {
                lanes: self.lanes,
                line_words: self.lane.line_words,
                row_bits: self.lane.row_bits,
                queued_bits: self.lane.queued_bits(),
                a_bits: self.lane.a_bits,
                choice: Dispatch::Dynamic,
                ordered: false,
            },
        );
        dispatcher.set("flush", flush);
        for (name, ty) in [
            ("valid", bit()),
            ("seq", bits(2)),
            ("row", row),
            ("a", bits(32)),
            ("start", uint(32)),
            ("length", uint(32)),
        ] {
            let name = format!("task_{name}");
            dispatcher.set(&name, m.input(&name, ty));
        }
        m.output("task_ready", dispatcher.get("task_ready"));

        let cache = m.inst("cache", &self.cache);
        let lanes = self.lanes(m, dispatcher, cache, flush);
        self.ports_of_cache(m, cache);
        self.pending(m, dispatcher, &lanes, flush);
        let busy: Vec<Sig> = lanes.iter().map(|l| !l.get("idle")).collect();
        m.output("idle", dispatcher.get("idle") & !any(&busy));
    }
}

impl Fetch {
    fn lanes<'m>(
        &self,
        m: &'m Builder,
        dispatcher: Instance<'m>,
        cache: Instance<'m>,
        flush: Sig<'m>,
    ) -> Vec<Instance<'m>> {
        let mut shared = vec![];
        for (name, ty) in
            [("col_base", uint(self.lane.addr_bits)), ("val_base", uint(self.lane.addr_bits))]
        {
            shared.push((name.to_string(), m.input(name, ty)));
        }
        for s in 0..4 {
            for (name, ty) in [
                ("lo", uint(self.lane.index_bits)),
                ("hi", uint(self.lane.index_bits + 1)),
                ("open", bit()),
            ] {
                let name = format!("{name}_{s}");
                let sig = m.input(&name, ty);
                shared.push((name, sig));
            }
        }
        (0..self.lanes)
            .map(|l| {
                let lane = m.inst(&format!("lane_{l}"), &self.lane);
                lane.set("flush", flush);
                for (name, sig) in &shared {
                    lane.set(name, *sig);
                }
                lane.set("chunk_valid", dispatcher.get(&format!("l{l}_chunk_valid")));
                for name in ["seq", "row", "a", "start", "length"] {
                    let name = format!("chunk_{name}");
                    lane.set(&name, dispatcher.get(&name));
                }
                dispatcher
                    .set(&format!("l{l}_chunk_ready"), lane.get("chunk_ready"))
                    .set(&format!("l{l}_queued"), lane.get("queued"));
                for name in ["req_valid", "req_addr", "req_tag"] {
                    cache.set(&format!("c{l}_{name}"), lane.get(name));
                }
                for name in ["req_ready", "rsp_valid", "rsp_tag", "rsp_data"] {
                    lane.set(name, cache.get(&format!("c{l}_{name}")));
                }
                lane.set("out_ready", m.input(&format!("l{l}_ready"), bit()));
                for name in ["valid", "half", "row", "col", "a", "b"] {
                    m.output(&format!("l{l}_{name}"), lane.get(&format!("out_{name}")));
                }
                lane
            })
            .collect()
    }

    fn ports_of_cache<'m>(&self, m: &'m Builder, cache: Instance<'m>) {
        let (extra, addr) = (self.lanes, uint(self.cache.addr_bits));
        for (name, ty) in
            [("req_valid", bit()), ("req_addr", addr), ("req_tag", bits(self.cache.tag_bits))]
        {
            cache.set(&format!("c{extra}_{name}"), m.input(&format!("p_{name}"), ty));
        }
        for name in ["req_ready", "rsp_valid", "rsp_tag", "rsp_data"] {
            m.output(&format!("p_{name}"), cache.get(&format!("c{extra}_{name}")));
        }
        for (name, ty) in [
            ("invalidate", bit()),
            ("mem_req_ready", bit()),
            ("mem_rsp_valid", bit()),
            ("mem_rsp_data", bits(self.cache.line_bits)),
            ("mem_rsp_error", bit()),
        ] {
            cache.set(name, m.input(name, ty));
        }
        for name in ["mem_req_valid", "mem_req_addr", "ready", "hits", "misses", "error"] {
            m.output(name, cache.get(name));
        }
    }

    /// Chunks of each window between the dispatcher and the lanes' outputs.
    fn pending<'m>(
        &self,
        m: &'m Builder,
        dispatcher: Instance<'m>,
        lanes: &[Instance<'m>],
        flush: Sig<'m>,
    ) {
        // A lane holds its queue, the chunk being cut, a chunk in each slot and in each of three registers.
        let most = self.lanes * (self.lane.chunks + self.lane.slots + 4);
        let ty = uint(index_width(most + 1));
        for s in 0..4 {
            let is = |valid: Sig<'m>, seq: Sig<'m>| valid & seq.is(s);
            let new = is(dispatcher.get("dispatched"), dispatcher.get("dispatched_seq"));
            let count = m.state(&format!("chunks_{s}"), ty, 0);
            let wide = |flag: Sig<'m>| flag.as_u().zext(ty.width());
            let next = lanes.iter().fold(count.q().add_wrap(wide(new)), |sum, lane| {
                sum.sub_wrap(wide(is(lane.get("chunk_done"), lane.get("chunk_done_seq"))))
            });
            count.drive(flush.mux(count.q().lit(0), next));
            let here = dispatcher.get(&format!("busy_{s}"));
            m.output(&format!("pending_{s}"), here | !count.q().is(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cache, Fetch, LaneFetch};
    use crate::spgemm::front::Values;
    use crate::spgemm::front::bench::{Memory, expect_sound, start};
    use rand::{Rng, SeedableRng, rngs::StdRng};
    use rtl_gen::Interpreter;
    use rtl_gen::sim::PortId;

    const LANES: usize = 4;
    const VALUES: u64 = 1 << 20;

    /// A bus of `line_words` words and a cache of `kib` KiB.
    fn shape(line_words: u32, kib: u32, banks: u32, misses: u32) -> Fetch {
        let (tag_bits, addr_bits, line_bits) = (7, 24, 32 * line_words);
        let (ways, clients, waiters) = (4, LANES as u32 + 1, 16);
        let sets = kib * 8192 / line_bits / ways / banks;
        Fetch {
            lanes: LANES as u32,
            lane: LaneFetch {
                slots: 64,
                chunks: 16,
                line_words,
                index_bits: 20,
                row_bits: 8,
                tag_bits,
                addr_bits,
                values: Values::WORDS,
                a_bits: 32,
                share_bits: 0,
            },
            cache: Cache {
                banks,
                ways,
                sets,
                clients,
                misses,
                waiters,
                tag_bits,
                line_bits,
                addr_bits,
            },
        }
    }

    /// `(seq, row, a, start, length)`
    type Task = [u64; 5];

    /// Columns rise over the whole array, so any run of it is a row; a value is its index.
    fn line(words: u64) -> impl Fn(u64) -> Vec<u32> {
        move |addr| {
            let first = addr % VALUES * words;
            let step = if addr < VALUES { 3 } else { 1 };
            (first..first + words).map(|e| (step * e) as u32).collect()
        }
    }

    struct Bench {
        sim: Interpreter,
        memory: Memory,
        rng: StdRng,
        stall: u32,
        lanes: Vec<[PortId; 7]>,
        /// `(half, row, column, a, b)`, sorted at the end.
        seen: Vec<Task>,
        taken: bool,
    }

    impl Bench {
        fn new(shape: &Fetch, stall: u32) -> Self {
            let mut sim = start(shape);
            for port in ["flush", "invalidate", "p_req_valid", "task_valid"] {
                sim.set(port, 0);
            }
            sim.set("val_base", VALUES);
            sim.set("col_base", 0);
            for s in 0..4 {
                sim.set(format!("lo_{s}").as_str(), 0);
                sim.set(format!("hi_{s}").as_str(), 1 << 20);
                sim.set(format!("open_{s}").as_str(), 1);
            }
            let lanes = (0..LANES)
                .map(|l| {
                    ["valid", "ready", "half", "row", "col", "a", "b"]
                        .map(|p| sim.port(&format!("l{l}_{p}")))
                })
                .collect();
            let words = u64::from(shape.lane.line_words);
            let memory = Memory::new(&sim, 100, stall, line(words));
            let rng = StdRng::seed_from_u64(9);
            let mut bench = Bench { sim, memory, rng, stall, lanes, seen: vec![], taken: false };
            while bench.sim.get("ready") == 0 {
                bench.cycle(None);
            }
            bench
        }

        fn cycle(&mut self, task: Option<&Task>) {
            self.memory.drive(&mut self.sim);
            self.sim.set("task_valid", u64::from(task.is_some()));
            if let Some(task) = task {
                for (name, value) in ["seq", "row", "a", "start", "length"].iter().zip(task) {
                    self.sim.set(format!("task_{name}").as_str(), *value);
                }
            }
            for [valid, ready, fields @ ..] in &self.lanes {
                let take = self.rng.random_range(0..100) >= self.stall;
                self.sim.set(*ready, u64::from(take));
                if take && self.sim.get(*valid) == 1 {
                    self.seen.push(fields.map(|f| self.sim.get(f)));
                }
            }
            self.memory.sample(&mut self.sim);
            self.taken = self.sim.get("task_ready") == 1;
            self.sim.tick();
        }

        /// Runs the tasks, checks every element, and returns the cycles it took.
        fn run(&mut self, tasks: &[Task]) -> u64 {
            self.seen.clear();
            let begin = self.sim.cycle();
            for task in tasks {
                loop {
                    self.cycle(Some(task));
                    if self.taken {
                        break;
                    }
                    assert!(self.sim.cycle() - begin < 1_000_000, "stuck");
                }
            }
            while (0..4).any(|s| self.sim.get(format!("pending_{s}").as_str()) == 1) {
                self.cycle(None);
                assert!(self.sim.cycle() - begin < 1_000_000, "never done");
            }
            assert_eq!(self.sim.get("idle"), 1);
            let cycles = self.sim.cycle() - begin;
            let mut want: Vec<Task> = (tasks.iter())
                .flat_map(|&[seq, row, a, start, length]| {
                    (start..start + length).map(move |e| [seq & 1, row, (3 * e) & 0xf_ffff, a, e])
                })
                .collect();
            want.sort_unstable();
            self.seen.sort_unstable();
            assert_eq!(self.seen, want);
            expect_sound(&self.sim);
            cycles
        }
    }

    /// `n` tasks of `length` elements anywhere in an array of `size`.
    fn tasks(n: usize, length: impl Fn(&mut StdRng) -> u64, size: u64) -> Vec<Task> {
        let mut rng = StdRng::seed_from_u64(4);
        (0..n)
            .map(|i| {
                let length = length(&mut rng);
                let start = rng.random_range(0..size - length);
                [i as u64 / 100 % 4, i as u64 % 256, rng.random_range(0..1 << 32), start, length]
            })
            .collect()
    }

    #[test]
    fn every_product_leaves_once() {
        for (words, stall) in [(16, 0), (4, 30), (2, 10)] {
            let mut bench = Bench::new(&shape(words, 8, 4, 32), stall);
            let mixed = |rng: &mut StdRng| {
                if rng.random_bool(0.05) {
                    rng.random_range(1..400)
                } else {
                    rng.random_range(1..12)
                }
            };
            bench.run(&tasks(800, mixed, 8000));
        }
    }

    /// Elements a cycle and lane, warm.
    fn rate(line_words: u32, length: u64) -> f64 {
        let list = tasks(8_000 / length as usize, |_| length, 8_000);
        let mut bench = Bench::new(&shape(line_words, 512, 8, 128), 0);
        bench.run(&list);
        let cycles = bench.run(&list);
        (list.len() as u64 * length) as f64 / (LANES as u64 * cycles) as f64
    }

    #[test]
    fn lanes_are_kept_busy_from_a_warm_cache() {
        let rates = [(16, 400), (16, 6), (16, 4), (16, 3), (4, 400), (4, 4)]
            .map(|(words, length)| (words, length, rate(words, length)));
        for (words, length, rate) in rates {
            println!(
                "{words} words a line, tasks of {length}: {rate:.3} elements a cycle and lane"
            );
            // One task a cycle bounds tasks of 3 to 0.75 of four lanes; four short lines of four words need
            // 3.5 requests, of which two clients sometimes want one bank. Start and tail are 1 to 2 %.
            let bound =
                if words == 4 && length == 4 { 0.9 } else { (length as f64 / 4.0).min(1.0) };
            assert!(rate > 0.93 * bound, "{words} words, tasks of {length}: {rate:.3}");
        }
    }
}
