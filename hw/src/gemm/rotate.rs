//! Barrel rotation of lanes.

use rtl_gen::Sig;

/// `out[(j + amount) mod n] = lanes[j]`; combinational, one multiplexer level per bit of `amount`.
///
/// The number of lanes is a power of two and `amount` is `uint(log2 n)`.
pub(super) fn rotate_up<'m>(lanes: &[Sig<'m>], amount: Sig<'m>) -> Vec<Sig<'m>> {
    let n = lanes.len();
    stages(lanes, amount, |j, step| (j + n - step) % n)
}

/// `out[j] = lanes[(j + amount) mod n]`: the inverse of [`rotate_up`].
pub(super) fn rotate_down<'m>(lanes: &[Sig<'m>], amount: Sig<'m>) -> Vec<Sig<'m>> {
    let n = lanes.len();
    stages(lanes, amount, |j, step| (j + step) % n)
}

fn stages<'m>(
    lanes: &[Sig<'m>],
    amount: Sig<'m>,
    source: impl Fn(usize, usize) -> usize,
) -> Vec<Sig<'m>> {
    (0..amount.width()).fold(lanes.to_vec(), |now, b| {
        let turn = amount.bit(b);
        (0..now.len()).map(|j| turn.mux(now[source(j, 1 << b)], now[j])).collect()
    })
}
