//! How a command ends: faults, the engine's common ports, counters.

use super::Cluster;
use super::control::{Command, Control};
use super::front::Front;
use super::memory::Memory;
use crate::spgemm::front::Source;
use mattock_spec::ErrorCode;
use rtl_gen::{Builder, Instance, Sig, any, bit, bits, cat, mux, uint};

/// The blocks of a finished cluster.
pub(super) struct Blocks<'a, 'm> {
    pub control: &'a Control<'m>,
    pub front: &'a Front<'m>,
    pub core: Instance<'m>,
    pub writer: Instance<'m>,
    pub memory: &'a Memory<'m>,
}

impl Cluster {
    pub(super) fn status<'m>(
        &self,
        m: &'m Builder,
        command: &Command<'m>,
        blocks: &Blocks<'_, 'm>,
    ) {
        let Blocks { control, front, writer, memory, .. } = *blocks;
        let Front { feed, lanes: fetch, .. } = front;
        let Command { start, flush, cols, clear, first_row, .. } = *command;
        let (sequencer, read, write) = (control.sequencer, memory.read, memory.write);
        let seq = |port: &str| control.seq(port);
        let beyond: Vec<Sig> = (fetch.iter())
            .map(|l| l.get("out_valid") & !l.get("out_col").as_u().zext(33).lt(cols.zext(33)))
            .collect();
        let bad_column_b = m.state("bad_column_b", bit(), 0);
        bad_column_b.update(&[(start, m.low()), (any(&beyond), m.high())]);
        let code = |e: ErrorCode| m.lit(bits(8), e as i128);
        let read_fault = read.get("fault");
        let write_fault = write.get("fault");
        let (reads, writes) = (read_fault.bit(1), write_fault.bit(1));
        let decode = [read_fault.bit(0), write_fault.bit(0)];
        let row_written = writer.get("rows_done").add_wrap(first_row);
        let of_pointer = match self.joined() {
            true => {
                let joined = [ErrorCode::RowPointerMask, ErrorCode::RowPointerAddend].map(code);
                Source::choose(feed.get("bad_source"), code(ErrorCode::RowPointerB), &joined)
            }
            false => code(ErrorCode::RowPointerB),
        };
        let causes = [
            (
                reads,
                mux(decode[0], code(ErrorCode::ReadDecodeError), code(ErrorCode::ReadSlaveError)),
                read.get("fault_addr").as_bits(),
            ),
            (
                writes,
                mux(decode[1], code(ErrorCode::WriteDecodeError), code(ErrorCode::WriteSlaveError)),
                write.get("fault_addr").as_bits(),
            ),
            (feed.get("bad_row"), code(ErrorCode::RowPointerA), feed.get("bad_place").as_bits()),
            (feed.get("bad_pointer"), of_pointer, feed.get("bad_k").as_bits()),
            (feed.get("bad_column"), code(ErrorCode::ColumnA), feed.get("bad_place").as_bits()),
            (bad_column_b.q(), code(ErrorCode::ColumnB), row_written.as_bits()),
        ];
        let failed = any(&causes.map(|c| c.0)).named("failed");
        let (mut now_code, mut now_info) = (code(ErrorCode::Aborted), m.lit(bits(32), 0));
        for (cause, code, info) in causes.iter().rev() {
            now_code = mux(*cause, *code, now_code);
            now_info = mux(*cause, *info, now_info);
        }
        let fail = m.state("fail", bit(), 0);
        let first = (seq("active") & (failed | flush) & !fail.q()).named("first_fault");
        fail.update(&[(start, m.low()), (first, m.high())]);
        sequencer.set("fail", fail.q());
        let error = m.state("error_q", bits(8), 0);
        let info = m.reg_decl("info_q", bits(32));
        let short = (seq("ended") & writer.get("overflow") & !fail.q()).named("short");
        error.update(&[
            (start, error.q().lit(0)),
            (first, now_code),
            (short, code(ErrorCode::CapacityExceeded)),
        ]);
        info.update(&[
            (start, info.q().lit(0)),
            (first, now_info),
            (short, writer.get("nnz").as_bits()),
        ]);
        let done = m.reg_reset("done_q", seq("ended"), 0);
        m.output("done", done);
        m.output("error", error.q());
        m.output("error_info", info.q());
        m.output("idle", !any(&[seq("active"), done, start]) & memory.quiet);
        m.output("read_beat", read.get("beat"));
        m.output("write_beat", write.get("beat"));
        self.counters(m, clear, blocks);
        watch(m, blocks);
        m.output("nnz_c", writer.get("nnz").as_bits());
    }
}

/// What every lane does this cycle, for whoever looks for lost cycles; a card leaves these open.
fn watch<'m>(m: &'m Builder, blocks: &Blocks<'_, 'm>) {
    let Blocks { control, front, core, .. } = *blocks;
    let Front { feed, lanes: fetch, .. } = front;
    let lanes = |name: &str, what: &dyn Fn(usize, Instance<'m>) -> Sig<'m>| {
        let flags: Vec<Sig> = fetch.iter().enumerate().rev().map(|(l, f)| what(l, *f)).collect();
        m.output(&format!("watch_{name}"), cat(&flags));
    };
    let ready = |l: usize| core.get(&format!("l{l}_ready"));
    lanes("sends", &|l, f| f.get("out_valid") & ready(l));
    lanes("core", &|l, f| f.get("out_valid") & !ready(l));
    lanes("window", &|_, f| f.get("held_back"));
    lanes("data", &|_, f| !f.get("idle") & !f.get("out_valid") & !f.get("held_back"));
    m.output("watch_task", feed.get("task_valid"));
    m.output("watch_drain", control.seq("watch_drain"));
    m.output("watch_stop", control.seq("watch_stop"));
}

impl Cluster {
    /// Counters of the last command.
    fn counters<'m>(&self, m: &'m Builder, start: Sig<'m>, blocks: &Blocks<'_, 'm>) {
        let Blocks { control, front, core, .. } = *blocks;
        let Control { table, sequencer, .. } = *control;
        let Front { cache, lanes: fetch, .. } = front;
        let count = |name: &str, by: Sig<'m>| {
            let total = m.state(&format!("{name}_q"), uint(32), 0);
            total.update(&[
                (start, total.q().lit(0)),
                (m.high(), total.q().add_wrap(by.resize(32))),
            ]);
            m.output(name, total.q().as_bits());
        };
        count("windows", sequencer.get("retire").as_u());
        count("spills", core.get("dropped"));
        count("restarts", sequencer.get("replayed").as_u());
        count("hazard_stalls", core.get("stalled"));
        count("cache_hits", cache.get("hits"));
        count("cache_misses", cache.get("misses"));
        // Products of a window count when it retires, so that what a replay repeats counts once.
        let products = m.state("products_q", uint(64), 0);
        let mut retired = m.lit(uint(64), 0);
        for half in 0..2 {
            let sent = (fetch.iter().enumerate()).fold(m.lit(uint(32), 0), |n, (l, lane)| {
                let moves = self.sends_product((l, *lane), core);
                n.add_wrap((moves & lane.get("out_half").is(half as i128)).as_u().zext(32))
            });
            let held = m.state(&format!("products_of_half_{half}"), uint(32), 0);
            let mine = sequencer.get("retire") & table.get("oldest").bit(0).is(half as i128);
            held.update(&[
                (sequencer.get("restart") | mine, held.q().lit(0)),
                (m.high(), held.q().add_wrap(sent)),
            ]);
            retired = mux(mine, held.q().zext(64), retired);
        }
        products
            .update(&[(start, products.q().lit(0)), (m.high(), products.q().add_wrap(retired))]);
        m.output("products", products.q().as_bits());
    }
}
