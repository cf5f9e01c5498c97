//! Calls with the names and arguments of CBLAS, for programs that link a BLAS.
//!
//! They use the card of the environment's `MATTOCK_CARD`, or of [`mattock_cblas_open`]. `f32` matrices go to it when one of
//! its types holds every element exactly; else, and when there is no card, this library computes the product itself.
//! [`mattock_cblas_counts`] tells how many calls went where. Wrong arguments are told on standard error, as BLAS does, and
//! leave C as it was.

use crate::status::{Fail, MATTOCK_OK, bad, last, run};
use crate::structure::{dim, slice, slice_mut};
use driver::{
    Context, ContextOptions, Device, DynView, DynViewMut, Error, GemmOptions, Order, Scalar, View,
    ViewMut,
};
use mattock_spec::Format;
use std::ffi::{CStr, c_char};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

static CARD: RwLock<Option<Result<Context, String>>> = RwLock::new(None);
static ON_CARD: AtomicU64 = AtomicU64::new(0);
static ON_HOST: AtomicU64 = AtomicU64::new(0);

/// Takes the card of a URL for all following CBLAS calls of the process, instead of that of `MATTOCK_CARD`. Gives 0, or a
/// status of `mattock.h`, and no card then.
///
/// # Safety
/// `url` is null or a string with a final zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_cblas_open(url: *const c_char) -> i32 {
    run(|| {
        if url.is_null() {
            return bad(1, "url", "is null");
        }
        // SAFETY: not null, and a string by the contract.
        let url = unsafe { CStr::from_ptr(url) }.to_string_lossy().into_owned();
        let mut card = CARD.write().unwrap_or_else(PoisonError::into_inner);
        // The old card is closed first: it may be the same.
        *card = None;
        let opened =
            Device::open(&url).and_then(|device| device.context(ContextOptions::default()));
        *card = Some(opened.as_ref().map(Context::clone).map_err(|error| error.to_string()));
        opened?;
        Ok(())
    })
}

/// How many CBLAS calls the card has computed, and how many this library itself. Either pointer may be null.
///
/// # Safety
/// The pointers are null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mattock_cblas_counts(on_card: *mut u64, on_host: *mut u64) {
    for (to, count) in [(on_card, &ON_CARD), (on_host, &ON_HOST)] {
        if !to.is_null() {
            // SAFETY: not null, and writable by the contract.
            unsafe { to.write(count.load(Ordering::Relaxed)) };
        }
    }
}

/// The process's card; opened by the first call.
fn card() -> Option<Context> {
    if let Some(card) = &*CARD.read().unwrap_or_else(PoisonError::into_inner) {
        return card.as_ref().ok().cloned();
    }
    let mut card = CARD.write().unwrap_or_else(PoisonError::into_inner);
    let card = card.get_or_insert_with(|| {
        let open = || -> Result<Context, String> {
            let url = std::env::var("MATTOCK_CARD").map_err(|_| "MATTOCK_CARD is not set")?;
            let device = Device::open(&url).map_err(|error| error.to_string())?;
            device.context(ContextOptions::default()).map_err(|error| error.to_string())
        };
        open().inspect_err(|why| eprintln!("mattock: cblas calls run on the host: {why}"))
    });
    card.as_ref().ok().cloned()
}

/// Runs a call of CBLAS, which has no status: errors go to standard error.
fn told(name: &str, call: impl FnOnce() -> Result<(), Fail>) {
    if run(call) != MATTOCK_OK {
        eprintln!("mattock: {name}: {}", last());
    }
}

const EXACT: GemmOptions = GemmOptions {
    resident: false,
    chunked: true,
    rounding: mattock_spec::Rounding::Rne,
    saturate: false,
};

/// A matrix as CBLAS describes it, its rows and columns as it lies.
#[derive(Clone, Copy)]
struct Matrix {
    order: Order,
    turned: bool,
    rows: usize,
    cols: usize,
    ld: usize,
}

impl Matrix {
    fn new(
        order: Order,
        turned: bool,
        (rows, cols): (usize, usize),
        (index, name, ld): (usize, &'static str, i32),
    ) -> Result<Matrix, Fail> {
        // As it lies.
        let (rows, cols) = if turned { (cols, rows) } else { (rows, cols) };
        let len = if order == Order::Row { cols } else { rows };
        match usize::try_from(ld) {
            Ok(ld) if ld >= len.max(1) => Ok(Matrix { order, turned, rows, cols, ld }),
            _ => bad(index, name, format!("is {ld}, must be at least {}", len.max(1))),
        }
    }

    /// Elements from the first to the last.
    fn len(&self) -> usize {
        let (lines, len) = match self.order {
            Order::Row => (self.rows, self.cols),
            Order::Column => (self.cols, self.rows),
        };
        // Both below 2^31, and so is `ld`.
        if lines == 0 || len == 0 { 0 } else { (lines - 1) * self.ld + len }
    }

    /// Where an element of what the product takes lies.
    fn at(&self, row: usize, col: usize) -> usize {
        let (row, col) = if self.turned { (col, row) } else { (row, col) };
        if self.order == Order::Row { row * self.ld + col } else { col * self.ld + row }
    }
}

/// The order and whether A and B are transposed.
fn layout(order: i32, trans: &[(usize, &'static str, i32)]) -> Result<(Order, [bool; 2]), Fail> {
    let order = match order {
        101 => Order::Row,
        102 => Order::Column,
        other => return bad(1, "order", format!("is {other}, must be 101 or 102")),
    };
    let mut turned = [false; 2];
    for (turned, &(index, name, value)) in turned.iter_mut().zip(trans) {
        *turned = match value {
            111 => false,
            112 | 113 => true,
            other => return bad(index, name, format!("is {other}, must be 111, 112 or 113")),
        };
    }
    Ok((order, turned))
}

/// What `cblas_sgemm` and `cblas_sgemv` share.
struct Sgemm<'a> {
    alpha: f32,
    a: (&'a [f32], Matrix),
    b: (&'a [f32], Matrix),
    beta: f32,
}

impl Sgemm<'_> {
    fn run(&self, c: &mut [f32], shape: Matrix) -> Result<(), Fail> {
        let card = card();
        // A product in parts may run out of memory after some of them; the host then begins again with the old C.
        let old = (card.is_some() && self.beta != 0.0).then(|| c.to_vec());
        let done = card.map(|card| {
            let view = |(data, m): (_, Matrix)| -> Result<View<'_, f32>, Error> {
                let view = View::new(data, m.order, m.rows, m.cols, m.ld)?;
                Ok(if m.turned { view.t() } else { view })
            };
            let to = ViewMut::new(c, shape.order, shape.rows, shape.cols, shape.ld)?;
            card.gemm_f32(&EXACT, self.alpha, view(self.a)?, view(self.b)?, self.beta, to)
        });
        match done {
            Some(Ok(_)) => {
                ON_CARD.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            None | Some(Err(Error::Unsupported { .. } | Error::OutOfMemory { .. })) => {
                ON_HOST.fetch_add(1, Ordering::Relaxed);
                if let Some(old) = old {
                    c.copy_from_slice(&old);
                }
                self.on_host(c, shape);
                Ok(())
            }
            Some(Err(error)) => Err(error.into()),
        }
    }

    /// The same by the host, products added in `f64`, by rising k.
    fn on_host(&self, c: &mut [f32], shape: Matrix) {
        let ((a, ma), (b, mb)) = (self.a, self.b);
        let k = if ma.turned { ma.rows } else { ma.cols };
        let mut sums = vec![0f64; shape.cols];
        for row in 0..shape.rows {
            sums.fill(0.0);
            let depth = if self.alpha == 0.0 { 0 } else { k };
            for i in 0..depth {
                let left = f64::from(a[ma.at(row, i)]);
                for (col, sum) in sums.iter_mut().enumerate() {
                    *sum += left * f64::from(b[mb.at(i, col)]);
                }
            }
            for (col, sum) in sums.iter().enumerate() {
                let c = &mut c[shape.at(row, col)];
                let product = f64::from(*sum as f32);
                let term = if depth == 0 { 0.0 } else { f64::from(self.alpha) * product };
                let old = if self.beta == 0.0 { 0.0 } else { f64::from(self.beta) * f64::from(*c) };
                if depth > 0 || self.beta != 1.0 {
                    *c = (term + old) as f32;
                }
            }
        }
    }
}

/// `C = alpha * op(A) * op(B) + beta * C` with `float`s.
///
/// # Safety
/// As for any BLAS: the matrices have the memory that their dimensions say, and C overlaps neither A nor B.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "the arguments of CBLAS")]
pub unsafe extern "C" fn cblas_sgemm(
    order: i32,
    trans_a: i32,
    trans_b: i32,
    m: i32,
    n: i32,
    k: i32,
    alpha: f32,
    a: *const f32,
    lda: i32,
    b: *const f32,
    ldb: i32,
    beta: f32,
    c: *mut f32,
    ldc: i32,
) {
    told("cblas_sgemm", || {
        let turns = [(2, "transa", trans_a), (3, "transb", trans_b)];
        let (order, [turn_a, turn_b]) = layout(order, &turns)?;
        let [m, n, k] =
            [(4, "m", m), (5, "n", n), (6, "k", k)].map(|(i, s, v)| dim(i, s, v.into()));
        let (m, n, k) = (m?, n?, k?);
        let ma = Matrix::new(order, turn_a, (m, k), (9, "lda", lda))?;
        let mb = Matrix::new(order, turn_b, (k, n), (11, "ldb", ldb))?;
        let mc = Matrix::new(order, false, (m, n), (14, "ldc", ldc))?;
        let used = |len| if alpha == 0.0 { 0 } else { len };
        // SAFETY: by the contract.
        let (a, b, c) = unsafe {
            (
                slice(8, "a", a, used(ma.len()))?,
                slice(10, "b", b, used(mb.len()))?,
                slice_mut(13, "c", c, mc.len())?,
            )
        };
        if alpha == 0.0 {
            scale(beta, c, mc);
            return Ok(());
        }
        Sgemm { alpha, a: (a, ma), b: (b, mb), beta }.run(c, mc)
    });
}

/// `C = beta * C`, with which neither the card nor A and B have anything to do.
fn scale(beta: f32, c: &mut [f32], shape: Matrix) {
    let none = Matrix { cols: 0, ..shape };
    let nothing = Sgemm { alpha: 0.0, a: (&[], none), b: (&[], none), beta };
    ON_HOST.fetch_add(1, Ordering::Relaxed);
    nothing.on_host(c, shape);
}

/// Elements `inc` apart, from the end when it is negative, as BLAS has them.
fn strided(len: usize, inc: i32) -> impl Iterator<Item = usize> {
    let step = inc.unsigned_abs() as usize;
    (0..len).map(move |i| step * if inc < 0 { len - 1 - i } else { i })
}

/// `y = alpha * op(A) * x + beta * y` with `float`s.
///
/// # Safety
/// As `cblas_sgemm`.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "the arguments of CBLAS")]
pub unsafe extern "C" fn cblas_sgemv(
    order: i32,
    trans: i32,
    m: i32,
    n: i32,
    alpha: f32,
    a: *const f32,
    lda: i32,
    x: *const f32,
    incx: i32,
    beta: f32,
    y: *mut f32,
    incy: i32,
) {
    told("cblas_sgemv", || {
        let (order, [turned, _]) = layout(order, &[(2, "trans", trans)])?;
        let (m, n) = (dim(3, "m", m.into())?, dim(4, "n", n.into())?);
        let shape = if turned { (n, m) } else { (m, n) };
        let ma = Matrix::new(order, turned, shape, (7, "lda", lda))?;
        for (index, name, inc) in [(9, "incx", incx), (12, "incy", incy)] {
            if inc == 0 {
                return bad(index, name, "is 0, must be something else");
            }
        }
        let (rows, k) = shape;
        let extent = |len: usize, inc: i32| match len {
            0 => 0,
            _ => (len - 1) * inc.unsigned_abs() as usize + 1,
        };
        let used = |len| if alpha == 0.0 { 0 } else { len };
        // SAFETY: by the contract.
        let (a, x, y) = unsafe {
            (
                slice(6, "a", a, used(ma.len()))?,
                slice(8, "x", x, used(extent(k, incx)))?,
                slice_mut(11, "y", y, extent(rows, incy))?,
            )
        };
        let mut dense_y: Vec<f32> = match beta == 0.0 {
            true => vec![0.0; rows],
            false => strided(rows, incy).map(|at| y[at]).collect(),
        };
        let column = |rows| Matrix { order: Order::Row, turned: false, rows, cols: 1, ld: 1 };
        if alpha == 0.0 {
            scale(beta, &mut dense_y, column(rows));
        } else {
            let x: Vec<f32> = strided(k, incx).map(|at| x[at]).collect();
            let product = Sgemm { alpha, a: (a, ma), b: (&x, column(k)), beta };
            product.run(&mut dense_y, column(rows))?;
        }
        for (at, value) in strided(rows, incy).zip(dense_y) {
            y[at] = value;
        }
        Ok(())
    });
}

/// Integer products, on the card only.
struct Integers {
    formats: [Format; 2],
    shape: [i32; 3],
    alpha: i32,
    beta: i32,
}

impl Integers {
    /// # Safety
    /// As `cblas_sgemm`.
    unsafe fn run(
        &self,
        (order, trans_a, trans_b): (i32, i32, i32),
        (a, lda): (*const u8, i32),
        (b, ldb): (*const u8, i32),
        (c, ldc): (*mut i32, i32),
    ) -> Result<(), Fail> {
        let turns = [(2, "transa", trans_a), (3, "transb", trans_b)];
        let (order, [turn_a, turn_b]) = layout(order, &turns)?;
        let [m, n, k] = self.shape;
        let [m, n, k] =
            [(4, "m", m), (5, "n", n), (6, "k", k)].map(|(i, s, v)| dim(i, s, v.into()));
        let (m, n, k) = (m?, n?, k?);
        let ma = Matrix::new(order, turn_a, (m, k), (9, "lda", lda))?;
        let mb = Matrix::new(order, turn_b, (k, n), (11, "ldb", ldb))?;
        let mc = Matrix::new(order, false, (m, n), (14, "ldc", ldc))?;
        // SAFETY: by the contract; bytes of integers are bytes.
        let (a, b, c) = unsafe {
            (
                slice(8, "a", a, ma.len())?,
                slice(10, "b", b, mb.len())?,
                slice_mut(13, "c", c, mc.len())?,
            )
        };
        let Some(card) = card() else {
            return Err(Error::NotFound { card: "MATTOCK_CARD".into() }.into());
        };
        let view = |data, m: Matrix, format| -> Result<DynView<'_>, Error> {
            let view = DynView::new(data, m.order, m.rows, m.cols, m.ld, format)?;
            Ok(if m.turned { view.t() } else { view })
        };
        let (a, b) = (view(a, ma, self.formats[0])?, view(b, mb, self.formats[1])?);
        let c: DynViewMut<'_> = ViewMut::<i32>::new(c, mc.order, mc.rows, mc.cols, mc.ld)?.into();
        let (alpha, beta) = (Scalar::I32(self.alpha), Scalar::I32(self.beta));
        card.gemm_dyn(&EXACT, alpha, a, b, beta, c)?.wait()?;
        ON_CARD.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// `C = alpha * op(A) * op(B) + beta * C` with A and B of `int8_t`, C of `int32_t`, modulo 2^32; in the manner of oneMKL's
/// `cblas_gemm_s8s8s32`, without its offsets. Gives 0 or a status of `mattock.h`.
///
/// # Safety
/// As `cblas_sgemm`.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "the arguments of CBLAS")]
pub unsafe extern "C" fn mattock_cblas_gemm_s8s8s32(
    order: i32,
    trans_a: i32,
    trans_b: i32,
    m: i32,
    n: i32,
    k: i32,
    alpha: i32,
    a: *const i8,
    lda: i32,
    b: *const i8,
    ldb: i32,
    beta: i32,
    c: *mut i32,
    ldc: i32,
) -> i32 {
    let call = Integers { formats: [Format::I8; 2], shape: [m, n, k], alpha, beta };
    let layout = (order, trans_a, trans_b);
    // SAFETY: the same contract.
    run(|| unsafe { call.run(layout, (a.cast(), lda), (b.cast(), ldb), (c, ldc)) })
}

/// The same with A of `uint8_t`.
///
/// # Safety
/// As `cblas_sgemm`.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "the arguments of CBLAS")]
pub unsafe extern "C" fn mattock_cblas_gemm_u8s8s32(
    order: i32,
    trans_a: i32,
    trans_b: i32,
    m: i32,
    n: i32,
    k: i32,
    alpha: i32,
    a: *const u8,
    lda: i32,
    b: *const i8,
    ldb: i32,
    beta: i32,
    c: *mut i32,
    ldc: i32,
) -> i32 {
    let formats = [Format::uint(8), Format::I8];
    let call = Integers { formats, shape: [m, n, k], alpha, beta };
    let layout = (order, trans_a, trans_b);
    // SAFETY: the same contract.
    run(|| unsafe { call.run(layout, (a, lda), (b.cast(), ldb), (c, ldc)) })
}
