//! The bytes of a request on the register bus and at card memory.

use crate::control::ADDR_BITS;
use rtl_gen::{Builder, Sig, bit, bits, cat, uint};

/// What the bridge wants of registers and memory.
pub(super) struct Access<'m> {
    pub(super) bus_bytes: u32,
    pub(super) memory_bytes: u32,
    /// Registers are meant, else memory.
    pub(super) registers: Sig<'m>,
    /// Write the beat gathered.
    pub(super) store: Sig<'m>,
    /// Read the beat of the present address.
    pub(super) fetch: Sig<'m>,
    /// Begin at `address`.
    pub(super) start: Sig<'m>,
    pub(super) address: Sig<'m>,
    /// Put `byte` into the beat.
    pub(super) take: Sig<'m>,
    pub(super) byte: Sig<'m>,
    /// Go to the next address.
    pub(super) step: Sig<'m>,
}

/// What it gets.
pub(super) struct Accessed<'m> {
    /// The store or fetch is over.
    pub(super) done: Sig<'m>,
    /// The present address is the last one of its beat.
    pub(super) beat_end: Sig<'m>,
    /// The byte read at the present address.
    pub(super) byte: Sig<'m>,
}

impl<'m> Access<'m> {
    /// Draws the beat buffer, the register bus and the memory port. A register is a beat of four bytes.
    pub(super) fn draw(&self, m: &'m Builder) -> Accessed<'m> {
        let lanes = self.bus_bytes;
        let shift = lanes.trailing_zeros();
        let memory_bits = self.memory_bytes.trailing_zeros();
        let width = memory_bits.max(ADDR_BITS);
        let address = m.reg_decl("address", uint(width));
        address.update(&[(self.start, self.address.trunc(width)), (self.step, address.q().inc())]);
        let low = address.q().slice(shift - 1, 0);
        let register_lane = address.q().slice(1, 0).as_u().zext(shift).as_bits();
        let lane = self.registers.mux(register_lane, low).as_u().named("lane");
        let register_end = address.q().slice(1, 0).red_and();
        let beat_end = self.registers.mux(register_end, low.red_and()).named("beat_end");

        // The beat of the byte taken last; the address has gone on by the time it is stored.
        let at = m.reg_when("beat_address", self.take, address.q());
        let target = self.fetch.mux(address.q(), at).named("target");
        let to_memory = !self.registers;
        let store_memory = (self.store & to_memory).named("store_memory");
        let fetch_memory = (self.fetch & to_memory).named("fetch_memory");

        // Registers give their data one cycle after they were read, memory when it can.
        let asked = m.state("asked", bit(), 0);
        let (mem_ready, mem_done) = (m.input("mem_ready", bit()), m.input("mem_done", bit()));
        let ask = (self.fetch & !asked.q()).named("ask");
        let granted = self.registers | mem_ready;
        let there = (asked.q() & (self.registers | mem_done)).named("there");
        asked.drive((ask & granted) | (asked.q() & !there));
        let register = m.input("read_data", bits(32)).zext(8 * lanes);
        let fetched = self.registers.mux(register, m.input("mem_rdata", bits(8 * lanes)));
        let stored = (self.store & granted).named("stored");

        let (mut beat, mut strobes) = (vec![], vec![]);
        let fetched_lanes = fetched.lanes(8);
        for (i, fetched) in (0..lanes).zip(fetched_lanes) {
            let here = (self.take & lane.is(i.into())).named(&format!("take_{i}"));
            let byte = m.reg_decl(&format!("byte_{i}"), bits(8));
            byte.update(&[(here, self.byte), (there, fetched)]);
            let strobe = m.state(&format!("strobe_{i}"), bit(), 0);
            strobe.drive((here | strobe.q()) & !stored);
            beat.push(byte.q());
            strobes.push(strobe.q());
        }
        beat.reverse();
        strobes.reverse();
        let (beat, strobes) = (cat(&beat), cat(&strobes));

        m.output("write", self.store & self.registers);
        let word =
            |address: Sig<'m>| cat(&[address.slice(ADDR_BITS - 1, 2), m.lit(bits(2), 0)]).as_u();
        m.output("write_addr", word(at));
        m.output("write_data", beat.slice(31, 0));
        m.output("write_strb", strobes.slice(3, 0));
        m.output("read", ask & self.registers);
        m.output("read_addr", word(address.q()));
        m.output("mem_valid", store_memory | (fetch_memory & ask));
        m.output("mem_write", store_memory);
        m.output("mem_addr", target.slice(memory_bits - 1, shift).as_u());
        m.output("mem_data", beat);
        m.output("mem_strb", strobes);
        let done = self.store.mux(stored, there);
        Accessed { done, beat_end, byte: beat.dyn_lane(lane, 8) }
    }
}
