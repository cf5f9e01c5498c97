//! The list of a batch: addresses of the matrices of each product, read ahead.

use crate::cells::Fifo;
use crate::gemm::geometry::Geometry;
use mattock_spec::command::BatchEntry;
use rtl_gen::{Builder, Module, Sig, any, bit, bits, cat, uint};

/// Reads the entries of a batch's list and hands out their addresses.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `start`, `stop` | in | bit | begin; ask for no more |
/// | `products`, `list` | in | uint(32), uint | entries, and where the first lies: a multiple of 64 |
/// | `d_size` | in | uint(2) | log2 of the bytes of an element of D |
/// | `cmd_*` | | | reads of the bus |
/// | `beat_*` | | | their beats |
/// | `{a,b,d}`, `{a,b,d}_there`, `{a,b,d}_take` | | | of [`Bases`](super::Bases) |
/// | `bad`, `bad_index` | out | bit, bits(32) | an entry is none ([`BatchEntry`]); which one. It and those after it are not handed out |
/// | `active` | out | bit | entries are still to come or to be taken |
///
/// One entry a cycle where a beat holds one or more. What is asked for has room in the queues, so beats never wait for who takes
/// addresses.
#[derive(Clone, Copy, Debug)]
pub struct List {
    /// The engine's sizes.
    pub geometry: Geometry,
}

impl List {
    /// Entries of a read.
    fn entries(&self) -> u32 {
        (self.geometry.bus_bytes / BatchEntry::BYTES).max(1)
    }

    /// Entries read ahead: two memory latencies of the shortest products.
    fn depth(&self) -> u32 {
        (self.geometry.in_flight() / 2).max(8)
    }
}

impl Module for List {
    fn name(&self) -> String {
        format!("gemm_list_{}", self.geometry.suffix())
    }

    fn build(&self, m: &Builder) {
        m.doc("Reads the addresses of a batch's products from a list in memory.");
        let g = &self.geometry;
        let (start, stop) = (m.input("start", bit()), m.input("stop", bit()));
        let products = m.input("products", uint(32));
        let address = uint(g.addr_bits);

        // ---- reads: as many as there is room for ----
        let entries = self.entries();
        let bytes = BatchEntry::BYTES.max(g.bus_bytes);
        let beats = bytes / g.bus_bytes;
        let at = m.reg_decl("read_at", address);
        let left = m.state("left", uint(32), 0);
        let some = !left.q().is(0);
        let room_ty = uint(self.depth().ilog2() + 1);
        let room = m.state("room", room_ty, 0);
        let step = m.lit(room_ty, entries.into());
        let ask = (some & step.le(room.q()) & !stop).named("ask");
        let asked = (ask & m.input("cmd_ready", bit())).named("asked");
        let many = m.lit(uint(32), entries.into());
        let after = left.q().le(many).mux(left.q().lit(0), left.q().sub_wrap(many));
        left.update(&[(start, products), (stop, left.q().lit(0)), (asked, after)]);
        let bytes = m.lit(address, bytes.into());
        at.update(&[(start, m.input("list", address)), (asked, at.q().add_wrap(bytes))]);
        m.output("cmd_valid", ask);
        m.output("cmd_addr", at.q());
        m.output("cmd_beats", m.lit(uint(g.beats_bits()), beats.into()));

        // ---- beats to entries ----
        let valid = m.input("beat_valid", bit());
        let data = m.input("beat_data", bits(8 * g.bus_bytes));
        let width = 8 * BatchEntry::BYTES;
        let place = m.state("place", uint(beats.max(entries).ilog2().max(1)), 0);
        let last = place.q().is(i128::from(beats.max(entries)) - 1);
        place.update(&[
            (start, place.q().lit(0)),
            (valid, last.mux(place.q().lit(0), place.q().inc())),
        ]);
        let (entry, whole) = match beats {
            1 if entries == 1 => (data, valid),
            1 => (data.dyn_lane(place.q(), width), valid),
            _ => {
                let mut parts = vec![data];
                for i in 1..beats {
                    let before = parts[i as usize - 1];
                    parts.push(m.reg_when(&format!("part_{i}"), valid, before));
                }
                (cat(&parts), valid & last)
            }
        };
        m.output("beat_ready", if entries > 1 { last } else { m.high() });

        // ---- entries to addresses ----
        let index = m.state("index", uint(32), 0);
        let mine = (whole & index.q().lt(products)).named("entry_there");
        index.update(&[(start, index.q().lit(0)), (mine, index.q().inc())]);
        let field = |at: u32| entry.slice(8 * at + 63, 8 * at);
        let offsets = [BatchEntry::OFFSET_A, BatchEntry::OFFSET_B, BatchEntry::OFFSET_D];
        let mut wrong: Vec<Sig> = vec![field(BatchEntry::OFFSET_RESERVED).red_or()];
        if g.addr_bits < 64 {
            wrong.extend(offsets.map(|at| field(at).slice(63, g.addr_bits).red_or()));
        }
        let d = field(BatchEntry::OFFSET_D);
        let d_size = m.input("d_size", uint(2));
        wrong.push((d.bit(0) & !d_size.is(0)) | (d.bit(1) & d_size.bit(1)));
        let broken = m.state("broken", bit(), 0);
        let bad = (mine & any(&wrong) & !broken.q()).named("bad_entry");
        broken.update(&[(start, m.low()), (bad, m.high())]);
        m.output("bad", m.reg_reset("bad_q", bad, 0));
        m.output("bad_index", m.reg_when("bad_index_q", bad, index.q().as_bits()));
        let good = (mine & !any(&wrong) & !broken.q()).named("good_entry");

        // D's are kept until a product is stored; A's and B's queues are as deep, and one more is taken of D than of them at most.
        let mut waiting = vec![some];
        for (name, at) in ["a", "b", "d"].into_iter().zip(offsets) {
            let queue =
                m.inst(&format!("{name}_queue"), &Fifo { width: g.addr_bits, depth: self.depth() });
            let value = entry.slice(8 * at + g.addr_bits - 1, 8 * at);
            let take = m.input(&format!("{name}_take"), bit());
            queue.set("in_valid", good).set("in_data", value).set("out_ready", take);
            m.assert(&format!("{name}_has_room"), queue.get("in_ready") | !good);
            m.output(name, queue.get("out_data").as_u());
            m.output(&format!("{name}_there"), queue.get("out_valid"));
            waiting.push(queue.get("out_valid"));
            if name == "d" {
                let taken = take & queue.get("out_valid");
                let given = taken.as_u().zext(room_ty.width());
                let room_now = room.q().add_wrap(given);
                let most = m.lit(room_ty, i128::from(self.depth()) - 1);
                room.update(&[
                    (start, most),
                    (m.high(), asked.mux(room_now.sub_wrap(step), room_now)),
                ]);
            }
        }
        m.output("active", any(&waiting));
    }
}
