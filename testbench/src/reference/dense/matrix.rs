//! Whole products of matrices of codes.

use super::{Combination, Epilogue, IntMode, Lfsr, Number, RoundTo, TcProfile};
use super::{ExactSum, chain_dot, int_dot, scale_add, tc_dot};
use mattock_spec::{Format, Rounding, Tuple, Value};

/// How products are summed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// Integers.
    Int(IntMode),
    /// All products and C in one sum, one rounding.
    Exact,
    /// Fused multiply-adds in the accumulator's format, k ascending.
    Chain,
    /// As a tensor core does.
    TensorCore(TcProfile),
}

/// What a mode cannot do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsupported {
    /// An integer mode for floats, or the reverse.
    #[error(
        "{tuple} has no such mode: integers sum as integers, floats as fp-exact, fp-chain or fp-tc"
    )]
    Mode {
        /// The tuple.
        tuple: Tuple,
    },
    /// Deeper than the accumulator is proven for.
    #[error("K = {k} is above {most}, to which sums of {tuple} are exact")]
    TooDeep {
        /// The tuple.
        tuple: Tuple,
        /// Asked for.
        k: usize,
        /// What fits.
        most: u64,
    },
}

/// `D = epilogue(alpha*A*B + beta*C)`, every bit of it.
#[derive(Clone, Debug)]
pub struct DenseGemm {
    /// Formats.
    pub tuple: Tuple,
    /// How sums are formed.
    pub mode: Mode,
    /// How the result is rounded.
    pub rounding: Rounding,
    /// Results past the largest value become it.
    pub saturate: bool,
    /// Rounds stochastically instead, with this seed.
    pub stochastic: Option<u32>,
    /// alpha and beta, of float tuples.
    pub combination: Combination,
}

impl DenseGemm {
    /// `D = A*B` of the tuple in its default mode, which is that of cards: integers wrap, floats are exact or
    /// [chained](Tuple::is_chained), rounded to nearest even.
    pub fn new(tuple: Tuple) -> DenseGemm {
        let mode = match tuple.a.is_integer() {
            true => Mode::Int(IntMode::Wrap),
            false if tuple.is_chained() => Mode::Chain,
            false => Mode::Exact,
        };
        DenseGemm {
            tuple,
            mode,
            rounding: Rounding::Rne,
            saturate: false,
            stochastic: None,
            combination: Combination::PRODUCT,
        }
    }

    /// Codes of D (M x N) from codes of A (M x K) and B (K x N), all row by row. `c` are codes of binary32 (floats) or
    /// 32-bit integers, M x N; empty: zeros.
    ///
    /// # Errors
    /// [`Unsupported`].
    ///
    /// # Panics
    /// When the slices have other lengths.
    pub fn product(
        &self,
        a: &[u32],
        b: &[u32],
        c: &[u32],
        [m, n, k]: [usize; 3],
    ) -> Result<Vec<u32>, Unsupported> {
        assert_eq!((a.len(), b.len()), (m * k, k * n), "lengths of the operands");
        assert!(c.is_empty() || c.len() == m * n, "length of C");
        self.check(k)?;
        let decode = |format: Format, codes: &[u32]| -> Vec<Number> {
            codes.iter().map(|&code| Number::of(format, code)).collect()
        };
        if let Mode::Int(mode) = self.mode {
            return Ok(self.integers(mode, a, b, c, [m, n, k]));
        }
        let (a, b) = (decode(self.tuple.a, a), decode(self.tuple.b, b));
        let mut d = Vec::with_capacity(m * n);
        for i in 0..m {
            for j in 0..n {
                let products = (0..k).map(|l| (a[i * k + l], b[l * n + j]));
                let c = c.get(i * n + j).copied().unwrap_or(0);
                d.push(self.element(products, c, (i * n + j) as u64));
            }
        }
        Ok(d)
    }

    /// Refuses what the mode does not promise.
    ///
    /// # Errors
    /// [`Unsupported`].
    pub fn check(&self, k: usize) -> Result<(), Unsupported> {
        let tuple = self.tuple;
        if tuple.a.is_integer() != matches!(self.mode, Mode::Int(_)) {
            return Err(Unsupported::Mode { tuple });
        }
        let most = match self.mode {
            Mode::Int(IntMode::Exact) => tuple.exact_depth(),
            Mode::Exact => tuple.window().map(|w| w.k_max),
            _ => None,
        };
        match most {
            Some(most) if k as u64 > most => Err(Unsupported::TooDeep { tuple, k, most }),
            _ => Ok(()),
        }
    }

    /// Where element `index` (row * N + column) is rounded to.
    pub fn round_to(&self, index: u64) -> RoundTo {
        let random = self.stochastic.map(|seed| Lfsr::for_element(seed, index).draw());
        RoundTo { format: self.tuple.d, rounding: self.rounding, saturate: self.saturate, random }
    }

    fn element(&self, products: impl Iterator<Item = (Number, Number)>, c: u32, index: u64) -> u32 {
        let to = self.round_to(index);
        let c_value = Number::of(Format::F32, c);
        let acc = RoundTo { format: self.tuple.acc, ..to };
        let widened = |code: u32| to.round(self.tuple.acc.decode(code).to_f64());
        match self.mode {
            Mode::Int(_) => unreachable!("integers are summed apart"),
            Mode::Exact => {
                let mut sum = ExactSum::new();
                products.for_each(|(a, b)| sum.add(a.times(b)));
                scale_add(sum, c_value, self.combination, &to)
            }
            Mode::Chain => {
                let start = if self.combination.beta == 1.0 {
                    acc.round(f32::from_bits(c).into())
                } else {
                    0
                };
                let sum = chain_dot(products, start, &acc);
                if self.tuple.acc == self.tuple.d { sum } else { widened(sum) }
            }
            Mode::TensorCore(profile) => {
                let lowest = |f: Format| match f {
                    Format::Float(f) => 1 - f.bias(),
                    _ => 0,
                };
                let lowest = (lowest(self.tuple.a), lowest(self.tuple.b));
                let products: Vec<_> = products.collect();
                let start = if self.combination.beta == 1.0 { f32::from_bits(c) } else { 0.0 };
                let sum = tc_dot(&products, lowest, start, &profile);
                if self.tuple.d == Format::F32 { sum.to_bits() } else { to.round(sum.into()) }
            }
        }
    }

    fn integers(
        &self,
        mode: IntMode,
        a: &[u32],
        b: &[u32],
        c: &[u32],
        [m, n, k]: [usize; 3],
    ) -> Vec<u32> {
        let decode = |format: Format, codes: &[u32]| -> Vec<i64> {
            codes
                .iter()
                .map(|&code| match format.decode(code) {
                    Value::Int(i) => i,
                    Value::Float(_) => unreachable!("integer tuples have integer operands"),
                })
                .collect()
        };
        let (a, b) = (decode(self.tuple.a, a), decode(self.tuple.b, b));
        let epilogue = Epilogue::<i32>::default();
        let mut d = Vec::with_capacity(m * n);
        for i in 0..m {
            for j in 0..n {
                let products = (0..k).map(|l| (a[i * k + l], b[l * n + j]));
                let c = c.get(i * n + j).map_or(0, |&c| i64::from(c as i32));
                let sum = int_dot(products, c, self.tuple.acc.bits(), mode).expect("K was checked");
                let to = RoundTo { random: None, ..self.round_to(0) };
                d.push(epilogue.apply(sum as i32, (i, j, n), &to));
            }
        }
        d
    }
}
