//! Radix-4 recoding of an operand: digits -2 to 2, half as many as bits (Booth's, as MacSorley modified them, 1961).

use rtl_gen::{Builder, Sig};

/// A digit: 0, 1 or 2 by `one` and `two`, negative with `top`; a digit of 0 may have `top` as well.
#[derive(Clone, Copy)]
pub(crate) struct Digit<'m> {
    pub(crate) one: Sig<'m>,
    pub(crate) two: Sig<'m>,
    pub(crate) top: Sig<'m>,
}

impl<'m> Digit<'m> {
    /// Not 0.
    pub(crate) fn some(self) -> Sig<'m> {
        self.one | self.two
    }

    /// Less than 0.
    pub(crate) fn negative(self) -> Sig<'m> {
        self.top & self.some()
    }
}

/// The digits of a two's complement number, the lowest first: the number is the sum of digit d times 4^d.
pub(crate) fn digits<'m>(m: &'m Builder, number: Sig<'m>) -> Vec<Digit<'m>> {
    let count = number.width().div_ceil(2);
    let wide = number.sext(2 * count).as_bits();
    (0..count)
        .map(|d| {
            let low = if d == 0 { m.low() } else { wide.bit(2 * d - 1) };
            let (mid, top) = (wide.bit(2 * d), wide.bit(2 * d + 1));
            let two = (top & !mid & !low) | (!top & mid & low);
            Digit { one: mid ^ low, two, top }
        })
        .collect()
}
