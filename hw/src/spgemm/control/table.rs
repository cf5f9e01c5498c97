//! The windows under way.

use rtl_gen::{Builder, Module, Sig, all, any, bit, bits, mux, one_hot_mux, uint};

/// What is known of each of the four windows that may be under way, and when the oldest is complete.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `restart` | in | bit | pulse: forget all windows; the next one opened must be number `oldest` |
/// | `retire` | in | bit | pulse: the oldest window is finished |
/// | `open`, `open_seq`, `open_row`, `open_single`, `open_pass`, `open_ranged`, `open_stack` | in | | events of the planner |
/// | `close`, `close_seq`, `close_rows`, `close_reals` | in | | |
/// | `in_dispatch` | in | bits(4) | per window: the dispatcher holds chunks of it |
/// | `dispatched`, `dispatched_seq` | in | bit, bits(2) | pulse: a lane took a chunk |
/// | `dispatched_all` | in | bit | if `ordered`: every lane did |
/// | `done`, `done_seqs` | in | bits(`lanes`), bits(2 `lanes`) | per lane pulse: a chunk is finished |
/// | `busy`, `overflow` | in | bits(2) | per half: products in the merge core; pulse, a product was dropped |
/// | `free` | out | bits(4) | no window of that number |
/// | `lanes_open` | out | bits(4) | its half is empty or its own |
/// | `oldest` | out | bits(2) | number of the oldest window |
/// | `complete` | out | bit | the oldest window's products are all in the table |
/// | `bad` | out | bit | the oldest window has lost a product |
/// | `row`, `rows`, `reals`, `single`, `pass`, `ranged`, `stack`, `ended` | out | | of the oldest window; `rows` and `ended` once closed |
/// | `none` | out | bit | no window is under way |
///
/// `complete` asks for eight quiet cycles: products on their way between registered flags are seen.
#[derive(Clone, Copy, Debug)]
pub struct WindowTable {
    /// Lanes.
    pub lanes: u32,
    /// Windows whose products may be in the merge core: 2, or 1, the oldest.
    pub open_windows: u32,
    /// A command may ask for order.
    pub ordered: bool,
}

impl Module for WindowTable {
    fn name(&self) -> String {
        let one = if self.open_windows == 1 { "_o1" } else { "" };
        let ordered = if self.ordered { "_o" } else { "" };
        format!("window_table_l{}{one}{ordered}", self.lanes)
    }

    fn build(&self, m: &Builder) {
        m.doc("Windows under way.");
        let (restart, retire) = (m.input("restart", bit()), m.input("retire", bit()));
        let (open, open_seq) = (m.input("open", bit()), m.input("open_seq", bits(2)).as_u());
        let (open_row, open_single) =
            (m.input("open_row", uint(32)), m.input("open_single", bit()));
        let open_pass = m.input("open_pass", uint(9));
        let (open_ranged, open_stack) =
            (m.input("open_ranged", bit()), m.input("open_stack", bit()));
        let (close, close_seq) = (m.input("close", bit()), m.input("close_seq", bits(2)).as_u());
        let close_rows = m.input("close_rows", uint(9));
        let close_reals = m.input("close_reals", uint(9));
        let in_dispatch = m.input("in_dispatch", bits(4));
        let (sent, sent_seq) =
            (m.input("dispatched", bit()), m.input("dispatched_seq", bits(2)).as_u());
        let sent_all = self.ordered.then(|| m.input("dispatched_all", bit()));
        let done = m.input("done", bits(self.lanes));
        let done_seqs: Vec<Sig> = m.input("done_seqs", bits(2 * self.lanes)).lanes(2);
        let (busy, overflow) = (m.input("busy", bits(2)), m.input("overflow", bits(2)));

        let oldest = m.state("oldest_seq", uint(2), 0);
        oldest.drive_when(retire, oldest.q().inc());
        let next = oldest.q().inc();
        let mut columns: [Vec<(Sig, Sig)>; 11] = Default::default();
        let mut free = vec![];
        let mut lanes_open = vec![];
        for s in 0..4i128 {
            m.scope(&format!("w{s}"), || {
                let mine = [open & open_seq.is(s), close & close_seq.is(s), sent & sent_seq.is(s)];
                let [opened, closed, chunk] = mine;
                let old = oldest.q().is(s).named("oldest");
                let active = m.state("active", bit(), 0);
                active.update(&[(restart | (retire & old), m.low()), (opened, m.high())]);
                let ended = m.state("ended", bit(), 0);
                ended.update(&[(restart | opened, m.low()), (closed, m.high())]);
                let row = m.reg_when("row", opened, open_row);
                let single = m.reg_when("single", opened, open_single);
                let pass = m.reg_when("pass", opened, open_pass);
                let reals = m.reg_when("reals", closed, close_reals);
                let ranged = m.reg_when("ranged", opened, open_ranged);
                let stack = m.reg_when("stack", opened, open_stack);
                let rows = m.reg_when("rows", closed, close_rows);
                let chunks = m.state("chunks", uint(16), 0);
                let finished = (0..self.lanes as usize).fold(m.lit(uint(16), 0), |n, l| {
                    n.add_wrap((done.bit(l as u32) & done_seqs[l].as_u().is(s)).as_u().zext(16))
                });
                let new = chunk.as_u().zext(16);
                let new =
                    sent_all.map_or(new, |all| mux(chunk & all, new.lit(self.lanes.into()), new));
                let now = chunks.q().add_wrap(new).sub_wrap(finished);
                chunks.drive(restart.mux(chunks.q().lit(0), now));
                // A half belongs to the oldest window of its parity.
                let current = (old | next.is(s)).named("current");
                let bad = m.state("bad", bit(), 0);
                let lost = overflow.bit(s as u32 & 1) & current & active.q();
                bad.update(&[(restart | opened, m.low()), (lost, m.high())]);
                let quiet = all(&[
                    ended.q(),
                    chunks.q().is(0),
                    !in_dispatch.bit(s as u32),
                    !busy.bit(s as u32 & 1),
                ]);
                free.push(!active.q());
                let may = if self.open_windows == 1 { old } else { current };
                lanes_open.push(may & active.q());
                let values = [
                    active.q(),
                    ended.q(),
                    row.as_bits(),
                    single,
                    pass.as_bits(),
                    rows.as_bits(),
                    bad.q(),
                    quiet,
                    ranged,
                    stack,
                    reals.as_bits(),
                ];
                for (column, value) in columns.iter_mut().zip(values) {
                    column.push((old, value));
                }
            });
        }
        let [active, ended, row, single, pass, rows, bad, quiet, ranged, stack, reals] =
            columns.map(|arms| one_hot_mux(&arms));
        let settled = m.state("settled", uint(3), 0);
        let still = (active & quiet & !retire).named("still");
        let full = settled.q().is(7);
        settled.drive(mux(still, mux(full, settled.q(), settled.q().inc()), settled.q().lit(0)));

        m.output("free", rtl_gen::cat(&free.iter().rev().copied().collect::<Vec<_>>()));
        m.output("lanes_open", rtl_gen::cat(&lanes_open.iter().rev().copied().collect::<Vec<_>>()));
        m.output("oldest", oldest.q().as_bits());
        m.output("complete", still & full);
        m.output("bad", bad & active);
        m.output("row", row.as_u());
        m.output("rows", rows.as_u());
        m.output("single", single);
        m.output("pass", pass.as_u());
        m.output("reals", reals.as_u());
        m.output("ranged", ranged & active);
        m.output("stack", stack);
        m.output("ended", ended);
        m.output("none", !any(&free.iter().map(|f| !*f).collect::<Vec<_>>()));
    }
}
