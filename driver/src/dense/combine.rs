//! Alpha and beta where the card does not apply them.

use crate::Error;
use crate::element::Scalar;
use crate::view::{Layout, PlaceMut};
use mattock_spec::Format;

/// Whether the host can scale results of this format: only where order and rounding do not matter.
pub(super) fn exact(format: Format) -> bool {
    format == Format::I32
}

/// `c = alpha * product + beta * c` modulo 2^32, for `i32` elements; with beta = 0, `c` is not read.
pub(super) fn combine(alpha: Scalar, product: &[u8], beta: Scalar, c: &mut [u8]) {
    let (alpha, beta) = (whole(alpha), whole(beta));
    for (to, product) in c.chunks_exact_mut(4).zip(product.chunks_exact(4)) {
        let old = if beta == 0 { 0 } else { word(to).wrapping_mul(beta) };
        let sum = word(product).wrapping_mul(alpha).wrapping_add(old);
        to.copy_from_slice(&sum.to_le_bytes());
    }
}

/// `C = beta * C`: what is left when there is no product. Gives the number of elements touched.
pub(super) fn scale(beta: Scalar, layout: &Layout, c: &mut PlaceMut<'_>) -> Result<u64, Error> {
    if layout.is_empty() || beta.is_one() {
        return Ok(0);
    }
    for i in 0..layout.lines().0 {
        let line = layout.line(i);
        match c {
            PlaceMut::Host(bytes) => scale_line(beta, &mut bytes[line]),
            PlaceMut::Card(memory) => {
                let mut old = vec![0; line.len()];
                if !beta.is_zero() {
                    memory.read(line.start as u64, &mut old)?;
                }
                scale_line(beta, &mut old);
                memory.write(line.start as u64, &old)?;
            }
        }
    }
    Ok(layout.rows as u64 * layout.cols as u64)
}

/// Every format that results have writes zero as zero bits.
fn scale_line(beta: Scalar, line: &mut [u8]) {
    if beta.is_zero() {
        return line.fill(0);
    }
    let beta = whole(beta);
    for to in line.chunks_exact_mut(4) {
        to.copy_from_slice(&word(to).wrapping_mul(beta).to_le_bytes());
    }
}

/// The callers have checked that results are `i32`, and scalars with them.
fn whole(scalar: Scalar) -> i32 {
    match scalar {
        Scalar::I32(value) => value,
        Scalar::F32(value) => value as i32,
    }
}

fn word(bytes: &[u8]) -> i32 {
    i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_wrap() {
        let bytes = |values: [i32; 2]| values.map(i32::to_le_bytes).concat();
        let mut c = bytes([i32::MAX, 5]);
        combine(3.into(), &bytes([1, i32::MIN]), 1.into(), &mut c);
        assert_eq!(c, bytes([i32::MIN + 2, i32::MIN + 5]));
        combine((-1).into(), &bytes([1, 2]), 0.into(), &mut c);
        assert_eq!(c, bytes([-1, -2]));
    }
}
