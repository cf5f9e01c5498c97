//! What happens when: from the start of a command to its last write, replays included.

use rtl_gen::{Builder, Module, all, bit, bits, mux, uint};

/// The state machine of the cluster (`docs/spgemm.md`, "Windows").
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `start`, `from_row` | in | bit, uint(32) | pulse: a command begins, with this row |
/// | `fail` | in | bit | level: corrupt arrays or a bus error; stop and clean up |
/// | `w_*` | in | | the oldest window, as [`super::WindowTable`] |
/// | `p_done`, `p_left`, `p_rows`, `p_reals` | in | uint(32) x 2, uint(9) x 2 | planner: elements of the current row sent and to come, rows of the current window, and those of them that may have elements |
/// | `finished` | in | bit | planner: everything has left |
/// | `quiet` | in | bit | feed, dispatcher and lanes are idle, no product is in the merge core |
/// | `cache_ready`, `drain_busy`, `batch_ready`, `plan_busy`, `written` | in | bit | |
/// | `invalidate`, `run`, `restart`, `flush` | out | bit | pulse, at the end: forget the cache; pulse: the feed starts; pulse: forget the windows; level: drop everything |
/// | `first_row`, `max_rows`, `ranged` | out | | where the feed starts and how; its first window takes the oldest number |
/// | `retire` | out | bit | pulse: the oldest window is drained |
/// | `drain_start`, `drain_half`, `drain_discard` | out | bit | to the merge core |
/// | `batch_valid` | out | bit | pulse: the drain makes a batch |
/// | `redo`, `split`, `done`, `left` | out | | to [`super::Plans`] |
/// | `watch_drain`, `watch_stop` | out | bit | a window drains; a window is replayed or a command begins |
/// | `finish` | out | bit | level: the writer may write its last lines |
/// | `ended` | out | bit | pulse: all is written |
/// | `replayed` | out | bit | pulse, for the counter |
/// | `active` | out | bit | a command is in work |
#[derive(Clone, Copy, Debug)]
pub struct Sequencer;

const IDLE: i128 = 0;
const INVALIDATE: i128 = 1;
const START: i128 = 2;
const RUN: i128 = 3;
const DRAIN: i128 = 4;
const STOP: i128 = 5;
const CLEAR_FIRST: i128 = 6;
const CLEAR_SECOND: i128 = 7;
const PLAN: i128 = 8;
const FINISH: i128 = 9;

impl Module for Sequencer {
    fn name(&self) -> String {
        "sequencer".into()
    }

    fn build(&self, m: &Builder) {
        m.doc("State machine of the SpGEMM cluster.");
        let input = |name: &str| m.input(name, bit());
        let (start, fail, finished, quiet) =
            (input("start"), input("fail"), input("finished"), input("quiet"));
        let (cache_ready, drain_busy) = (input("cache_ready"), input("drain_busy"));
        let (batch_ready, plan_busy, written) =
            (input("batch_ready"), input("plan_busy"), input("written"));
        let (complete, bad, none) = (input("w_complete"), input("w_bad"), input("w_none"));
        let (single, closed) = (input("w_single"), input("w_ended"));
        let oldest = m.input("w_oldest", bits(2)).as_u();
        let (row, rows) = (m.input("w_row", uint(32)), m.input("w_rows", uint(9)));
        let (p_done, p_left) = (m.input("p_done", uint(32)), m.input("p_left", uint(32)));
        let p_rows = m.input("p_rows", uint(9));
        let (reals, p_reals) = (m.input("w_reals", uint(9)), m.input("p_reals", uint(9)));

        let state = m.state("state", uint(4), IDLE);
        let is = |s: i128| state.q().is(s);
        let to = |s: i128| m.lit(uint(4), s);
        // Flags of other blocks follow a pulse one cycle later; eight quiet cycles cover every pipeline between flags.
        let waited = m.state("waited", uint(4), 0);
        let changes = m.forward("changes", bit());
        let still = (!is(STOP) | quiet).named("still");
        waited.drive(mux(
            changes.sig() | !still,
            waited.q().lit(0),
            mux(waited.q().is(15), waited.q(), waited.q().inc()),
        ));
        let later = !waited.q().is(0);
        let drained = (later & waited.q().bit(1) & !drain_busy).named("drained");

        let failing = m.state("failing", bit(), 0);
        failing.update(&[(start, m.low()), (fail & !is(IDLE), m.high())]);
        let dirty = failing.q() & !(is(IDLE) | is(INVALIDATE) | is(FINISH));
        let idle = is(IDLE) & start;
        let invalidated = (is(INVALIDATE) & cache_ready).named("invalidated");
        let run = is(START).named("run_now");
        let stop = (is(RUN) & (bad | dirty)).named("stop");
        let drain =
            all(&[is(RUN), !bad, !dirty, complete, batch_ready, !drain_busy]).named("drain");
        let retire = (is(DRAIN) & drained).named("retire_now");
        let stopped = (is(STOP) & waited.q().is(15)).named("stopped");
        let first_clear = (is(CLEAR_FIRST) & drained).named("first_clear");
        let second_clear = (is(CLEAR_SECOND) & drained).named("second_clear");
        // A split is in the stack after four cycles.
        let planned = (is(PLAN) & waited.q().bit(2) & !plan_busy).named("planned");
        let all_left = all(&[is(RUN), !dirty, finished, none, later]).named("all_left");
        let ended = all(&[is(FINISH), waited.q().is(15), written, quiet]).named("ended_now");
        state.update(&[
            (idle, to(INVALIDATE)),
            (invalidated, to(START)),
            (run, to(RUN)),
            (stop, to(STOP)),
            (drain, to(DRAIN)),
            (retire, to(RUN)),
            (stopped, to(CLEAR_FIRST)),
            (first_clear, to(CLEAR_SECOND)),
            (second_clear, mux(failing.q(), to(FINISH), to(PLAN))),
            (planned, to(START)),
            (all_left, to(FINISH)),
            (ended, to(IDLE)),
        ]);
        let moves = [
            idle,
            invalidated,
            run,
            stop,
            drain,
            retire,
            stopped,
            first_clear,
            second_clear,
            planned,
            all_left,
            ended,
        ];
        changes.assign(rtl_gen::any(&moves));

        // The failing window: how far its row had come, frozen when the stop was decided.
        let done = m.reg_when("done_q", stop, mux(closed, p_done.lit(1), p_done));
        let left = m.reg_when("left_q", stop, mux(closed, p_left.lit(0), p_left));
        let stop_rows = m.reg_when("stop_rows", stop, mux(closed, rows, p_rows));
        let stop_reals = m.reg_when("stop_reals", stop, mux(closed, reals, p_reals));
        let several = (!single & !stop_rows.is(0) & !stop_rows.is(1)).named("several");
        let ranged = m.state("ranged_q", bit(), 0);
        let by_range = (second_clear & !several & !failing.q()).named("by_range");
        let w_ranged = input("w_ranged");
        ranged.update(&[(start, m.low()), (second_clear, by_range)]);
        let first_row = m.state("first_row_q", uint(32), 0);
        first_row.update(&[(start, m.input("from_row", uint(32))), (second_clear, row)]);
        let max_rows = m.state("max_rows_q", uint(9), 256);
        // Empty rows come for free: one that may have elements less, at least, or the first row alone.
        let half = stop_reals.shr_k(1).zext(9);
        let half = mux(half.is(0), half.lit(1), half);
        max_rows.update(&[
            (start, max_rows.q().lit(256)),
            (second_clear, mux(several, half, max_rows.q().lit(256))),
        ]);

        m.output("invalidate", ended);
        m.output("run", run);
        m.output("restart", idle | second_clear);
        // Behind the last row of a part A's arrays go on: what was read ahead is dropped.
        m.output("flush", is(STOP) | is(CLEAR_FIRST) | is(FINISH));
        m.output("first_row", first_row.q());
        m.output("max_rows", max_rows.q());
        m.output("ranged", ranged.q());
        m.output("retire", retire);
        m.output("drain_start", drain | stopped | first_clear);
        m.output("drain_half", oldest.bit(0) ^ first_clear);
        m.output("drain_discard", !drain);
        m.output("batch_valid", drain);
        m.output("redo", by_range & !w_ranged);
        m.output("split", by_range & w_ranged);
        m.output("done", done);
        m.output("left", left);
        m.output("finish", is(FINISH));
        m.output("ended", ended);
        m.output("replayed", stop & !failing.q());
        m.output("watch_drain", is(DRAIN));
        m.output("watch_stop", !(is(IDLE) | is(RUN) | is(DRAIN) | is(FINISH)));
        m.output("active", !is(IDLE));
    }
}
