//! One bank of the cache.

use super::misses::{Events, Misses, Shape};
use super::tags::{Control, Geometry, lookup};
use crate::cells::{Fifo, Skid, priority};
use rtl_gen::{Builder, MemSpec, Module, Sig, all, any, bit, bits, cat, index_width, uint};

/// Requests that wait in front of a bank.
const QUEUE: u32 = 8;
/// Looked-up requests that wait for their client.
const ANSWERS: u32 = 8;

/// One bank: look-up pipeline, miss ring and line store.
///
/// A look-up ends as a read order, or as a miss that takes a frame at once and leaves a *release* in the same queue. The memory
/// request leaves after its release has passed the reads of the old line, so a fill may be written whenever it comes.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `req_valid`, `req_ready`, `req_addr`, `req_client`, `req_tag` | in, out | | a line is wanted; `req_ready` is a register |
/// | `answer_valid`, `answer_client` | out | bit, bits | the oldest looked-up request and its client; registers |
/// | `answer_take` | in | bit | its answer may leave |
/// | `rsp_valid`, `rsp_client`, `rsp_tag`, `rsp_data` | out | | the answer, two cycles after `answer_take`; registers |
/// | `mem_req_valid`, `mem_req_ready`, `mem_req_addr` | out, in | | lines wanted from memory |
/// | `fill_valid`, `fill_data` | in | bit, bits | they arrive, in order |
/// | `invalidate`, `ready` | in, out | bit | see [`super::Cache`] |
/// | `hit`, `miss` | out | bit | a look-up found its line here or on its way, or did not; registers |
#[derive(Clone, Copy, Debug)]
pub(super) struct Bank {
    pub bank_bits: u32,
    pub ways: u32,
    pub sets: u32,
    pub client_bits: u32,
    pub misses: u32,
    pub waiters: u32,
    pub tag_bits: u32,
    pub line_bits: u32,
    pub addr_bits: u32,
}

impl Bank {
    /// The parameters as part of a name.
    pub(super) fn shape(&self) -> String {
        let Bank { ways, sets, waiters, tag_bits, line_bits, addr_bits, .. } = self;
        format!("y{ways}_s{sets}_q{waiters}_t{tag_bits}_w{line_bits}_a{addr_bits}")
    }
}

impl Module for Bank {
    fn name(&self) -> String {
        let (b, c, m) = (self.bank_bits, self.client_bits, self.misses);
        format!("cache_bank_b{b}_c{c}_m{m}_{}", self.shape())
    }

    fn build(&self, m: &Builder) {
        m.doc("One bank of the line cache: look-up pipeline, miss ring, line store.");
        let g = Geometry {
            bank_bits: self.bank_bits,
            ways: self.ways,
            sets: self.sets,
            addr_bits: self.addr_bits,
        };
        let request_bits = self.client_bits + self.tag_bits;
        let frame_bits = index_width(self.ways) + g.set_bits();
        let misses = Misses::new(
            m,
            Shape {
                slots: self.misses,
                waiters: self.waiters,
                ways: self.ways,
                set_bits: g.set_bits(),
                request_bits,
            },
        );

        // Requests wait here until the look-up takes them.
        let (client, tag) = (
            m.input("req_client", bits(self.client_bits)),
            m.input("req_tag", bits(self.tag_bits)),
        );
        let addr = m.input("req_addr", uint(self.addr_bits));
        let queue = m.inst("queue", &Fifo { width: request_bits + self.addr_bits, depth: QUEUE });
        queue.set("in_valid", m.input("req_valid", bit()));
        queue.set("in_data", cat(&[client, tag, addr.as_bits()]));
        m.output("req_ready", queue.get("in_ready"));
        let front = queue.get("out_data");
        let enter = queue.get("out_valid");
        let enter_line = front.trunc(self.addr_bits).as_u();

        // Looked-up requests and releases, in order; the skid keeps the client's arbiter off the LUT RAM.
        let orders =
            m.inst("orders", &Fifo { width: 1 + frame_bits + request_bits, depth: ANSWERS });
        let head = m.inst("oldest", &Skid { width: 1 + frame_bits + request_bits });
        head.set("in_valid", orders.get("out_valid")).set("in_data", orders.get("out_data"));
        orders.set("out_ready", head.get("in_ready"));
        let replay = misses.replay().named("replay");
        let replay_taken = (replay & orders.get("in_ready")).named("replay_taken");
        let order_room = (orders.get("in_ready") & !replay).named("order_room");

        let fill = m.input("fill_valid", bit());
        let clear = self.clearing(m, &[enter, !misses.idle()]);
        lookup(m, &g, |l| {
            let pending = misses.pending();
            let found = any(&l.hit).named("found");
            let slot = misses.slot_of(&l.hit);
            let on_its_way = any(&slot).named("on_its_way");
            let crowded = misses.crowded(&slot).named("crowded");
            let (victim, evictable) = victim(&l.used, &l.oldest, &pending);

            let hit = (l.valid & found & !on_its_way & order_room).named("hit_now");
            let append = (l.valid & on_its_way & !crowded).named("append");
            let allocate =
                (l.valid & !found & evictable & !misses.full() & order_room).named("allocate");
            let advance = (!l.valid | hit | append | allocate).named("advance");
            queue.set("out_ready", advance);
            clear.busy.assign(l.valid | l.behind);

            let request = (1..=3).fold(front.slice(front.width() - 1, self.addr_bits), |r, n| {
                m.reg_when(&format!("request_{n}"), advance, r)
            });
            let waiter = misses.drive(Events {
                allocate,
                append,
                mine: slot,
                set: g.set(l.line),
                victim: victim.clone(),
                request,
                advance,
                next_set: g.set(l.next_line),
                same_set: l.same_set,
                fill,
                taken: replay_taken,
            });
            let frame = cat(&[super::one_hot_index(m, &l.hit), g.set(l.line).as_bits()]);
            let own = cat(&[allocate, frame, request]);
            let again = cat(&[m.low(), misses.replay_frame(), waiter]);
            orders.set("in_valid", replay | hit | allocate);
            orders.set("in_data", replay.mux(again, own));

            self.ask_memory(
                m,
                allocate,
                l.line,
                head.get("out_valid") & head.get("out_data").msb(),
            );
            m.output("hit", m.reg_reset("hit_q", hit | append, 0));
            m.output("miss", m.reg_reset("miss_q", allocate, 0));
            let touched = hit | append;
            Control {
                enter: (enter, enter_line),
                advance,
                allocate,
                victim,
                found: touched,
                clear: (clear.sweep, clear.set),
            }
        });
        let pop = self.leave(
            m,
            (head.get("out_valid"), head.get("out_data")),
            (fill, misses.fill_frame()),
        );
        head.set("out_ready", pop);
    }
}

/// Forgetting all lines.
struct Clearing<'m> {
    sweep: Sig<'m>,
    set: Sig<'m>,
    /// The look-up holds a request.
    busy: rtl_gen::Forward<'m>,
}

impl Bank {
    /// After reset and after `invalidate`: waits until nothing is under way, then clears set after set.
    fn clearing<'m>(&self, m: &'m Builder, under_way: &[Sig<'m>]) -> Clearing<'m> {
        let invalidate = m.input("invalidate", bit());
        let busy = m.forward("looking_up", bit());
        let (wait, sweep) = (m.state("waiting_to_sweep", bit(), 1), m.state("sweep", bit(), 0));
        let set = m.state("sweep_set", uint(index_width(self.sets)), 0);
        let start = (wait.q() & !sweep.q() & !any(under_way) & !busy.sig()).named("start_sweep");
        let end = set.q().is(self.sets as i128 - 1);
        wait.update(&[(invalidate, m.high()), (start, m.low())]);
        sweep.update(&[(start, m.high()), (end, m.low())]);
        set.drive_when(sweep.q(), set.q().inc());
        m.output("ready", !wait.q() & !sweep.q());
        Clearing { sweep: sweep.q(), set: set.q(), busy }
    }

    /// Memory requests leave in order, each after its release.
    fn ask_memory<'m>(&self, m: &'m Builder, push: Sig<'m>, line: Sig<'m>, release: Sig<'m>) {
        let lines = m.inst("lines", &Fifo { width: self.addr_bits, depth: self.misses });
        let released = m.state("released", uint(index_width(self.misses + 1)), 0);
        let valid = released.q().ne(released.q().lit(0));
        let pop = (valid & m.input("mem_req_ready", bit())).named("mem_req_taken");
        let count = released.q();
        released.update(&[(release & !pop, count.inc()), (pop & !release, count.dec())]);
        lines.set("in_valid", push).set("in_data", line.as_bits()).set("out_ready", pop);
        m.assert("request_is_there", !valid | lines.get("out_valid"));
        m.assert("request_has_room", !push | lines.get("in_ready"));
        m.output("mem_req_valid", valid);
        m.output("mem_req_addr", lines.get("out_data").as_u());
    }

    /// The line store: fills are written as they come, reads leave when their client takes them.
    /// Returns that the order was used.
    fn leave<'m>(
        &self,
        m: &'m Builder,
        (valid, order): (Sig<'m>, Sig<'m>),
        (fill, fill_frame): (Sig<'m>, Sig<'m>),
    ) -> Sig<'m> {
        let request_bits = self.client_bits + self.tag_bits;
        let release = order.msb();
        let request = order.trunc(request_bits);
        let client = request.slice(request_bits - 1, self.tag_bits);
        let take = m.input("answer_take", bit());
        m.output("answer_valid", valid & !release);
        m.output("answer_client", client);

        let lines = m.mem("store", MemSpec::block(self.ways * self.sets, self.line_bits));
        lines.write(fill_frame.as_u(), m.input("fill_data", bits(self.line_bits)), fill);
        let frame = order.slice(order.width() - 2, request_bits).as_u();
        let data = lines.read("line", frame, take);
        let taken = m.reg_reset("taken", take, 0);
        let request_read = m.reg("request_read", request);
        let request_out = m.reg("request_out", request_read);
        m.output("rsp_valid", m.reg_reset("rsp_valid_q", taken, 0));
        m.output("rsp_client", request_out.slice(request_bits - 1, self.tag_bits));
        m.output("rsp_tag", request_out.trunc(self.tag_bits));
        // Registered before the wide multiplexer of the client.
        m.output("rsp_data", m.reg("line_out", data));
        take | release
    }
}

/// One-hot way to give up, and whether there is one: an empty frame, else the one used longest ago, else any
/// whose line is not on its way.
fn victim<'m>(
    used: &[Sig<'m>],
    oldest: &[Sig<'m>],
    pending: &[Sig<'m>],
) -> (Vec<Sig<'m>>, Sig<'m>) {
    let empty: Vec<Sig> = used.iter().map(|&u| !u).collect();
    let some_empty = any(&empty);
    let stuck = any(&oldest.iter().zip(pending).map(|(&o, &p)| o & p).collect::<Vec<_>>());
    let at_rest: Vec<Sig> = pending.iter().map(|&p| !p).collect();
    let (first_empty, first_at_rest) = (priority(&empty), priority(&at_rest));
    let ways = (0..used.len())
        .map(|w| some_empty.mux(first_empty[w], stuck.mux(first_at_rest[w], oldest[w])))
        .collect();
    (ways, !all(pending))
}
