//! Find-or-insert on the tags of one bank.

use super::encode::encode;
use super::table::{Marks, Product, Table, Tag};
use crate::cells::priority;
use rtl_gen::{Builder, MemSpec, Module, Reg, Sig, any, bit, bits, cat, uint};

/// Finds the entry of each product's key, inserting the key when it is new: W ways a bucket,
/// then the next buckets of the bank in turn.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `in_valid`, `in_ready` | in, out | bit | products; ready is a register, unless `ordered` |
/// | `in_product` | in | bits | half, bucket, key, value |
/// | `valid`, `fresh` | out | bit | a product found its entry (and the entry is new); always taken |
/// | `half`, `entry`, `value` | out | bit, uint, bits(32) | the entry, bucket bits first; the product |
/// | `dropped`, `dropped_half` | out | bit | a product found all buckets full of other keys |
/// | `active` | out | bit | a product is inside |
/// | `ordered`, `hold` | in | bit | if `ordered`: products of one key leave in the order they came, constant while busy; nothing moves and `valid` stays |
/// | `waits` | out | bit | if `ordered`: a product is not taken for the sake of order |
/// | `walk`, `walk_half` | in | bit | that half is being emptied: no product of it is inside or arrives |
/// | `fetch`, `fetch_bucket` | in | bit, uint | read a bucket of it |
/// | `fetched` | out | bits | that bucket, a cycle later; holds |
/// | `clear`, `clear_bucket` | in | bits(2), uint | empty that bucket of half 0, 1 |
///
/// Latency 4 from `in` to `valid`, throughput one product a cycle. A product whose bucket is full of
/// other keys goes round again, before new arrivals: 5 cycles for each further bucket, one cycle of the pipeline.
///
/// The tags of a half are one block RAM, read and written a bucket at a time. Stages: read; take the word;
/// compare; decide and write. What the three products behind an inserting one know about its
/// bucket is stale: those of the same bucket go round again too, which is exact and, as each key is inserted
/// once, rare. (Forwarding the word to them instead costs about 500 LUT4 a bank.) Within a half buckets only
/// fill, so a key is in the first bucket of its sequence that held it or had room.
///
/// **Order.** A product that goes round again would be overtaken by the next one of its key. With the input `ordered` a product
/// is not taken while one inside may have its key: the same half and the same low bits of the column.
///
/// With masks an entry's tag also says whether an element of the mask came, and whether a product did. The first of either kind
/// writes its mark as an insertion is written, at most twice a key; without elements of a mask nothing is written more than without masks.
#[derive(Clone, Copy, Debug)]
pub struct Tags {
    /// The table.
    pub table: Table,
    /// A command may ask that products of a key stay in order.
    pub ordered: bool,
}

/// Bits of a key by which products inside are told apart.
const TOLD_APART: u32 = 8;

impl Module for Tags {
    fn name(&self) -> String {
        format!("tags_{}{}", self.table.suffix(), order_suffix(self.ordered))
    }

    fn build<'m>(&self, m: &'m Builder) {
        m.doc("Find-or-insert on the tags of one bank, one product a cycle.");
        let table = self.table;
        let way_bits = table.tag_bits();
        let (address, word) = (uint(table.bucket_bits()), bits(way_bits * table.ways));
        let in_valid = m.input("in_valid", bit());
        let in_product = m.input("in_product", bits(table.product_bits()));
        let (walk, walk_half) = (m.input("walk", bit()), m.input("walk_half", bit()));
        let (fetch, fetch_bucket) = (m.input("fetch", bit()), m.input("fetch_bucket", address));
        let (clear, clear_bucket) = (m.input("clear", bits(2)), m.input("clear_bucket", address));

        // Read: a product on its next round, or a new one.
        let again = m.state("again", bit(), 0);
        let again_product = m.reg_decl("again_product", in_product.ty());
        let again_probes = m.reg_decl("again_probes", address);
        let (arriving, enter_again) = (table.unpack(in_product), table.unpack(again_product.q()));
        let enter = table.unpack(again.q().mux(again_product.q(), in_product));
        // In order, a product that waits stays outside.
        let kept_out = self.ordered.then(|| m.forward("kept_out", bit()));
        let enters = kept_out.as_ref().map_or(in_valid, |kept| in_valid & !kept.sig());
        let enter_valid = (again.q() | enters).named("enter_valid");
        let probes = again.q().gate(again_probes.q());
        let insert = m.forward("insert", bit());
        let wrote = m.forward("insert_set", bits(1 + table.bucket_bits()));
        let meets = |p| insert.sig() & wrote.sig().eq(set(p));
        let pipe = Pipe { m, moves: self.ordered.then(|| !m.input("hold", bit())) };

        let valid_1 = pipe.flag("valid_1", enter_valid);
        let stale_1 = pipe.reg("s1_stale", meets(enter));
        let probes_1 = pipe.reg("s1_probes", probes);
        let p1 = self.stage(&pipe, "s1", enter);

        // The tags of each half. Clearing a bucket leaves its keys, only no way is used any more.
        let written = m.forward("written", word);
        let stores: Vec<_> = (0..2)
            .map(|h| {
                let is = |half: Sig<'m>| if h == 1 { half } else { !half };
                let spec = MemSpec::block(table.buckets(), word.width());
                let store = m.mem(&format!("tags_{h}"), spec);
                let wipe = clear.bit(h);
                let data: Vec<_> = (written.sig().lanes(way_bits).into_iter().rev())
                    .flat_map(|way| [way.msb() & !wipe, way.slice(way_bits - 2, 0)])
                    .collect();
                let (half, bucket) = (wrote.sig().msb(), wrote.sig().slice(address.width() - 1, 0));
                let inserts = insert.sig() & is(half);
                m.assert(&format!("half_{h}_is_filled_or_cleared"), !(inserts & wipe));
                store.write(wipe.mux(clear_bucket, bucket.as_u()), cat(&data), wipe | inserts);

                let walked = walk & is(walk_half);
                let mine = enter_valid & is(enter.half);
                m.assert(&format!("half_{h}_is_still"), !(walked & mine));
                let mine = pipe.moves.map_or(mine, |moves| mine & moves);
                let at = walked.mux(fetch_bucket, enter.bucket);
                store.read(&format!("read_{h}"), at, walked.mux(fetch, mine))
            })
            .collect();

        // Take the word.
        let valid_2 = pipe.flag("valid_2", valid_1);
        let stale_2 = pipe.reg("s2_stale", stale_1 | meets(p1));
        let probes_2 = pipe.reg("s2_probes", probes_1);
        let p2 = self.stage(&pipe, "s2", p1);
        let word_2 = pipe.reg("s2_word", p1.half.mux(stores[1], stores[0]));

        // Compare.
        let (mut hits, mut frees, mut unmarked) = (vec![], vec![], vec![]);
        for way in word_2.lanes(way_bits).into_iter().rev() {
            let tag = table.unpack_tag(way);
            let hit = tag.used & tag.key.eq(p2.key);
            hits.push(hit);
            frees.push(!tag.used);
            if let (Some(marks), Some(of_mask)) = (tag.marks, p2.of_mask) {
                unmarked.push(hit & !of_mask.mux(marks.masked, marks.touched));
            }
        }
        let valid_3 = pipe.flag("valid_3", valid_2);
        let stale_3 = pipe.reg("s3_stale", stale_2 | meets(p2));
        let probes_3 = pipe.reg("s3_probes", probes_2);
        let p3 = self.stage(&pipe, "s3", p2);
        let word_3 = pipe.reg("s3_word", word_2);
        let (hit, free) = (pipe.reg("s3_hit", cat(&hits)), pipe.reg("s3_free", cat(&frees)));

        // Decide and write.
        let (found, room) = (hit.red_or(), free.red_or());
        let sure = valid_3 & !stale_3;
        let first_of_kind = match unmarked.is_empty() {
            true => m.low(),
            false => pipe.reg("s3_unmarked", any(&unmarked)),
        };
        let inserts = sure & found.mux(first_of_kind, room);
        insert.assign(pipe.moves.map_or(inserts, |moves| inserts & moves));
        wrote.assign(set(p3));
        let into = priority(&(0..table.ways).map(|w| free.bit(w)).collect::<Vec<_>>());
        let new = Tag {
            used: m.high(),
            marks: p3.of_mask.map(|masked| Marks { touched: !masked, masked }),
            key: p3.key,
        };
        let chosen: Vec<_> = (into.iter().enumerate())
            .map(|(w, &into)| found.mux(hit.bit(w as u32), into))
            .collect();
        let ways: Vec<_> = (word_3.lanes(way_bits).into_iter().zip(&into).zip(&chosen).rev())
            .map(|((way, into), chosen)| match (table.unpack_tag(way).marks, p3.of_mask) {
                (Some(old), Some(masked)) => {
                    // What was there before counts only where the entry was.
                    let marks = Marks {
                        touched: !masked | (found & old.touched),
                        masked: masked | (found & old.masked),
                    };
                    chosen.mux(table.pack_tag(Tag { marks: Some(marks), ..new }), way)
                }
                _ => into.mux(table.pack_tag(new), way),
            })
            .collect();
        written.assign(cat(&ways));

        let full = sure & !found & !room;
        let last = probes_3.red_and();
        let dropped = (full & last).named("drop");
        let bucket = stale_3.mux(p3.bucket, p3.bucket.inc());
        pipe.drive(again, valid_3 & (stale_3 | (full & !last)));
        pipe.drive(again_product, table.pack(Product { bucket, ..p3 }));
        pipe.drive(again_probes, stale_3.mux(probes_3, probes_3.inc()));
        let entry = match encode(&chosen) {
            Some(way) => cat(&[p3.bucket.as_bits(), way]),
            None => p3.bucket.as_bits(),
        };
        let valid = pipe.flag("out_valid", sure & (found | room));
        let free = match pipe.moves {
            None => !again.q(),
            Some(moves) => {
                let inside =
                    [(again.q(), enter_again), (valid_1, p1), (valid_2, p2), (valid_3, p3)];
                let met = inside.map(|(valid, p)| valid & self.may_be_one(p, arriving));
                let waits = m.input("ordered", bit()) & in_valid & any(&met);
                m.output("waits", waits & !again.q() & moves);
                if let Some(kept) = &kept_out {
                    kept.assign(waits);
                }
                !again.q() & moves & !waits
            }
        };
        let dropped = pipe.moves.map_or(dropped, |moves| dropped & moves);
        m.output("in_ready", free);
        m.output("valid", valid);
        m.output("fresh", pipe.reg("out_fresh", !found));
        m.output("half", pipe.reg("out_half", p3.half));
        m.output("entry", pipe.reg("out_entry", entry.as_u()));
        m.output("value", pipe.reg("out_value", p3.value));
        m.output("dropped", m.reg_reset("out_dropped", dropped, 0));
        m.output("dropped_half", m.reg("out_dropped_half", p3.half));
        m.output("active", any(&[again.q(), valid_1, valid_2, valid_3, valid]));
        m.output("fetched", walk_half.mux(stores[1], stores[0]));

        for w in 1..table.ways {
            let twice = hit.bit(w) & hit.slice(w - 1, 0).red_or();
            m.assert(&format!("way_{w}_is_no_second_hit"), !(sure & twice));
        }
    }
}

impl Tags {
    fn stage<'m>(&self, pipe: &Pipe<'m>, name: &str, p: Product<'m>) -> Product<'m> {
        self.table.unpack(pipe.reg(&format!("{name}_product"), self.table.pack(p)))
    }

    /// Two products may be of one key.
    fn may_be_one<'m>(&self, a: Product<'m>, b: Product<'m>) -> Sig<'m> {
        let bits = TOLD_APART.min(self.table.key_bits());
        a.half.eq(b.half) & a.key.trunc(bits).eq(b.key.trunc(bits))
    }
}

/// Registers that all move, or all wait.
pub(super) struct Pipe<'m> {
    pub(super) m: &'m Builder,
    /// When they move; always if `None`.
    pub(super) moves: Option<Sig<'m>>,
}

impl<'m> Pipe<'m> {
    pub(super) fn reg(&self, name: &str, value: Sig<'m>) -> Sig<'m> {
        match self.moves {
            None => self.m.reg(name, value),
            Some(moves) => self.m.reg_when(name, moves, value),
        }
    }

    pub(super) fn flag(&self, name: &str, value: Sig<'m>) -> Sig<'m> {
        let flag = self.m.state(name, bit(), 0);
        self.drive(flag, value);
        flag.q()
    }

    pub(super) fn drive(&self, reg: Reg<'m>, value: Sig<'m>) {
        match self.moves {
            None => reg.drive(value),
            Some(moves) => reg.drive_when(moves, value),
        }
    }
}

/// Text that tells cards apart whose commands may ask for order.
pub(super) fn order_suffix(ordered: bool) -> &'static str {
    if ordered { "_o" } else { "" }
}

/// Half and bucket: what a word is stored under.
fn set(p: Product<'_>) -> Sig<'_> {
    cat(&[p.half, p.bucket])
}
