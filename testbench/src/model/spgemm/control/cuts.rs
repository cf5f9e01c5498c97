//! Where to cut the columns of a row that does not fit its half.

/// Ranges to make, and the quotient of all over done elements (in 16ths) up to which they suffice.
const GROWTH: [(u32, u32); 8] =
    [(2, 28), (3, 49), (4, 72), (6, 123), (8, 180), (11, 276), (16, 454), (23, 737)];
const MOST: u32 = 31;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Idle,
    Sweep,
    Scale,
    Count,
    Cut,
}

#[derive(Clone, Copy, Debug, Default)]
struct Registers {
    state: State,
    /// Last column, shifted until it is a bin; by how much.
    span: u32,
    shift: u32,
    bin: u32,
    wipe: bool,
    /// A sample on its way: its column, then its bin.
    sampling: bool,
    column: u32,
    sampled: bool,
    sampled_bin: u32,
    samples: u32,
    /// Elements done and all, brought to 16 bits; the row of `GROWTH` that is looked at.
    d: u32,
    t: u32,
    step: u32,
    reached: u32,
    second: bool,
    /// The cut: ranges to make and made, weight above the bin, weight at the next bound.
    parts: u32,
    made: u32,
    sum: u32,
    goal: u32,
    counted: bool,
    primed: bool,
    gain: u32,
    here: u32,
}

/// Histogram of columns, and the cut of a row by it.
#[derive(Debug)]
pub(super) struct Cuts {
    q: Registers,
    bins: [u32; 256],
}

pub(super) struct CutsIn {
    pub(super) cols: u32,
    pub(super) reset: bool,
    /// Column of an entry of a big row.
    pub(super) sample: Option<u32>,
    pub(super) plan: bool,
    pub(super) parts: u32,
    pub(super) done: u32,
    pub(super) left: u32,
    pub(super) abort: bool,
}

impl Cuts {
    pub(super) fn new() -> Self {
        Cuts { q: Registers::default(), bins: [0; 256] }
    }

    pub(super) fn busy(&self, reset: bool) -> bool {
        let q = &self.q;
        q.state != State::Idle || q.span >> 8 != 0 || q.samples >= 4096 || reset
    }

    /// Returns the bound of a new range.
    pub(super) fn tick(&mut self, i: &CutsIn) -> Option<u64> {
        let q = self.q;
        let is = |s: State| q.state == s;
        let [idle, sweep, scale, count, cut] =
            [State::Idle, State::Sweep, State::Scale, State::Count, State::Cut].map(is);
        let coarse = q.span >> 8 != 0;
        let n = &mut self.q;
        if i.reset {
            (n.span, n.shift) = (i.cols.wrapping_sub(1), 0);
        } else if coarse {
            (n.span, n.shift) = (q.span >> 1, q.shift + 1);
        }

        // The histogram counts while idle; a sweep halves or clears it.
        (n.sampling, n.column) = (i.sample.is_some(), i.sample.unwrap_or(q.column));
        (n.sampled, n.sampled_bin) = (q.sampling, (q.column >> q.shift) & 255);
        let at = (if idle { q.sampled_bin } else { q.bin }) as usize;
        let weight = self.bins[at];
        let take = q.sampled && idle && weight != 0xffff;
        let swept = if q.wipe { 1 } else { weight >> 1 };
        let sweep_begins = idle && (i.reset || q.samples >= 4096) && !i.plan;
        if take {
            self.bins[at] = weight + 1;
        } else if sweep {
            self.bins[at] = swept;
        }
        if sweep_begins {
            (n.samples, n.wipe) = (0, i.reset);
        } else if sweep && q.span >= q.bin {
            n.samples = (q.samples + swept) & 0xff_ffff;
        } else if take {
            n.samples = q.samples + 1;
        }

        // How many ranges.
        let large = q.t >> 16 != 0;
        if i.plan {
            (n.d, n.t) = (i.done, i.done.wrapping_add(i.left));
        } else if scale {
            (n.d, n.t) = (q.d >> 1, q.t >> 1);
        }
        let (ranges, reach) = GROWTH.get(q.step as usize).copied().unwrap_or((MOST, 0));
        n.reached = (q.d & 0xffff) * reach;
        n.second = count && !q.second;
        let enough = q.reached >= (q.t & 0xffff) << 4 || q.step == GROWTH.len() as u32;
        let decided = count && q.second && enough;
        if i.plan {
            n.step = 0;
        } else if q.second && !enough {
            n.step = q.step + 1;
        }
        let given = i.plan && idle && i.parts != 0;
        let begin = decided || given;
        if begin {
            n.parts = if given { i.parts } else { ranges };
        }

        // Cut from the last bin down; the RAM is a bin ahead.
        n.primed = cut && !begin;
        let cuts = cut && q.primed;
        let now = q.sum.wrapping_add(if q.counted { 0 } else { q.gain });
        let first = q.here == 0;
        let push = cuts && !i.abort && (first || now >= q.goal);
        let next = cut && !(q.primed && push);
        let finished = push && (q.made + 1) & 31 == q.parts;
        if next {
            (n.gain, n.here) = (weight * q.parts, q.bin);
        }
        if begin {
            (n.sum, n.goal, n.made) = (0, q.samples, 1);
        } else {
            if cuts {
                n.sum = now;
            }
            if push {
                (n.goal, n.made) = (q.goal.wrapping_add(q.samples), (q.made + 1) & 31);
            }
        }
        n.counted = push;
        if sweep_begins {
            n.bin = 0;
        } else if begin {
            n.bin = q.span & 255;
        } else if sweep {
            n.bin = (q.bin + 1) & 255;
        } else if next {
            n.bin = q.bin.wrapping_sub(1) & 255;
        }

        let moves = [
            (i.abort && !sweep && !idle, State::Idle),
            (sweep_begins, State::Sweep),
            (given, State::Cut),
            (idle && i.plan, State::Scale),
            (sweep && q.bin == 255, State::Idle),
            (scale && !large, State::Count),
            (decided, State::Cut),
            (finished, State::Idle),
        ];
        n.state = moves.iter().find(|(when, _)| *when).map_or(q.state, |(_, to)| *to);
        let edge = if first { 1 } else { q.here };
        push.then_some(u64::from(edge) << q.shift)
    }
}
