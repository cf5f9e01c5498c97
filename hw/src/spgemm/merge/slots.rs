//! Parts of the accumulator: the adder with its queue, and the free slots.

use super::algebra::{Algebra, Chosen};
use super::encode::decode;
use crate::float::{Add, Choice};
use mattock_spec::semiring::AddOp;
use rtl_gen::{Builder, Instance, MemSpec, Reg, Sig, bit, bits, cat, index_width, uint};

/// An addition to issue.
#[derive(Clone, Copy)]
pub(super) struct Addition<'m> {
    pub(super) valid: Sig<'m>,
    pub(super) a: Sig<'m>,
    pub(super) b: Sig<'m>,
    pub(super) slot: Sig<'m>,
}

/// A sum that is back.
#[derive(Clone, Copy)]
pub(super) struct Return<'m> {
    pub(super) valid: Sig<'m>,
    pub(super) sum: Sig<'m>,
    pub(super) slot: Sig<'m>,
    /// The slot, decoded.
    pub(super) one_hot: Sig<'m>,
    /// The entry of the slot.
    pub(super) place: Sig<'m>,
}

/// The adder, the registers before it, the slots of what is inside it, and a queue for the additions of
/// arrivals.
pub(super) struct AddLoop<'m> {
    m: &'m Builder,
    add: Instance<'m>,
    latency: u32,
    valid: Reg<'m>,
    a: Reg<'m>,
    b: Reg<'m>,
    slot: Reg<'m>,
}

impl<'m> AddLoop<'m> {
    pub(super) fn new(
        m: &'m Builder,
        slots: u32,
        latency: u32,
        float: Sig<'m>,
        (algebra, chosen): (Algebra, Chosen<'m>),
    ) -> Self {
        let valid = m.state("issue_valid", bit(), 0);
        let (a, b) = (m.reg_decl("issue_a", bits(32)), m.reg_decl("issue_b", bits(32)));
        let slot = m.reg_decl("issue_slot", uint(index_width(slots)));
        let choice = if algebra.picks() { Choice::Extreme } else { Choice::None };
        let add = m.inst("add", &Add { latency, choice, holds: false });
        add.set("is_float", float).set("a", a.q()).set("b", b.q());
        if algebra.picks() {
            add.set("pick", chosen.is(|s| s.add() != AddOp::Plus));
            add.set("least", chosen.is(|s| s.add() == AddOp::Min));
        }
        AddLoop { m, add, latency, valid, a, b, slot }
    }

    /// The sum of this cycle; slot and entry are looked up a cycle ahead. `places` are the entries by slot.
    pub(super) fn returns(&self, places: &[Sig<'m>]) -> Return<'m> {
        let m = self.m;
        let valid = (1..=self.latency)
            .fold(self.valid.q(), |v, i| m.reg_reset(&format!("adding_{i}"), v, 0));
        let ahead = m.delay("adding_slot", self.slot.q(), self.latency - 1);
        let reversed: Vec<_> = places.iter().rev().copied().collect();
        let place = cat(&reversed).dyn_lane(ahead, places[0].width());
        Return {
            valid,
            sum: self.add.get("sum"),
            slot: m.reg("back_slot", ahead),
            one_hot: m.reg("back_one_hot", decode(m, ahead, places.len() as u32)),
            place: m.reg("back_place", place),
        }
    }

    /// Issues the return's addition, or else the oldest of the queue, through which all additions of arrivals
    /// go: the table's value has a cycle to come out of its RAM. The queue holds at most `latency + 1` (bound of
    /// [`super::Accumulate`]).
    pub(super) fn issue(&self, by_return: Addition<'m>, by_arrival: Addition<'m>) {
        let m = self.m;
        // No test for "full" stands in the path of the decision: the bound excludes it.
        let (depth, width) = ((self.latency + 2).next_power_of_two(), 64 + by_arrival.slot.width());
        let address = uint(index_width(depth));
        let (head, tail) = (m.state("queue_head", address, 0), m.state("queue_tail", address, 0));
        let queued = head.q().ne(tail.q()).named("queued");
        let push = by_arrival.valid;
        tail.drive_when(push, tail.q().inc());
        let pop = queued & !by_return.valid;
        head.drive_when(pop, head.q().inc());
        let queue = m.mem("queue", MemSpec::distributed(depth, width));
        queue.write(tail.q(), cat(&[by_arrival.slot, by_arrival.a, by_arrival.b]), push);
        m.assert("queue_has_room", !(push & !pop & tail.q().inc().eq(head.q())));

        let front = queue.read_async("queue_front", head.q());
        let later = Addition {
            valid: queued,
            a: front.slice(63, 32),
            b: front.slice(31, 0),
            slot: front.slice(width - 1, 64).as_u(),
        };
        let choose =
            |of: fn(&Addition<'m>) -> Sig<'m>| by_return.valid.mux(of(&by_return), of(&later));
        self.valid.drive(by_return.valid | queued);
        self.a.drive(choose(|x| x.a));
        self.b.drive(choose(|x| x.b));
        self.slot.drive(choose(|x| x.slot));
    }
}

/// The next free slot, from a queue in LUT RAM: one taken and one given back a cycle. After reset the queue
/// fills itself with all slots, one a cycle. Nothing is checked: a slot is left while one is not in use.
pub(super) fn free_slot<'m>(
    m: &'m Builder,
    slots: u32,
    take: Sig<'m>,
    give: Sig<'m>,
    given: Sig<'m>,
) -> Sig<'m> {
    m.scope("free", || {
        let ty = uint(index_width(slots));
        let (head, tail) = (m.state("head", ty, 0), m.state("tail", ty, 0));
        let filling = m.state("filling", bit(), 1);
        let add = (give | filling.q()).named("add");
        let store = m.mem("store", MemSpec::distributed(slots, ty.width()));
        store.write(tail.q(), filling.q().mux(tail.q(), given).as_bits(), add);
        filling.drive_when(tail.q().red_and(), m.low());
        tail.drive_when(add, tail.q().inc());
        head.drive_when(take, head.q().inc());
        store.read_async("next", head.q()).as_u()
    })
}
