//! What a command chooses among the things a cluster is built with.

use rtl_gen::{Builder, Sig, any};

/// Whether the chosen one is such: `code` is the number of one of `built`, each given with its number, and there is none where
/// nothing is chosen.
pub(super) fn chosen<'m, T: Copy>(
    m: &'m Builder,
    code: Option<Sig<'m>>,
    built: impl Iterator<Item = (T, u8)>,
    such: impl Fn(T) -> bool,
) -> Sig<'m> {
    let (yes, no): (Vec<_>, Vec<_>) = built.partition(|(one, _)| such(*one));
    match code {
        Some(code) if !yes.is_empty() && !no.is_empty() => {
            any(&yes.iter().map(|(_, number)| code.is((*number).into())).collect::<Vec<_>>())
        }
        _ if yes.is_empty() => m.low(),
        _ => m.high(),
    }
}
