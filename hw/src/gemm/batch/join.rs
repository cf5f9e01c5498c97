//! Write beats of one address become one.

use rtl_gen::{Builder, Module, Sig, bit, bits, cat, uint};

/// Joins write beats that follow one another and go to the same address: lines of a small result are parts of a beat.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `in_valid`, `in_ready` | in, out | bit | a beat |
/// | `in_beat`, `in_data`, `in_strobes` | in | uint, bits | its address in beats, its bytes, which of them are written |
/// | `finish` | in | bit | level: no beat follows |
/// | `out_valid`, `out_ready`, `out_beat`, `out_data`, `out_strobes` | | | beats, no two neighbours of one address |
/// | `active` | out | bit | a beat is held |
///
/// One beat a cycle. A beat is held until another address comes, or `finish`.
#[derive(Clone, Copy, Debug)]
pub struct JoinBeats {
    /// Bytes of a beat.
    pub bytes: u32,
    /// Bits of an address in beats.
    pub addr_bits: u32,
}

impl Module for JoinBeats {
    fn name(&self) -> String {
        format!("join_beats_w{}_a{}", self.bytes, self.addr_bits)
    }

    fn build(&self, m: &Builder) {
        m.doc("Joins write beats that follow one another and go to the same address.");
        let valid = m.input("in_valid", bit());
        let at = m.input("in_beat", uint(self.addr_bits));
        let data = m.input("in_data", bits(8 * self.bytes));
        let strobes = m.input("in_strobes", bits(self.bytes));
        let out_ready = m.input("out_ready", bit());
        let held = m.state("held", bit(), 0);
        let (held_at, held_data) =
            (m.reg_decl("held_at", at.ty()), m.reg_decl("held_data", data.ty()));
        let held_strobes = m.reg_decl("held_strobes", strobes.ty());

        let same = (held.q() & held_at.q().eq(at)).named("same");
        let leaves = held.q() & ((valid & !same) | m.input("finish", bit()));
        let gone = (leaves & out_ready).named("gone");
        let ready = (!held.q() | same | out_ready).named("ready");
        let accept = (valid & ready).named("accept");
        held.drive(accept | (held.q() & !gone));
        held_at.drive_when(accept, at);
        let bytes: Vec<Sig> = (0..self.bytes)
            .rev()
            .map(|i| strobes.bit(i).mux(data.lane(i, 8), held_data.q().lane(i, 8)))
            .collect();
        held_data.drive_when(accept, cat(&bytes));
        held_strobes.drive_when(accept, same.mux(strobes | held_strobes.q(), strobes));

        m.output("in_ready", ready);
        m.output("out_valid", leaves);
        m.output("out_beat", held_at.q());
        m.output("out_data", held_data.q());
        m.output("out_strobes", held_strobes.q());
        m.output("active", held.q());
    }
}
