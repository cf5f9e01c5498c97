//! The front of a lane: multiply, and find the place of the key meanwhile.

use super::algebra::{Algebra, Chosen};
use super::hash::{HASH_LATENCY, hash};
use super::table::{Product, Table};
use crate::float::{Add, Choice, Multiply};
use mattock_spec::semiring::MultiplyOp;
use rtl_gen::{Builder, Module, Sig, bit, bits, cat, uint};

/// Turns (row, column, a, b) into a product, as the semiring makes it, with its bank and bucket.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `in_valid`, `in_ready` | in, out | bit | operand stream |
/// | `half`, `row`, `col`, `a`, `b` | in | bits(1, row, index, 32, 32) | operands |
/// | `is_float`, `seed`, `semiring` | in | bit, bits(32), bits(4) | constant while busy; `semiring` if the algebra has a choice |
/// | `out_valid`, `out_ready` | out, in | bit | product stream |
/// | `out_bank` | out | bits(banks) | bank, one-hot |
/// | `out_product` | out | bits | half, bucket, key, value |
/// | `active` | out | bit | a product is inside |
///
/// Latency [`Multiply::LATENCY`], throughput one product a cycle; stands still as a whole while a product
/// at its end is not taken.
#[derive(Clone, Copy, Debug)]
pub struct LaneFront {
    /// The table.
    pub table: Table,
    /// What makes its products.
    pub algebra: Algebra,
}

impl Module for LaneFront {
    fn name(&self) -> String {
        format!("lane_front_{}{}", self.table.suffix(), self.algebra.suffix())
    }

    fn build(&self, m: &Builder) {
        m.doc("Front of a lane: product, bank and bucket of one (row, column, a, b) a cycle.");
        let table = self.table;
        let (in_valid, half) = (m.input("in_valid", bit()), m.input("half", bit()));
        let row = m.input("row", bits(table.row_bits));
        let col = m.input("col", bits(table.index_bits));
        let (a, b) = (m.input("a", bits(32)), m.input("b", bits(32)));
        let (float, seed) = (m.input("is_float", bit()), m.input("seed", bits(32)));
        let out_ready = m.input("out_ready", bit());

        let stages = Multiply::LATENCY;
        let valid: Vec<_> =
            (1..=stages).map(|i| m.state(&format!("valid_{i}"), bit(), 0)).collect();
        let last = valid[stages as usize - 1].q();
        let enable = (!last | out_ready).named("advance");
        let mut before = in_valid;
        for stage in &valid {
            stage.drive_when(enable, before);
            before = stage.q();
        }

        let bypass = self.algebra.multiplies_unlike(&[MultiplyOp::Times]);
        let multiply = m.inst("multiply", &Multiply { bypass });
        multiply.set("enable", enable).set("is_float", float).set("a", a).set("b", b);
        let chosen = Chosen::input(m, self.algebra);
        if bypass {
            let other = self.other(m, chosen, enable, float, (a, b));
            multiply.set("instead", chosen.is(|s| s.multiply() != MultiplyOp::Times));
            multiply.set("other", other);
        }
        let (bank, bucket) = hash(m, &table, enable, seed, row, col);
        let delay = |name: &str, from: u32, value| {
            (from..=stages).fold(value, |v, i| m.reg_when(&format!("{name}_{i}"), enable, v))
        };
        let place = delay("place", HASH_LATENCY + 1, cat(&[bank, bucket]));
        let bucket = place.slice(table.bucket_bits() - 1, 0).as_u();
        let bank = place.slice(table.bucket_bits() + table.bank_bits() - 1, table.bucket_bits());
        let one_hot = m.lit(uint(table.banks), 1).shl(bank.as_u()).as_bits();
        let tag = delay("tag", 1, cat(&[half, row, col]));
        let product = Product {
            half: tag.msb(),
            bucket,
            key: tag.slice(table.key_bits() - 1, 0),
            value: multiply.get("product"),
        };

        let valids: Vec<_> = valid.iter().map(|v| v.q()).collect();
        m.output("in_ready", enable);
        m.output("out_valid", last);
        m.output("out_bank", one_hot);
        m.output("out_product", table.pack(product));
        m.output("active", rtl_gen::any(&valids));
    }
}

impl LaneFront {
    /// The products that are none, a cycle before the multiplier's: the sum, or what takes the adder's second operand.
    fn other<'m>(
        &self,
        m: &'m Builder,
        chosen: Chosen<'m>,
        enable: Sig<'m>,
        float: Sig<'m>,
        (a, b): (Sig<'m>, Sig<'m>),
    ) -> Sig<'m> {
        const LATENCY: u32 = Multiply::LATENCY - 1;
        let is = |op| chosen.is(|s| s.multiply() == op);
        let one = float.mux(m.lit(bits(32), 1f32.to_bits().into()), m.lit(bits(32), 1));
        // -0 is zero.
        let truth = |x: Sig<'m>| x.slice(30, 0).red_or() | (x.bit(31) & !float);
        let mut second = b;
        for (op, value) in [
            (MultiplyOp::First, a),
            (MultiplyOp::Pair, one),
            (MultiplyOp::And, (truth(a) & truth(b)).rep(32) & one),
        ] {
            if self.algebra.multiplies(op) {
                second = is(op).mux(value, second);
            }
        }
        if !self.algebra.multiplies(MultiplyOp::Plus) {
            return (1..=LATENCY).fold(second, |v, i| m.reg_when(&format!("other_{i}"), enable, v));
        }
        let picks = self.algebra.multiplies_unlike(&[MultiplyOp::Times, MultiplyOp::Plus]);
        let choice = if picks { Choice::Second } else { Choice::None };
        let add = m.inst("add", &Add { latency: LATENCY, choice, holds: true });
        add.set("enable", enable).set("is_float", float).set("a", a).set("b", second);
        if picks {
            add.set("pick", !is(MultiplyOp::Plus));
        }
        add.get("sum")
    }
}
