//! Dense products: `C = alpha * A * B + beta * C`.
//!
//! The rules are those of BLAS: with beta = 0 nothing of C is read, so NaN in it does not matter; with alpha = 0 or
//! k = 0 nothing of A and B is read and C becomes `beta * C`; with m or n = 0 nothing happens at all.
//!
//! Cards of today compute `A * B`, in one rounding for floats ([`GemmOptions::rounding`]). Where alpha is not 1 or beta
//! not 0, the host combines the card's product p with C: `alpha * p + beta * c` is computed exactly and rounded once, by
//! the same mode; for results of `i32` all arithmetic is modulo 2^32. [`GemmStats::host_elements`] counts such elements.

mod batch;
mod check;
mod chunk;
mod combine;
mod epilogue;
mod event;
mod f32;
mod many;
mod product;
mod stage;
mod stats;
mod table;

pub use crate::view::Order;
pub use batch::Strided;
pub use epilogue::{Activation, Epilogue, Per, Requant};
pub use event::Event;
pub use stats::GemmStats;
pub use table::{Quantised, TABLE_ENTRIES, gelu, silu};

use crate::Error;
use crate::device::Context;
use crate::element::{Element, Output, Scalar};
use crate::view::{DynView, DynViewMut, View, ViewMut};
use mattock_spec::Rounding;
use product::Product;

/// How a dense product is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GemmOptions {
    /// Load both operands into the card first, compute into its result buffer, then store: three commands.
    pub resident: bool,
    /// Cut a product whose matrices do not fit card memory (or, with `resident`, the card's buffers) into parts that
    /// do. Such a call returns when it is done.
    pub chunked: bool,
    /// Which neighbour a float result becomes. Integers are not rounded.
    pub rounding: Rounding,
    /// Infinite float results become the largest finite number.
    pub saturate: bool,
}

/// Positions of the arguments of every dense call, for [`Error::InvalidArg`].
pub(crate) mod arg {
    pub(crate) const ALPHA: usize = 2;
    pub(crate) const EPILOGUE: usize = 2;
    pub(crate) const A: usize = 3;
    pub(crate) const B: usize = 4;
    pub(crate) const BETA: usize = 5;
    pub(crate) const C: usize = 6;
    /// Of a product with an epilogue.
    pub(crate) const D: usize = 5;
}

impl Context {
    /// `C = alpha * A * B + beta * C`, with A of m x k, B of k x n, C of m x n; transposed operands are views turned by
    /// [`View::t`].
    ///
    /// Operands in host memory have been copied when this returns; a result in host memory is there when the event
    /// has been waited for. Operands in card memory are used where they lie.
    ///
    /// # Errors
    /// [`Error::InvalidArg`] and [`Error::Unsupported`] before anything is sent; [`Error::OutOfMemory`] when what is to
    /// be copied does not fit, C untouched; those of the transport. The event tells the rest.
    pub fn gemm<'a, A: Element, B: Element, D: Output>(
        &self,
        options: &GemmOptions,
        alpha: D::Scale,
        a: View<'a, A>,
        b: View<'a, B>,
        beta: D::Scale,
        c: ViewMut<'a, D>,
    ) -> Result<Event<'a>, Error> {
        self.gemm_dyn(options, alpha.into(), a.into(), b.into(), beta.into(), c.into())
    }

    /// [`gemm`](Self::gemm) with types known at run time.
    ///
    /// # Errors
    /// As [`gemm`](Self::gemm); [`Error::InvalidArg`] too when alpha or beta are not of C's kind.
    pub fn gemm_dyn<'a>(
        &self,
        options: &GemmOptions,
        alpha: Scalar,
        a: DynView<'a>,
        b: DynView<'a>,
        beta: Scalar,
        c: DynViewMut<'a>,
    ) -> Result<Event<'a>, Error> {
        let (c, place) = (c.layout, c.place);
        let c_on_card = place.on_card();
        let product = Product { alpha, a, b, beta, c, c_on_card, target: 0, epilogue: None };
        self.products(options, vec![product], vec![place])
    }

    /// `D = epilogue(A * B)` in integers, all of it on the card: bias, scale, zero point, activation and a cast to D's
    /// type, which may have fewer bits than the sums.
    ///
    /// # Errors
    /// As [`gemm`](Self::gemm), D being argument 5; [`Error::Unsupported`] with what the card has when it lacks a step of the
    /// epilogue.
    pub fn gemm_epilogue<'a, A: Element, B: Element, D: Element>(
        &self,
        options: &GemmOptions,
        epilogue: &'a Epilogue,
        a: View<'a, A>,
        b: View<'a, B>,
        d: ViewMut<'a, D>,
    ) -> Result<Event<'a>, Error> {
        self.gemm_epilogue_dyn(options, epilogue, a.into(), b.into(), d.into())
    }

    /// [`gemm_epilogue`](Self::gemm_epilogue) with types known at run time.
    ///
    /// # Errors
    /// As [`gemm_epilogue`](Self::gemm_epilogue).
    pub fn gemm_epilogue_dyn<'a>(
        &self,
        options: &GemmOptions,
        epilogue: &'a Epilogue,
        a: DynView<'a>,
        b: DynView<'a>,
        d: DynViewMut<'a>,
    ) -> Result<Event<'a>, Error> {
        let (c, place) = (d.layout, d.place);
        let product = Product::with_epilogue(epilogue, a, b, c, place.on_card());
        self.products(options, vec![product], vec![place])
    }

    /// `y = alpha * A * x + beta * y`; x and y are matrices of one column.
    ///
    /// # Errors
    /// As [`gemm`](Self::gemm), with x in the place of B and y in that of C.
    pub fn gemv<'a, A: Element, B: Element, D: Output>(
        &self,
        options: &GemmOptions,
        alpha: D::Scale,
        a: View<'a, A>,
        x: View<'a, B>,
        beta: D::Scale,
        y: ViewMut<'a, D>,
    ) -> Result<Event<'a>, Error> {
        for (index, cols) in [(arg::B, x.shape().1), (arg::C, y.shape().1)] {
            if cols != 1 {
                let what = format!("it has {cols} columns, a vector has 1");
                return Err(Error::invalid_arg(index, what));
            }
        }
        self.gemm(options, alpha, a, x, beta, y)
    }
}
