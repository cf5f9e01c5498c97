//! Integer PE that never propagates a carry.

use super::{PeShape, booth};
use rtl_gen::{Builder, Module, Sig, bit, cat, sint, uint};

/// Multiply-accumulate cell with its sum in two words: `sum + carry` is what [`IntMac`](super::IntMac) has in one.
///
/// Ports: table of [`crate::pe`] with `words` = 2. Radix-4 Booth rows of the column operand are compressed to two words in the cycle behind
/// the operand registers, and these with the two accumulator words to two in the next: no carry runs further than a bit, so the
/// loop is three full adders whatever the accumulator's width. The one carry-propagating addition per result is made as a
/// column drains. One product per cycle, never stalls.
///
/// Source: OPT1 of "Exploring the Performance Improvement of Tensor Processing Engines through Transformation in the Bit-weight
/// Dimension of MACs" (HPCA 2025), compressed accumulation. It pays in standard cells; on an FPGA two registers and two LUTs per bit
/// stand against one carry cell.
#[derive(Clone, Copy, Debug)]
pub struct CarrySave {
    /// Operand and accumulator widths.
    pub shape: PeShape,
}

impl CarrySave {
    /// Cycles of the product behind the operand register.
    pub const LATENCY: u32 = 1;

    fn digits(&self) -> u32 {
        self.shape.b_bits.div_ceil(2)
    }

    /// Booth rows of `b * a` as unsigned numbers with their shifts, and a word that holds their signs and offsets.
    ///
    /// A row x (`a_bits` + 1 bits, two's complement) is the unsigned number with its highest bit inverted, less 2^`a_bits`: these
    /// offsets are one constant, above the carries-in of the negated rows.
    fn rows<'m>(&self, m: &'m Builder, a: Sig<'m>, b: Sig<'m>) -> (Vec<(Sig<'m>, u32)>, Sig<'m>) {
        let PeShape { a_bits, acc_bits, .. } = self.shape;
        let once = a.sext(a_bits + 1).as_bits();
        let twice = cat(&[a.as_bits(), m.low()]);
        let mut rows = vec![];
        let mut ends = vec![];
        for (i, digit) in booth::digits(m, b).into_iter().enumerate() {
            let x = digit.one.gate(once) | digit.two.gate(twice);
            let x = x ^ digit.top.rep(a_bits + 1);
            let lifted = cat(&[!x.msb(), x.slice(a_bits - 1, 0)]);
            rows.push((lifted.as_u(), 2 * i as u32));
            ends.push(digit.top);
        }
        let offset: u64 = (0..self.digits()).map(|i| 1 << (a_bits + 2 * i)).sum();
        let constant = (offset.wrapping_neg() & (u64::MAX >> (64 - acc_bits))) >> a_bits;
        let mut parts = vec![m.lit(uint(acc_bits - a_bits), constant.into()).as_bits()];
        for i in (0..a_bits).rev() {
            let end = i.is_multiple_of(2).then(|| ends.get(i as usize / 2)).flatten();
            parts.push(end.copied().unwrap_or(m.low()));
        }
        (rows, cat(&parts))
    }
}

/// A full adder per bit: three numbers as two, exact.
fn compress<'m>(x: Sig<'m>, y: Sig<'m>, z: Sig<'m>) -> [Sig<'m>; 2] {
    let width = x.width().max(y.width()).max(z.width());
    let [x, y, z] = [x, y, z].map(|s| s.as_u().zext(width).as_bits());
    [x ^ y ^ z, ((x & y) | (x & z) | (y & z)).shl_k(1)]
}

impl Module for CarrySave {
    fn name(&self) -> String {
        format!("carry_save_{}", self.shape.suffix())
    }

    fn check(&self) -> Result<(), String> {
        let PeShape { a_bits, b_bits, .. } = self.shape;
        if !(2..=18).contains(&b_bits) || a_bits < b_bits || a_bits > 18 {
            return Err(format!(
                "pe.a_bits and b_bits are {a_bits} and {b_bits}; 2 to 18 are built, a_bits the wider"
            ));
        }
        self.shape.check_accumulator()
    }

    fn build(&self, m: &Builder) {
        let PeShape { a_bits, b_bits, acc_bits, .. } = self.shape;
        m.doc("Multiply-accumulate cell with a carry-save sum; `keep` 0 starts a sum and drains the one before.");
        let a = m.reg("a", m.input("a_in", sint(a_bits)));
        let b = m.reg("b", m.input("b_in", sint(b_bits)));
        let keep = m.reg("keep", m.input("keep_in", bit()));

        let (rows, signs) = self.rows(m, a, b);
        let mut left: Vec<Sig> =
            rows.iter().map(|(row, shift)| row.shl_k(*shift).as_bits()).collect();
        while left.len() > 2 {
            let three: Vec<Sig> = left.drain(..3).collect();
            left.extend(compress(three[0], three[1], three[2]));
        }
        let name = |i: usize| format!("row_{i}_q");
        let mut terms: Vec<Sig> =
            left.into_iter().enumerate().map(|(i, word)| m.reg(&name(i), word)).collect();
        terms.push(m.reg("signs_q", signs));

        let ty = rtl_gen::bits(acc_bits);
        let words = [m.reg_decl("sum", ty), m.reg_decl("carry", ty)];
        terms.extend(words.map(|w| keep.gate(w.q())));
        while terms.len() > 2 {
            let three: Vec<Sig> = terms.drain(..3).collect();
            let two = compress(three[0], three[1], three[2]);
            terms.extend(two.map(|w| w.as_u().resize(acc_bits).as_bits()));
        }
        words[0].drive(terms[0]);
        words[1].drive(terms[1]);
        let drain = cat(&[words[1].q(), words[0].q()]);

        m.output("a_out", a);
        m.output("b_out", b);
        m.output("keep_out", keep);
        m.output("drain", m.reg("drain_q", (!keep).gate(drain)));
    }
}
