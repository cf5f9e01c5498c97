//! One cluster with its memory port: `mattock_hw::spgemm::Cluster`.
//!
//! In a cycle every output that is a register is read first, then the blocks tick, each with the others' outputs of this
//! cycle. No block's tick needs a decision of a block that ticks later.

use super::back::{Batch, Beat, RowWriter, Sorter, WriterIn};
use super::control::{
    Expect, ExpectIn, Plans, PlansIn, Sequencer, SequencerIn, WindowTable, WindowTableIn,
};
use super::front::{
    AStream, AStreamIn, Cache, CacheShape, Dispatcher, Element, Lane, LaneIn, LaneShape, Limits,
    LineHub, Planner, PlannerIn, PlannerOut, PointerFetch, PointersIn, Share,
};
use super::merge::{CoreIn, MergeCore};
use super::port::{Memory, Port};
use super::{Command, Counts, Watch};
use mattock_hw::spgemm::merge::{Algebra, MergeCore as CoreShape, Spread};
use mattock_spec::config::{CardConfig, SpgemmConfig};

const ROW_BITS: u32 = 8;
const CACHE_WAYS: u32 = 8;
const LOOKUPS: u32 = 128;
const A_LINES: u32 = 32;
const IN_FLIGHT: u32 = 512;
const CHUNKS: u32 = 16;
const WAITERS: u32 = 64;

/// Place of the cache among the hub's clients, behind the three arrays of A.
const CACHE: u32 = 3;
/// Place of the reader of the table of parts.
const TABLE: u32 = 4;

/// Registers between the merge core and the sorter.
#[derive(Debug, Default)]
struct Drain {
    draining: bool,
    just_begun: bool,
    /// The end mark of the batch follows its last entry, on every stream.
    marks: Vec<bool>,
}

/// One cluster.
#[derive(Debug)]
pub(super) struct Cluster {
    index_bits: u32,
    sequencer: Sequencer,
    table: WindowTable,
    plans: Plans,
    expect: Expect,
    a_stream: AStream,
    pointers: PointerFetch,
    planner: Planner,
    dispatcher: Dispatcher,
    lanes: Vec<Lane>,
    limits: [Limits; 4],
    cache: Cache,
    hub: LineHub,
    core: MergeCore,
    drain: Drain,
    sorter: Sorter,
    writer: RowWriter,
    port: Port,
    /// One of several, which are handed parts of a product.
    parted: bool,
    done: bool,
    counts: Counts,
    watch: Watch,
    /// Products sent, by half, since the half's window began.
    sent: [u64; 2],
}

/// Inputs besides the command.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ClusterIn {
    /// The command, or its next part, begins.
    pub(super) start: bool,
    /// A product begins: counters and what was learned of rows start anew.
    pub(super) clear: bool,
    /// The product has ended, for one of several clusters.
    pub(super) forget: bool,
    /// A line of the table of parts is wanted.
    pub(super) table_request: bool,
}

pub(super) struct ClusterOut {
    pub(super) table_taken: bool,
    pub(super) table_answer: bool,
}

/// Outputs of this cycle that are registers, and what follows from nothing else.
struct Now {
    flush: bool,
    open: u32,
    in_dispatch: u32,
    busy: [bool; 2],
    drain_busy: bool,
    /// A window drains; a window is replayed or a command begins.
    draining: bool,
    stopped: bool,
}

impl Cluster {
    pub(super) fn new(card: &CardConfig, config: &SpgemmConfig, memory: &Memory) -> Self {
        let parted = config.clusters > 1;
        let line_words = card.memory.bus_bytes / 4;
        let c = config;
        let core = CoreShape {
            lanes: c.lanes,
            banks: c.banks,
            ways: c.ways,
            entries_per_half: c.entries_per_half,
            hash: c.hash,
            index_bits: c.index_bits,
            row_bits: ROW_BITS,
            look_ahead: c.look_ahead,
            adder_latency: c.adder_latency,
            sorter_width: c.sorter_width,
            algebra: Algebra::PLUS_TIMES,
            // What may join a product costs plain ones nothing.
            joins: false,
            masks: false,
            ordered: c.ordered,
        };
        let lane = LaneShape {
            slots: (c.lane_queue * 4 / line_words).max(16),
            chunks: CHUNKS,
            line_words,
        };
        let cache = CacheShape {
            banks: c.cache_banks,
            ways: CACHE_WAYS,
            sets: c.cache_kib * 1024 / (card.memory.bus_bytes * c.cache_banks * CACHE_WAYS),
            clients: c.lanes + 1,
            misses: c.misses,
            waiters: WAITERS,
        };
        let marks = vec![false; c.sorter_width as usize];
        Cluster {
            index_bits: c.index_bits,
            sequencer: Sequencer::new(),
            table: WindowTable::new(c.open_windows),
            plans: Plans::new(),
            expect: Expect::new(),
            a_stream: AStream::new(line_words, A_LINES),
            pointers: PointerFetch::new(line_words, LOOKUPS),
            planner: Planner::new(c.task_fifo, c.entries_per_half * 18 / 25),
            dispatcher: Dispatcher::new(line_words, c.dispatch),
            lanes: (0..c.lanes).map(|_| Lane::new(lane)).collect(),
            limits: [Limits::default(); 4],
            cache: Cache::new(cache),
            hub: LineHub::new(4 + u32::from(parted), IN_FLIGHT),
            core: MergeCore::new(&core),
            drain: Drain { marks, ..Drain::default() },
            sorter: Sorter::new(c.sorter_width, c.entries_per_half / c.sorter_width),
            writer: RowWriter::new(line_words),
            port: Port::new(card.memory.bus_bytes, memory),
            parted,
            done: false,
            counts: Counts::default(),
            watch: Watch::default(),
            sent: [0; 2],
        }
    }

    /// The last write of a command has been answered.
    pub(super) fn done(&self) -> bool {
        self.done
    }

    /// A command may begin.
    pub(super) fn idle(&self) -> bool {
        !(self.sequencer.active() || self.done) && self.port.quiet()
    }

    /// Cache and table are cleared after reset.
    pub(super) fn settled(&self) -> bool {
        self.cache.ready() && !self.core.drain_busy()
    }

    /// Counters of the last command.
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// What happened in the last cycle.
    pub(super) fn watch(&self) -> Watch {
        self.watch
    }

    fn feed_idle(&self) -> bool {
        self.a_stream.idle() && self.pointers.idle() && self.planner.idle()
    }

    fn now(&self) -> Now {
        let drain = &self.drain;
        Now {
            flush: self.sequencer.flush(),
            open: self.table.lanes_open(),
            in_dispatch: self.dispatcher.busy(),
            busy: self.core.busy(),
            drain_busy: self.core.drain_busy()
                || drain.draining
                || drain.marks.iter().any(|mark| *mark),
            draining: self.sequencer.drains(),
            stopped: self.sequencer.stopped(),
        }
    }

    /// A cycle.
    pub(super) fn tick(&mut self, command: &Command<'_>, i: ClusterIn) -> ClusterOut {
        let ClusterIn { start, clear, forget, table_request } = i;
        let now = self.now();
        let flush = now.flush;
        let oldest = self.table.oldest(now.in_dispatch, now.busy);
        let [p_done, p_left, p_rows, p_reals] = self.planner.progress();
        let lanes_idle = self.lanes.iter().all(Lane::idle);
        let quiet = self.feed_idle() && self.dispatcher.idle() && lanes_idle;
        let (first_row, max_rows, ranged, finish) = (
            self.sequencer.first_row,
            self.sequencer.max_rows,
            self.sequencer.ranged,
            self.sequencer.finish(),
        );
        let (done, left) = (self.sequencer.done, self.sequencer.left);
        let events = self.sequencer.tick(&SequencerIn {
            start,
            from_row: command.first_row,
            window: oldest,
            p_done,
            p_left,
            p_rows,
            p_reals,
            finished: self.planner.finished(command.end_row, flush),
            quiet: quiet && now.busy == [false; 2],
            cache_ready: self.cache.ready(),
            drain_busy: now.drain_busy,
            batch_ready: self.writer.batch_ready(),
            plan_busy: self.plans.busy(start),
            written: self.writer.idle() && self.port.quiet(),
        });

        // What the lanes offer, and what the merge core takes of it.
        let mut elements: [Option<Element>; 16] = [None; 16];
        let mut core_ready = [false; 16];
        for (l, lane) in self.lanes.iter().enumerate() {
            elements[l] = lane.out(now.open, flush);
            core_ready[l] = self.core.ready(l);
        }
        self.count_products(&elements, &core_ready, events.restart, events.retire, oldest.seq);
        self.watch = self.watch_lanes(&elements, &core_ready, &now);

        // The planner, and the chunk that a lane takes.
        let mut lane_state = [(false, 0); 16];
        let mut chunk_ready = [false; 16];
        let mut done_chunks = [None; 16];
        for (l, lane) in self.lanes.iter().enumerate() {
            chunk_ready[l] = lane.chunk_ready(flush);
            lane_state[l] = (chunk_ready[l], lane.queued());
            done_chunks[l] = lane.chunk_done();
        }
        let lanes = self.lanes.len();
        let moves = self.dispatcher.moves(&chunk_ready[..lanes], flush);
        let pass = self.planner.pass();
        let passes = if ranged { self.plans.passes() } else { 1 };
        let token = self.pointers.out().copied();
        let planned = self.planner.tick(
            command,
            &PlannerIn {
                start: events.run,
                flush,
                first_row,
                first_seq: oldest.seq,
                max_rows,
                ranged,
                passes,
                token: token.as_ref(),
                expect: &self.expect,
                can_plan: self.plans.can_plan(start, events.redo, events.split),
                planned: !self.plans.busy(start),
                plan_passes: self.plans.passes(),
                stack: self.plans.current(),
                free: self.table.free(),
                task_ready: moves.task_ready,
                shares: lanes > 1,
            },
        );
        self.watch.task = planned.task.is_some();
        let limits = self.limits(command, &planned, pass);
        self.dispatcher.tick(planned.task, command.ordered, &lane_state[..lanes], flush, &moves);

        // Memory, hub and cache.
        let bus = self.port.drive();
        let asks = self.a_stream.words.iter().enumerate();
        let asks = asks.fold(0, |bits, (i, w)| bits | u32::from(w.request(flush)) << i);
        let asks =
            asks | u32::from(self.cache.mem_request()) << CACHE | u32::from(table_request) << TABLE;
        let granted = self.hub.taken(asks);
        let (answer, read) = (self.hub.answer(), self.hub.request());
        self.hub.tick(granted, self.port.read_ready(), bus.data);
        let mut requests = [None; 17];
        let mut taken = [false; 17];
        let mut answers = [None; 17];
        for (l, lane) in self.lanes.iter().enumerate() {
            requests[l] = lane.request();
        }
        requests[lanes] = self.pointers.request();
        self.cache.answers(&mut answers[..=lanes]);
        self.cache.tick(
            &requests[..=lanes],
            &mut taken[..=lanes],
            granted == Some(CACHE),
            answer == Some(CACHE),
            if self.parted { forget } else { events.ended },
        );

        // The feed.
        let token_ready = self.pointers.ready();
        let token = self.a_stream.token(command, flush);
        self.pointers.tick(
            command,
            &PointersIn {
                token,
                flush,
                req_ready: taken[lanes],
                rsp: answers[lanes],
                out_ready: planned.in_ready,
            },
        );
        self.a_stream.tick(
            command,
            &AStreamIn {
                start: events.run,
                flush,
                first_row,
                passes,
                req_ready: [0, 1, 2].map(|i| granted == Some(i)),
                rsp: [0, 1, 2].map(|i| answer == Some(i)),
                token_ready,
            },
        );
        for (l, lane) in self.lanes.iter_mut().enumerate() {
            lane.tick(
                command,
                &LaneIn {
                    flush,
                    chunk: moves.handed.filter(|h| h.0 == l || h.1.spread).map(|h| h.1),
                    req_ready: taken[l],
                    rsp: answers[l],
                    out_ready: core_ready[l],
                    open: now.open,
                    limits: &self.limits,
                    share: Share { lane: l as u32, bits: (lanes as u32).ilog2() },
                },
            );
        }
        self.limits = limits;

        // The back end, from its end on.
        let sorted = self.sorter.out();
        let learn = self.writer.learn();
        let wrote = self.writer.tick(&WriterIn {
            start,
            finish,
            capacity: command.capacity,
            batch: events.batch_valid.then(|| Batch {
                rows: oldest.rows,
                whole: !oldest.ranged || self.plans.is_last(oldest.stack, oldest.pass & 63),
            }),
            sorted,
            write_ready: self.port.write_ready(),
        });
        (self.watch.read_beat, self.watch.write_beat) = (bus.data, bus.beat);
        self.port.tick(bus, read, wrote.line);
        let begins = events.drain_start && !events.drain_discard;
        let overflow = self.core.overflow();
        let sample = self.drain(command, &elements, &events, begins, wrote.in_ready);
        let sample = sample.filter(|_| oldest.single);

        // Control.
        self.plans.tick(&PlansIn {
            first_col: command.first_col,
            end_col: command.end_col,
            reset: start,
            sample,
            done,
            left,
            plan: planned.plan,
            redo: events.redo,
            split: events.split,
            stack: oldest.stack,
            pass: oldest.pass & 63,
            abort: flush,
            forget: events.restart,
            retire: events.retire && oldest.ranged,
            open_pass: pass,
        });
        self.expect.tick(&ExpectIn {
            reset: clear,
            note: planned.note,
            learn: learn.map(|(row, entries)| (row + command.first_row, entries)),
        });
        self.table.tick(&WindowTableIn {
            restart: events.restart,
            retire: events.retire,
            open: planned.open,
            close: planned.close,
            in_dispatch: now.in_dispatch,
            dispatched: moves
                .handed
                .map(|(_, chunk)| (chunk.seq, if chunk.spread { lanes as u32 } else { 1 })),
            done: &done_chunks[..lanes],
            busy: now.busy,
            overflow,
        });
        self.done = events.ended;
        self.count(clear, &events);
        ClusterOut { table_taken: granted == Some(TABLE), table_answer: answer == Some(TABLE) }
    }

    /// Merge core and sorter. Returns the column of an entry that left the first stream.
    fn drain(
        &mut self,
        command: &Command<'_>,
        elements: &[Option<Element>; 16],
        events: &super::control::SequencerOut,
        begins: bool,
        out_ready: bool,
    ) -> Option<u32> {
        let streams = self.drain.marks.len();
        let mut offered = [None; 16];
        let mut ready = [false; 16];
        for g in 0..streams {
            let mark = self.drain.marks[g];
            let key = self.core.drained(g);
            offered[g] = if mark { Some(Beat::End) } else { key.map(Beat::Entry) };
            ready[g] = self.sorter.ready(g, offered[g]);
        }
        let sample = match offered[0] {
            Some(Beat::Entry(key)) if ready[0] && self.drain.draining => Some(key as u32),
            _ => None,
        };
        let ends = self.drain.draining && !self.core.drain_busy() && !self.drain.just_begun;
        let mut core_ready = [false; 16];
        for g in 0..streams {
            let mark = self.drain.marks[g];
            core_ready[g] = ready[g] && !mark;
            self.drain.marks[g] = ends || (mark && !ready[g]);
        }
        self.drain.draining = begins || (self.drain.draining && !ends);
        self.drain.just_begun = begins;
        self.sorter.tick(&offered[..streams], out_ready);
        self.core.tick(&CoreIn {
            spread: Spread::new(command.seed, command.cols),
            ordered: command.ordered,
            elements: &elements[..self.lanes.len()],
            drain: events.drain_start.then_some((events.drain_half, events.drain_discard)),
            drain_ready: &core_ready[..streams],
        });
        sample
    }

    /// Per window number the columns wanted, as the planner opens one.
    fn limits(&self, command: &Command<'_>, planned: &PlannerOut, pass: u32) -> [Limits; 4] {
        let mut limits = self.limits;
        if let Some(open) = planned.open {
            let (lo, hi) = match open.ranged {
                true => self.plans.range(pass),
                false => (u64::from(command.first_col), u64::from(command.end_col)),
            };
            // The last columns have no upper end.
            let hi = if hi == u64::from(command.cols) { 1 << self.index_bits } else { hi };
            limits[open.seq as usize] = Limits { lo, hi };
        }
        limits
    }

    fn watch_lanes(
        &self,
        elements: &[Option<Element>; 16],
        ready: &[bool; 16],
        now: &Now,
    ) -> Watch {
        let mut watch = Watch { drain: now.draining, stop: now.stopped, ..Watch::default() };
        for (l, lane) in self.lanes.iter().enumerate() {
            let held = lane.held_back(now.open, now.flush);
            let flag = match elements[l] {
                Some(_) if ready[l] => &mut watch.sends,
                Some(_) => &mut watch.core,
                None if held => &mut watch.window,
                None if !lane.idle() => &mut watch.data,
                None => continue,
            };
            *flag |= 1 << l;
        }
        watch
    }

    /// Products of a window count when it retires, so that what a replay repeats counts once.
    fn count_products(
        &mut self,
        elements: &[Option<Element>; 16],
        ready: &[bool; 16],
        restart: bool,
        retire: bool,
        oldest: u32,
    ) {
        let half = (oldest & 1) as usize;
        if retire {
            self.counts.products += self.sent[half];
            self.sent[half] = 0;
        }
        if restart {
            self.sent = [0; 2];
        }
        for (element, ready) in elements.iter().zip(ready) {
            if let Some(element) = element.filter(|_| *ready) {
                self.sent[(element.seq & 1) as usize] += 1;
            }
        }
    }

    fn count(&mut self, clear: bool, events: &super::control::SequencerOut) {
        let beats = (self.port.read_beats, self.port.write_beats);
        let c = &mut self.counts;
        if clear {
            *c = Counts::default();
            (self.port.read_beats, self.port.write_beats) = (0, 0);
            (self.cache.hits, self.cache.misses, self.core.dropped) = (0, 0, 0);
            self.core.stalled = 0;
            return;
        }
        c.windows += u64::from(events.retire);
        c.restarts += u64::from(events.replayed);
        c.spills = self.core.dropped;
        c.hazard_stalls = self.core.stalled;
        c.cache_hits = self.cache.hits;
        c.cache_misses = self.cache.misses;
        (c.read_beats, c.write_beats) = beats;
        c.nnz = u64::from(self.writer.nnz());
    }
}
