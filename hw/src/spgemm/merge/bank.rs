//! One bank of the hash table.

use super::accumulate::Accumulate;
use super::algebra::Algebra;
use super::table::Table;
use super::tags::{Tags, order_suffix};
use super::walk::Walk;
use crate::cells::{Crossbar, Fifo};
use rtl_gen::{Builder, Module, any, bit, bits, cat, uint};

/// A bank: input queue, find-or-insert, accumulator and drain walk, on two halves.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `valid`, `product` | in | bit, bits | a product, taken always |
/// | `space` | out | bit | [`Crossbar::IN_FLIGHT`] more products fit into the queue |
/// | `is_float`, `semiring` | in | bit, bits(4) | as [`Accumulate`] |
/// | `start`, `start_half`, `discard` | in | bit | pulse: empty a half of which nothing is inside |
/// | `wipe`, `wipe_bucket` | in | bit, uint | clear that bucket of both halves (after reset) |
/// | `walking` | out | bit | a half is being emptied |
/// | `out_valid`, `out_ready`, `out_entry` | out, in, out | bit, bit, bits | its entries, as [`Walk`] |
/// | `mask`, `complement` | in | bit | as [`Walk`] |
/// | `absorbed`, `absorbed_half` | out | bit | a product has been added |
/// | `dropped`, `dropped_half` | out | bit | a product found no room |
/// | `ordered` | in | bit | if `ordered`: products of a key are added in the order they came; constant while busy |
/// | `stalled` | out | bit | see [`Accumulate`]; in order, a product waits for another of its key |
/// | `active` | out | bit | a product is inside |
///
/// Throughput one product a cycle, whatever its key, less one cycle for each bucket probed after
/// the first.
#[derive(Clone, Copy, Debug)]
pub struct Bank {
    /// The table.
    pub table: Table,
    /// Cycles of the adder.
    pub adder_latency: u32,
    /// What it adds by.
    pub algebra: Algebra,
    /// A command may ask for order.
    pub ordered: bool,
}

impl Bank {
    /// Products queued at the entrance: the size of LUT RAM.
    const QUEUE: u32 = 16;
}

impl Module for Bank {
    fn name(&self) -> String {
        let (table, algebra) = (self.table.suffix(), self.algebra.suffix());
        let ordered = order_suffix(self.ordered);
        format!("bank_{table}_a{}{algebra}{ordered}", self.adder_latency)
    }

    fn build(&self, m: &Builder) {
        m.doc("One bank of the hash table: find-or-insert, accumulate, drain.");
        let table = self.table;
        let width = table.product_bits();
        let (valid, product) = (m.input("valid", bit()), m.input("product", bits(width)));
        let float = m.input("is_float", bit());
        let start = m.input("start", bit());
        let (start_half, discard) = (m.input("start_half", bit()), m.input("discard", bit()));
        let wipe = m.input("wipe", bit());
        let wipe_bucket = m.input("wipe_bucket", uint(table.bucket_bits()));
        let out_ready = m.input("out_ready", bit());

        let queue = m.inst("queue", &Fifo { width, depth: Self::QUEUE });
        let Bank { adder_latency, algebra, ordered, .. } = *self;
        let tags = m.inst("finder", &Tags { table, ordered });
        let sums = m.inst("accumulator", &Accumulate { table, adder_latency, algebra, ordered });
        let walk = m.inst("walker", &Walk { table });

        queue.set("in_valid", valid).set("in_data", product).set("out_ready", tags.get("in_ready"));
        let held = queue.get("count");
        let limit = Self::QUEUE - Crossbar::IN_FLIGHT;
        m.assert("queue_has_room", !valid | queue.get("in_ready"));

        let (walking, half) = (walk.get("walk"), walk.get("walk_half"));
        let clear = walk.get("clear");
        tags.set("in_valid", queue.get("out_valid")).set("in_product", queue.get("out_data"));
        tags.set("walk", walking).set("walk_half", half);
        tags.set("fetch", walk.get("fetch")).set("fetch_bucket", walk.get("bucket"));
        tags.set("clear", cat(&[wipe | (clear & half), wipe | (clear & !half)]));
        tags.set("clear_bucket", wipe.mux(wipe_bucket, walk.get("clear_bucket")));

        sums.set("is_float", float);
        if algebra.chooses() {
            sums.set("semiring", m.input("semiring", bits(4)));
        }
        for port in ["valid", "fresh", "half", "entry", "value"] {
            sums.set(port, tags.get(port));
        }
        sums.set("walk", walking).set("walk_half", half);
        sums.set("read", walk.get("read")).set("read_entry", walk.get("entry"));

        let stalled = match ordered {
            false => sums.get("stalled"),
            true => {
                let ordered = m.input("ordered", bit());
                let hold = sums.set("ordered", ordered).get("hold");
                tags.set("ordered", ordered).set("hold", hold);
                any(&[sums.get("stalled"), hold, tags.get("waits")])
            }
        };

        walk.set("start", start).set("start_half", start_half).set("discard", discard);
        walk.set("fetched", tags.get("fetched")).set("value", sums.get("read_value"));
        walk.set("out_ready", out_ready);
        if table.masks {
            for port in ["mask", "complement"] {
                walk.set(port, m.input(port, bit()));
            }
        }

        m.output("space", held.le(held.lit(limit as i128)));
        m.output("walking", walking);
        for port in ["out_valid", "out_entry"] {
            m.output(port, walk.get(port));
        }
        for port in ["dropped", "dropped_half"] {
            m.output(port, tags.get(port));
        }
        for port in ["absorbed", "absorbed_half"] {
            m.output(port, sums.get(port));
        }
        m.output("stalled", stalled);
        m.output(
            "active",
            any(&[valid, queue.get("out_valid"), tags.get("active"), sums.get("active")]),
        );
    }
}
