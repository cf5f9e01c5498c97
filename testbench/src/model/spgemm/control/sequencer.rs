//! What happens when: from the start of a command to its last write.

use super::table::Oldest;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Invalidate,
    Start,
    Run,
    Drain,
    Stop,
    ClearFirst,
    ClearSecond,
    Plan,
    Finish,
}

/// The state machine of the cluster. Bus errors and corrupt arrays are not modelled.
#[derive(Debug)]
pub(crate) struct Sequencer {
    state: State,
    waited: u32,
    pub(crate) done: u32,
    pub(crate) left: u32,
    stop_rows: u32,
    stop_reals: u32,
    pub(crate) ranged: bool,
    pub(crate) first_row: u32,
    pub(crate) max_rows: u32,
}

/// Inputs, all from registers of other blocks.
pub(crate) struct SequencerIn {
    pub(crate) start: bool,
    pub(crate) from_row: u32,
    pub(crate) window: Oldest,
    pub(crate) p_done: u32,
    pub(crate) p_left: u32,
    pub(crate) p_rows: u32,
    pub(crate) p_reals: u32,
    pub(crate) finished: bool,
    pub(crate) quiet: bool,
    pub(crate) cache_ready: bool,
    pub(crate) drain_busy: bool,
    pub(crate) batch_ready: bool,
    pub(crate) plan_busy: bool,
    pub(crate) written: bool,
}

/// Pulses of this cycle.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SequencerOut {
    pub(crate) run: bool,
    pub(crate) restart: bool,
    pub(crate) retire: bool,
    pub(crate) drain_start: bool,
    pub(crate) drain_half: bool,
    pub(crate) drain_discard: bool,
    pub(crate) batch_valid: bool,
    pub(crate) redo: bool,
    pub(crate) split: bool,
    pub(crate) ended: bool,
    pub(crate) replayed: bool,
}

impl Sequencer {
    pub(crate) fn new() -> Self {
        Sequencer {
            state: State::Idle,
            waited: 0,
            done: 0,
            left: 0,
            stop_rows: 0,
            stop_reals: 0,
            ranged: false,
            first_row: 0,
            max_rows: 256,
        }
    }

    /// Level: everything is dropped.
    pub(crate) fn flush(&self) -> bool {
        matches!(self.state, State::Stop | State::ClearFirst | State::Finish)
    }

    /// Level: the writer may write its last lines.
    pub(crate) fn finish(&self) -> bool {
        self.state == State::Finish
    }

    /// A window drains.
    pub(crate) fn drains(&self) -> bool {
        self.state == State::Drain
    }

    /// A window is replayed, or a command begins.
    pub(crate) fn stopped(&self) -> bool {
        !matches!(self.state, State::Idle | State::Run | State::Drain | State::Finish)
    }

    pub(crate) fn active(&self) -> bool {
        self.state != State::Idle
    }

    pub(crate) fn tick(&mut self, i: &SequencerIn) -> SequencerOut {
        let is = |s: State| self.state == s;
        let later = self.waited != 0;
        let drained = later && self.waited & 2 != 0 && !i.drain_busy;
        let still = !is(State::Stop) || i.quiet;

        let idle = is(State::Idle) && i.start;
        let invalidated = is(State::Invalidate) && i.cache_ready;
        let run = is(State::Start);
        let stop = is(State::Run) && i.window.bad;
        let drain =
            is(State::Run) && !i.window.bad && i.window.complete && i.batch_ready && !i.drain_busy;
        let retire = is(State::Drain) && drained;
        let stopped = is(State::Stop) && self.waited == 15;
        let first_clear = is(State::ClearFirst) && drained;
        let second_clear = is(State::ClearSecond) && drained;
        let planned = is(State::Plan) && self.waited & 4 != 0 && !i.plan_busy;
        let all_left = is(State::Run) && i.finished && i.window.none && later;
        let ended = is(State::Finish) && self.waited == 15 && i.written && i.quiet;

        let several = !i.window.single && self.stop_rows > 1;
        let by_range = second_clear && !several;
        let out = SequencerOut {
            run,
            restart: idle || second_clear,
            retire,
            drain_start: drain || stopped || first_clear,
            drain_half: (i.window.seq & 1 == 1) ^ first_clear,
            drain_discard: !drain,
            batch_valid: drain,
            redo: by_range && !i.window.ranged,
            split: by_range && i.window.ranged,
            ended,
            replayed: stop,
        };

        let next = [
            (idle, State::Invalidate),
            (invalidated, State::Start),
            (run, State::Run),
            (stop, State::Stop),
            (drain, State::Drain),
            (retire, State::Run),
            (stopped, State::ClearFirst),
            (first_clear, State::ClearSecond),
            (second_clear, State::Plan),
            (planned, State::Start),
            (all_left, State::Finish),
            (ended, State::Idle),
        ];
        let next = next.iter().find(|(when, _)| *when).map(|(_, to)| *to);
        self.waited = if next.is_some() || !still { 0 } else { (self.waited + 1).min(15) };

        if stop {
            // A window that is closed has sent all of its row.
            let closed = i.window.ended;
            self.done = if closed { 1 } else { i.p_done };
            self.left = if closed { 0 } else { i.p_left };
            self.stop_rows = if closed { i.window.rows } else { i.p_rows };
            self.stop_reals = if closed { i.window.reals } else { i.p_reals };
        }
        if i.start {
            (self.ranged, self.first_row, self.max_rows) = (false, i.from_row, 256);
        } else if second_clear {
            self.ranged = by_range;
            self.first_row = i.window.row;
            self.max_rows = if several { ((self.stop_reals & 0x1ff) >> 1).max(1) } else { 256 };
        }
        self.state = next.unwrap_or(self.state);
        out
    }
}
