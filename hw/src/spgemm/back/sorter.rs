//! The whole sorter: chains, then a tree of wide mergers.

use super::{Chain, Entry, WideMerge};
use rtl_gen::{Builder, Instance, Module, Sig, bit, bits, cat};

/// Sorts batches of table entries: `width` streams in, `width` sorted entries a cycle out.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `d{g}_valid`, `d{g}_ready` | in, out | bit | drain stream `g` |
/// | `d{g}_end`, `d{g}_entry` | in | bit, bits | end mark of the batch on this stream, or `{key, value}` |
/// | `out_valid`, `out_ready` | out, in | bit | beats |
/// | `out_end` | out | bit | the batch is over; the beat carries nothing |
/// | `out_count` | out | uint | entries in the beat; `width` but in the last beats of a batch |
/// | `out_entries` | out | bits | entry 0 (least significant) is the smallest |
///
/// Every stream takes one beat a cycle whatever the data; about `entries / width` cycles pass from
/// the last entry of a batch to the first sorted one.
#[derive(Clone, Copy, Debug)]
pub struct Sorter {
    /// Streams in and entries a beat out; a power of two.
    pub width: u32,
    /// Most entries of a batch in one stream.
    pub entries: u32,
    /// Shape of an entry.
    pub entry: Entry,
}

impl Module for Sorter {
    fn name(&self) -> String {
        format!("sorter_w{}_n{}_{}", self.width, self.entries, self.entry.tag())
    }

    fn check(&self) -> Result<(), String> {
        if self.width.is_power_of_two() {
            Ok(())
        } else {
            Err(format!("sorter width {} is not a power of two", self.width))
        }
    }

    fn build(&self, m: &Builder) {
        m.doc("Sorter: rate-one chains, then a tree of wide mergers.");
        let word = self.entry.width() + 1;
        let out_ready = m.input("out_ready", bit());
        // (valid, end, entries, how to give back ready)
        let mut level: Vec<(Instance, &'static str, Sig)> = (0..self.width)
            .map(|g| {
                let chain = m.inst(
                    &format!("chain_{g}"),
                    &Chain { entries: self.entries, entry: self.entry },
                );
                chain.set("in_valid", m.input(&format!("d{g}_valid"), bit()));
                chain.set("in_end", m.input(&format!("d{g}_end"), bit()));
                chain.set("in_entry", m.input(&format!("d{g}_entry"), bits(self.entry.width())));
                m.output(&format!("d{g}_ready"), chain.get("in_ready"));
                (chain, "out_ready", cat(&[m.low(), chain.get("out_entry")]))
            })
            .collect();
        let mut width = 2;
        while level.len() > 1 {
            level = (level.chunks(2).enumerate())
                .map(|(i, pair)| {
                    let merge = m.inst(
                        &format!("merge_{width}_{i}"),
                        &WideMerge { width, entry: self.entry },
                    );
                    for ((from, ready, entries), side) in pair.iter().zip(["a", "b"]) {
                        merge.set(&format!("{side}_valid"), from.get("out_valid"));
                        merge.set(&format!("{side}_end"), from.get("out_end"));
                        merge.set(&format!("{side}_entries"), *entries);
                        from.set(ready, merge.get(&format!("{side}_ready")));
                    }
                    (merge, "out_ready", merge.get("out_entries"))
                })
                .collect();
            width *= 2;
        }
        let (last, ready, entries) = level[0];
        last.set(ready, out_ready);
        let end = last.get("out_end");
        let lanes = entries.lanes(word);
        let counter = rtl_gen::uint(rtl_gen::index_width(self.width + 1));
        let count = lanes.iter().fold(m.lit(counter, 0), |sum, lane| {
            let real = (!lane.bit(word - 1) & !end).as_u().zext(counter.width());
            sum.add_wrap(real)
        });
        let plain: Vec<Sig> = lanes.iter().rev().map(|lane| lane.slice(word - 2, 0)).collect();
        m.output("out_valid", last.get("out_valid"));
        m.output("out_end", end);
        m.output("out_count", count);
        m.output("out_entries", cat(&plain));
    }
}
