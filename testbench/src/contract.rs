//! The cycle contract of the dense engine, measured on simulated cards.
//!
//! With operands on chip a product takes at most `ceil(M/R) * ceil(N/C) * max(K, R) + R + C + 16` cycles from the
//! first operand entering the array to the last result leaving it. [`measure`] runs one shape that way through
//! the driver, compares every element, and relates the card's counter to that bound and to the exact model of
//! `mattock_hw::gemm`.

use crate::reference::{self, Layout};
use mattock::{Context, Error, GemmOptions, GemmStats, View, ViewMut};
use mattock_hw::gemm::{Array, Geometry, compute_cycles, cycle_bound};
use mattock_spec::CardConfig;
use rand::{Rng, SeedableRng, rngs::StdRng};

/// Largest dimension the contract is measured for.
pub const LARGEST: usize = 257;

/// The arrays it is measured on: square ones of two sizes, a wide and a tall one.
pub const ARRAYS: [[u32; 2]; 4] = [[8, 8], [16, 16], [8, 16], [16, 4]];

/// Sizes at which an array of `rows` x `cols` changes its ways.
pub fn corners(rows: u32, cols: u32) -> Vec<usize> {
    let (rows, cols) = (rows as usize, cols as usize);
    let mut sizes = vec![1, 2, rows - 1, rows, rows + 1, cols - 1, cols, cols + 1];
    sizes.extend([2 * rows + 1, 64, 128, 256, LARGEST]);
    sizes.retain(|size| *size > 0);
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

/// A card with one array, and buffers that hold every product up to [`LARGEST`].
///
/// # Panics
/// Never for the arrays of [`ARRAYS`].
pub fn card(rows: u32, cols: u32) -> CardConfig {
    let text = format!(
        "name = \"contract{rows}x{cols}\"\nhost = \"axi\"\ncontrol = \"host\"\n\
         [memory]\nbus_bytes = 64\naddress_bits = 40\n\
         [gemm]\nrows = {rows}\ncols = {cols}\ntuples = [\"i8,i8,i32\"]\n\
         a_kib = 256\nb_kib = 256\nresult_kib = 1024\nalign = 64\n"
    );
    CardConfig::from_toml(&text).unwrap_or_else(|e| panic!("{e}"))
}

/// One product on chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// M, N and K.
    pub shape: [usize; 3],
    /// First operand in to last result out, by the card's counter.
    pub cycles: u64,
    /// The same by the model.
    pub predicted: u64,
    /// What the contract allows.
    pub allowed: u64,
}

impl Measured {
    /// Cycles left of what is allowed; negative when the contract is broken.
    pub fn slack(&self) -> i64 {
        self.allowed as i64 - self.cycles as i64
    }

    /// Multiply-adds per PE and cycle.
    pub fn utilization(&self, rows: u32, cols: u32) -> f64 {
        let macs: f64 = self.shape.iter().map(|x| *x as f64).product();
        macs / (f64::from(rows) * f64::from(cols) * self.cycles as f64)
    }
}

/// Multiplies random int8 operands of a shape on chip.
///
/// # Errors
/// The driver's, or the number of wrong elements, in words.
///
/// # Panics
/// When the card has no dense engine.
pub fn measure(card: &Context, shape: [usize; 3], seed: u64) -> Result<Measured, String> {
    let [m, n, k] = shape;
    let mut rng = StdRng::seed_from_u64(seed);
    let mut random = |len: usize| -> Vec<i8> { (0..len).map(|_| rng.random()).collect() };
    let (a, b) = (random(m * k), random(k * n));
    let multiply = || -> Result<(Vec<i32>, GemmStats), Error> {
        let (a, b) = (View::<i8>::rows(&a, m, k)?, View::<i8>::rows(&b, k, n)?);
        let mut d = vec![0i32; m * n];
        let options = GemmOptions { resident: true, ..GemmOptions::default() };
        let event = card.gemm(&options, 1, a, b, 0, ViewMut::<i32>::rows(&mut d, m, n)?)?;
        let stats = event.wait()?;
        Ok((d, stats))
    };
    let (d, stats) = multiply().map_err(|e| format!("{shape:?}: {e}"))?;
    let mut expected = vec![0; m * n];
    let layout = Layout::row_major;
    reference::gemm((&a, layout(m, k)), (&b, layout(k, n)), (&mut expected, layout(m, n)))
        .map_err(|e| format!("{shape:?}: {e}"))?;
    let wrong = expected.iter().zip(&d).filter(|(want, got)| want != got).count();
    if wrong > 0 || d.len() != expected.len() {
        return Err(format!("{shape:?}: {wrong} elements are wrong"));
    }
    let caps = card.capabilities().gemm.expect("a dense engine");
    let g = Geometry::new(caps.rows, caps.cols);
    let (shape_of_pes, k_split) = (g.shape(), caps.k_split);
    let array = Array { rows: g.rows, cols: g.cols, pe: g.pe, shape: shape_of_pes, k_split };
    let dims = shape.map(|x| x as u64);
    let (rows, cols) = (g.rows.into(), g.cols.into());
    Ok(Measured {
        shape,
        cycles: stats.compute_cycles,
        predicted: compute_cycles(dims, rows, cols, array.latency().into()),
        allowed: cycle_bound(dims, rows, cols),
    })
}
