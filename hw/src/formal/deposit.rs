//! The deposit protocol of a bank's accumulator.

use crate::spgemm::merge::{Accumulate, Algebra, Table};
use mattock_spec::config::HashKind;
use rtl_gen::{Builder, Module, Sig, bit, bits, cat, uint};

/// Bits of a sum that are judged: one value is 1 and all others are 0, so that a sum is 0 or 1 where each is added once, and 2 or 3
/// if one is added again.
pub(super) const COUNTED: u32 = 2;

/// The value that arrives: 1 once, when it arrives while `pick` is 1, else 0.
///
/// No decision of a bank looks at a value, and its sums are linear in them; so what holds of the one value, whichever it is, holds
/// of all.
pub(super) fn one<'m>(m: &'m Builder, arrives: Sig<'m>, pick: Sig<'m>) -> Sig<'m> {
    let given = m.state("one_is_given", bit(), 0);
    let one = (pick & !given.q()).named("one");
    given.drive(given.q() | (arrives & one));
    one.zext(COUNTED)
}

/// An accumulator of two entries in one half, either: values arrive at either of them, one a cycle or none, for `arrivals` values.
///
/// One value is 1, all others are 0; for a `watched` entry the harness sums them. Whenever the accumulator says that it is idle, the
/// table's value is that sum, and as many additions have ended as values arrived.
#[derive(Clone, Copy, Debug)]
pub struct DepositProof {
    /// Cycles of the adder.
    pub adder_latency: u32,
    /// Values that arrive at most; fewer than 256.
    pub arrivals: u32,
}

impl DepositProof {
    const TABLE: Table = Table {
        banks: 2,
        ways: 1,
        entries_per_half: 4,
        index_bits: 1,
        row_bits: 1,
        hash: HashKind::Multiplicative,
        masks: false,
    };
}

impl Module for DepositProof {
    fn name(&self) -> String {
        format!("proof_deposit_a{}_n{}", self.adder_latency, self.arrivals)
    }

    fn build(&self, m: &Builder) {
        m.doc("Harness: every value that arrives at an accumulator is added once.");
        let accumulate = Accumulate {
            table: Self::TABLE,
            adder_latency: self.adder_latency,
            algebra: Algebra::PLUS_TIMES,
            ordered: false,
        };
        let sums = m.inst("sums", &accumulate);
        let watched = m.input_static("watched", bit());
        let (offer, pick) = (m.input("offer", bit()), m.input("pick", bit()));
        let (half, entry) = (m.input_static("half", bit()), m.input("entry", bit()));

        // After reset the accumulator takes a cycle for each slot to make its list of free ones.
        let slots = accumulate.slots();
        let age = m.state("age", uint(slots.ilog2() + 1), 0);
        let awake = age.q().msb().named("awake");
        age.drive_when(!awake, age.q().inc());
        let arrived = m.state("arrived", uint(8), 0);
        let left = arrived.q().lt(arrived.q().lit(self.arrivals.into()));

        let arrives = (offer & awake & left).named("arrives");
        arrived.drive_when(arrives, arrived.q().inc());
        let value = one(m, arrives, pick);
        let seen = m.state("seen", bits(2), 0);
        let here = cat(&[entry, !entry]);
        seen.drive_when(arrives, seen.q() | here);
        // Whenever it is idle and nothing arrives, the table is looked at, as by a drain.
        let looks = (!arrives & !sums.get("active")).named("looks");
        sums.set("is_float", m.low()).set("valid", arrives);
        sums.set("fresh", !(seen.q() & here).red_or());
        sums.set("half", half).set("entry", entry.as_u());
        sums.set("value", value.zext(32));
        sums.set("walk", looks).set("walk_half", half);
        sums.set("read", looks).set("read_entry", watched.as_u());

        let sum = m.state("sum", uint(COUNTED), 0);
        let mine = arrives & entry.eq(watched);
        sum.drive_when(mine, sum.q().add_wrap(value.as_u()));
        let present = seen.q().dyn_lane(watched.as_u(), 1);
        let shown = m.reg_reset("shown", looks & present, 0);
        let expected = m.reg("expected", sum.q());
        m.assert(
            "the_table_holds_the_sum",
            !shown | sums.get("read_value").slice(COUNTED - 1, 0).as_u().eq(expected),
        );
        let ended = m.state("ended", uint(8), 0);
        ended.drive_when(sums.get("absorbed"), ended.q().inc());
        m.assert("no_more_additions_than_values", ended.q().le(arrived.q()));
        m.assert("idle_when_all_are_added", sums.get("active") | ended.q().eq(arrived.q()));
        m.cover("shows_all_of_one_entry", shown & !left & expected.is(1) & seen.q().is(1));
        let last = arrived.q().is(self.arrivals as i128 - 1);
        m.cover("all_arrive_while_it_is_busy", mine & last & sums.get("active") & ended.q().is(0));
    }
}
