//! CRC-32, a byte at a time.

use mattock_spec::serial::CRC_POLYNOMIAL;
use rtl_gen::{Sig, cat};

/// The running check after one more byte; combinational, a tree of XORs.
///
/// `crc` is bits(32), `byte` bits(8); [`mattock_spec::serial`] tells the start and the end.
pub(super) fn crc_step<'m>(crc: Sig<'m>, byte: Sig<'m>) -> Sig<'m> {
    let mut state: Vec<Sig> = (0..32).map(|i| crc.bit(i)).collect();
    for i in 0..8 {
        let out = state[0] ^ byte.bit(i);
        let shifted = |k: usize| state.get(k + 1).copied();
        state = (0..32)
            .map(|k| match (shifted(k), CRC_POLYNOMIAL >> k & 1 == 1) {
                (Some(bit), true) => bit ^ out,
                (Some(bit), false) => bit,
                (None, _) => out,
            })
            .collect();
    }
    state.reverse();
    cat(&state)
}
