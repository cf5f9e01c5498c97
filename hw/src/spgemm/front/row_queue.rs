//! The tasks of rows, which may be read several times.

use rtl_gen::{Builder, MemSpec, Module, Sig, any, bit, bits, index_width, mux, uint};

/// A queue in block RAM of which a row can be read again and again before it is given up.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `in_valid`, `in_ready`, `in_data` | in, out, in | bit, bit, bits(`width`) | beat offered |
/// | `out_valid`, `out_ready`, `out_data` | out, in, out | bit, bit, bits(`width`) | next beat |
/// | `keep` | in | bit | level: beats taken stay in the queue |
/// | `rewind` | in | bit | pulse, with a beat taken under `keep`: the first one kept comes next |
/// | `clear` | in | bit | level: forget everything |
/// | `any` | out | bit | a beat is held |
///
/// Latency 2 through an empty queue, throughput one beat a cycle; a rewind costs two cycles.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowQueue {
    /// Bits a beat.
    pub width: u32,
    /// Beats; a power of two from 2.
    pub depth: u32,
}

impl Module for RowQueue {
    fn name(&self) -> String {
        format!("row_queue_w{}_d{}", self.width, self.depth)
    }

    fn check(&self) -> Result<(), String> {
        if self.depth.is_power_of_two() && self.depth >= 2 {
            Ok(())
        } else {
            Err(format!("row queue depth {} is not a power of two from 2", self.depth))
        }
    }

    fn build<'m>(&self, m: &'m Builder) {
        m.doc("Queue in block RAM whose beats can be read again.");
        let (in_valid, in_data) =
            (m.input("in_valid", bit()), m.input("in_data", bits(self.width)));
        let (out_ready, keep) = (m.input("out_ready", bit()), m.input("keep", bit()));
        let (rewind, clear) = (m.input("rewind", bit()), m.input("clear", bit()));
        let address = uint(index_width(self.depth));
        let count = uint(index_width(self.depth + 1));
        let [base, head, tail] = ["base", "head", "tail"].map(|name| m.state(name, address, 0));
        // Beats kept; of those, beats not read yet.
        let (used, ahead) = (m.state("used", count, 0), m.state("ahead", count, 0));
        let held = m.state("held", bit(), 0);

        let full = used.q().is(self.depth as i128);
        let push = (in_valid & !full & !clear).named("push");
        let pop = (held.q() & out_ready).named("pop");
        let gone = (pop & !keep).named("gone");
        let some_ahead = ahead.q().ne(ahead.q().lit(0));
        let fetch = (some_ahead & (!held.q() | pop) & !rewind & !clear).named("fetch");
        let one = |flag: Sig<'m>| flag.as_u().zext(count.width());
        let used_next = used.q().add_wrap(one(push)).sub_wrap(one(gone)).named("used_next");
        let ahead_next = ahead.q().add_wrap(one(push)).sub_wrap(one(fetch));
        let nothing = used.q().lit(0);
        used.drive(mux(clear, nothing, used_next));
        ahead.drive(mux(clear, nothing, mux(rewind, used_next, ahead_next)));
        held.drive((fetch | (held.q() & !pop)) & !rewind & !clear);
        tail.update(&[(clear, tail.q().lit(0)), (push, tail.q().inc())]);
        base.update(&[(clear, base.q().lit(0)), (gone, base.q().inc())]);
        head.update(&[(clear, head.q().lit(0)), (rewind, base.q()), (fetch, head.q().inc())]);

        let store = m.mem("store", MemSpec::block(self.depth, self.width));
        store.write(tail.q(), in_data, push);
        m.assert("rewinds_what_was_kept", !rewind | (pop & keep));
        m.output("in_ready", !full);
        m.output("out_valid", held.q());
        m.output("out_data", store.read("front", head.q(), fetch));
        m.output("any", any(&[held.q(), some_ahead]));
    }
}
