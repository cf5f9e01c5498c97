//! The front of a lane: multiply, and find the place of the key meanwhile.

use super::algebra::{Algebra, Chosen};
use super::hash::{HASH_LATENCY, Spread, hash};
use super::table::{Product, Table};
use crate::float::{Add, Choice, Multiply};
use crate::spgemm::front::Source;
use mattock_spec::config::HashKind;
use mattock_spec::semiring::MultiplyOp;
use rtl_gen::{Builder, Module, Sig, bit, bits, cat, uint};

/// Turns (row, column, a, b) into a product, as the semiring makes it, with its bank and bucket.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `in_valid`, `in_ready` | in, out | bit | operand stream |
/// | `half`, `row`, `col`, `a`, `b` | in | bits(1, row, index, 32, 32) | operands |
/// | `source` | in | bits(2) | if `joins`: which matrix's element `b` is, a [`Source`]; those of others than B count as they are, or not at all |
/// | `is_float`, `seed`, `semiring` | in | bit, bits(32), bits(4) | constant while busy; `semiring` if the algebra has a choice |
/// | `lead` | in | uint(5) | if the hash is one of high bits, see [`Spread`]; constant while busy |
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
    /// Elements of other matrices than B come too.
    pub joins: bool,
}

impl Module for LaneFront {
    fn name(&self) -> String {
        let joins = if self.joins { "_j" } else { "" };
        format!("lane_front_{}{}{joins}", self.table.suffix(), self.algebra.suffix())
    }

    fn build(&self, m: &Builder) {
        m.doc("Front of a lane: product, bank and bucket of one (row, column, a, b) a cycle.");
        let table = self.table;
        let (in_valid, half) = (m.input("in_valid", bit()), m.input("half", bit()));
        let row = m.input("row", bits(table.row_bits));
        let col = m.input("col", bits(table.index_bits));
        let (a, b) = (m.input("a", bits(32)), m.input("b", bits(32)));
        let (float, seed) = (m.input("is_float", bit()), m.input("seed", bits(32)));
        let chosen = Chosen::input(m, self.algebra);
        let joined = self.joins.then(|| Joined::input(m, chosen, float, (a, b)));
        let (a, b) = joined.map_or((a, b), |joined| (joined.a, joined.b));
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
        if bypass {
            let is_product = joined.map(|joined| joined.is_product);
            let other = self.other(m, chosen, enable, float, (a, b), is_product);
            multiply.set("instead", chosen.is(|s| s.multiply() != MultiplyOp::Times));
            multiply.set("other", other);
        }
        let lead = match table.hash {
            HashKind::HighBits => m.input("lead", uint(5)),
            _ => m.lit(uint(5), 0),
        };
        let (bank, bucket) = hash(m, &table, enable, Spread { seed, lead }, row, col);
        let delay = |name: &str, from: u32, value| {
            (from..=stages).fold(value, |v, i| m.reg_when(&format!("{name}_{i}"), enable, v))
        };
        let place = delay("place", HASH_LATENCY + 1, cat(&[bank, bucket]));
        let bucket = place.slice(table.bucket_bits() - 1, 0).as_u();
        let bank = place.slice(table.bucket_bits() + table.bank_bits() - 1, table.bucket_bits());
        let one_hot = m.lit(uint(table.banks), 1).shl(bank.as_u()).as_bits();
        let of_mask = joined.filter(|_| table.masks).map(|joined| joined.of_mask);
        let tag = [half, row, col].into_iter();
        let tag = delay("tag", 1, cat(&of_mask.into_iter().chain(tag).collect::<Vec<_>>()));
        let product = Product {
            half: tag.bit(table.key_bits()),
            bucket,
            key: tag.slice(table.key_bits() - 1, 0),
            value: multiply.get("product"),
            of_mask: of_mask.map(|_| tag.msb()),
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
        is_product: Option<Sig<'m>>,
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
                let chosen = is_product.map_or(is(op), |product| product & is(op));
                second = chosen.mux(value, second);
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

/// The operands of an element that more matrices than B may give.
#[derive(Clone, Copy)]
struct Joined<'m> {
    a: Sig<'m>,
    b: Sig<'m>,
    /// It is of B.
    is_product: Sig<'m>,
    of_mask: Sig<'m>,
}

impl<'m> Joined<'m> {
    /// An addend counts as it is: the first operand becomes the one that changes nothing, one or zero. An element of a mask
    /// becomes the value that a sum begins with.
    fn input(
        m: &'m Builder,
        chosen: Chosen<'m>,
        float: Sig<'m>,
        (a, b): (Sig<'m>, Sig<'m>),
    ) -> Joined<'m> {
        let source = m.input("source", bits(2)).as_u();
        let (is_product, of_mask) = (source.is(Source::B as i128), source.is(Source::Mask as i128));
        let literal = |word: u32| m.lit(bits(32), word.into());
        let one = float.mux(literal(1f32.to_bits()), literal(1));
        let zero = float.mux(literal((-0f32).to_bits()), literal(0));
        let adds = chosen.is(|s| s.multiply() == MultiplyOp::Plus);
        let a = is_product.mux(a, adds.mux(zero, one));
        let b = of_mask.mux(chosen.start(float), b);
        Joined { a, b, is_product, of_mask }
    }
}
