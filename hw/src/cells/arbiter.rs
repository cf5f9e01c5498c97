//! Choosing one of several requests.

use rtl_gen::{Builder, Sig, any, cat, index_width, uint};

/// One-hot grant of the lowest request; combinational. Panics on an empty list.
pub fn priority<'m>(requests: &[Sig<'m>]) -> Vec<Sig<'m>> {
    (0..requests.len())
        .map(|i| if i == 0 { requests[0] } else { requests[i] & !any(&requests[..i]) })
        .collect()
}

/// One-hot grant, fair: the last one served comes last in the next choice.
///
/// `advance` says that the grant of this cycle was used. Combinational from `requests` to the
/// grant; one pointer register. Panics on an empty list.
pub fn round_robin<'m>(
    m: &'m Builder,
    name: &str,
    requests: &[Sig<'m>],
    advance: Sig<'m>,
) -> Vec<Sig<'m>> {
    let n = requests.len();
    if n == 1 {
        return requests.to_vec();
    }
    m.scope(name, || {
        let width = index_width(n as u32);
        let last = m.state("last", uint(width), n as i128 - 1);
        // Requests after the last one served go first; the others wait for them.
        let after: Vec<Sig> =
            (0..n)
                // Nothing comes after a last index below zero.
                .map(|i| {
                    if i == 0 {
                        m.low()
                    } else {
                        requests[i] & last.q().lt(last.q().lit(i as i128))
                    }
                })
                .collect();
        let none_after = (!any(&after)).named("wrap");
        let first = priority(&after);
        let second = priority(requests);
        let grant: Vec<Sig> = (0..n)
            .map(|i| (first[i] | (none_after & second[i])).named(&format!("grant_{i}")))
            .collect();
        let index: Vec<Sig> = (0..width)
            .rev()
            .map(|b| {
                let set: Vec<Sig> = (0..n).filter(|i| i >> b & 1 == 1).map(|i| grant[i]).collect();
                if set.is_empty() { m.low() } else { any(&set) }
            })
            .collect();
        last.drive_when(advance & any(&grant), cat(&index).as_u());
        grant
    })
}
