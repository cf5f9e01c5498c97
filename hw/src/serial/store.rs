//! Bytes that count only once their frame is checked.

use rtl_gen::{Builder, MemSpec, Module, bit, bits, index_width, uint};

/// Byte queue in block RAM whose newest bytes can be taken back.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `put`, `put_data` | in | bit, bits(8) | a byte; ignored when `full` |
/// | `commit` | in | bit | pulse, without `put`: everything put so far may leave |
/// | `rollback` | in | bit | pulse: everything since the last `commit` is forgotten, a byte of this cycle too |
/// | `full` | out | bit | no room |
/// | `out_valid`, `out_data`, `out_ready` | out, out, in | bit, bits(8), bit | oldest byte |
///
/// Holds `depth - 1` bytes and one in the output register. Latency 2 from `commit`, throughput one byte a cycle.
#[derive(Clone, Copy, Debug)]
pub struct FrameStore {
    /// Bytes of the RAM; a power of two from 4.
    pub depth: u32,
}

impl Module for FrameStore {
    fn name(&self) -> String {
        format!("frame_store_d{}", self.depth)
    }

    fn check(&self) -> Result<(), String> {
        if self.depth.is_power_of_two() && self.depth >= 4 {
            return Ok(());
        }
        Err(format!("depth {} is not a power of two from 4", self.depth))
    }

    fn build(&self, m: &Builder) {
        m.doc("Byte queue in block RAM; the newest bytes can be taken back.");
        let (put, data) = (m.input("put", bit()), m.input("put_data", bits(8)));
        let (commit, rollback) = (m.input("commit", bit()), m.input("rollback", bit()));
        let out_ready = m.input("out_ready", bit());
        let address = uint(index_width(self.depth));
        // Where the next byte goes, the end of what may leave, the next byte to leave.
        let (tip, end, head) =
            (m.state("tip", address, 0), m.state("limit", address, 0), m.state("head", address, 0));
        let held = m.state("held", bit(), 0);

        let full = tip.q().inc().eq(head.q()).named("full_now");
        let push = (put & !full & !rollback).named("push");
        let pop = (held.q() & out_ready).named("pop");
        let fetch = (head.q().ne(end.q()) & (!held.q() | pop)).named("fetch");
        tip.update(&[(rollback, end.q()), (push, tip.q().inc())]);
        end.drive_when(commit, tip.q());
        head.drive_when(fetch, head.q().inc());
        held.drive(fetch | (held.q() & !pop));

        let store = m.mem("store", MemSpec::block(self.depth, 8));
        store.write(tip.q(), data, push);
        m.output("full", full);
        m.output("out_valid", held.q());
        m.output("out_data", store.read("front", head.q(), fetch));
        m.assert("commit_alone", !(commit & (put | rollback)));
    }
}
