//! Emptying one half of a bank.

use super::encode::encode;
use super::table::Table;
use crate::cells::priority;
use rtl_gen::{Builder, Module, bit, bits, cat, one_hot_mux, uint};

/// Walks the buckets of a half, clears them and streams their entries.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `start`, `start_half`, `discard` | in | bit | pulse: empty that half; without streaming its entries |
/// | `walk`, `walk_half` | out | bit | at work, from the cycle after `start` until the last entry is taken; on which half |
/// | `fetch`, `bucket`, `fetched` | out, out, in | bit, uint, bits | reads the tags of a bucket, a cycle later; must hold |
/// | `clear`, `clear_bucket` | out | bit, uint | that bucket has been taken |
/// | `read`, `entry`, `value` | out, out, in | bit, uint, bits(32) | reads a value, a cycle later; must hold |
/// | `out_valid`, `out_ready` | out, in | bit | entry stream |
/// | `out_entry` | out | bits | row slot, column, value; above them, with masks, whether the mask wants it |
/// | `mask`, `complement` | in | bit | with masks: entries are wanted where masked, or where not; constant while busy |
///
/// Throughput one entry or one empty bucket a cycle: the next bucket is fetched while the entries
/// of the last one leave. First entry 4 cycles after `start`.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    /// The table.
    pub table: Table,
}

impl Module for Walk {
    fn name(&self) -> String {
        format!("walk_{}", self.table.suffix())
    }

    fn build(&self, m: &Builder) {
        m.doc("Empties one half of a bank: one entry a cycle.");
        let table = self.table;
        let (ways, way_bits) = (table.ways as usize, table.tag_bits());
        let address = uint(table.bucket_bits());
        let start = m.input("start", bit());
        let (start_half, discard) = (m.input("start_half", bit()), m.input("discard", bit()));
        let fetched = m.input("fetched", bits(way_bits * table.ways));
        let value = m.input("value", bits(32));
        let out_ready = m.input("out_ready", bit());

        let walk = m.state("walking", bit(), 0);
        let half = m.reg_when("half", start, start_half);
        let silent = m.reg_when("silent", start, discard);

        // The bucket being emptied, and the ways of it still to go.
        let word = m.reg_decl("word", fetched.ty());
        let left = m.state("left", bits(table.ways), 0);
        let emptied = m.reg_decl("emptied", address);
        let out_valid = m.state("out_valid_q", bit(), 0);
        let advance = (!out_valid.q() | out_ready).named("advance");
        let some_left = left.q().red_or();
        let emit = (some_left & advance).named("emit");
        let flags: Vec<_> = (0..table.ways).map(|w| left.q().bit(w)).collect();
        let first = priority(&flags);
        let reversed: Vec<_> = first.iter().rev().copied().collect();
        let left_after = left.q() & !(emit.rep(table.ways) & cat(&reversed));

        // The bucket after it: read, and held in the RAM's output.
        let reading = m.state("reading", bit(), 0);
        let next = m.state("next", address, 0);
        let waits = m.state("waits", bit(), 0);
        let load = (waits.q() & !left_after.red_or()).named("load");
        let fetch = (reading.q() & (!waits.q() | load)).named("fetch_next");
        let held = m.reg_when("held", fetch, next.q());
        let last = next.q().red_and();
        reading.drive(start | (reading.q() & !(fetch & last)));
        next.drive_when(fetch, next.q().inc());
        waits.drive(fetch | (waits.q() & !load));
        word.drive_when(load, fetched);
        emptied.drive_when(load, held);
        let used: Vec<_> =
            (0..table.ways).rev().map(|w| fetched.lane(w, way_bits).msb() & !silent).collect();
        left.drive(load.mux(cat(&used), left_after));

        // The entry: key in a register, value in the RAM's output.
        let masks = table.masks.then(|| (m.input("mask", bit()), m.input("complement", bit())));
        let keys: Vec<_> = (0..ways)
            .map(|w| {
                let tag = table.unpack_tag(word.q().lane(w as u32, way_bits));
                let wanted = masks.zip(tag.marks).map(|((mask, complement), marks)| {
                    !mask | (marks.touched & (marks.masked ^ complement))
                });
                (first[w], cat(&wanted.into_iter().chain([tag.key]).collect::<Vec<_>>()))
            })
            .collect();
        let key = m.reg_when("key", advance, one_hot_mux(&keys));
        out_valid.drive_when(advance, some_left);
        let entry = match encode(&first) {
            Some(way) => cat(&[emptied.q().as_bits(), way]).as_u(),
            None => emptied.q(),
        };
        let working = rtl_gen::any(&[reading.q(), waits.q(), some_left, out_valid.q()]);
        walk.drive(start | (walk.q() & working));

        m.assert("one_walk_at_a_time", !(start & walk.q()));
        m.output("walk", walk.q());
        m.output("walk_half", half);
        m.output("fetch", fetch);
        m.output("bucket", next.q());
        m.output("clear", load);
        m.output("clear_bucket", held);
        m.output("read", emit);
        m.output("entry", entry);
        m.output("out_valid", out_valid.q());
        m.output("out_entry", cat(&[key, value]));
    }
}
