//! The cycle contract of the dense engine, measured on simulated cards.
//!
//! With operands on chip a product takes at most `ceil(M/R) * ceil(N/C) * max(K, R) + R + C + 16` cycles from the
//! first operand entering the array to the last result leaving it; where sums are chained a step takes L cycles, which stands for K as
//! `L * K`. [`measure`] runs one shape that way through
//! the driver, compares every element, and relates the card's counter to that bound and to the exact model of
//! `mattock_hw::gemm`.

use crate::reference::{self, Layout};
use mattock::element::I4;
use mattock::{Context, DynView, DynViewMut, Error, GemmOptions, GemmStats, Order, Scalar, View};
use mattock_hw::gemm::Geometry;
use mattock_spec::format::Float;
use mattock_spec::{CardConfig, Format, Rounding, Value};
use rand::{Rng, SeedableRng, rngs::StdRng};

const F16: Format = Format::Float(Float::F16);

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

/// The same with sums chained in binary32, of f16; tiles have eight rows for each of the array's.
///
/// # Panics
/// With more than 32 rows.
pub fn chained_card(rows: u32, cols: u32) -> CardConfig {
    let text = card(rows, cols).to_toml().replace("i8,i8,i32", "f16,f16,f32");
    let text = text.replace("a_kib = 256", "a_kib = 1024").replace("b_kib = 256", "b_kib = 512");
    CardConfig::from_toml(&text).unwrap_or_else(|e| panic!("{e}"))
}

/// A matrix of random integers as the driver takes it: in f16 too, where sums of so few are exact.
struct Random {
    format: Format,
    values: Vec<i8>,
    /// Nibbles, the first in the low half, or halves; empty for i8.
    packed: Vec<u8>,
}

impl Random {
    /// Rows of nibbles begin with a byte.
    fn new(rows: usize, cols: usize, format: Format, rng: &mut StdRng) -> Self {
        let mut values: Vec<i8> = (0..rows * cols).map(|_| rng.random()).collect();
        let mut packed = vec![];
        if format == Format::I4 {
            values.iter_mut().for_each(|v| *v >>= 4);
            let nibble = |v: &i8| *v as u8 & 15;
            let byte = |pair: &[i8]| nibble(&pair[0]) | pair.get(1).map_or(0, nibble) << 4;
            packed = values.chunks(cols.max(1)).flat_map(|row| row.chunks(2).map(byte)).collect();
        }
        if format == F16 {
            let code =
                |v: &i8| format.encode(Value::Float((*v).into()), Rounding::Rne, false) as u16;
            packed = values.iter().flat_map(|v| code(v).to_le_bytes()).collect();
        }
        Random { format, values, packed }
    }

    fn view(&self, rows: usize, cols: usize) -> Result<DynView<'_>, Error> {
        Ok(match self.format {
            Format::I4 => View::<I4>::rows(&self.packed, rows, cols)?.into(),
            F16 => DynView::new(&self.packed, Order::Row, rows, cols, cols, F16)?,
            _ => View::<i8>::rows(&self.values, rows, cols)?.into(),
        })
    }
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

/// Multiplies random operands of the card's first tuple on chip.
///
/// # Errors
/// The driver's, or the number of wrong elements, in words.
///
/// # Panics
/// When `config`, which is the card's, has no dense engine.
pub fn measure(
    card: &Context,
    config: &CardConfig,
    shape: [usize; 3],
    seed: u64,
) -> Result<Measured, String> {
    let [m, n, k] = shape;
    let gemm = config.gemm.as_ref().expect("a dense engine");
    let tuple = gemm.tuples[0];
    let mut rng = StdRng::seed_from_u64(seed);
    let mut random = |rows, cols, format| Random::new(rows, cols, format, &mut rng);
    let (a, b) = (random(m, k, tuple.a), random(k, n, tuple.b));
    let multiply = || -> Result<(Vec<i32>, GemmStats), Error> {
        let (a, b) = (a.view(m, k)?, b.view(k, n)?);
        let mut d = vec![0u8; 4 * m * n];
        let options = GemmOptions { resident: true, ..GemmOptions::default() };
        let to = DynViewMut::new(&mut d, Order::Row, m, n, n, tuple.d)?;
        let (one, zero) = Scalar::one_and_zero(tuple.d);
        let stats = card.gemm_dyn(&options, one, a, b, zero, to)?.wait()?;
        let words = d.chunks_exact(4).map(|word| [word[0], word[1], word[2], word[3]]);
        let whole = |word| match tuple.d {
            Format::F32 => f32::from_le_bytes(word) as i32,
            _ => i32::from_le_bytes(word),
        };
        Ok((words.map(whole).collect(), stats))
    };
    let (d, stats) = multiply().map_err(|e| format!("{shape:?}: {e}"))?;
    let mut expected = vec![0; m * n];
    let layout = Layout::row_major;
    let (a, b) = ((&a.values[..], layout(m, k)), (&b.values[..], layout(k, n)));
    reference::gemm(a, b, (&mut expected, layout(m, n))).map_err(|e| format!("{shape:?}: {e}"))?;
    let wrong = expected.iter().zip(&d).filter(|(want, got)| want != got).count();
    if wrong > 0 || d.len() != expected.len() {
        return Err(format!("{shape:?}: {wrong} elements are wrong"));
    }
    let g = Geometry::of(gemm, config).map_err(|t| format!("{t} is not built"))?;
    let dims = shape.map(|x| x as u64);
    Ok(Measured {
        shape,
        cycles: stats.compute_cycles,
        predicted: g.compute_cycles(dims),
        allowed: g.cycle_bound(dims),
    })
}
