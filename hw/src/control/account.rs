//! What the host sees of a running command.

use crate::cells::counter;
use mattock_spec::ErrorCode;
use rtl_gen::{Builder, Module, bit, bits};

/// STATUS, ERROR_INFO and the traffic counters of one engine.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `start` | in | bit | pulse: a command begins |
/// | `done`, `error`, `info` | in | bit, bits(8), bits(32) | pulse: it ended, all bus responses are back; its outcome (`info` counts only with an error) |
/// | `reset` | in | bit | level: the engine is being flushed |
/// | `idle` | in | bit | the engine does nothing and no transfer is outstanding |
/// | `read_beat`, `write_beat` | in | bit | a data beat moves on the engine's bus; with `beats` only |
/// | `status_busy`, `status_done`, `status_error`, `error_info` | out | bit, bit, bits(8), bits(32) | the registers |
/// | `cycles`, `bytes_read`, `bytes_written` | out | bits(64) | of the last command, running while it is busy; with `beats` only |
/// | `ended` | out | bit | pulse: a command ended, well or not |
///
/// `status_busy` rises the cycle after `start`. `cycles` counts from that cycle to the one of `done`. A command that
/// is running when `reset` has made the engine idle ends with ABORTED.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    /// Bytes of a data beat; `None` leaves the counters to the engine.
    pub beats: Option<u32>,
}

impl Module for Account {
    fn name(&self) -> String {
        match self.beats {
            Some(bytes) => format!("account_b{bytes}"),
            None => "account".into(),
        }
    }

    fn build(&self, m: &Builder) {
        m.doc("Status, cycles and traffic of one engine's command.");
        let (start, done) = (m.input("start", bit()), m.input("done", bit()));
        let (error, info) = (m.input("error", bits(8)), m.input("info", bits(32)));
        let (reset, idle) = (m.input("reset", bit()), m.input("idle", bit()));

        let busy = m.state("busy_q", bit(), 0);
        let ended = m.state("done_q", bit(), 0);
        // Under reset only idleness counts: an engine may or may not still tell its end.
        let aborted = (reset & idle & busy.q()).named("aborted");
        let finished = (done & busy.q() & !reset).named("finished");
        let end = finished | aborted;
        busy.drive(start | (busy.q() & !end));
        ended.drive((ended.q() | end) & !start);
        let outcome = aborted.mux(error.lit(ErrorCode::Aborted as i128), error);
        let code = m.state("error_q", bits(8), 0);
        code.update(&[(start, error.lit(0)), (end, outcome)]);
        let detail = m.state("info_q", bits(32), 0);
        detail.update(&[(start, info.lit(0)), (finished, error.red_or().gate(info))]);

        m.output("status_busy", busy.q());
        m.output("status_done", ended.q());
        m.output("status_error", code.q());
        m.output("error_info", detail.q());
        m.output("ended", end);
        let Some(bytes) = self.beats else { return };
        let shift = bytes.trailing_zeros();
        m.output("cycles", counter(m, "cycles", 64, start, busy.q()).as_bits());
        for (name, beat) in [("bytes_read", "read_beat"), ("bytes_written", "write_beat")] {
            let beats = counter(m, beat, 64, start, m.input(beat, bit()) & busy.q());
            m.output(name, beats.shl_k(shift).trunc(64).as_bits());
        }
    }
}
