//! Random values: the same seed gives the same matrices on every machine.

use mattock_spec::Format;
use mattock_spec::Value;
use mattock_spec::format::Rounding;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// A source of matrix elements (ChaCha8).
pub(crate) struct Source(ChaCha8Rng);

impl Source {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// `count` values of an integer format, every value of it equally likely.
    ///
    /// A code of the format is drawn, so the range needs no case for signs or bipolar weights.
    pub(crate) fn integers(&mut self, format: Format, count: usize) -> Vec<i32> {
        let codes = u32::MAX >> (32 - format.bits());
        let draw = |_| match format.decode(self.0.random_range(0..=codes)) {
            Value::Int(value) => value as i32,
            Value::Float(value) => value as i32,
        };
        (0..count).map(draw).collect()
    }

    /// `count` elements of a format: values of integers, codes of finite floats; every one equally likely.
    pub(crate) fn elements(&mut self, format: Format, count: usize) -> Vec<i32> {
        let Format::Float(float) = format else { return self.integers(format, count) };
        let sign = 1 << (format.bits() - 1);
        let draw = |_| {
            let magnitude: u32 = self.0.random_range(0..=float.max_code());
            (magnitude | if self.0.random() { sign } else { 0 }) as i32
        };
        (0..count).map(draw).collect()
    }

    /// `count` 8-bit integers near to a normal distribution around 0 of standard deviation `sigma`.
    pub(crate) fn normal(&mut self, sigma: f64, count: usize) -> Vec<i8> {
        // A distribution of positive standard deviation.
        let normal = rand_distr::Normal::new(0.0, sigma).expect("a deviation");
        let draw = |_| self.0.sample(normal).round().clamp(-128.0, 127.0) as i8;
        (0..count).map(draw).collect()
    }

    /// `count` real numbers near to a normal distribution around 0 of standard deviation 1.
    pub(crate) fn normals(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.0.sample(rand_distr::StandardNormal)).collect()
    }

    /// A whole number from -100 to 100.
    pub(crate) fn whole(&mut self) -> i32 {
        self.0.random_range(-100..=100)
    }

    /// So many different numbers below `below`, rising.
    pub(crate) fn places(&mut self, below: usize, count: usize) -> Vec<usize> {
        let mut places = rand::seq::index::sample(&mut self.0, below, count).into_vec();
        places.sort_unstable();
        places
    }

    /// A real number from -1 to 1.
    pub(crate) fn real(&mut self) -> f32 {
        self.0.random_range(-1.0..=1.0)
    }
}

/// `value` as an accumulator of this format holds it: wrapped, not rounded.
pub(crate) fn wrapped(value: i32, accumulator: Format) -> i32 {
    let code = accumulator.encode(Value::Int(value.into()), Rounding::Rne, false);
    match accumulator.decode(code) {
        Value::Int(value) => value as i32,
        Value::Float(_) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fill_their_range_and_a_seed_names_them() {
        for (format, low, high) in
            [(Format::I4, -8, 7), (Format::I8, -128, 127), (Format::uint(4), 0, 15)]
        {
            let values = Source::new(1).integers(format, 20_000);
            assert_eq!((values.iter().min(), values.iter().max()), (Some(&low), Some(&high)));
            assert_eq!(values, Source::new(1).integers(format, 20_000));
            assert_ne!(values, Source::new(2).integers(format, 20_000));
        }
    }

    #[test]
    fn accumulators_wrap() {
        assert_eq!(wrapped(-1, Format::I32), -1);
        assert_eq!(wrapped(0x1_8000, Format::int(16)), -0x8000);
    }
}
