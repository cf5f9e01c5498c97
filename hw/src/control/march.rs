//! The test of the processor's memory at power-up.

use super::processor::WORD_BITS;
use rtl_gen::{Builder, Module, any, bit, bits, cat, uint};

/// A march over the memory after reset; afterwards the host has the memory.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `skip` | in | bit | ends the test |
/// | `h_*` | | | the host's port, as the memory's of [`Processor`](super::Processor); open when the test has ended |
/// | `write`, ..., `read_data` | | | that port of the memory |
/// | `done`, `passed` | out | bit | the test has ended; every word kept every pattern |
/// | `address` | out | bits(16) | byte address of the first word that did not |
/// | `cycles` | out | bits(8) | cycles the test took, in units of 256 |
///
/// Five passes: up, write a word made of the address; up, compare and write its complement; down, compare and
/// write it again; up, compare; up, write 0. The passes find cells that are stuck, address lines that are open or joined, and
/// words that change with their neighbours (MATS+ of van de Goor, with the address as background). A comparison takes
/// two cycles: 8192 cycles in all.
#[derive(Clone, Copy, Debug)]
pub struct March;

impl Module for March {
    fn name(&self) -> String {
        "memory_march".into()
    }

    fn build(&self, m: &Builder) {
        m.doc(
            "The test of the processor's memory at power-up; afterwards the host has the memory.",
        );
        let word = uint(WORD_BITS);
        let pass = m.state("pass", uint(3), 0);
        let step = m.state("step", word, 0);
        let second = m.state("second", bit(), 0);
        let done = m.state("done_q", bit(), 0);
        let failed = m.state("failed", bit(), 0);
        let busy = !done.q();

        let compares = any(&[1, 2, 3].map(|p| pass.q().is(p)));
        let last_step = step.q().as_bits().red_and();
        // The first cycle of a comparison reads, the second compares and writes.
        let moves = (busy & (second.q() | !compares)).named("moves");
        second.drive(busy & compares & !second.q());
        let pass_ends = (moves & last_step).named("pass_ends");
        step.drive_when(moves, step.q().inc());
        pass.drive_when(pass_ends, pass.q().inc());
        let skip = m.input("skip", bit()) & busy;
        let over = (pass_ends & pass.q().is(4)).named("over");
        done.drive(done.q() | over | skip);

        let place = pass.q().is(2).mux((!step.q().as_bits()).as_u(), step.q()).named("place");
        let low = place.as_bits();
        let background = cat(&[(!low).zext(16), low.zext(16)]).named("background");
        let found = m.input("read_data", bits(32));
        let expected = pass.q().is(2).mux(!background, background);
        let wrong = (second.q() & found.ne(expected)).named("wrong");
        failed.drive(failed.q() | wrong | skip);
        let first = m.state("first_wrong", bits(16), 0);
        first.drive_when(wrong & !failed.q(), low.zext(14).shl_k(2));
        let pattern = pass.q().is(1).mux(!background, background);
        let pattern = pass.q().is(4).mux(pattern.lit(0), pattern);

        let host = |name: &str, ty| m.input(&format!("h_{name}"), ty);
        m.output("write", busy.mux(moves & !pass.q().is(3), host("write", bit())));
        m.output("write_addr", busy.mux(place, host("write_addr", word)));
        m.output("write_data", busy.mux(pattern, host("write_data", bits(32))));
        m.output("write_strb", busy.mux(m.lit(bits(4), 15), host("write_strb", bits(4))));
        m.output("read", busy.mux(compares, host("read", bit())));
        m.output("read_addr", busy.mux(place, host("read_addr", word)));
        m.output("h_read_data", done.q().gate(found));
        m.output("done", done.q());
        m.output("passed", done.q() & !failed.q());
        m.output("address", first.q());
        let taken = m.state("taken", uint(16), 0);
        taken.drive_when(busy, taken.q().inc());
        m.output("cycles", taken.q().slice(15, 8));
    }
}
