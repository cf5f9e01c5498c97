//! Tasks to lanes, in chunks.

use super::lane::CHUNK;
use mattock_spec::config::Dispatch;
use rtl_gen::{Builder, Module, Sig, all, any, bit, bits, case, cat, index_width, uint};

/// Cuts tasks into chunks of at most 64 elements and gives each to the lane with the fewest queued elements.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `task_valid`, `task_ready` | in, out | bit | task offered, taken; `task_ready` follows `chunk_ready` of the lanes |
/// | `task_seq`, `task_row`, `task_a` | in | bits(2), bits(`row_bits`), bits(`a_bits`) | window, row slot, element of A |
/// | `task_start`, `task_length` | in | uint(32) | elements of B; `task_length >= 1` |
/// | `l{l}_chunk_valid`, `l{l}_chunk_ready` | out, in | bit | chunk for lane `l`; a register |
/// | `l{l}_queued` | in | uint(`queued_bits`) | elements queued in lane `l` |
/// | `chunk_seq`, `chunk_row`, `chunk_a`, `chunk_start`, `chunk_length` | out | as the task; uint(7) | shared by the lanes; registers |
/// | `dispatched`, `dispatched_seq` | out | bit, bits(2) | pulse: a lane took a chunk of that window (this cycle) |
/// | `ordered`, `task_spread` | in | bit | if `ordered`: constant while not `idle`; each lane takes a share of the task |
/// | `chunk_spread` | out | bit | if `ordered`: as the task |
/// | `busy_{s}` | out | bit | chunks of window `s` are still here |
/// | `flush` | in | bit | pulse or level: drop everything; nothing enters or leaves meanwhile |
/// | `idle` | out | bit | nothing here |
///
/// A chunk ends where a line ends, so that no line is fetched for two chunks of one task: the first chunk of a
/// task has at most `64 - start % line_words` elements. One chunk a cycle, so one task a cycle when it fits one chunk.
/// In order, all chunks of a row go to the lane of its first one, and those of a task that is spread to all lanes at once; `dispatched`
/// then means that each of them took it.
/// Latency two cycles. A chunk waits for the lane that was best (among those ready) when it was cut.
#[derive(Clone, Copy, Debug)]
pub struct Dispatcher {
    /// Lanes, from 1.
    pub lanes: u32,
    /// 32-bit words of a line; a power of two from 2 to 16.
    pub line_words: u32,
    /// Bits of a row slot.
    pub row_bits: u32,
    /// Bits of `queued` of a lane.
    pub queued_bits: u32,
    /// Bits of `a`, as of the [`Planner`](super::Planner).
    pub a_bits: u32,
    /// How a lane is chosen; static: the row slot's number modulo the lanes.
    pub choice: Dispatch,
    /// A command may ask for order.
    pub ordered: bool,
}

impl Module for Dispatcher {
    fn name(&self) -> String {
        let Dispatcher { lanes, line_words, row_bits, queued_bits, a_bits, choice, ordered } = self;
        let joined = if *a_bits > 32 { "_j" } else { "" };
        let choice = if *choice == Dispatch::Static { "_s" } else { "" };
        let ordered = if *ordered { "_o" } else { "" };
        let suffix = format!("{joined}{choice}{ordered}");
        format!("dispatcher_n{lanes}_l{line_words}_r{row_bits}_q{queued_bits}{suffix}")
    }

    fn check(&self) -> Result<(), String> {
        if self.lanes == 0 {
            return Err("dispatcher: lanes is 0; at least 1".into());
        }
        if !self.line_words.is_power_of_two() || !(2..=16).contains(&self.line_words) {
            return Err(format!("dispatcher: line_words is {}; 2, 4, 8 or 16", self.line_words));
        }
        if self.queued_bits < 7 {
            return Err(format!("dispatcher: queued_bits is {}; at least 7", self.queued_bits));
        }
        Ok(())
    }

    fn build(&self, m: &Builder) {
        m.doc("Cuts tasks into chunks for the least loaded lane.");
        let flush = m.input("flush", bit());
        let lane_type = uint(index_width(self.lanes));

        // The task being cut.
        let valid = m.state("valid", bit(), 0);
        let (start, left) = (m.reg_decl("start", uint(32)), m.reg_decl("left", uint(32)));
        let position = index_width(self.line_words);
        let room = m.lit(uint(7), CHUNK as i128).sub_wrap(start.q().trunc(position).zext(7));
        let fits = left.q().le(room.zext(32)).named("fits");
        let length = fits.mux(left.q().trunc(7), room);

        // The chunk being handed over.
        let out_valid = m.state("out_valid", bit(), 0);
        let out_lane = m.reg_decl("out_lane", lane_type);
        let ready: Vec<Sig> =
            (0..self.lanes).map(|l| m.input(&format!("l{l}_chunk_ready"), bit())).collect();
        let arms: Vec<(i128, Sig)> =
            ready.iter().enumerate().map(|(l, &r)| (l as i128, r)).collect();
        let spread = self.ordered.then(|| m.reg_decl("spread", bit()));
        let out_spread = self.ordered.then(|| m.reg_decl("out_spread", bit()));
        let all_ready = all(&ready);
        let taken = case(out_lane.q(), &arms[1..], arms[0].1);
        let taken = out_spread.map_or(taken, |spread| spread.q().mux(all_ready, taken));
        let handed = (out_valid.q() & taken & !flush).named("handed");
        let cut = (valid.q() & (!out_valid.q() | handed) & !flush).named("cut");
        out_valid.drive((cut | (out_valid.q() & !handed)) & !flush);

        let task_ready = ((!valid.q() | (cut & fits)) & !flush).named("task_free");
        let take = (m.input("task_valid", bit()) & task_ready).named("take");
        m.output("task_ready", task_ready);
        valid.drive((take | (valid.q() & !(cut & fits))) & !flush);
        start.update(&[
            (take, m.input("task_start", uint(32))),
            (cut, start.q().add_wrap(length.zext(32))),
        ]);
        left.update(&[
            (take, m.input("task_length", uint(32))),
            (cut, left.q().sub_wrap(length.zext(32))),
        ]);
        let seq = m.reg_when("seq", take, m.input("task_seq", bits(2)));
        let row = m.reg_when("row", take, m.input("task_row", bits(self.row_bits)));
        let a = m.reg_when("a", take, m.input("task_a", bits(self.a_bits)));

        let out_seq = m.reg_when("out_seq", cut, seq);
        let out_length = m.reg_when("out_length", cut, length);
        m.output("chunk_seq", out_seq);
        let out_row = m.reg_when("out_row", cut, row);
        m.output("chunk_row", out_row);
        m.output("chunk_a", m.reg_when("out_a", cut, a));
        m.output("chunk_start", m.reg_when("out_start", cut, start.q()));
        m.output("chunk_length", out_length);
        for l in 0..self.lanes {
            let mine = out_lane.q().is(l as i128);
            // Each takes it when all do.
            let mine = out_spread.map_or(mine, |spread| spread.q().mux(all_ready, mine));
            m.output(&format!("l{l}_chunk_valid"), out_valid.q() & mine & !flush);
        }

        // Load of the lanes, the chunk on its way included; a lane that is not ready comes last.
        let loads = (0..self.lanes)
            .map(|l| {
                let queued = m.input(&format!("l{l}_queued"), uint(self.queued_bits));
                if self.lanes == 1 || self.choice == Dispatch::Static {
                    m.unused(&format!("l{l}_queued")); // there is nothing to choose
                }
                let mine = out_lane.q().is(l as i128);
                let mine = out_spread.map_or(mine, |spread| mine | spread.q());
                let coming = out_valid.q() & mine;
                let load = queued.add_wrap(coming.gate(out_length.zext(self.queued_bits)));
                let key = cat(&[!ready[l as usize], load.as_bits()]).as_u();
                (m.lit(lane_type, l as i128), key)
            })
            .collect::<Vec<_>>();
        let best = match self.choice {
            Dispatch::Dynamic => least(&loads).0,
            Dispatch::Static if self.lanes == 1 => m.lit(lane_type, 0),
            Dispatch::Static => row.as_u().trunc(index_width(self.lanes)),
        };
        let lane = match (spread, out_spread) {
            (Some(spread), Some(out_spread)) => {
                spread.drive_when(take, m.input("task_spread", bit()));
                out_spread.drive_when(cut, spread.q());
                m.output("chunk_spread", out_spread.q());
                // The row of the last chunk, which stays in its registers.
                let known = m.state("known", bit(), 0);
                known.update(&[(flush, m.low()), (cut, m.high())]);
                let same = known.q() & seq.eq(out_seq) & row.eq(out_row);
                let stays = all(&[m.input("ordered", bit()), same, !spread.q()]).named("stays");
                stays.mux(out_lane.q(), best)
            }
            _ => best,
        };
        out_lane.drive_when(cut, lane);

        m.output("dispatched", handed);
        m.output("dispatched_seq", out_seq);
        for s in 0..4 {
            let here = [valid.q() & seq.is(s), out_valid.q() & out_seq.is(s)];
            m.output(&format!("busy_{s}"), any(&here));
        }
        m.output("idle", !valid.q() & !out_valid.q());
    }
}

/// The entry with the least key, the first of equals.
fn least<'m>(entries: &[(Sig<'m>, Sig<'m>)]) -> (Sig<'m>, Sig<'m>) {
    match entries {
        [one] => *one,
        _ => {
            let (a, b) = entries.split_at(entries.len() / 2);
            let (a, b) = (least(a), least(b));
            let second = b.1.lt(a.1);
            (second.mux(b.0, a.0), second.mux(b.1, a.1))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Dispatch, Dispatcher};
    use crate::spgemm::front::bench::{expect_sound, start};
    use rand::{Rng, SeedableRng, rngs::StdRng};
    use rtl_gen::Interpreter;

    const SHAPE: Dispatcher = Dispatcher {
        lanes: 4,
        line_words: 16,
        row_bits: 8,
        queued_bits: 12,
        a_bits: 32,
        choice: Dispatch::Dynamic,
        ordered: false,
    };

    /// `(seq, row, a, start, length)` of a task or chunk.
    type Piece = [u64; 5];

    fn chunks(&[seq, row, a, start, length]: &Piece) -> Vec<Piece> {
        let (mut at, end) = (start, start + length);
        let mut list = vec![];
        while at < end {
            let length = (64 - at % 16).min(end - at);
            list.push([seq, row, a, at, length]);
            at += length;
        }
        list
    }

    struct Bench {
        sim: Interpreter,
        rng: StdRng,
        /// Percentage of cycles in which a lane takes nothing.
        stall: u32,
        /// Elements queued per lane; each lane uses one a cycle.
        queued: [u64; 4],
        got: Vec<(usize, Piece)>,
    }

    impl Bench {
        fn new(stall: u32) -> Self {
            let sim = start(&SHAPE);
            Bench { sim, rng: StdRng::seed_from_u64(2), stall, queued: [0; 4], got: vec![] }
        }

        /// One cycle; returns whether the offered task was taken.
        fn cycle(&mut self, task: Option<&Piece>, flush: bool) -> bool {
            self.sim.set("flush", u64::from(flush));
            self.sim.set("task_valid", u64::from(task.is_some()));
            if let Some(task) = task {
                for (name, value) in ["seq", "row", "a", "start", "length"].iter().zip(task) {
                    self.sim.set(format!("task_{name}").as_str(), *value);
                }
            }
            let ready: Vec<bool> = (self.queued.iter())
                .map(|&q| q < 1024 && self.rng.random_range(0..100) >= self.stall)
                .collect();
            for (l, &ready) in ready.iter().enumerate() {
                self.sim.set(format!("l{l}_chunk_ready").as_str(), u64::from(ready));
                self.sim.set(format!("l{l}_queued").as_str(), self.queued[l]);
                self.queued[l] = self.queued[l].saturating_sub(1);
            }
            let mut handed = 0;
            for (l, ready) in ready.into_iter().enumerate() {
                if ready && self.sim.get(format!("l{l}_chunk_valid").as_str()) == 1 {
                    let chunk = ["seq", "row", "a", "start", "length"]
                        .map(|name| self.sim.get(format!("chunk_{name}").as_str()));
                    assert_eq!(self.sim.get("dispatched_seq"), chunk[0]);
                    assert_eq!(self.sim.get(format!("busy_{}", chunk[0]).as_str()), 1);
                    self.queued[l] += chunk[4];
                    self.got.push((l, chunk));
                    handed += 1;
                }
            }
            assert_eq!(self.sim.get("dispatched"), handed);
            let taken = task.is_some() && self.sim.get("task_ready") == 1;
            self.sim.tick();
            taken
        }

        fn send(&mut self, tasks: &[Piece]) -> u64 {
            let begin = self.sim.cycle();
            for task in tasks {
                while !self.cycle(Some(task), false) {
                    assert!(self.sim.cycle() - begin < 1_000_000);
                }
            }
            while self.sim.get("idle") == 0 {
                self.cycle(None, false);
            }
            expect_sound(&self.sim);
            self.sim.cycle() - begin
        }
    }

    fn tasks(n: usize, most: u64) -> Vec<Piece> {
        let mut rng = StdRng::seed_from_u64(most);
        let mut random = |below: u64| rng.random_range(0..below);
        (0..n)
            .map(|_| [random(4), random(256), random(1 << 32), random(1 << 24), 1 + random(most)])
            .collect()
    }

    #[test]
    fn every_element_goes_to_one_lane() {
        for (stall, most) in [(0, 300), (40, 300), (80, 40), (0, 5000)] {
            let tasks = tasks(300, most);
            let mut bench = Bench::new(stall);
            bench.send(&tasks);
            let want: Vec<Piece> = tasks.iter().flat_map(chunks).collect();
            let got: Vec<Piece> = bench.got.iter().map(|g| g.1).collect();
            assert_eq!(got, want);
        }
    }

    #[test]
    fn lanes_are_loaded_evenly() {
        let tasks = tasks(2000, 60);
        let mut bench = Bench::new(0);
        bench.send(&tasks);
        let mut load = [0; 4];
        for (l, chunk) in &bench.got {
            load[*l] += chunk[4];
        }
        let (least, most) = (load.iter().min().unwrap(), load.iter().max().unwrap());
        assert!(most - least <= 128, "{load:?}");
    }

    #[test]
    fn one_small_task_a_cycle() {
        let tasks: Vec<Piece> = (0..1000).map(|i| [0, 1, i, 16 * i, 1 + i % 4]).collect();
        let cycles = Bench::new(0).send(&tasks);
        assert_eq!(cycles, 1000 + 2);
    }

    #[test]
    fn flush_drops_the_rest() {
        let tasks = tasks(50, 500);
        let mut bench = Bench::new(50);
        for (i, task) in tasks.iter().enumerate() {
            while !bench.cycle(Some(task), false) {}
            for _ in 0..i % 5 {
                bench.cycle(None, false);
            }
            bench.got.clear();
            assert!(!bench.cycle(Some(task), true), "a task entered during the flush");
            assert!(bench.got.is_empty(), "a chunk left during the flush");
            assert_eq!(bench.sim.get("idle"), 1);
        }
        bench.send(&tasks);
        assert_eq!(bench.got.len(), tasks.iter().map(|t| chunks(t).len()).sum::<usize>());
    }
}
