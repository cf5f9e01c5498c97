//! From A's rows to products' operands: feed, dispatcher, cache, lanes.

use super::super::front::{Cache, ChosenValues, Dispatcher, Feed, LaneFetch};
use super::control::{Command, Control};
use super::{Cluster, ROW_BITS};
use rtl_gen::{Builder, Instance, Sig, bit, bits, cat, index_width, mux, uint};

/// Ways of the cache.
const CACHE_WAYS: u32 = 8;
/// Row pointer look-ups of B in flight.
pub(super) const LOOKUPS: u32 = 128;
/// Lines of A in flight per array.
const A_LINES: u32 = 32;

/// The front end's blocks.
pub(super) struct Front<'m> {
    pub feed: Instance<'m>,
    pub dispatcher: Instance<'m>,
    pub cache: Instance<'m>,
    pub lanes: Vec<Instance<'m>>,
}

impl Cluster {
    pub(super) fn front<'m>(
        &self,
        m: &'m Builder,
        command: &Command<'m>,
        control: &Control<'m>,
    ) -> Front<'m> {
        let feed = self.feed(m, command, control);
        let lane = LaneFetch {
            slots: self.lane_slots(),
            chunks: 16,
            line_words: self.line_words(),
            index_bits: self.config.index_bits,
            row_bits: ROW_BITS,
            tag_bits: self.tag_bits(),
            addr_bits: self.addr_bits(),
            values: self.values(),
            a_bits: Feed::a_bits(self.joined()),
            share_bits: if self.shares() { index_width(self.config.lanes) } else { 0 },
        };
        let dispatcher = self.dispatcher(m, command, control, feed, lane.queued_bits());
        let cache = self.cache(m, control, feed);
        let forget = if self.parted { m.input("forget", bit()) } else { control.seq("invalidate") };
        cache.set("invalidate", forget);
        let lanes = self.lanes(m, command, control, &lane, (feed, dispatcher, cache));
        Front { feed, dispatcher, cache, lanes }
    }

    /// Walks A, packs rows into windows and cuts them into tasks.
    fn feed<'m>(
        &self,
        m: &'m Builder,
        command: &Command<'m>,
        control: &Control<'m>,
    ) -> Instance<'m> {
        let c = &self.config;
        let Control { table, sequencer, plans, expect } = *control;
        let seq = |port: &str| control.seq(port);
        let limit = c.entries_per_half * 18 / 25;
        let feed = m.inst(
            "feed",
            &Feed {
                line_words: self.line_words(),
                addr_bits: self.addr_bits(),
                a_lines: A_LINES,
                lookups: LOOKUPS,
                tag_bits: self.tag_bits(),
                tasks: c.task_fifo,
                limit,
                values: self.values(),
                joined: self.joined(),
                ordered: self.shares(),
            },
        );
        ChosenValues::of(m, self.values(), command.value).pass(feed);
        feed.set("start", seq("run")).set("flush", seq("flush")).set("first_row", seq("first_row"));
        feed.set("rows", command.rows).set("inner", command.inner);
        feed.set("cols", command.end_col.sub_wrap(command.first_col));
        self.join_rows(m, command, feed);
        feed.set("nnz_a", command.nnz_a).set("nnz_b", command.nnz_b);
        let passes = mux(seq("ranged"), plans.get("passes"), m.lit(uint(9), 1));
        feed.set("passes", passes).set("ranged", seq("ranged"));
        feed.set("can_plan", plans.get("can_plan")).set("planned", !plans.get("busy"));
        feed.set("plan_passes", plans.get("passes"));
        expect.set("reset", command.clear).set("products", feed.get("products"));
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
        feed
    }

    /// Hands chunks of tasks to the lanes.
    fn dispatcher<'m>(
        &self,
        m: &'m Builder,
        command: &Command<'m>,
        control: &Control<'m>,
        feed: Instance<'m>,
        queued_bits: u32,
    ) -> Instance<'m> {
        let (lanes, line_words, table) = (self.config.lanes, self.line_words(), control.table);
        let a_bits = Feed::a_bits(self.joined());
        let (row_bits, choice, ordered) = (ROW_BITS, self.config.dispatch, self.shares());
        let dispatcher =
            Dispatcher { lanes, line_words, row_bits, queued_bits, a_bits, choice, ordered };
        let dispatcher = m.inst("dispatcher", &dispatcher);
        if let (Some(level), true) = (command.ordered, ordered) {
            feed.set("ordered", level);
            dispatcher.set("ordered", level).set("task_spread", feed.get("task_spread"));
            table.set("dispatched_all", dispatcher.get("chunk_spread"));
        }
        dispatcher.set("flush", control.seq("flush"));
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
        dispatcher
    }

    /// The cache of B, with the look-ups of its row pointers as the last client.
    fn cache<'m>(&self, m: &'m Builder, control: &Control<'m>, feed: Instance<'m>) -> Instance<'m> {
        let c = &self.config;
        let cache = m.inst(
            "cache",
            &Cache {
                banks: c.cache_banks,
                ways: CACHE_WAYS,
                sets: c.cache_kib * 1024 / (self.bus_bytes * c.cache_banks * CACHE_WAYS),
                clients: c.lanes + 1,
                misses: c.misses,
                waiters: 64,
                tag_bits: self.tag_bits(),
                line_bits: self.line_bits(),
                addr_bits: self.addr_bits(),
            },
        );
        control.sequencer.set("cache_ready", cache.get("ready"));
        cache_client(cache, c.lanes, feed, "");
        cache
    }

    /// The lanes: each fetches its chunks' lines of B and sends a product's operands a cycle.
    fn lanes<'m>(
        &self,
        m: &'m Builder,
        command: &Command<'m>,
        control: &Control<'m>,
        shape: &LaneFetch,
        (feed, dispatcher, cache): (Instance<'m>, Instance<'m>, Instance<'m>),
    ) -> Vec<Instance<'m>> {
        let (table, stop) = (control.table, control.seq("flush"));
        let values = ChosenValues::of(m, self.values(), command.value);
        let limits = self.limits(m, feed, control.plans, command);
        let (col_base, val_base) = (self.base(m, "b_col"), self.base(m, "b_val"));
        let bases = self.joined_bases(m);
        let fetch: Vec<Instance> = (0..self.config.lanes)
            .map(|l| {
                let lane = m.inst(&format!("lane_{l}"), shape);
                values.pass(lane);
                lane.set("flush", stop).set("col_base", col_base).set("val_base", val_base);
                for (port, base) in &bases {
                    lane.set(port, *base);
                }
                for field in ["seq", "row", "a", "start", "length"] {
                    lane.set(&format!("chunk_{field}"), dispatcher.get(&format!("chunk_{field}")));
                }
                if shape.share_bits > 0 {
                    lane.set("chunk_spread", dispatcher.get("chunk_spread"));
                    lane.set("lane", m.lit(bits(shape.share_bits), l.into()));
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
        fetch
    }

    /// Per window number: the columns wanted, taken when the planner opens it.
    fn limits<'m>(
        &self,
        m: &'m Builder,
        feed: Instance<'m>,
        plans: Instance<'m>,
        command: &Command<'m>,
    ) -> Vec<(Sig<'m>, Sig<'m>)> {
        let wide = uint(self.config.index_bits + 1);
        let (open, ranged) = (feed.get("open"), feed.get("open_ranged"));
        let none = m.lit(wide, 1 << self.config.index_bits);
        let hi = mux(ranged, plans.get("hi"), command.end_col.resize(wide.width()));
        // The last columns have no upper end, so that one beyond `cols` is seen and reported.
        let hi = mux(hi.eq(command.cols.resize(wide.width())), none, hi);
        let lo = mux(
            ranged,
            plans.get("lo").trunc(self.config.index_bits),
            command.first_col.resize(self.config.index_bits),
        );
        (0..4)
            .map(|s| {
                let mine = open & feed.get("open_seq").is(s as i128);
                (m.reg_when(&format!("lo_{s}"), mine, lo), m.reg_when(&format!("hi_{s}"), mine, hi))
            })
            .collect()
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
