//! Find-or-insert on the tags of one bank.

use super::encode::encode;
use super::table::{Product, Table};
use crate::cells::priority;
use rtl_gen::{Builder, MemSpec, Module, Sig, any, bit, bits, cat, uint};

/// Finds the entry of each product's key, inserting the key when it is new: W ways a bucket,
/// then the next buckets of the bank in turn.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `in_valid`, `in_ready` | in, out | bit | products; ready is a register |
/// | `in_product` | in | bits | half, bucket, key, value |
/// | `valid`, `fresh` | out | bit | a product found its entry (and the entry is new); always taken |
/// | `half`, `entry`, `value` | out | bit, uint, bits(32) | the entry, bucket bits first; the product |
/// | `dropped`, `dropped_half` | out | bit | a product found all buckets full of other keys |
/// | `active` | out | bit | a product is inside |
/// | `walk`, `walk_half` | in | bit | that half is being emptied: no product of it is inside or arrives |
/// | `fetch`, `fetch_bucket` | in | bit, uint | read a bucket of it |
/// | `fetched` | out | bits | that bucket, a cycle later; holds |
/// | `clear`, `clear_bucket` | in | bits(2), uint | empty that bucket of half 0, 1 |
///
/// Latency 4 from `in` to `valid`, throughput one product a cycle. A product whose bucket is full of
/// other keys goes round again, before new arrivals: 5 cycles for each further bucket, one cycle of the pipeline.
///
/// The tags of a half are one block RAM, read and written a bucket at a time. Stages: read; take the word;
/// compare; decide and write. The three products behind one that inserts into their bucket see the new
/// word (forwarding), so a key that comes twice in a row is found, not inserted twice. Within a
/// half buckets only fill, so a key is in the first bucket of its sequence that held it or had room.
#[derive(Clone, Copy, Debug)]
pub struct Tags {
    /// The table.
    pub table: Table,
}

impl Module for Tags {
    fn name(&self) -> String {
        format!("tags_{}", self.table.suffix())
    }

    fn build(&self, m: &Builder) {
        m.doc("Find-or-insert on the tags of one bank, one product a cycle.");
        let table = self.table;
        let (ways, key_bits) = (table.ways as usize, table.key_bits());
        let way_bits = key_bits + 1;
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
        let enter = table.unpack(again.q().mux(again_product.q(), in_product));
        let enter_valid = (again.q() | in_valid).named("enter_valid");
        let probes = again.q().gate(again_probes.q());
        let valid_1 = m.reg_reset("valid_1", enter_valid, 0);
        let p1 = self.stage(m, "s1", enter);
        let probes_1 = m.reg("s1_probes", probes);

        // Decide: registers of the last stage.
        let valid_3 = m.state("valid_3", bit(), 0);
        let word_3 = m.reg_decl("s3_word", word);
        let (hit_3, free_3) =
            (m.reg_decl("s3_hit", bits(table.ways)), m.reg_decl("s3_free", bits(table.ways)));
        let valid_2 = m.reg_reset("valid_2", valid_1, 0);
        let p2 = self.stage(m, "s2", p1);
        let p3 = self.stage(m, "s3", p2);
        let probes_2 = m.reg("s2_probes", probes_1);
        let probes_3 = m.reg("s3_probes", probes_2);

        let (found, room) = (hit_3.q().red_or(), free_3.q().red_or());
        let insert = (valid_3.q() & !found & room).named("insert");
        let free_ways: Vec<_> = (0..ways).map(|w| free_3.q().bit(w as u32)).collect();
        let into = priority(&free_ways);
        let tag = cat(&[m.high(), p3.key]);
        let written: Vec<_> = (0..ways)
            .rev()
            .map(|w| into[w].mux(tag, word_3.q().lane(w as u32, way_bits)))
            .collect();
        let written = cat(&written).named("written");

        // Take the word: the RAM's, unless the bucket was written in this cycle or the last one.
        let stores: Vec<_> = (0..2)
            .map(|h| {
                let m_half = if h == 1 { p3.half } else { !p3.half };
                let store =
                    m.mem(&format!("tags_{h}"), MemSpec::block(table.buckets(), word.width()));
                let wipe = clear.bit(h);
                store.write(
                    wipe.mux(clear_bucket, p3.bucket),
                    wipe.mux(written.lit(0), written),
                    wipe | (insert & m_half),
                );
                let walked = walk & if h == 1 { walk_half } else { !walk_half };
                let mine = enter_valid & if h == 1 { enter.half } else { !enter.half };
                m.assert(&format!("half_{h}_is_still"), !(walked & mine));
                store.read(
                    &format!("read_{h}"),
                    walked.mux(fetch_bucket, enter.bucket),
                    walked.mux(fetch, mine),
                )
            })
            .collect();
        let read = p1.half.mux(stores[1], stores[0]);
        let before = m.reg_reset("inserted", insert, 0);
        let (before_set, before_word) =
            (m.reg("inserted_set", set(p3)), m.reg("inserted_word", written));
        let now = insert & set(p3).eq(set(p1));
        let before = before & before_set.eq(set(p1));
        let word_2 = m.reg("s2_word", now.mux(written, before.mux(before_word, read)));

        // Compare.
        let same_set = (insert & set(p3).eq(set(p2))).named("forward");
        let same_key = p3.key.eq(p2.key);
        let (mut hits, mut frees, mut words) = (vec![], vec![], vec![]);
        for w in (0..ways).rev() {
            let way = word_2.lane(w as u32, way_bits);
            let fresh = same_set & into[w];
            let (used, key) = (way.msb(), way.slice(key_bits - 1, 0));
            hits.push((used & key.eq(p2.key)) | (fresh & same_key));
            frees.push(!used & !fresh);
            words.push(fresh.mux(tag, way));
        }
        valid_3.drive(valid_2);
        hit_3.drive(cat(&hits));
        free_3.drive(cat(&frees));
        word_3.drive(cat(&words));

        // Results.
        let full = valid_3.q() & !found & !room;
        let last = probes_3.red_and();
        let dropped = (full & last).named("drop");
        again.drive(full & !last);
        again_product.drive(table.pack(Product { bucket: p3.bucket.inc(), ..p3 }));
        again_probes.drive(probes_3.inc());
        let chosen: Vec<_> =
            (0..ways).map(|w| hit_3.q().bit(w as u32) | (insert & into[w])).collect();
        let entry = match encode(&chosen) {
            Some(way) => cat(&[p3.bucket.as_bits(), way]),
            None => p3.bucket.as_bits(),
        };
        let valid = m.reg_reset("out_valid", valid_3.q() & (found | room), 0);
        m.output("in_ready", !again.q());
        m.output("valid", valid);
        m.output("fresh", m.reg("out_new", insert));
        m.output("half", m.reg("out_half", p3.half));
        m.output("entry", m.reg("out_entry", entry.as_u()));
        m.output("value", m.reg("out_value", p3.value));
        m.output("dropped", m.reg_reset("out_dropped", dropped, 0));
        m.output("dropped_half", m.reg("out_dropped_half", p3.half));
        m.output("active", any(&[again.q(), valid_1, valid_2, valid_3.q(), valid]));
        m.output("fetched", walk_half.mux(stores[1], stores[0]));

        for w in 1..table.ways {
            let lower = hit_3.q().slice(w - 1, 0).red_or();
            let label = format!("way_{w}_is_no_second_hit");
            m.assert(&label, !(valid_3.q() & hit_3.q().bit(w) & lower));
        }
        let cleared = p3.half.mux(clear.bit(1), clear.bit(0));
        m.assert("insert_meets_no_clear", !(insert & cleared));
    }
}

impl Tags {
    fn stage<'m>(&self, m: &'m Builder, name: &str, p: Product<'m>) -> Product<'m> {
        self.table.unpack(m.reg(&format!("{name}_product"), self.table.pack(p)))
    }
}

/// Half and bucket: what a word is stored under.
fn set(p: Product<'_>) -> Sig<'_> {
    cat(&[p.half, p.bucket])
}
