//! A whole hash bank: no product lost, none added twice.

use super::deposit::{COUNTED, one};
use crate::cells::Crossbar;
use crate::spgemm::merge::{Algebra, Bank, Table};
use mattock_spec::config::HashKind;
use rtl_gen::{Builder, Module, Sig, bit, bits, cat, uint};

/// A bank of two buckets of one entry in each half, four keys that hash to them in any way, and up to `products` products in
/// any order with any gaps, for both halves; halves are drained whenever nothing of them is inside.
///
/// One product is 1, all others are 0, as in [`super::DepositProof`]; for a `watched` key of a half the harness sums them. When the half is drained after a fill in which the bank dropped
/// nothing, the key leaves once if it had a product, and not otherwise, with that sum.
#[derive(Clone, Copy, Debug)]
pub struct BankProof {
    /// Cycles of the adder.
    pub adder_latency: u32,
    /// Products at most; fewer than 16.
    pub products: u32,
}

impl BankProof {
    const TABLE: Table = Table {
        banks: 2,
        ways: 1,
        entries_per_half: 4,
        index_bits: 1,
        row_bits: 1,
        hash: HashKind::Multiplicative,
        masks: false,
    };
    /// Cycles after reset in which the buckets are cleared and the list of free slots is made.
    const WIPE: u32 = 16;
}

impl Module for BankProof {
    fn name(&self) -> String {
        format!("proof_bank_a{}_n{}", self.adder_latency, self.products)
    }

    fn build<'m>(&self, m: &'m Builder) {
        m.doc("Harness: what a hash bank absorbs it drains, each product once.");
        let (adder_latency, table) = (self.adder_latency, Self::TABLE);
        let bank = Bank { table, adder_latency, algebra: Algebra::PLUS_TIMES, ordered: false };
        let bank = m.inst("bank", &bank);
        let (watched, watched_half) =
            (m.input_static("watched", uint(2)), m.input_static("watched_half", bit()));
        // The bucket of each key: any hash.
        let buckets = m.input_static("buckets", bits(4));
        let (offer, pick) = (m.input("offer", bit()), m.input("pick", bit()));
        let (half, key) = (m.input("half", bit()), m.input("key", uint(2)));
        let (drain, drain_half) = (m.input("drain", bit()), m.input("drain_half", bit()));
        let (discard, out_ready) = (m.input("discard", bit()), m.input("out_ready", bit()));

        let age = m.state("age", uint(Self::WIPE.ilog2() + 1), 0);
        let awake = age.q().msb().named("awake");
        age.drive_when(!awake, age.q().inc());
        let given = m.state("given", uint(4), 0);

        // A product comes with space three cycles ago, as the crossbar sends it.
        let space = (1..Crossbar::IN_FLIGHT)
            .fold(bank.get("space"), |s, i| m.reg_reset(&format!("space_{i}"), s, 0));
        let walking = bank.get("walking");
        let starts = m.forward("starts", bit());
        let walk_half = m.reg_when("walk_half", starts.sig(), drain_half);
        let closed =
            |of: Sig<'m>| (walking & of.eq(walk_half)) | (starts.sig() & of.eq(drain_half));
        let arrives = (offer
            & awake
            & space
            & given.q().lt(given.q().lit(self.products.into()))
            & !closed(half))
        .named("arrives");
        given.drive_when(arrives, given.q().inc());
        let value = one(m, arrives, pick);
        let product = [half, buckets.dyn_lane(key, 1), key.as_bits(), value.zext(32)];
        bank.set("valid", arrives).set("product", cat(&product)).set("is_float", m.low());

        // Products inside, by half.
        let of = |which: Sig<'m>, h: u32| if h == 1 { which } else { !which };
        let event = |name: &str, h| bank.get(name) & of(bank.get(&format!("{name}_half")), h);
        let inside = [0, 1].map(|h| {
            let inside = m.state(&format!("inside_{h}"), uint(4), 0);
            let [more, done, lost] =
                [arrives & of(half, h), event("absorbed", h), event("dropped", h)]
                    .map(|e| e.as_u().zext(4));
            let gone = done.add_wrap(lost);
            m.assert(&format!("half_{h}_gives_back_what_it_got"), gone.le(inside.q()));
            inside.drive(inside.q().add_wrap(more).sub_wrap(gone));
            // Whether any stay, and whether any were there.
            (inside.q().ne(gone), inside.q().is(0))
        });
        m.assert("idle_when_empty", bank.get("active") | !(inside[0].0 | inside[1].0));
        let empty = drain_half.mux(inside[1].1, inside[0].1);
        starts.assign(drain & awake & !walking & empty);
        bank.set("start", starts.sig()).set("start_half", drain_half).set("discard", discard);
        bank.set("wipe", !awake).set("wipe_bucket", age.q().trunc(1)).set("out_ready", out_ready);

        // The watched key since its half was last emptied.
        let closes = (starts.sig() & drain_half.eq(watched_half)).named("closes");
        let mine = (arrives & key.eq(watched) & half.eq(watched_half)).named("mine");
        let sum = m.state("sum", uint(COUNTED), 0);
        sum.update(&[(closes, sum.q().lit(0)), (mine, sum.q().add_wrap(value.as_u()))]);
        let present = m.state("present", bit(), 0);
        present.update(&[(closes, m.low()), (mine, m.high())]);
        let spoilt = m.state("spoilt", bit(), 0);
        let loses = bank.get("dropped") & bank.get("dropped_half").eq(watched_half);
        spoilt.update(&[(closes, m.low()), (loses, m.high())]);

        // The same, of the fill that is being drained.
        let [due, silent] = [("due", present.q()), ("silent", discard)]
            .map(|(name, value)| m.reg_when(name, closes, value));
        let exact = m.reg_when("exact", closes, !spoilt.q());
        let due_sum = m.reg_when("due_sum", closes, sum.q());
        let drains = (walking & walk_half.eq(watched_half)).named("drains");
        let (out_valid, out) = (bank.get("out_valid"), bank.get("out_entry"));
        let leaves = (drains & out_valid & out.slice(33, 32).as_u().eq(watched)).named("leaves");
        let came = m.state("came", bit(), 0);
        came.update(&[(closes, m.low()), (leaves & out_ready, m.high())]);
        let drained = m.reg_reset("drained", drains, 0) & !drains;
        m.assert("nothing_leaves_unasked", !out_valid | walking);
        m.assert("a_key_leaves_once", !(leaves & came.q()));
        m.assert("discarded_entries_do_not_leave", !(leaves & silent));
        m.assert("no_key_from_nowhere", !leaves | due);
        let right = out.slice(COUNTED - 1, 0).as_u().eq(due_sum);
        m.assert("a_key_leaves_with_its_sum", !(leaves & exact) | right);
        m.assert("every_key_leaves", !(drained & exact & due & !silent) | came.q());

        m.cover("drops", bank.get("dropped"));
        m.cover(
            "drains_the_one",
            leaves & exact & due_sum.is(1) & given.q().is(self.products.into()),
        );
        m.cover("drains_one_half_while_the_other_fills", leaves & arrives);
    }
}
