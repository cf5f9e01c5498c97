//! Products of `f32` matrices on cards whose narrower types hold the elements exactly.

use super::combine::Combine;
use super::{GemmOptions, GemmStats, arg};
use crate::Error;
use crate::device::Context;
use crate::element::Scalar;
use crate::view::{DynView, DynViewMut, Layout, Place, PlaceMut, View, ViewMut, per_byte};
use mattock_spec::format::Value;
use mattock_spec::{Format, Rounding, Tuple};

impl Context {
    /// `C = alpha * A * B + beta * C` of `f32` matrices in host memory, without an approximation that BLAS's `sgemm` would
    /// not make: on cards with `f32` operands these, else the first of the card's types that holds every element of A and B exactly, such as
    /// whole numbers from -128 to 127 for `i8`, and in which no sum can overflow. The product is rounded once to `f32` (types that are
    /// [chained](Tuple::is_chained): once a step, in the order of k), then `alpha * p + beta * C` once more. Waits for the result.
    ///
    /// # Errors
    /// As [`gemm`](Self::gemm); [`Error::Unsupported`] when no type of the card holds the elements, C untouched.
    pub fn gemm_f32(
        &self,
        options: &GemmOptions,
        alpha: f32,
        a: View<'_, f32>,
        b: View<'_, f32>,
        beta: f32,
        c: ViewMut<'_, f32>,
    ) -> Result<GemmStats, Error> {
        let (a, b, mut c): (DynView<'_>, DynView<'_>, DynViewMut<'_>) =
            (a.into(), b.into(), c.into());
        let caps = self.gemm_caps()?;
        let f32 = Format::F32;
        let ((m, k), n) = (a.shape(), b.shape().1);
        let combine = Combine::new(alpha.into(), beta.into(), f32, options);
        if caps.tuples.position(f32, f32, f32).is_some() {
            return self.gemm_dyn(options, alpha.into(), a, b, beta.into(), c)?.wait();
        }
        if b.shape().0 != k {
            let what = format!("it has {} rows, A has {k} columns", b.shape().0);
            return Err(Error::invalid_arg(arg::B, what));
        }
        if c.shape() != (m, n) {
            let (rows, cols) = c.shape();
            let what = format!("it is {rows} x {cols}, the product is {m} x {n}");
            return Err(Error::invalid_arg(arg::C, what));
        }
        if m == 0 || n == 0 || k == 0 || alpha == 0.0 {
            let host_elements = combine.scale(&c.layout, &mut c.place)?;
            return Ok(GemmStats { host_elements, ..GemmStats::default() });
        }
        let fits = |tuple: &Tuple| {
            tuple.depth_limit().is_none_or(|most| k as u64 <= most)
                && tuple.exact_depth().is_none_or(|most| k as u64 <= most)
                && matches!(tuple.d, Format::I32 | Format::F32)
        };
        for tuple in caps.tuples.iter().filter(fits) {
            let Some(narrow_a) = Narrow::of(&a, tuple.a) else { continue };
            let Some(narrow_b) = Narrow::of(&b, tuple.b) else { continue };
            let (a, b) = (narrow_a.view()?, narrow_b.view()?);
            if tuple.d == Format::F32 {
                return self.gemm_dyn(options, alpha.into(), a, b, beta.into(), c)?.wait();
            }
            let (one, zero) = Scalar::one_and_zero(tuple.d);
            let (lines, len) = c.layout.lines();
            let mut sums = vec![0; 4 * lines * len];
            let to = DynViewMut::new(&mut sums, c.layout.order, m, n, len, tuple.d)?;
            let mut stats = self.gemm_dyn(options, one, a, b, zero, to)?.wait()?;
            round(&mut sums, options);
            let PlaceMut::Host(bytes) = &mut c.place else { return Err(only_host(arg::C)) };
            for (i, sums) in sums.chunks(4 * len).enumerate() {
                combine.apply(sums, &mut bytes[c.layout.line(i)]);
            }
            stats.host_elements += (m * n) as u64;
            return Ok(stats);
        }
        for (index, view) in [(arg::A, &a), (arg::B, &b)] {
            if view.place.on_card().is_some() {
                return Err(only_host(index));
            }
        }
        let types: Vec<String> = caps.tuples.iter().map(|t| t.to_string()).collect();
        let asked = format!("f32 matrices with these values, summed {k} deep");
        Err(Error::Unsupported { asked, have: types.join(" ") })
    }
}

fn only_host(index: usize) -> Error {
    Error::invalid_arg(index, "it is in card memory, where this call does not look")
}

/// `i32` sums become `f32` in their place.
fn round(sums: &mut [u8], options: &GemmOptions) {
    for word in sums.chunks_exact_mut(4) {
        let sum = i32::from_le_bytes([word[0], word[1], word[2], word[3]]);
        let code = Format::F32.encode(Value::Int(sum.into()), options.rounding, options.saturate);
        word.copy_from_slice(&code.to_le_bytes());
    }
}

/// A matrix in a narrower format, its lines dense.
struct Narrow {
    layout: Layout,
    bytes: Vec<u8>,
}

impl Narrow {
    /// `None` when an element does not fit, or the matrix is not the host's.
    fn of(view: &DynView<'_>, format: Format) -> Option<Narrow> {
        let Place::Host(host) = view.place else { return None };
        let from = view.layout;
        let (lines, len) = from.lines();
        let ld = len.next_multiple_of(per_byte(format));
        let layout = Layout { format, ld, offset: 0, ..from };
        let bits = format.storage_bits() as usize;
        let mut bytes = vec![0u8; lines * layout.ld_bytes()];
        for (i, line) in bytes.chunks_mut(layout.ld_bytes()).enumerate() {
            for (j, word) in host[from.line(i)].chunks_exact(4).enumerate() {
                let value = f32::from_le_bytes([word[0], word[1], word[2], word[3]]).into();
                let code = format.encode(Value::Float(value), Rounding::Rne, false);
                if format.decode(code).to_f64() != value {
                    return None;
                }
                let at = j * bits;
                for (byte, part) in line[at / 8..].iter_mut().zip(code.to_le_bytes()) {
                    *byte |= part << (at % 8);
                }
            }
        }
        Some(Narrow { layout, bytes })
    }

    fn view(&self) -> Result<DynView<'_>, Error> {
        let Layout { order, rows, cols, ld, format, .. } = self.layout;
        DynView::new(&self.bytes, order, rows, cols, ld, format)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Order;

    #[test]
    fn only_what_fits_exactly() {
        let data = [1.0f32, -8.0, 7.0, 0.0, -1.0, 3.0];
        let view = View::<f32>::new(&data, Order::Row, 2, 3, 3).unwrap().into();
        let nibbles = Narrow::of(&view, Format::int(4)).unwrap();
        assert_eq!((nibbles.layout.ld, nibbles.bytes), (4, vec![0x81, 0x07, 0xf0, 0x03]));
        assert!(Narrow::of(&view, Format::int(3)).is_none());
        assert!(Narrow::of(&view, Format::uint(8)).is_none());
        let bytes = Narrow::of(&view, Format::int(8)).unwrap().bytes;
        assert_eq!(bytes, data.map(|x| x as i8 as u8));
        for wrong in [0.5f32, f32::NAN, 128.0] {
            let data = [wrong];
            let view = View::<f32>::rows(&data, 1, 1).unwrap().into();
            assert!(Narrow::of(&view, Format::I8).is_none(), "{wrong}");
        }
    }
}
