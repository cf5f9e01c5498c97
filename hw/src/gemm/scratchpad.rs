//! Operand scratchpad: written along either dimension, read across rows.

use super::geometry::bits_for;
use super::rotate::{rotate_down, rotate_up};
use rtl_gen::{Builder, MemSpec, Module, Sig, Type, any, bit, bits, cat, uint};

/// Block RAM that holds panels of an operand and turns corners: a run of `lanes` elements may be
/// written along k (one row, rising k) or across rows (one k, rising rows), at any position, and
/// `rows` consecutive rows are read at one or several steps of k.
///
/// Rows lie in panels of W rows ([`panel_for`](Self::panel_for)), G = `deep` steps of k to a word of the W * G = `lanes` banks; a panel is
/// `pitch` steps long (a multiple of `lanes`). Row W * p + i at k lies at word `(p * pitch + k) / G`, in bank
///
/// `(i + f(k / G)) mod W  +  W * ((k + p) mod G)`
///
/// so that any `lanes` neighbours of a row or of a column, and all rows of a panel at the G steps of a word, are in
/// different banks. f is the identity, or with `split` > 1 the reversal of the lowest log2 W bits: then also W / g rows at any g
/// aligned steps are. A *line* is W words: the unit of the addresses `wr_line*`.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `wr_valid` | in | bit | write the lanes of `wr_mask` |
/// | `wr_data`, `wr_mask` | in | bits | elements j = 0.. of a run, lane 0 in the low bits |
/// | `wr_along_k` | in | bit | the run goes along k, otherwise across rows |
/// | `wr_phase` | in | uint | position of lane 0 in the run's dimension, mod `lanes` |
/// | `wr_cross` | in | uint | position in the other dimension, mod `lanes` |
/// | `wr_line0`, `wr_line1` | in | uint | line of the elements before and after the run wraps `lanes` (across rows: of the first panel of each) |
/// | `wr_panel_lines` | in | uint | lines of a panel; only with `deep` > 1 |
/// | `rd_valid` | in | bit | read a window; otherwise `rd_data` becomes 0 |
/// | `rd_word0`, `rd_word1` | in | uint | `p * pitch + k` of the window's first row, and of the next panel |
/// | `rd_panel` | in | uint | p mod `deep`; only with `deep` > 1 |
/// | `rd_phase` | in | uint | first row of the window, mod W |
/// | `rd_split` | in | uint | log2 of the steps g read at once: rows W / g; only with `split` > 1 |
/// | `rd_keep` | in | bits | which of the steps of a word are of the operand; the others become 0 |
/// | `rd_data` | out | bits(`deep` * `rows` * `width`) | the window at k, first row in the low bits; at k + 1 up to the word's end; ... |
///
/// With `split` > 1 and g steps, lane W / g * u + i of the window is row i at step `k + reverse(u)`.
///
/// Writes are visible to reads [`write_latency`](Self::write_latency) cycles later, reads take
/// [`READ_LATENCY`](Self::READ_LATENCY) cycles; one of each per cycle. `rd_word1` and `rd_phase` exist
/// only where `rows` is no power of two (otherwise windows never straddle panels).
#[derive(Clone, Copy, Debug)]
pub struct Scratchpad {
    /// Rows of a window: PE rows (columns) of the array.
    pub rows: u32,
    /// Bits of an element.
    pub width: u32,
    /// Words of a bank; a power of two.
    pub depth: u32,
    /// Steps of k in a word; a power of two.
    pub deep: u32,
    /// Most steps that are read instead of rows; a power of two.
    pub split: u32,
}

impl Scratchpad {
    /// Cycles from `rd_valid` to `rd_data`.
    pub const READ_LATENCY: u32 = 3;

    /// Cycles after which a write may be read.
    pub fn write_latency(&self) -> u32 {
        if self.turns_once() { 2 } else { 3 }
    }

    /// Rows of a panel: the window, rounded up to a power of two.
    pub const fn panel_for(rows: u32) -> u32 {
        if rows <= 2 { 2 } else { rows.next_power_of_two() }
    }

    /// Whether windows may begin anywhere in a panel.
    pub const fn straddles(rows: u32) -> bool {
        Self::panel_for(rows) != rows
    }

    fn panel(&self) -> u32 {
        Self::panel_for(self.rows)
    }

    fn lanes(&self) -> u32 {
        self.panel() * self.deep
    }

    /// Both dimensions are turned alike: one rotation by the sum.
    fn turns_once(&self) -> bool {
        self.deep == 1 && self.split == 1
    }

    /// f of the bank formula, of a number.
    fn fold(&self, word: u32) -> u32 {
        let bits = self.panel().ilog2();
        if self.split == 1 { word } else { word.reverse_bits() >> (32 - bits) }
    }

    /// f of the bank formula, of a signal of log2 W bits.
    fn fold_sig<'m>(&self, word: Sig<'m>) -> Sig<'m> {
        if self.split == 1 || word.width() == 1 {
            return word;
        }
        let bits: Vec<Sig> = (0..word.width()).map(|i| word.bit(i)).collect();
        cat(&bits).as_u()
    }
}

/// A run on its way to the banks.
#[derive(Clone, Copy)]
struct Run<'m> {
    valid: Sig<'m>,
    /// Elements, each with its mask above it.
    data: Sig<'m>,
    along_k: Sig<'m>,
    phase: Sig<'m>,
    cross: Sig<'m>,
    line0: Sig<'m>,
    line1: Sig<'m>,
}

/// What a bank writes: word, enable, value.
type Write<'m> = [Sig<'m>; 3];

/// The low `n` bits and the rest of a number; `None` where there are none.
fn parts<'m>(x: Sig<'m>, n: u32) -> [Option<Sig<'m>>; 2] {
    let low = (n > 0).then(|| x.trunc(n));
    let high = (n < x.width()).then(|| x.slice(x.width() - 1, n).as_u());
    [low, high]
}

impl Scratchpad {
    /// Ports of the write side, turned so that element q of `lanes` positions is lane q.
    fn run<'m>(&self, m: &'m Builder) -> Run<'m> {
        let lanes = self.lanes();
        let index = uint(lanes.ilog2());
        let line = uint(self.depth.ilog2() - self.panel().ilog2());
        let valid = m.input("wr_valid", bit());
        let data = m.input("wr_data", bits(lanes * self.width)).lanes(self.width);
        let mask = m.input("wr_mask", bits(lanes)).lanes(1);
        let join = |lanes: Vec<Sig<'m>>| cat(&lanes.into_iter().rev().collect::<Vec<_>>());
        let masked: Vec<Sig> = data.iter().zip(&mask).map(|(x, on)| cat(&[*on, *x])).collect();
        let run = Run {
            valid,
            data: join(masked),
            along_k: m.input("wr_along_k", bit()),
            phase: m.input("wr_phase", index),
            cross: m.input("wr_cross", index),
            line0: m.input("wr_line0", line),
            line1: m.input("wr_line1", line),
        };
        let turn = match self.turns_once() {
            true => run.phase.add_wrap(run.cross).named("wr_turn"),
            false => run.phase,
        };
        let data = join(rotate_up(&run.data.lanes(self.width + 1), turn));
        if self.turns_once() {
            return Run { data, ..run };
        }
        Run {
            valid: m.reg("run_valid", run.valid),
            data: m.reg("run_data", data),
            along_k: run.along_k,
            phase: m.reg("run_phase", run.phase),
            cross: m.reg("run_cross", run.cross),
            line0: m.reg("run_line0", run.line0),
            line1: m.reg("run_line1", run.line1),
        }
    }

    /// Takes the turned elements to their banks: placed by dimension, then turned within words and panels.
    fn place<'m>(
        &self,
        run: &Run<'m>,
        lanes: &[Sig<'m>],
        lane_turn: Sig<'m>,
        step_turn: Option<Sig<'m>>,
    ) -> Vec<Sig<'m>> {
        if self.turns_once() {
            return lanes.to_vec();
        }
        let (w, g) = (self.panel() as usize, self.deep as usize);
        let along = |i: usize, step: usize| self.fold(i as u32) as usize * g + step;
        let words: Vec<Vec<Sig>> = (0..g)
            .map(|step| {
                let word: Vec<Sig> = (0..w)
                    .map(|i| run.along_k.mux(lanes[along(i, step)], lanes[step * w + i]))
                    .collect();
                rotate_up(&word, lane_turn)
            })
            .collect();
        let Some(step_turn) = step_turn else { return words.concat() };
        let turned: Vec<Vec<Sig>> = (0..w)
            .map(|i| rotate_up(&words.iter().map(|word| word[i]).collect::<Vec<_>>(), step_turn))
            .collect();
        (0..g * w).map(|b| turned[b % w][b / w]).collect()
    }

    /// The write side: what each bank takes.
    fn writes<'m>(&self, m: &'m Builder) -> Vec<Write<'m>> {
        let run = self.run(m);
        let (panel_bits, step_bits) = (self.panel().ilog2(), self.deep.ilog2());
        // Along k `cross` is row and panel, across rows it is step and word.
        let [row, panel] = parts(run.cross, panel_bits);
        let [step, word] = parts(run.cross, step_bits);
        let (row, word) = (row.expect("two rows at least"), word.expect("two rows at least"));
        let lane_turn = run.along_k.mux(row, self.fold_sig(word)).named("lane_turn");
        let step_turn = panel.zip(step).map(|(p, s)| run.along_k.mux(p, s).named("step_turn"));
        let data = self.place(&run, &run.data.lanes(self.width + 1), lane_turn, step_turn);

        // Across rows, panel t after the first of a line's group lies t panels further.
        let line_ty = run.line0.ty();
        let panel_lines = (self.deep > 1).then(|| m.input("wr_panel_lines", line_ty));
        let further = panel_lines.map(|lines| {
            let mut at = vec![m.lit(line_ty, 0)];
            (1..self.deep).for_each(|t| {
                let next = at[t as usize - 1].add_wrap(lines);
                at.push(m.reg(&format!("panels_{t}"), next));
            });
            at
        });
        (0..self.lanes())
            .map(|b| {
                let (lane, step) = (b % self.panel(), b / self.panel());
                let lane = m.lit(uint(panel_bits), lane.into()).sub_wrap(lane_turn);
                let step = step_turn.map(|turn| m.lit(turn.ty(), step.into()).sub_wrap(turn));
                let at = self.fold_sig(lane);
                let (along, across) = match step {
                    Some(step) => (cat(&[at, step]).as_u(), cat(&[step, lane]).as_u()),
                    None => (at, lane),
                };
                let position = run.along_k.mux(along, across).named(&format!("position_{b}"));
                let wrapped = position.lt(run.phase);
                let line = wrapped.mux(run.line1, run.line0);
                let line = match (step, &further) {
                    (Some(step), Some(further)) => {
                        let table = cat(&further.iter().rev().copied().collect::<Vec<_>>());
                        let offset = table.dyn_lane(step, line_ty.width()).as_u();
                        line.add_wrap((!run.along_k).gate(offset))
                    }
                    _ => line,
                };
                let low = run.along_k.mux(at, word);
                [
                    m.reg(&format!("wr_word_{b}"), cat(&[line, low]).as_u()),
                    m.reg(&format!("wr_enable_{b}"), run.valid & data[b as usize].msb()),
                    m.reg(&format!("wr_value_{b}"), data[b as usize].slice(self.width - 1, 0)),
                ]
            })
            .collect()
    }
}

impl Module for Scratchpad {
    fn name(&self) -> String {
        let Scratchpad { rows, width, depth, deep, split } = self;
        let deep = if *deep > 1 { format!("_k{deep}") } else { String::new() };
        let split = if *split > 1 { format!("_s{split}") } else { String::new() };
        format!("scratchpad_r{rows}_w{width}_d{depth}{deep}{split}")
    }

    fn check(&self) -> Result<(), String> {
        let (depth, least) = (self.depth, 2 * self.panel());
        if !depth.is_power_of_two() || depth < least {
            return Err(format!("scratchpad depth {depth} is no power of two from {least}"));
        }
        let (deep, split) = (self.deep, self.split);
        if !deep.is_power_of_two() || !split.is_power_of_two() || (deep > 1 && split > 1) {
            return Err(format!(
                "scratchpad of {deep} steps a word, split by {split}: powers of two, one of them 1, are built"
            ));
        }
        if split > self.rows || (split > 1 && Self::straddles(self.rows)) {
            let rows = self.rows;
            return Err(format!("scratchpad windows of {rows} rows cannot be split by {split}"));
        }
        Ok(())
    }

    fn build(&self, m: &Builder) {
        m.doc("Operand scratchpad in diagonal banks: runs along k or across rows in, windows of rows out.");
        let writes = self.writes(m);
        let (panel, deep) = (self.panel(), self.deep);
        let (panel_bits, step_bits) = (panel.ilog2(), deep.ilog2());
        let address: Type = uint((self.depth * deep).ilog2());
        let rd_valid = m.input("rd_valid", bit());
        let word0 = m.input("rd_word0", address);
        // A window that begins inside a panel reads its last rows from the next one.
        let next_panel = Self::straddles(self.rows)
            .then(|| (m.input("rd_word1", address), m.input("rd_phase", uint(panel_bits))));
        let of_panel = (deep > 1).then(|| m.input("rd_panel", uint(step_bits)));
        let split =
            (self.split > 1).then(|| m.input("rd_split", uint(bits_for(self.split.ilog2()))));
        let kept = deep.max(self.split);
        let keep = (kept > 1).then(|| m.input("rd_keep", bits(kept)));

        let [sub, word] = parts(word0, step_bits);
        let word = word.expect("words have addresses");
        let turn = self.fold_sig(word.trunc(panel_bits));
        let turn = next_panel.map_or(turn, |(_, phase)| turn.add_wrap(phase)).named("rd_turn");
        let reads: Vec<Sig> = (writes.iter().enumerate())
            .map(|(b, [wr_word, wr_enable, wr_value])| {
                let lane = m.lit(uint(panel_bits), i128::from(b as u32 % panel)).sub_wrap(turn);
                let word = match next_panel {
                    Some((word1, phase)) => {
                        let beyond = (phase + lane).msb();
                        beyond.mux(word1, word0).slice(address.width() - 1, step_bits).as_u()
                    }
                    None => word,
                };
                let word = match split {
                    Some(split) => split_word(word, lane, split, self.split),
                    None => word,
                };
                let store = m.mem(&format!("bank_{b}"), MemSpec::block(self.depth, self.width));
                store.write(*wr_word, *wr_value, *wr_enable);
                let read = store.read(&format!("read_{b}"), word, rd_valid);
                m.reg(&format!("read_q_{b}"), read)
            })
            .collect();

        // ---- steps of a word in order, then rows in order ----
        let (valid_q, turn_q) = (m.delay("rd_valid", rd_valid, 2), m.delay("rd_turn", turn, 2));
        let keep_q = keep.map(|keep| m.delay("rd_keep", keep, 2));
        let at = |i: u32, step: u32| reads[(step * panel + i) as usize];
        let mut in_order: Vec<Vec<Sig>> = (0..panel).map(|i| vec![at(i, 0)]).collect();
        if let Some((panel_now, sub)) = of_panel.zip(sub) {
            let from = m.delay("rd_step", panel_now.add_wrap(sub), 2);
            let beyond = next_panel.map(|(_, phase)| m.delay("rd_phase", phase, 2));
            in_order = (0..panel)
                .map(|i| {
                    let steps: Vec<Sig> = (0..deep).map(|step| at(i, step)).collect();
                    let from = match beyond {
                        Some(phase) => {
                            let row = m.lit(uint(panel_bits), i.into()).sub_wrap(turn_q);
                            (phase + row).msb().mux(from.inc(), from)
                        }
                        None => from,
                    };
                    rotate_down(&steps, from)
                })
                .collect();
        }
        let mut window = vec![];
        for step in 0..deep as usize {
            let column: Vec<Sig> = in_order.iter().map(|steps| steps[step]).collect();
            let rows = rotate_down(&column, turn_q);
            for (i, element) in rows.iter().take(self.rows as usize).enumerate() {
                let mut on = valid_q;
                if let Some(keep) = keep_q {
                    // With `split`, the step of a lane is the reversal of its group.
                    let group = i as u32 * self.split / self.rows;
                    let of = if deep > 1 { step as u32 } else { reversed(group, self.split) };
                    on = on & keep.bit(of);
                }
                window.push(on.gate(*element));
            }
        }
        window.reverse();
        m.output("rd_data", m.reg("window", cat(&window)));
    }
}

/// `x`, one of `n` (a power of two), with its bits in reverse order.
pub(super) fn reversed(x: u32, n: u32) -> u32 {
    if n == 1 { 0 } else { x.reverse_bits() >> (32 - n.ilog2()) }
}

/// The word of a lane when a window is cut: the lane's highest bits, reversed, are its step.
fn split_word<'m>(word: Sig<'m>, lane: Sig<'m>, split: Sig<'m>, most: u32) -> Sig<'m> {
    let cuts = most.ilog2();
    let low: Vec<Sig> = (0..cuts)
        .rev()
        .map(|j| {
            let cut = any(&(j + 1..=cuts).map(|mode| split.is(mode.into())).collect::<Vec<_>>());
            word.bit(j) | (lane.bit(lane.width() - 1 - j) & cut)
        })
        .collect();
    let low = cat(&low);
    cat(&[word.slice(word.width() - 1, cuts), low]).as_u()
}
