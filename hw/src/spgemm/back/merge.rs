//! Merging two sorted streams several entries a cycle.

use super::Entry;
use crate::cells::Fifo;
use rtl_gen::{Builder, Module, Sig, all, bit, bits, cat, mux};

/// Merges two sorted streams of `width / 2` entries a beat into one of `width` entries a beat.
///
/// FLiMS (Papaphilippou, Pirkl, Hoegner: "FLiMS: Fast Lightweight Merge Sorter", FPT 2018): each input is dealt
/// over `width` queues; unit `i` compares the head of queue `i` of the first input with the head of queue
/// `width - 1 - i` of the second and takes the smaller. What is taken is bitonic and `log2(width)`
/// rows of comparators put it in order. The queues advance one by one, so no data has to be shifted
/// and the only loop is one comparison.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `a_valid`, `a_ready`, `a_end`, `a_entries` | in, out, in, in | | beats of the first input; the end mark is a beat of its own |
/// | `b_*` | | | second input |
/// | `out_valid`, `out_ready`, `out_end`, `out_entries` | out, in, out, out | | merged beats, entry 0 the smallest |
///
/// An entry is `{pad, key, value}`; pads compare above every key and fill up the last beats of a batch.
/// Throughput `width` entries a cycle as long as neither input runs dry: both halves of random data
/// do; one input entirely below the other gives `width / 2`. Latency `2 + log2(width)`.
#[derive(Clone, Copy, Debug)]
pub struct WideMerge {
    /// Entries of an output beat; a power of two from 2.
    pub width: u32,
    /// Shape of an entry (without the pad bit).
    pub entry: Entry,
}

impl Module for WideMerge {
    fn name(&self) -> String {
        format!("wide_merge_w{}_{}", self.width, self.entry.tag())
    }

    fn check(&self) -> Result<(), String> {
        if self.width.is_power_of_two() && self.width >= 2 {
            Ok(())
        } else {
            Err(format!("merge width {} is not a power of two from 2", self.width))
        }
    }

    fn build(&self, m: &Builder) {
        m.doc("FLiMS merger: two sorted streams into one, several entries a cycle.");
        let w = self.width as usize;
        let out_ready = m.input("out_ready", bit());
        let advance = m.forward("advance", bit());
        let take_ends = m.forward("take_ends", bit());
        let takes: Vec<Vec<_>> = (["a", "b"].iter())
            .map(|side| (0..w).map(|i| m.forward(&format!("{side}_take_{i}"), bit())).collect())
            .collect();
        let heads: Vec<Heads> = (["a", "b"].iter().enumerate())
            .map(|(s, side)| {
                let takes: Vec<Sig> = takes[s].iter().map(|t| t.sig() | take_ends.sig()).collect();
                self.deal(m, side, &takes)
            })
            .collect();

        let ready = all(&heads.iter().flat_map(|h| h.valid.clone()).collect::<Vec<_>>())
            .named("heads_ready");
        let over =
            all(&heads.iter().flat_map(|h| h.end.clone()).collect::<Vec<_>>()).named("heads_over");
        let fire = (ready & advance.sig()).named("fire");
        take_ends.assign(fire & over);
        let mut chosen = vec![];
        for i in 0..w {
            let (a, b) = (heads[0].entry[i], heads[1].entry[w - 1 - i]);
            // A pad that came as an entry must leave its queue, so it goes before an end mark.
            let second = self.key(b).lt(self.key(a)) | (heads[0].end[i] & !heads[1].end[w - 1 - i]);
            let second = second.named(&format!("second_{i}"));
            takes[0][i].assign(fire & !over & !second & !heads[0].end[i]);
            takes[1][w - 1 - i].assign(fire & !over & second & !heads[1].end[w - 1 - i]);
            chosen.push(mux(second, b, a));
        }

        // One register, then a bitonic network with a register after each row.
        let mut valid = m.state("valid_0", bit(), 0);
        valid.drive_when(advance.sig(), ready);
        let mut end = m.reg_when("end_0", advance.sig(), over);
        let mut row: Vec<Sig> = chosen
            .iter()
            .enumerate()
            .map(|(i, e)| m.reg_when(&format!("chosen_{i}"), advance.sig(), *e))
            .collect();
        let (mut distance, mut depth) = (w / 2, 1);
        while distance >= 1 {
            let mut next = row.clone();
            for i in (0..w).filter(|i| i & distance == 0) {
                let (a, b) = (row[i], row[i + distance]);
                let swap = self.key(b).lt(self.key(a)).named(&format!("swap_{depth}_{i}"));
                next[i] = mux(swap, b, a);
                next[i + distance] = mux(swap, a, b);
            }
            row = (next.iter().enumerate())
                .map(|(i, e)| m.reg_when(&format!("row_{depth}_{i}"), advance.sig(), *e))
                .collect();
            let v = m.state(&format!("valid_{depth}"), bit(), 0);
            v.drive_when(advance.sig(), valid.q());
            end = m.reg_when(&format!("end_{depth}"), advance.sig(), end);
            valid = v;
            (distance, depth) = (distance / 2, depth + 1);
        }
        advance.assign(!valid.q() | out_ready);
        let entries: Vec<Sig> = row.iter().rev().copied().collect();
        m.output("out_valid", valid.q());
        m.output("out_end", end);
        m.output("out_entries", cat(&entries));
    }
}

/// Heads of the queues of one input.
struct Heads<'m> {
    valid: Vec<Sig<'m>>,
    end: Vec<Sig<'m>>,
    entry: Vec<Sig<'m>>,
}

impl WideMerge {
    /// `{pad, key}` as a number: pads sort last.
    fn key<'m>(&self, entry: Sig<'m>) -> Sig<'m> {
        entry.slice(self.entry.width(), self.entry.value_bits).as_u()
    }

    /// Deals the beats of one input over `width` queues. Past the end mark a head shows a pad.
    fn deal<'m>(&self, m: &'m Builder, side: &str, takes: &[Sig<'m>]) -> Heads<'m> {
        let (w, word) = (self.width, self.entry.width() + 1);
        let half = w / 2;
        let valid = m.input(&format!("{side}_valid"), bit());
        let end = m.input(&format!("{side}_end"), bit());
        let entries = m.input(&format!("{side}_entries"), bits(half * word)).lanes(word);
        // Two beats fill all queues: the lower half of them, then the upper half.
        let upper = m.state(&format!("{side}_upper"), bit(), 0);
        let queues: Vec<_> = (0..w)
            .map(|i| m.inst(&format!("{side}_queue_{i}"), &Fifo { width: word + 1, depth: 4 }))
            .collect();
        let rooms: Vec<Sig> = queues.iter().map(|q| q.get("in_ready")).collect();
        let (low, high) = rooms.split_at(half as usize);
        let ready = end.mux(all(&rooms), upper.q().mux(all(high), all(low)));
        let accept = (valid & ready).named(&format!("{side}_accept"));
        upper.update(&[(accept & end, m.low()), (accept, !upper.q())]);
        m.output(&format!("{side}_ready"), ready);
        let pad = m.constant(rtl_gen::Value::from_i128(word, -1), bits(word));
        let mut heads = Heads { valid: vec![], end: vec![], entry: vec![] };
        for (i, queue) in queues.iter().enumerate() {
            let mine = if (i as u32) < half { !upper.q() } else { upper.q() };
            queue.set("in_valid", accept & (end | mine));
            queue
                .set("in_data", cat(&[end, entries[i % half as usize]]))
                .set("out_ready", takes[i]);
            let data = queue.get("out_data");
            heads.valid.push(queue.get("out_valid"));
            heads.end.push(data.bit(word));
            heads.entry.push(data.bit(word).mux(pad, data.slice(word - 1, 0)));
        }
        heads
    }
}
