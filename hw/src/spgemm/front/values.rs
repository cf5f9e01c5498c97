//! How values lie in lines, and what they become: the 32 bits that everything behind computes with.

use crate::float::leading_zeros;
use crate::spgemm::choice::chosen;
use mattock_spec::Format;
use mattock_spec::format::Float;
use mattock_spec::regs::ValueType;
use rtl_gen::{Builder, Instance, Sig, bits, cat, one_hot_mux, uint};

/// The types of values a cluster is built with, one of which a command chooses: bit n for type number n.
///
/// Values lie packed, so a word of memory holds one of 4 bytes, two of 2 or four of 1. *Places* within a word are counted
/// in values of the narrowest type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Values(u16);

impl Values {
    /// Types of 4 bytes: nothing to take apart.
    pub const WORDS: Values = Values(1 << ValueType::I32 as u16 | 1 << ValueType::F32 as u16);

    /// These types; one at least.
    pub fn of(types: &[ValueType]) -> Self {
        debug_assert!(!types.is_empty());
        let all = types.iter().fold(0, |set, value| set | 1 << *value as u16);
        // Which types of 4 bytes there are makes no difference here.
        let packs = types.iter().any(|value| value.bytes() < 4);
        if packs { Values(all) } else { Values::WORDS }
    }

    fn types(self) -> impl Iterator<Item = ValueType> {
        ValueType::ALL.iter().copied().filter(move |value| self.0 >> *value as u16 & 1 == 1)
    }

    /// Most values a word holds, as a power of two: 0, 1 or 2. Also the bits of a place.
    pub(super) fn packing(self) -> u32 {
        self.types().map(per_word).max().unwrap_or(0)
    }

    /// Text that tells sets apart, for module names.
    pub(super) fn suffix(self) -> String {
        if self.packing() == 0 { String::new() } else { format!("_v{:x}", self.0) }
    }
}

/// Values a word holds, as a power of two.
fn per_word(value: ValueType) -> u32 {
    2 - value.bytes().ilog2()
}

/// The type of the command's values: input `value` of a module, a number of `MODE.VALUE`, if a value may be less than a word.
/// Constant while busy.
#[derive(Clone, Copy)]
pub(in crate::spgemm) struct Chosen<'m> {
    m: &'m Builder,
    values: Values,
    code: Option<Sig<'m>>,
}

impl<'m> Chosen<'m> {
    pub(super) fn input(m: &'m Builder, values: Values) -> Self {
        let code = (values.packing() > 0).then(|| m.input("value", bits(4)));
        if code.is_some() {
            // Types that differ elsewhere may be alike here.
            m.unused("value");
        }
        Chosen { m, values, code }
    }

    /// The type that `code` is the number of.
    pub(in crate::spgemm) fn of(m: &'m Builder, values: Values, code: Sig<'m>) -> Self {
        Chosen { m, values, code: (values.packing() > 0).then_some(code) }
    }

    /// Makes the choice of an instance, which has the same types, this one.
    pub(in crate::spgemm) fn pass(&self, to: Instance<'m>) {
        if let Some(code) = self.code {
            to.set("value", code);
        }
    }

    /// The bits of a place.
    pub(super) fn place_bits(&self) -> u32 {
        self.values.packing()
    }

    /// The powers of two that a word may hold values of.
    pub(super) fn packings(&self) -> impl Iterator<Item = u32> {
        let values = self.values;
        (0..=values.packing()).filter(move |p| values.types().any(|value| per_word(value) == *p))
    }

    /// A word holds `2^packing` values.
    pub(super) fn packs(&self, packing: u32) -> Sig<'m> {
        self.is(|value| per_word(value) == packing)
    }

    /// The value of the choice: `of(packing)` for a type of which a word holds `2^packing`.
    pub(super) fn by_packing(&self, of: impl Fn(u32) -> Sig<'m>) -> Sig<'m> {
        let each = self.packings().map(|p| (self.packs(p), of(p)));
        let chosen = each.reduce(|(_, before), (mine, value)| (mine, mine.mux(value, before)));
        chosen.map_or_else(|| of(0), |last| last.1)
    }

    /// Where value number `value` of an array begins, in places: the low `width` bits.
    pub(super) fn place(&self, value: Sig<'m>, width: u32) -> Sig<'m> {
        self.by_packing(|p| value.shl_k(self.place_bits() - p).trunc(width))
    }

    fn is(&self, such: impl Fn(ValueType) -> bool) -> Sig<'m> {
        chosen(self.m, self.code, self.values.types().map(|value| (value, value as u8)), such)
    }

    /// The value at `place` of a word, as it is computed with; combinational.
    ///
    /// Integers are extended by their sign, floats widened exactly: NaN keeps its payload, and a subnormal number of binary16
    /// becomes a normal one of binary32.
    pub(super) fn widen(&self, word: Sig<'m>, place: Sig<'m>) -> Sig<'m> {
        let packing = self.values.packing();
        if packing == 0 {
            return word;
        }
        let stored = |p: u32| match p {
            0 => word,
            p => word.dyn_lane(place.slice(packing - 1, packing - p).as_u(), 32 >> p),
        };
        let mut arms = vec![];
        if self.packings().any(|p| p == 0) {
            arms.push((self.packs(0), word));
        }
        for value in self.values.types().filter(|value| per_word(*value) > 0) {
            let wide = match value.format() {
                Format::Float(Float::F16) => self.widen_half(stored(1)),
                Format::Float(_) => cat(&[stored(1), self.m.lit(bits(16), 0)]),
                _ => stored(per_word(value)).as_s().sext(32).as_bits(),
            };
            arms.push((self.is(|v| v == value), wide));
        }
        one_hot_mux(&arms)
    }

    /// Binary16 as binary32. A subnormal fraction with z zeros before its first 1 is 1.f * 2^(-15 - z).
    fn widen_half(&self, half: Sig<'m>) -> Sig<'m> {
        const REBIAS: i128 = 127 - 15;
        let m = self.m;
        let (exponent, fraction) = (half.slice(14, 10), half.slice(9, 0));
        let (count, none) = leading_zeros(m, fraction);
        let tiny = !exponent.red_or();
        let moved = fraction.as_u().shl(count).trunc(9);
        let moved = cat(&[moved.as_bits(), m.lit(bits(1), 0)]);
        let wide = |x: Sig<'m>| x.as_u().zext(8);
        let normal = wide(exponent).add_wrap(m.lit(uint(8), REBIAS));
        let special = exponent.red_and().mux(m.lit(uint(8), 255), normal);
        let small = none.mux(m.lit(uint(8), 0), m.lit(uint(8), REBIAS).sub_wrap(wide(count)));
        cat(&[
            half.bit(15),
            tiny.mux(small, special).as_bits(),
            tiny.mux(moved, fraction),
            m.lit(bits(13), 0),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spgemm::front::bench::widened;
    use rtl_gen::{Design, Interpreter, Module};

    /// The widening alone.
    #[derive(Debug)]
    struct Widening(Values);

    impl Module for Widening {
        fn name(&self) -> String {
            format!("widening{}", self.0.suffix())
        }

        fn build(&self, m: &Builder) {
            let chosen = Chosen::input(m, self.0);
            let (word, place) =
                (m.input("word", bits(32)), m.input("place", uint(self.0.packing())));
            m.output("wide", chosen.widen(word, place));
        }
    }

    fn build(values: Values) -> Interpreter {
        let design = Design::elaborate(&Widening(values)).unwrap_or_else(|e| panic!("{e}"));
        Interpreter::new(&design).unwrap_or_else(|e| panic!("{e}"))
    }

    fn wide(sim: &mut Interpreter, value: ValueType, word: u32, place: u32) -> u32 {
        sim.set("value", value as u64);
        sim.set("word", word.into());
        sim.set("place", place.into());
        sim.get("wide") as u32
    }

    /// Every code at every place, beside a word of other bits; with all types and with each alone.
    #[test]
    fn every_code_is_widened_exactly() {
        for &value in ValueType::ALL.iter().filter(|value| value.bytes() < 4) {
            let width = 8 * value.bytes();
            for set in [Values::of(ValueType::ALL), Values::of(&[value])] {
                let mut sim = build(set);
                let step = set.packing() - per_word(value);
                for code in 0..1u32 << width {
                    let at = code % (1 << per_word(value));
                    let mask = u32::MAX >> (32 - width);
                    let other = code.wrapping_mul(0x9e37_79b1);
                    let word = other & !(mask << (width * at)) | code << (width * at);
                    let got = wide(&mut sim, value, word, at << step);
                    assert_eq!(got, widened(value, code), "{value:?} {code:#x} at {at}");
                }
            }
        }
        let mut sim = build(Values::of(ValueType::ALL));
        for word in [0, 0x8000_0001, 0x7fc0_0000, u32::MAX] {
            assert_eq!(wide(&mut sim, ValueType::I32, word, 0), word);
            assert_eq!(wide(&mut sim, ValueType::F32, word, 0), word);
        }
    }

    /// What the standard says of some numbers of binary16, in its own words.
    #[test]
    fn numbers_of_binary16() {
        let mut sim = build(Values::of(&[ValueType::F16]));
        for (code, number) in [
            (0x0001, 5.960_464_5e-8),
            (0x03ff, 6.097_555e-5),
            (0x0400, 6.103_515_6e-5),
            (0x7bff, 65504.0),
            (0x8000, -0.0f32),
            (0xfc00, f32::NEG_INFINITY),
        ] {
            assert_eq!(wide(&mut sim, ValueType::F16, code, 0), number.to_bits(), "{code:#x}");
        }
    }

    #[test]
    fn cards_of_words_choose_nothing() {
        assert_eq!(Values::of(&[ValueType::F32]), Values::WORDS);
        assert_eq!((Values::WORDS.packing(), Values::WORDS.suffix()), (0, String::new()));
        assert_eq!(Values::of(&[ValueType::F32, ValueType::BF16]).packing(), 1);
    }
}
