//! One stage of a rate-one merge sorter.

use super::Entry;
use crate::cells::{BlockFifo, Fifo, Skid};
use rtl_gen::{Builder, Instance, Module, all, bit, bits, cat, index_width, uint};

/// Merges pairs of runs of `run` entries into runs of twice that length.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `in_valid`, `in_ready` | in, out | bit | beats |
/// | `in_end`, `in_entry` | in | bit, bits | end mark of the batch, or an entry |
/// | `out_valid`, `out_ready`, `out_end`, `out_entry` | | | the same, sorted in runs of `2 * run` |
///
/// One beat a cycle for any data; latency `run + 3`. Runs alternate between two queues; the last run of a
/// batch may be short or missing. A queue needs no more than one run of room: while the rest of
/// one pair leaves, the next pair fills what became free.
#[derive(Clone, Copy, Debug)]
pub struct MergeStage {
    /// Entries of an incoming run; a power of two.
    pub run: u32,
    /// Shape of an entry.
    pub entry: Entry,
}

impl Module for MergeStage {
    fn name(&self) -> String {
        format!("merge_stage_r{}_{}", self.run, self.entry.tag())
    }

    fn check(&self) -> Result<(), String> {
        if self.run.is_power_of_two() {
            Ok(())
        } else {
            Err(format!("run {} is not a power of two", self.run))
        }
    }

    fn build(&self, m: &Builder) {
        m.doc("Merges pairs of sorted runs, one beat a cycle.");
        let width = self.entry.width() + 1;
        let (in_valid, in_end) = (m.input("in_valid", bit()), m.input("in_end", bit()));
        let in_entry = m.input("in_entry", bits(self.entry.width()));
        let out_ready = m.input("out_ready", bit());
        let count_type = uint(index_width(self.run + 1));

        // Entries fill the queues in turn, a run each; an end mark goes to both.
        let (side, filled) = (m.state("side", bit(), 0), m.state("filled", count_type, 0));
        let queues: [Instance; 2] = ["first", "second"].map(|name| queue(m, name, width, self.run));
        let rooms = queues.map(|q| q.get("in_ready"));
        let ready =
            in_end.mux(rooms[0] & rooms[1], side.q().mux(rooms[1], rooms[0])).named("ready");
        let accept = (in_valid & ready).named("accept");
        let run_full = filled.q().is(self.run as i128 - 1);
        filled.update(&[
            (accept & (in_end | run_full), filled.q().lit(0)),
            (accept, filled.q().inc()),
        ]);
        side.update(&[(accept & in_end, m.low()), (accept & run_full, !side.q())]);
        for (queue, mine) in queues.iter().zip([!side.q(), side.q()]) {
            queue
                .set("in_valid", accept & (in_end | mine))
                .set("in_data", cat(&[in_end, in_entry]));
        }

        // The smaller head leaves; a side is done when its run is over or its head is the end mark.
        let out = m.inst("out", &Skid { width });
        let heads = queues.map(|q| q.get("out_data"));
        let valids = queues.map(|q| q.get("out_valid"));
        let ends = heads.map(|h| h.bit(width - 1));
        let taken = ["taken_first", "taken_second"].map(|name| m.state(name, count_type, 0));
        let spent = taken.map(|t| t.q().is(self.run as i128));
        let done = [0, 1].map(|i| spent[i] | (valids[i] & ends[i]));
        let key = |i: usize| heads[i].slice(width - 2, self.entry.value_bits).as_u();
        let second_less = key(1).lt(key(0)).named("second_less");
        let has = [0, 1].map(|i| valids[i] & !ends[i] & !spent[i]);
        let pick_first = (has[0] & (done[1] | (has[1] & !second_less))).named("pick_first");
        let pick_second = (has[1] & (done[0] | (has[0] & second_less))).named("pick_second");
        let finish = all(&[valids[0], ends[0], valids[1], ends[1]]).named("finish");
        let go = out.get("in_ready");
        let picks = [pick_first, pick_second];
        let last_of_pair = [0, 1].map(|i| {
            let other = taken[1 - i].q().is(self.run as i128);
            picks[i] & taken[i].q().is(self.run as i128 - 1) & other
        });
        let restart = (go & (finish | last_of_pair[0] | last_of_pair[1])).named("restart");
        for i in 0..2 {
            queues[i].set("out_ready", go & (picks[i] | finish));
            taken[i].update(&[(restart, taken[i].q().lit(0)), (go & picks[i], taken[i].q().inc())]);
        }
        out.set("in_valid", pick_first | pick_second | finish);
        out.set("in_data", pick_second.mux(heads[1], heads[0])).set("out_ready", out_ready);

        m.output("in_ready", ready);
        m.output("out_valid", out.get("out_valid"));
        m.output("out_end", out.get("out_data").bit(width - 1));
        m.output("out_entry", out.get("out_data").slice(width - 2, 0));
    }
}

/// Short runs sit in LUT RAM, long ones in block RAM.
fn queue<'m>(m: &'m Builder, name: &str, width: u32, run: u32) -> Instance<'m> {
    if run <= 16 {
        m.inst(name, &Fifo { width, depth: (2 * run).max(4) })
    } else {
        m.inst(name, &BlockFifo { width, depth: run })
    }
}
