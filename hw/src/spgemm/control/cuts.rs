//! Where to cut the columns of a row that does not fit its half.

use rtl_gen::{Builder, MemSpec, Module, Sig, all, any, bit, case, mux, uint};

/// Keeps a sampled histogram of the columns of big rows' entries, halved when it has counted 4,096, and cuts all columns into ranges of equal weight.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `cols` | in | uint(32) | columns of B, at least 1 |
/// | `reset` | in | bit | pulse: forget the histogram (start of a command) |
/// | `sample`, `sample_col` | in | bit, uint | one entry of a big row; ignored while `busy` |
/// | `plan`, `parts`, `done`, `left` | in | bit, uint(5), uint(32) x 2 | pulse while not `busy`: cut into `parts` ranges; with 0, by the elements of A done when the half was full, and to come |
/// | `abort` | in | bit | level: give up the plan under way |
/// | `push`, `bound` | out | bit, uint(`index_bits` + 1) | bounds, from the highest down |
/// | `busy` | out | bit | a sweep or a plan is under way; from the cycle after `plan` |
///
/// Distinct columns grow slower than products, so a row of which the part `p` filled a half is
/// expected to need `1.3 * (1 / p)^0.75` ranges (between 2 and 31). The lowest bound is above 0 and
/// the highest below `cols`: every range is shorter than the whole. A sweep takes 257 cycles, a
/// plan at most 256 + 31 and two, and 50 more without `parts`.
#[derive(Clone, Copy, Debug)]
pub struct Cuts {
    /// Bits of a column.
    pub index_bits: u32,
}

/// Ranges, and the largest `16 / p` they are enough for: `16 * (ranges / 1.3)^(4/3)`.
const GROWTH: [(i128, i128); 8] =
    [(2, 28), (3, 49), (4, 72), (6, 123), (8, 180), (11, 276), (16, 454), (23, 737)];

/// Ranges for still larger rows.
const MOST: i128 = 31;

const IDLE: i128 = 0;
const SWEEP: i128 = 1;
const SCALE: i128 = 2;
const COUNT: i128 = 3;
const CUT: i128 = 4;

impl Module for Cuts {
    fn name(&self) -> String {
        format!("cuts_c{}", self.index_bits)
    }

    fn build(&self, m: &Builder) {
        m.doc("Cuts the columns of a big row into ranges of equal weight.");
        let column = uint(self.index_bits + 1);
        let cols = m.input("cols", uint(32));
        let (reset, abort) = (m.input("reset", bit()), m.input("abort", bit()));
        let (sample, sample_col) =
            (m.input("sample", bit()), m.input("sample_col", uint(self.index_bits)));
        let (plan, asked_parts) = (m.input("plan", bit()), m.input("parts", uint(5)));
        let (done, left) = (m.input("done", uint(32)), m.input("left", uint(32)));
        let state = m.state("state", uint(3), IDLE);
        let [idle, sweep, scale, count, cut] =
            [IDLE, SWEEP, SCALE, COUNT, CUT].map(|s| state.q().is(s));

        // Columns a bin: the power of two that leaves at most 256 bins.
        let (span, shift) = (m.state("span", uint(32), 0), m.state("shift", uint(5), 0));
        let coarse = span.q().shr_k(8).red_or().named("coarse");
        span.update(&[(reset, cols.dec()), (coarse, span.q().shr_k(1).zext(32))]);
        shift.update(&[(reset, shift.q().lit(0)), (coarse, shift.q().inc())]);

        // The histogram counts while idle; a sweep halves or clears it.
        let bin = m.state("bin", uint(8), 0);
        let wipe = m.state("wipe", bit(), 0);
        let bins = m.mem("histogram", MemSpec::distributed(256, 16));
        // A sample counts three cycles later: column, bin, RAM.
        let column_q = m.reg("sampled_column", sample_col);
        let sample = m.reg_reset("sampled", m.reg_reset("sampling", sample, 0), 0);
        let sampled_bin = m.reg("sampled_bin", column_q.zext(32).shr(shift.q()).trunc(8));
        let at = idle.mux(sampled_bin, bin.q()).named("at");
        let weight = bins.read_async("weight", at).as_u();
        let take = all(&[sample, idle, !weight.red_and()]).named("take");
        let swept = wipe.q().mux(weight.lit(1), weight.shr_k(1).zext(16)).named("swept");
        bins.write(at, idle.mux(weight.inc(), swept).as_bits(), take | sweep);
        let samples = m.state("samples", uint(24), 0);
        let fade = !samples.q().lt(samples.q().lit(4096));
        let sweep_begins = (idle & (reset | fade) & !plan).named("sweep_begins");
        // Before anything is known all columns weigh the same.
        let used = !span.q().lt(bin.q().zext(32));
        samples.update(&[
            (sweep_begins, samples.q().lit(0)),
            (sweep & used, samples.q().add_wrap(swept.zext(24))),
            (take, samples.q().inc()),
        ]);
        wipe.drive_when(sweep_begins, reset);

        // How many ranges: bring the two counts to 16 bits, then walk the table, two cycles a row.
        let (d, t) = (m.reg_decl("d", uint(32)), m.reg_decl("t", uint(32)));
        let large = t.q().slice(31, 16).red_or();
        d.update(&[(plan, done), (scale, d.q().shr_k(1).zext(32))]);
        t.update(&[(plan, done.add_wrap(left)), (scale, t.q().shr_k(1).zext(32))]);
        let step = m.state("step", uint(4), 0);
        let arms = |pick: fn((i128, i128)) -> i128, width: u32| -> Vec<(i128, Sig)> {
            (GROWTH.iter().enumerate())
                .map(|(i, row)| (i as i128, m.lit(uint(width), pick(*row))))
                .collect()
        };
        let ranges = case(step.q(), &arms(|row| row.0, 5), m.lit(uint(5), MOST));
        let reach = case(step.q(), &arms(|row| row.1, 10), m.lit(uint(10), 0));
        let reached = m.reg("reached", d.q().trunc(16) * reach);
        let second = m.state("second", bit(), 0);
        second.drive(count & !second.q());
        let enough =
            !reached.lt(t.q().trunc(16).shl_k(4).zext(26)) | step.q().is(GROWTH.len() as i128);
        let decided = all(&[count, second.q(), enough]).named("decided");
        step.update(&[(plan, step.q().lit(0)), (second.q() & !enough, step.q().inc())]);
        let given = (plan & idle & asked_parts.ne(asked_parts.lit(0))).named("given");
        let begin = (decided | given).named("cut_begins");
        let parts = m.reg_when("parts_q", begin, mux(given, asked_parts, ranges));

        // Cut from the last bin down: a bound wherever another share of the weight lies above it. The RAM is a bin ahead.
        let (sum, goal) = (m.state("sum", uint(32), 0), m.state("goal", uint(32), 0));
        let made = m.state("made", uint(5), 0);
        let counted = m.state("counted", bit(), 0);
        let primed = m.state("primed", bit(), 0);
        primed.drive(cut & !begin);
        let cuts = (cut & primed.q()).named("cuts_now");
        let next = m.forward("next_bin", bit());
        let gain = m.reg_when("gain", next.sig(), (weight * parts).zext(32));
        let here = m.reg_when("bin_here", next.sig(), bin.q());
        let now = sum.q().add_wrap(counted.q().mux(gain.lit(0), gain)).named("now");
        let first = here.is(0);
        let push = (cuts & !abort & (first | !now.lt(goal.q()))).named("push_bound");
        next.assign(cut & !(primed.q() & push));
        let finished = (push & made.q().inc().eq(parts)).named("finished");
        sum.update(&[(begin, sum.q().lit(0)), (cuts, now)]);
        goal.update(&[
            (begin, samples.q().zext(32)),
            (push, goal.q().add_wrap(samples.q().zext(32))),
        ]);
        made.update(&[(begin, made.q().lit(1)), (push, made.q().inc())]);
        counted.drive(push);
        bin.update(&[
            (sweep_begins, bin.q().lit(0)),
            (begin, span.q().trunc(8)),
            (sweep, bin.q().inc()),
            (next.sig(), bin.q().dec()),
        ]);
        let edge = mux(first, here.lit(1), here);

        state.update(&[
            (abort & !sweep & !idle, m.lit(uint(3), IDLE)),
            (sweep_begins, m.lit(uint(3), SWEEP)),
            (given, m.lit(uint(3), CUT)),
            (idle & plan, m.lit(uint(3), SCALE)),
            (sweep & bin.q().is(255), m.lit(uint(3), IDLE)),
            (scale & !large, m.lit(uint(3), COUNT)),
            (decided, m.lit(uint(3), CUT)),
            (finished, m.lit(uint(3), IDLE)),
        ]);
        m.output("push", push);
        m.output("bound", edge.zext(33).shl(shift.q()).resize(column.width()));
        // A sweep that is due comes first: a plan is a cycle on its way.
        m.output("busy", any(&[!idle, coarse, fade, reset]));
    }
}
