//! The whole engine: one cluster with its memory port (`docs/spgemm.md`).

use super::back::{Entry, RowWriter, Sorter};
use super::control::{Expect, Plans, Sequencer, WindowTable};
use super::front::{Cache, Dispatcher, Feed, LaneFetch, LineHub};
use super::merge::{Algebra, MergeCore};
use crate::bus::{AxiReadMaster, AxiWriteMaster};
use crate::cells::Fifo;
use mattock_spec::ErrorCode;
use mattock_spec::config::{CardConfig, SpgemmConfig};
use rtl_gen::bundle::expose;
use rtl_gen::{Builder, Instance, Module, Sig, all, any, bit, bits, cat, index_width, mux, uint};

/// Bits of a row slot: a window holds at most 256 rows.
const ROW_BITS: u32 = 8;
/// Ways of the cache.
const CACHE_WAYS: u32 = 8;
/// Row pointer look-ups of B in flight.
const LOOKUPS: u32 = 128;
/// Lines of A in flight per array.
const A_LINES: u32 = 32;
/// Lines under way from memory, all clients together.
const IN_FLIGHT: u32 = 512;

/// SpGEMM engine: `C = A * B` over a semiring in split CSR, i32 or f32, one cluster.
///
/// Ports: those every engine of the card has (`start`, `flush`, `idle`, `done`, `error`, `error_info`, `read_beat`,
/// `write_beat`, `m_axi_*`), and the values of the SPGEMM register block by name: inputs `mode_value`, `mode_semiring`, `rows`,
/// `inner`, `cols`, `seed`, `nnz_a`, `nnz_b`, `c_capacity`, `a_ptr` to `c_val`; outputs `products`, `nnz_c`, `windows`, `spills`,
/// `restarts`, `hazard_stalls`, `cache_hits`, `cache_misses`.
///
/// Throughput: `lanes` products a cycle while memory, table and sorter keep up.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Table, lanes, cache.
    pub config: SpgemmConfig,
    /// Bytes of a bus beat: a line.
    pub bus_bytes: u32,
    /// Bits of a byte address.
    pub address_bits: u32,
}

impl Cluster {
    /// The cluster of a card, if it has one.
    pub fn of(card: &CardConfig) -> Option<Self> {
        let config = card.spgemm.clone()?;
        let (bus_bytes, address_bits) = (card.memory.bus_bytes, card.memory.address_bits);
        Some(Cluster { config, bus_bytes, address_bits })
    }

    fn line_words(&self) -> u32 {
        self.bus_bytes / 4
    }

    fn line_bits(&self) -> u32 {
        self.bus_bytes * 8
    }

    fn offset_bits(&self) -> u32 {
        self.bus_bytes.trailing_zeros()
    }

    fn addr_bits(&self) -> u32 {
        self.address_bits - self.offset_bits()
    }

    /// Whole lines are queued, of which short rows use a quarter.
    fn lane_slots(&self) -> u32 {
        (self.config.lane_queue * 4 / self.line_words()).max(16)
    }

    fn tag_bits(&self) -> u32 {
        index_width(self.lane_slots().max(LOOKUPS)) + 1
    }

    /// A line address from a byte address.
    fn base<'m>(&self, m: &'m Builder, name: &str) -> Sig<'m> {
        m.input(name, uint(self.address_bits)).shr_k(self.offset_bits())
    }
}

impl Module for Cluster {
    fn name(&self) -> String {
        "spgemm_cluster".into()
    }

    fn check(&self) -> Result<(), String> {
        if self.config.sorter_width > self.line_words() {
            let (sorter, line) = (self.config.sorter_width, self.line_words());
            return Err(format!(
                "sorter_width {sorter} is more than the {line} words of a memory line"
            ));
        }
        Ok(())
    }

    fn build(&self, m: &Builder) {
        m.doc("SpGEMM cluster: row-wise products merged by atomic hashing.");
        let c = &self.config;
        let lanes = c.lanes;
        let (line_words, addr_bits, tag_bits) =
            (self.line_words(), self.addr_bits(), self.tag_bits());
        let (start, flush) = (m.input("start", bit()), m.input("flush", bit()));
        let word = |name: &str| m.input(name, uint(32));
        let (rows, inner, cols) = (word("rows"), word("inner"), word("cols"));
        let (nnz_a, nnz_b, capacity) = (word("nnz_a"), word("nnz_b"), word("c_capacity"));
        let float = m.input("mode_value", bits(4)).bit(0);
        let algebra = Algebra::of(&c.semirings);
        let seed = m.input("seed", bits(32));

        // ---- control ----
        let table = m.inst("windows_table", &WindowTable { lanes });
        let sequencer = m.inst("sequencer", &Sequencer);
        let plans = m.inst("plans", &Plans { index_bits: c.index_bits });
        let expect = m.inst("expectation", &Expect);
        let seq = |port: &str| sequencer.get(port);
        let stop = seq("flush");
        let limit = c.entries_per_half * 18 / 25;
        sequencer.set("start", start);
        for (to, from) in [
            ("w_complete", "complete"),
            ("w_bad", "bad"),
            ("w_none", "none"),
            ("w_single", "single"),
            ("w_ended", "ended"),
            ("w_oldest", "oldest"),
            ("w_row", "row"),
            ("w_rows", "rows"),
            ("w_reals", "reals"),
            ("w_ranged", "ranged"),
        ] {
            sequencer.set(to, table.get(from));
        }
        table.set("restart", seq("restart")).set("retire", seq("retire"));

        // ---- front end ----
        let feed = m.inst(
            "feed",
            &Feed {
                line_words,
                addr_bits,
                a_lines: A_LINES,
                lookups: LOOKUPS,
                tag_bits,
                tasks: c.task_fifo,
                limit,
            },
        );
        feed.set("start", seq("run")).set("flush", stop).set("first_row", seq("first_row"));
        feed.set("rows", rows).set("cols", cols).set("inner", inner);
        feed.set("nnz_a", nnz_a).set("nnz_b", nnz_b);
        let passes = mux(seq("ranged"), plans.get("passes"), m.lit(uint(9), 1));
        feed.set("passes", passes).set("ranged", seq("ranged"));
        feed.set("can_plan", plans.get("can_plan")).set("planned", !plans.get("busy"));
        feed.set("plan_passes", plans.get("passes"));
        expect.set("reset", start).set("products", feed.get("products"));
        feed.set("expected", expect.get("expected"));
        for port in ["note", "note_row", "note_products"] {
            expect.set(port, feed.get(port));
        }
        feed.set("first_seq", table.get("oldest"))
            .set("max_rows", seq("max_rows"))
            .set("free", table.get("free"));
        feed.set("a_ptr_base", self.base(m, "a_ptr")).set("a_col_base", self.base(m, "a_col"));
        feed.set("a_val_base", self.base(m, "a_val")).set("b_ptr_base", self.base(m, "b_ptr"));
        for port in [
            "open",
            "open_seq",
            "open_row",
            "open_single",
            "open_pass",
            "open_ranged",
            "close",
            "close_seq",
            "close_rows",
            "close_reals",
        ] {
            table.set(port, feed.get(port));
        }
        table.set("open_stack", plans.get("current"));
        sequencer.set("p_done", feed.get("row_done")).set("p_left", feed.get("row_left"));
        sequencer.set("p_reals", feed.get("close_reals"));
        sequencer.set("p_rows", feed.get("close_rows")).set("finished", feed.get("finished"));

        let lane_shape = LaneFetch {
            slots: self.lane_slots(),
            chunks: 16,
            line_words,
            index_bits: c.index_bits,
            row_bits: ROW_BITS,
            tag_bits,
            addr_bits,
        };
        let queued_bits = lane_shape.queued_bits();
        let dispatcher = m
            .inst("dispatcher", &Dispatcher { lanes, line_words, row_bits: ROW_BITS, queued_bits });
        dispatcher.set("flush", stop);
        for field in ["valid", "seq", "row", "start", "length", "a"] {
            dispatcher.set(&format!("task_{field}"), feed.get(&format!("task_{field}")));
        }
        feed.set("task_ready", dispatcher.get("task_ready"));
        table
            .set("dispatched", dispatcher.get("dispatched"))
            .set("dispatched_seq", dispatcher.get("dispatched_seq"));
        let in_dispatch: Vec<Sig> =
            (0..4).rev().map(|s| dispatcher.get(&format!("busy_{s}"))).collect();
        table.set("in_dispatch", cat(&in_dispatch));

        let cache = m.inst(
            "cache",
            &Cache {
                banks: c.cache_banks,
                ways: CACHE_WAYS,
                sets: c.cache_kib * 1024 / (self.bus_bytes * c.cache_banks * CACHE_WAYS),
                clients: lanes + 1,
                misses: c.misses,
                waiters: 64,
                tag_bits,
                line_bits: self.line_bits(),
                addr_bits,
            },
        );
        cache.set("invalidate", seq("invalidate"));
        sequencer.set("cache_ready", cache.get("ready"));
        cache_client(cache, lanes, feed, "");
        let limits = self.limits(m, feed, plans, cols);
        let (col_base, val_base) = (self.base(m, "b_col"), self.base(m, "b_val"));
        let fetch: Vec<Instance> = (0..lanes)
            .map(|l| {
                let lane = m.inst(&format!("lane_{l}"), &lane_shape);
                lane.set("flush", stop).set("col_base", col_base).set("val_base", val_base);
                for field in ["seq", "row", "a", "start", "length"] {
                    lane.set(&format!("chunk_{field}"), dispatcher.get(&format!("chunk_{field}")));
                }
                lane.set("chunk_valid", dispatcher.get(&format!("l{l}_chunk_valid")));
                dispatcher.set(&format!("l{l}_chunk_ready"), lane.get("chunk_ready"));
                dispatcher.set(&format!("l{l}_queued"), lane.get("queued"));
                for (s, (lo, hi)) in limits.iter().enumerate() {
                    lane.set(&format!("lo_{s}"), *lo).set(&format!("hi_{s}"), *hi);
                    lane.set(&format!("open_{s}"), table.get("lanes_open").bit(s as u32));
                }
                cache_client(cache, l, lane, "");
                lane
            })
            .collect();
        let from_lanes =
            |port: &str| cat(&fetch.iter().rev().map(|l| l.get(port)).collect::<Vec<_>>());
        table.set("done", from_lanes("chunk_done")).set("done_seqs", from_lanes("chunk_done_seq"));

        // ---- merge core ----
        let core = m.inst(
            "core",
            &MergeCore {
                lanes,
                banks: c.banks,
                ways: c.ways,
                entries_per_half: c.entries_per_half,
                index_bits: c.index_bits,
                row_bits: ROW_BITS,
                look_ahead: c.look_ahead,
                adder_latency: c.adder_latency,
                sorter_width: c.sorter_width,
                algebra,
            },
        );
        core.set("is_float", float).set("seed", seed);
        if c.semirings.len() > 1 {
            core.set("semiring", m.input("mode_semiring", bits(4)));
        }
        for (l, lane) in fetch.iter().enumerate() {
            for field in ["valid", "half", "row", "col", "a", "b"] {
                core.set(&format!("l{l}_{field}"), lane.get(&format!("out_{field}")));
            }
            lane.set("out_ready", core.get(&format!("l{l}_ready")));
        }
        for port in ["drain_start", "drain_half", "drain_discard"] {
            core.set(port, seq(port));
        }
        let both =
            |name: &str| cat(&[core.get(&format!("{name}_1")), core.get(&format!("{name}_0"))]);
        table.set("busy", both("busy")).set("overflow", both("overflow"));
        plans.set("cols", cols).set("reset", start).set("abort", stop);
        plans.set("plan", feed.get("plan")).set("parts", feed.get("plan_parts"));
        for port in ["redo", "split", "done", "left"] {
            plans.set(port, seq(port));
        }
        plans.set("stack", table.get("stack")).set("pass", table.get("pass").trunc(6));
        plans.set("forget", seq("restart")).set("open_pass", feed.get("open_pass"));
        plans.set("retire", seq("retire") & table.get("ranged"));
        plans.set("retire_stack", table.get("stack"));
        sequencer.set("plan_busy", plans.get("busy"));
        let idles: Vec<Sig> = fetch.iter().map(|l| l.get("idle")).collect();
        let quiet = all(&[
            feed.get("idle"),
            dispatcher.get("idle"),
            all(&idles),
            !core.get("busy_0"),
            !core.get("busy_1"),
        ]);
        sequencer.set("quiet", quiet.named("quiet"));

        // ---- back end ----
        let entry = Entry { key_bits: ROW_BITS + c.index_bits, value_bits: 32 };
        let entries = c.entries_per_half / c.sorter_width;
        let sorter = m.inst("sorter", &Sorter { width: c.sorter_width, entries, entry });
        let draining = m.state("draining", bit(), 0);
        let drain_begins = (seq("drain_start") & !seq("drain_discard")).named("drain_begins");
        let drain_ends =
            (draining.q() & !core.get("drain_busy") & !m.reg("just_begun", drain_begins))
                .named("drain_ends");
        draining.update(&[(drain_begins, m.high()), (drain_ends, m.low())]);
        // One stream's entries stand for all: the hash spreads them.
        let taken = core.get("d0_valid") & sorter.get("d0_ready");
        plans.set("sample", all(&[taken, draining.q(), table.get("single")]));
        plans.set("sample_col", core.get("d0_col").as_u());
        let mut marks = vec![];
        for g in 0..c.sorter_width {
            let port = |name: &str| format!("d{g}_{name}");
            // The end mark of the batch follows its last entry on every stream.
            let mark = m.state(&format!("mark_{g}"), bit(), 0);
            let ready = sorter.get(&port("ready"));
            mark.update(&[(drain_ends, m.high()), (mark.q() & ready, m.low())]);
            sorter
                .set(&port("valid"), core.get(&port("valid")) | mark.q())
                .set(&port("end"), mark.q());
            let fields = [core.get(&port("row")), core.get(&port("col")), core.get(&port("value"))];
            sorter.set(&port("entry"), cat(&fields));
            core.set(&port("ready"), ready & !mark.q());
            marks.push(mark.q());
        }
        let drain_busy = any(&[core.get("drain_busy"), draining.q(), any(&marks)]);
        sequencer.set("drain_busy", drain_busy.named("drain_busy"));
        let shape = RowWriter {
            line_words,
            addr_bits,
            width: c.sorter_width,
            row_bits: ROW_BITS,
            index_bits: c.index_bits,
        };
        let writer = m.inst("writer", &shape);
        writer.set("start", start).set("finish", seq("finish")).set("capacity", capacity);
        for (to, from) in [("ptr_base", "c_ptr"), ("col_base", "c_col"), ("val_base", "c_val")] {
            writer.set(to, self.base(m, from));
        }
        writer.set("batch_valid", seq("batch_valid")).set("batch_rows", table.get("rows"));
        writer.set("batch_whole", !table.get("ranged") | plans.get("last"));
        for (to, from) in
            [("learn", "row_done"), ("learn_row", "row_number"), ("learn_entries", "row_entries")]
        {
            expect.set(to, writer.get(from));
        }
        sequencer.set("batch_ready", writer.get("batch_ready"));
        for field in ["valid", "end", "count", "entries"] {
            writer.set(&format!("in_{field}"), sorter.get(&format!("out_{field}")));
        }
        sorter.set("out_ready", writer.get("in_ready"));

        // ---- memory ----
        let hub = m.inst(
            "hub",
            &LineHub { clients: 4, line_bits: self.line_bits(), addr_bits, in_flight: IN_FLIGHT },
        );
        for (i, array) in ["p", "c", "v"].iter().enumerate() {
            hub.set(&format!("c{i}_req_valid"), feed.get(&format!("{array}_req_valid")));
            hub.set(&format!("c{i}_req_addr"), feed.get(&format!("{array}_req_addr")));
            feed.set(&format!("{array}_req_ready"), hub.get(&format!("c{i}_req_ready")));
            feed.set(&format!("{array}_rsp_valid"), hub.get(&format!("c{i}_rsp_valid")));
            feed.set(&format!("{array}_rsp_data"), hub.get("rsp_data"));
        }
        hub.set("c3_req_valid", cache.get("mem_req_valid"))
            .set("c3_req_addr", cache.get("mem_req_addr"));
        cache
            .set("mem_req_ready", hub.get("c3_req_ready"))
            .set("mem_rsp_valid", hub.get("c3_rsp_valid"));
        cache.set("mem_rsp_data", hub.get("rsp_data")).set("mem_rsp_error", hub.get("rsp_error"));
        let (read, write, traffic_over) = self.memory(m, hub, writer, start);
        sequencer.set("written", writer.get("idle") & traffic_over);

        // ---- faults, end and counters ----
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
            (feed.get("bad_pointer"), code(ErrorCode::RowPointerB), feed.get("bad_k").as_bits()),
            (feed.get("bad_column"), code(ErrorCode::ColumnA), feed.get("bad_place").as_bits()),
            (bad_column_b.q(), code(ErrorCode::ColumnB), writer.get("rows_done").as_bits()),
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
        m.output("idle", !any(&[seq("active"), done, start]) & traffic_over);
        m.output("read_beat", read.get("beat"));
        m.output("write_beat", write.get("beat"));
        self.counters(m, start, sequencer, table, core, &fetch, cache);
        watch(m, feed, (sequencer, core), &fetch);
        m.output("nnz_c", writer.get("nnz").as_bits());
    }
}

/// Connects a cache client's request and answer ports.
fn cache_client<'m>(cache: Instance<'m>, index: u32, client: Instance<'m>, prefix: &str) {
    for field in ["valid", "addr", "tag"] {
        cache.set(&format!("c{index}_req_{field}"), client.get(&format!("{prefix}req_{field}")));
    }
    client.set(&format!("{prefix}req_ready"), cache.get(&format!("c{index}_req_ready")));
    for field in ["valid", "tag", "data"] {
        client.set(&format!("{prefix}rsp_{field}"), cache.get(&format!("c{index}_rsp_{field}")));
    }
}

/// What every lane does this cycle, for whoever looks for lost cycles; a card leaves these open.
fn watch<'m>(
    m: &'m Builder,
    feed: Instance<'m>,
    (sequencer, core): (Instance<'m>, Instance<'m>),
    fetch: &[Instance<'m>],
) {
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
    m.output("watch_drain", sequencer.get("watch_drain"));
    m.output("watch_stop", sequencer.get("watch_stop"));
}

impl Cluster {
    /// Per window number: the columns wanted, taken when the planner opens it.
    fn limits<'m>(
        &self,
        m: &'m Builder,
        feed: Instance<'m>,
        plans: Instance<'m>,
        cols: Sig<'m>,
    ) -> Vec<(Sig<'m>, Sig<'m>)> {
        let wide = uint(self.config.index_bits + 1);
        let (open, ranged) = (feed.get("open"), feed.get("open_ranged"));
        let none = m.lit(wide, 1 << self.config.index_bits);
        // The last range has no upper end, so that a column beyond `cols` is seen and reported.
        let last = plans.get("hi").eq(cols.resize(wide.width()));
        let hi = mux(ranged & !last, plans.get("hi"), none);
        let lo = mux(
            ranged,
            plans.get("lo").trunc(self.config.index_bits),
            m.lit(uint(self.config.index_bits), 0),
        );
        (0..4)
            .map(|s| {
                let mine = open & feed.get("open_seq").is(s as i128);
                (m.reg_when(&format!("lo_{s}"), mine, lo), m.reg_when(&format!("hi_{s}"), mine, hi))
            })
            .collect()
    }

    /// The AXI masters.
    fn memory<'m>(
        &self,
        m: &'m Builder,
        hub: Instance<'m>,
        writer: Instance<'m>,
        start: Sig<'m>,
    ) -> (Instance<'m>, Instance<'m>, Sig<'m>) {
        let (data_bits, addr_bits) = (self.line_bits(), self.address_bits);
        let read = m.inst(
            "reader",
            &AxiReadMaster { data_bits, addr_bits, max_burst: 2, outstanding: IN_FLIGHT },
        );
        let one = m.lit(uint(17), 1);
        let byte = |line: Sig<'m>| line.shl_k(self.offset_bits());
        read.set("cmd_valid", hub.get("mem_req_valid"))
            .set("cmd_addr", byte(hub.get("mem_req_addr")));
        read.set("cmd_beats", one)
            .set("data_ready", m.high())
            .set("fault_clear", start)
            .set("flush", m.low());
        hub.set("mem_req_ready", read.get("cmd_ready"))
            .set("mem_rsp_valid", read.get("data_valid"));
        hub.set("mem_rsp_data", read.get("data")).set("mem_rsp_error", read.get("data_error"));
        let write = m.inst(
            "line_writer",
            &AxiWriteMaster { data_bits, addr_bits, max_burst: 2, outstanding: 64 },
        );
        // Address and data part here: the bus takes them at times of its own.
        let addresses = m.inst("write_addresses", &Fifo { width: addr_bits, depth: 4 });
        let words = self.line_words();
        let lines = m.inst("write_lines", &Fifo { width: data_bits + words, depth: 4 });
        let (offered, rooms) =
            (writer.get("w_valid"), [addresses.get("in_ready"), lines.get("in_ready")]);
        writer.set("w_ready", rooms[0] & rooms[1]);
        addresses
            .set("in_valid", offered & rooms[1])
            .set("in_data", byte(writer.get("w_addr")).as_bits());
        lines.set("in_valid", offered & rooms[0]);
        lines.set("in_data", cat(&[writer.get("w_mask"), writer.get("w_data")]));
        write
            .set("cmd_valid", addresses.get("out_valid"))
            .set("cmd_addr", addresses.get("out_data").as_u());
        write.set("cmd_beats", one).set("data_valid", lines.get("out_valid"));
        let line = lines.get("out_data");
        let mask = line.slice(data_bits + words - 1, data_bits);
        let strobes: Vec<Sig> = mask.lanes(1).iter().rev().map(|w| w.rep(4)).collect();
        write.set("data", line.slice(data_bits - 1, 0)).set("data_strb", cat(&strobes));
        write.set("fault_clear", start).set("flush", m.low());
        addresses.set("out_ready", write.get("cmd_ready"));
        lines.set("out_ready", write.get("data_ready"));
        let waiting = addresses.get("out_valid") | lines.get("out_valid");
        expose(m, read, "m_axi_", "m_axi_");
        expose(m, write, "m_axi_", "m_axi_");
        let over = all(&[read.get("idle"), write.get("idle"), !waiting]).named("traffic_over");
        (read, write, over)
    }

    /// Counters of the last command.
    #[allow(clippy::too_many_arguments)]
    fn counters<'m>(
        &self,
        m: &'m Builder,
        start: Sig<'m>,
        sequencer: Instance<'m>,
        table: Instance<'m>,
        core: Instance<'m>,
        fetch: &[Instance<'m>],
        cache: Instance<'m>,
    ) {
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
                let moves = lane.get("out_valid") & core.get(&format!("l{l}_ready"));
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
