//! Many products in one call.

use super::product::Product;
use super::{Event, GemmOptions, arg};
use crate::Error;
use crate::buffer::CardMemory;
use crate::device::Context;
use crate::element::{Element, Output, Scalar};
use crate::plan::{BatchPlan, Memory};
use crate::view::{DynView, DynViewMut, Layout, View, ViewMut, available};

/// A matrix and how far it is from it to the next of a batch, in elements.
#[derive(Clone, Copy, Debug)]
pub struct Strided<M> {
    /// The first matrix.
    pub first: M,
    /// Elements from one matrix to the next; 0 for an operand that all products share.
    pub stride: usize,
}

impl Context {
    /// [`gemm`](Self::gemm) for each triple of the lists, whose shapes may differ.
    ///
    /// # Errors
    /// As [`gemm`](Self::gemm), of the first product at fault, before any of them starts; [`Error::InvalidArg`] when the
    /// lists are not of one length.
    pub fn gemm_batched<'a, A: Element, B: Element, D: Output>(
        &self,
        options: &GemmOptions,
        alpha: D::Scale,
        a: &[View<'a, A>],
        b: &[View<'a, B>],
        beta: D::Scale,
        c: Vec<ViewMut<'a, D>>,
    ) -> Result<Event<'a>, Error> {
        let a: Vec<_> = a.iter().map(|view| (*view).into()).collect();
        let b: Vec<_> = b.iter().map(|view| (*view).into()).collect();
        let c = c.into_iter().map(Into::into).collect();
        self.gemm_batched_dyn(options, alpha.into(), &a, &b, beta.into(), c)
    }

    /// [`gemm_batched`](Self::gemm_batched) with types known at run time, which may differ too.
    ///
    /// # Errors
    /// As [`gemm_batched`](Self::gemm_batched).
    pub fn gemm_batched_dyn<'a>(
        &self,
        options: &GemmOptions,
        alpha: Scalar,
        a: &[DynView<'a>],
        b: &[DynView<'a>],
        beta: Scalar,
        c: Vec<DynViewMut<'a>>,
    ) -> Result<Event<'a>, Error> {
        let count = a.len();
        for (index, len) in [(arg::B, b.len()), (arg::C, c.len())] {
            if len != count {
                let what = format!("it has {len} matrices, A has {count}");
                return Err(Error::invalid_arg(index, what));
            }
        }
        let mut targets = Vec::with_capacity(count);
        let products = a.iter().zip(b).zip(c).enumerate().map(|(target, ((a, b), c))| {
            let DynViewMut { layout, place } = c;
            let c_on_card = place.on_card();
            targets.push(place);
            let (a, b, epilogue) = (*a, *b, None);
            Product { alpha, a, b, beta, c: layout, c_on_card, target, epilogue }
        });
        let products = products.collect();
        self.products(options, products, targets)
    }

    /// [`gemm`](Self::gemm) for `batch` triples of matrices of one shape, at equal distances in the memory of the first.
    ///
    /// Matrices of C may lie beside each other, such as the heads of one attention layer, but never overlap.
    ///
    /// # Errors
    /// As [`gemm`](Self::gemm); [`Error::InvalidArg`] too when a matrix of the batch is outside its memory or those of
    /// C overlap.
    #[allow(clippy::too_many_arguments, reason = "the arguments of BLAS")]
    pub fn gemm_strided_batched<'a, A: Element, B: Element, D: Output>(
        &self,
        options: &GemmOptions,
        alpha: D::Scale,
        a: Strided<View<'a, A>>,
        b: Strided<View<'a, B>>,
        beta: D::Scale,
        c: Strided<ViewMut<'a, D>>,
        batch: usize,
    ) -> Result<Event<'a>, Error> {
        let a = Strided { first: a.first.into(), stride: a.stride };
        let b = Strided { first: b.first.into(), stride: b.stride };
        let c = Strided { first: c.first.into(), stride: c.stride };
        self.gemm_strided_batched_dyn(options, alpha.into(), a, b, beta.into(), c, batch)
    }

    /// [`gemm_strided_batched`](Self::gemm_strided_batched) with types known at run time.
    ///
    /// # Errors
    /// As [`gemm_strided_batched`](Self::gemm_strided_batched).
    #[allow(clippy::too_many_arguments, reason = "the arguments of BLAS")]
    pub fn gemm_strided_batched_dyn<'a>(
        &self,
        options: &GemmOptions,
        alpha: Scalar,
        a: Strided<DynView<'a>>,
        b: Strided<DynView<'a>>,
        beta: Scalar,
        c: Strided<DynViewMut<'a>>,
        batch: usize,
    ) -> Result<Event<'a>, Error> {
        let Strided { first: DynViewMut { layout, place }, stride } = c;
        let c = Strided { first: layout, stride };
        let places = (place.on_card(), available(place.bytes(), layout.format));
        let products = strided((alpha, beta), a, b, c, places, batch)?;
        self.products(options, products, vec![place])
    }

    /// How such products would run as one command with `memory` behind the card; `None` where they would be commands of their own.
    ///
    /// # Errors
    /// As [`gemm_strided_batched`](Self::gemm_strided_batched), before anything is sent.
    pub fn plan_gemm_strided_batched<'a>(
        &self,
        options: &GemmOptions,
        a: Strided<DynView<'a>>,
        b: Strided<DynView<'a>>,
        c: Strided<DynViewMut<'a>>,
        batch: usize,
        memory: &Memory,
    ) -> Result<Option<BatchPlan>, Error> {
        let Strided { first: DynViewMut { layout, place }, stride } = c;
        let (one, zero) = Scalar::one_and_zero(layout.format);
        let c = Strided { first: layout, stride };
        let places = (place.on_card(), available(place.bytes(), layout.format));
        let products = strided((one, zero), a, b, c, places, batch)?;
        self.plan_batch(options, &products, [a.stride, b.stride, stride], memory)
    }
}

/// The products of a strided batch, with alpha and beta; C is in card memory or not, with room for so many elements.
fn strided<'a>(
    (alpha, beta): (Scalar, Scalar),
    a: Strided<DynView<'a>>,
    b: Strided<DynView<'a>>,
    c: Strided<Layout>,
    (c_on_card, room): (Option<&'a CardMemory>, usize),
    batch: usize,
) -> Result<Vec<Product<'a>>, Error> {
    let Strided { first: layout, stride } = c;
    if batch > 1 && overlap(&layout, stride, batch) {
        let what = format!("matrices {stride} elements apart overlap");
        return Err(Error::invalid_arg(arg::C, what));
    }
    let products = (0..batch).map(|i| {
        let view = |index, m: &Strided<DynView<'a>>| {
            let room = available(m.first.place.bytes(), m.first.layout.format);
            let layout = item(index, &m.first.layout, m.stride, i, room)?;
            Ok::<_, Error>(DynView { layout, ..m.first })
        };
        let (a, b) = (view(arg::A, &a)?, view(arg::B, &b)?);
        let c = item(arg::C, &layout, stride, i, room)?;
        Ok(Product { alpha, a, b, beta, c, c_on_card, target: 0, epilogue: None })
    });
    products.collect()
}

/// Matrix `i` of a batch.
fn item(
    index: usize,
    first: &Layout,
    stride: usize,
    i: usize,
    available: usize,
) -> Result<Layout, Error> {
    let moved = stride.checked_mul(i).and_then(|distance| first.moved(distance, available));
    moved.ok_or_else(|| {
        let what = format!("matrix {i} of the batch, {stride} elements after the one before,");
        Error::invalid_arg(index, format!("{what} does not lie in its {available} elements"))
    })
}

/// Whether matrices at equal distances share elements.
fn overlap(layout: &Layout, stride: usize, batch: usize) -> bool {
    if layout.is_empty() {
        return false;
    }
    let (lines, len) = layout.lines();
    let apart = (lines - 1).saturating_mul(layout.ld).saturating_add(len);
    let beside = (batch - 1).checked_mul(stride).is_some_and(|last| last + len <= layout.ld);
    !(stride >= apart || lines > 1 && stride >= len && beside)
}
