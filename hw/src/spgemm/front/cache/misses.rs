//! Lines asked of memory and who waits for them: a ring of miss slots, used, answered and freed in order.

use crate::spgemm::front::hub::one_hot_index;
use rtl_gen::{
    Builder, MemSpec, Reg, Sig, all, any, bit, bits, cat, index_width, one_hot_mux, uint,
};

/// Sizes of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub slots: u32,
    pub waiters: u32,
    pub ways: u32,
    pub set_bits: u32,
    /// Bits remembered of a waiting request: its client and tag.
    pub request_bits: u32,
}

/// One line on its way.
struct Slot<'m> {
    active: Reg<'m>,
    set: Reg<'m>,
    way: Reg<'m>,
    /// Requests that wait, those already replayed included.
    count: Reg<'m>,
    /// The look-up's third stage is in the set of this slot: compared a stage ahead.
    same_set: Reg<'m>,
}

/// The ring. Declared first; [`Misses::drive`] gives it its inputs.
pub(super) struct Misses<'m> {
    m: &'m Builder,
    shape: Shape,
    slots: Vec<Slot<'m>>,
    /// Slots in use, modulo their number; and whether all are.
    held: Reg<'m>,
    full: Reg<'m>,
    head: Reg<'m>,
    tail: Reg<'m>,
    next_fill: Reg<'m>,
    /// Slots whose line is here and whose waiters are being replayed.
    answered: Reg<'m>,
    replayed: Reg<'m>,
}

/// What happens to the ring this cycle.
pub(super) struct Events<'m> {
    /// The look-up's third stage misses and takes the slot at the tail.
    pub allocate: Sig<'m>,
    /// It waits for the line of the slot in `mine`.
    pub append: Sig<'m>,
    pub mine: Vec<Sig<'m>>,
    /// Its set, victim way (one-hot) and request.
    pub set: Sig<'m>,
    pub victim: Vec<Sig<'m>>,
    pub request: Sig<'m>,
    /// The look-up pipeline moves; the set of its second stage, and whether the third has the same.
    pub advance: Sig<'m>,
    pub next_set: Sig<'m>,
    pub same_set: Sig<'m>,
    /// The line of the slot at `next_fill` arrives.
    pub fill: Sig<'m>,
    /// The replayed request was taken.
    pub taken: Sig<'m>,
}

impl<'m> Misses<'m> {
    pub(super) fn new(m: &'m Builder, shape: Shape) -> Self {
        let slots = (0..shape.slots)
            .map(|k| Slot {
                active: m.state(&format!("active_{k}"), bit(), 0),
                set: m.reg_decl(&format!("set_{k}"), uint(shape.set_bits)),
                way: m.reg_decl(&format!("way_{k}"), bits(shape.ways)),
                count: m.reg_decl(&format!("count_{k}"), uint(index_width(shape.waiters + 1))),
                same_set: m.reg_decl(&format!("same_set_{k}"), bit()),
            })
            .collect();
        let pointer = uint(index_width(shape.slots));
        Misses {
            m,
            shape,
            slots,
            held: m.state("held", uint(index_width(shape.slots)), 0),
            full: m.state("full", bit(), 0),
            head: m.state("head", pointer, 0),
            tail: m.state("tail", pointer, 0),
            next_fill: m.state("next_fill", pointer, 0),
            answered: m.state("answered", uint(index_width(shape.slots + 1)), 0),
            replayed: m.state("replayed", uint(index_width(shape.waiters)), 0),
        }
    }

    /// No slot is free.
    pub(super) fn full(&self) -> Sig<'m> {
        self.full.q()
    }

    /// No line is on its way.
    pub(super) fn idle(&self) -> Sig<'m> {
        all(&self.slots.iter().map(|s| !s.active.q()).collect::<Vec<_>>())
    }

    /// Ways of the third stage's set whose line is on its way.
    pub(super) fn pending(&self) -> Vec<Sig<'m>> {
        (0..self.shape.ways)
            .map(|w| {
                any(&self.slots.iter().map(|s| s.here() & s.way.q().bit(w)).collect::<Vec<_>>())
            })
            .collect()
    }

    /// One-hot slot that fetches the line of this way of the third stage's set.
    pub(super) fn slot_of(&self, way: &[Sig<'m>]) -> Vec<Sig<'m>> {
        let way = cat(&way.iter().rev().copied().collect::<Vec<_>>());
        self.slots.iter().map(|s| s.here() & (s.way.q() & way).red_or()).collect()
    }

    /// The slot has no place for another waiting request.
    pub(super) fn crowded(&self, slot: &[Sig<'m>]) -> Sig<'m> {
        let full = |s: &Slot<'m>| s.count.q().is(self.shape.waiters as i128);
        any(&self.slots.iter().zip(slot).map(|(s, &g)| g & full(s)).collect::<Vec<_>>())
    }

    /// The oldest waiting request of an answered line can be replayed.
    pub(super) fn replay(&self) -> Sig<'m> {
        self.answered.q().ne(self.answered.q().lit(0))
    }

    /// Frame (way, set) of the line being replayed.
    pub(super) fn replay_frame(&self) -> Sig<'m> {
        self.frame(self.head.q())
    }

    /// Frame of the line that memory answers next.
    pub(super) fn fill_frame(&self) -> Sig<'m> {
        self.frame(self.next_fill.q())
    }

    fn frame(&self, slot: Sig<'m>) -> Sig<'m> {
        let way = self.at(slot, |s| s.way.q());
        let ways: Vec<Sig> = (0..self.shape.ways).map(|w| way.bit(w)).collect();
        cat(&[one_hot_index(self.m, &ways), self.at(slot, |s| s.set.q()).as_bits()])
    }

    fn at(&self, slot: Sig<'m>, field: impl Fn(&Slot<'m>) -> Sig<'m>) -> Sig<'m> {
        let fields: Vec<Sig> = self.slots.iter().rev().map(|s| field(s).as_bits()).collect();
        let ty = field(&self.slots[0]).ty();
        cat(&fields).dyn_lane(slot, ty.width()).as_type(ty)
    }

    /// Connects the ring and returns the replayed request.
    pub(super) fn drive(&self, e: Events<'m>) -> Sig<'m> {
        let m = self.m;
        let (head, tail) = (self.head.q(), self.tail.q());
        let appended_to_head = any(&e
            .mine
            .iter()
            .enumerate()
            .map(|(k, &g)| g & head.is(k as i128))
            .collect::<Vec<_>>())
            & e.append;
        let count = self.at(head, |s| s.count.q());
        let done = (self.replayed.q() + self.replayed.q().lit(1)).eq(count) & !appended_to_head;
        let free = (e.taken & done).named("free");
        let held = self.held.q();
        self.held.update(&[(e.allocate & !free, held.inc()), (free & !e.allocate, held.dec())]);
        let last = held.is(self.shape.slots as i128 - 1);
        self.full.update(&[(e.allocate & !free, last), (free & !e.allocate, m.low())]);
        self.head.drive_when(free, head.inc());
        self.tail.drive_when(e.allocate, tail.inc());
        self.next_fill.drive_when(e.fill, self.next_fill.q().inc());
        let answered = self.answered.q();
        self.answered.update(&[(e.fill & !free, answered.inc()), (free & !e.fill, answered.dec())]);
        let replayed = self.replayed.q();
        self.replayed.update(&[(free, replayed.lit(0)), (e.taken, replayed.inc())]);

        let way = cat(&e.victim.iter().rev().copied().collect::<Vec<_>>());
        for (k, s) in self.slots.iter().enumerate() {
            let new = e.allocate & tail.is(k as i128);
            let over = free & head.is(k as i128);
            s.active.update(&[(new, m.high()), (over, m.low())]);
            s.set.drive_when(new, e.set);
            s.way.drive_when(new, way);
            let count = s.count.q();
            s.count.update(&[(new, count.lit(1)), (e.append & e.mine[k], count.inc())]);
            s.same_set.drive_when(e.advance, new.mux(e.same_set, s.set.q().eq(e.next_set)));
        }

        let place_bits = index_width(self.shape.waiters);
        let spec =
            MemSpec::distributed(self.shape.slots * self.shape.waiters, self.shape.request_bits);
        let waiting = m.mem("waiting", spec);
        let counts: Vec<_> = (self.slots.iter().zip(&e.mine))
            .map(|(s, &g)| (g, s.count.q().trunc(place_bits)))
            .collect();
        let slot = e.allocate.mux(tail.as_bits(), one_hot_index(m, &e.mine));
        let place = e.allocate.mux(m.lit(uint(place_bits), 0), one_hot_mux(&counts));
        waiting.write(cat(&[slot, place.as_bits()]).as_u(), e.request, e.allocate | e.append);
        m.assert("fill_was_asked_for", !e.fill | self.at(self.next_fill.q(), |s| s.active.q()));
        waiting.read_async("waiter", cat(&[head.as_bits(), replayed.as_bits()]).as_u())
    }
}

impl<'m> Slot<'m> {
    fn here(&self) -> Sig<'m> {
        self.active.q() & self.same_set.q()
    }
}
