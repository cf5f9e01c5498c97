//! Starts an engine's next command when its last one is over.

use super::ring::tag_type;
use rtl_gen::{Builder, Module, bit, uint};

/// One command armed behind the one that runs.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `start` | in | bit | pulse: START was written |
/// | `run` | in | bit | the card's own processor wrote it, for the ring entry below; otherwise the host did |
/// | `ready`, `head`, `deadline` | in | bit, uint, uint(64) | there is an entry; its tag and deadline, 0 for none |
/// | `busy`, `ended` | in | bit | of the engine's [`Account`](super::Account) |
/// | `reset` | in | bit | level: forget everything |
/// | `take` | out | bit | pulse: the entry is armed |
/// | `armed` | out | bit | the engine's registers hold a command that waits |
/// | `load`, `go` | out | bit | pulses: take over the registers; a cycle later, start |
/// | `waits` | out | bit | a command is armed or about to start |
/// | `expired` | out | bit | level: the deadline has passed; flush the engine until its command has ended |
/// | `f_valid`, `f_ready`, `f_tag` | out, in, out | | a command of the rings has ended; its outcome holds still until taken |
///
/// From the end of a command to the start of the armed one: 3 cycles when its record is taken at once.
#[derive(Clone, Copy, Debug)]
pub struct Launch;

impl Module for Launch {
    fn name(&self) -> String {
        "launch".into()
    }

    fn build(&self, m: &Builder) {
        m.doc("Starts an engine's next command when its last one is over and accounted for.");
        let [start, run, ready, busy, ended, reset] =
            ["start", "run", "ready", "busy", "ended", "reset"].map(|name| m.input(name, bit()));
        let head = m.input("head", tag_type());
        let armed = m.state("armed_q", bit(), 0);
        let unposted = m.state("unposted", bit(), 0);
        let going = m.state("going", bit(), 0);

        let arm = (start & !armed.q() & !reset & (ready | !run)).named("arm");
        let load = (armed.q() & !busy & !unposted.q() & !going.q() & !reset).named("load_now");
        armed.drive((arm | (armed.q() & !load)) & !reset);
        going.drive(load);
        let armed_tag = m.reg_when("armed_tag", arm, head);
        let armed_ring = m.reg_when("armed_ring", arm, run);
        let deadline = m.input("deadline", uint(64));
        let armed_left = m.reg_when("armed_deadline", arm, run.gate(deadline));
        let tag = m.reg_when("running_tag", load, armed_tag);
        let of_ring = m.reg_when("running_ring", load, armed_ring);

        // The engine notices a flush only when it has begun.
        let begun = m.delay("busy_since", busy, 4) & busy;
        let limited = m.reg_when("limited", load, armed_left.as_bits().red_or());
        let left = m.reg_decl("left", uint(64));
        let none_left = m.reg_reset("none_left", left.q().is(0) & busy & limited, 0);
        left.update(&[(load, armed_left), (busy & !left.q().is(0), left.q().dec())]);
        let expired = m.state("expired_q", bit(), 0);
        expired.drive(((none_left & begun) | expired.q()) & busy & !ended & !reset);

        unposted.drive(((ended & of_ring) | (unposted.q() & !m.input("f_ready", bit()))) & !reset);
        m.output("take", arm & run);
        m.output("armed", armed.q());
        m.output("waits", armed.q() | going.q());
        m.output("load", load);
        m.output("go", going.q());
        m.output("expired", expired.q());
        m.output("f_valid", unposted.q());
        m.output("f_tag", tag);
    }
}
