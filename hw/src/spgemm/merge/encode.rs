//! One-hot to number and back.

use rtl_gen::{Sig, any, bit, cat, index_width, uint};

/// The index of the bit that is 1 as `bits`; 0 when none is. `None` for a single flag, whose index
/// has no bits.
pub(super) fn encode<'m>(flags: &[Sig<'m>]) -> Option<Sig<'m>> {
    let n = flags.len();
    if n < 2 {
        return None;
    }
    let index: Vec<_> = (0..index_width(n as u32))
        .rev()
        .map(|b| any(&(0..n).filter(|i| i >> b & 1 == 1).map(|i| flags[i]).collect::<Vec<_>>()))
        .collect();
    Some(cat(&index))
}

/// `bits(n)` with only bit `index` set.
pub(super) fn decode<'m>(m: &'m rtl_gen::Builder, index: Sig<'m>, n: u32) -> Sig<'m> {
    m.lit(uint(n), 1).shl(index).as_bits()
}

/// Number of flags that are 1, as `uint(width)`; a tree of adders.
pub(super) fn count<'m>(flags: &[Sig<'m>], width: u32) -> Sig<'m> {
    debug_assert!(flags.iter().all(|f| f.ty() == bit()));
    match flags {
        [one] => one.as_u().zext(width),
        _ => {
            let (a, b) = flags.split_at(flags.len() / 2);
            count(a, width).add_wrap(count(b, width))
        }
    }
}
