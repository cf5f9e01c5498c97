//! The rounding at the end of a sum.

use mattock_spec::{Format, Rounding, Value};

/// To which format, how, and what becomes of values out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundTo {
    /// The result.
    pub format: Format,
    /// Which neighbour; ignored when `random` is given.
    pub rounding: Rounding,
    /// Values past the largest finite one become that, infinities too.
    pub saturate: bool,
    /// Stochastic rounding with these 16 bits.
    pub random: Option<u16>,
}

/// The code of a rounded value.
pub type Rounded = u32;

impl RoundTo {
    /// To nearest, ties to even, overflow as IEEE 754 has it.
    pub fn nearest(format: Format) -> RoundTo {
        RoundTo { format, rounding: Rounding::Rne, saturate: false, random: None }
    }

    /// `value` as a code: exact for every `f64`, and for exact sums that were rounded to odd.
    ///
    /// A zero, whatever its sign, gives +0, with rounding down -0.
    pub fn round(&self, value: f64) -> Rounded {
        if value == 0.0 {
            let down = self.rounding == Rounding::Rd && self.random.is_none();
            let zero = if down { -0.0 } else { 0.0 };
            return self.format.encode(Value::Float(zero), Rounding::Rne, self.saturate);
        }
        match self.random {
            None => self.format.encode(Value::Float(value), self.rounding, self.saturate),
            Some(random) => self.stochastic(value, random),
        }
    }

    /// The neighbour away from zero when the first 16 bits of the dropped fraction plus `random` carry out.
    ///
    /// The two neighbours are the results of rounding toward and away from zero.
    fn stochastic(&self, value: f64, random: u16) -> Rounded {
        let toward = |rounding| self.format.encode(Value::Float(value), rounding, true);
        let away = if value < 0.0 { Rounding::Rd } else { Rounding::Ru };
        let low = toward(Rounding::Rz);
        let low_value = self.format.decode(low).to_f64();
        if !value.is_finite() || low_value == value {
            return self.format.encode(Value::Float(value), Rounding::Rz, self.saturate);
        }
        // What the dropped part is a fraction of. Past the largest number that is the distance to the next one, had the
        // exponent range been wider.
        let unit = ulp(self.format, low_value);
        let fraction = (value.abs() - low_value.abs()) / unit;
        let overflows = fraction >= 1.0;
        let first_bits = (fraction * 65536.0).floor();
        if overflows || first_bits + f64::from(random) >= 65536.0 {
            self.format.encode(Value::Float(value), away, self.saturate)
        } else {
            low
        }
    }
}

/// Distance between neighbours around `value`; integers are 1 apart.
fn ulp(format: Format, value: f64) -> f64 {
    match format {
        Format::Float(f) => {
            let leading = (value.abs().to_bits() >> 52) as i32 - 1023;
            2f64.powi(leading.max(1 - f.bias()) - f.mantissa_bits() as i32)
        }
        Format::Int(_) => 1.0,
        Format::Bipolar(_) => 2.0,
    }
}

/// The generator of stochastic rounding: 32-bit Galois register of x^32 + x^22 + x^2 + x + 1 (period 2^32 - 1).
///
/// The random bits of an element depend on the seed and on the element's place in D only, so that every order in
/// which a card computes elements gives the same result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lfsr {
    state: u32,
}

impl Lfsr {
    const TAPS: u32 = 0x8020_0003;

    /// The register for element `index` = row * N + column: the seed XOR (index + 1) * 0x9e3779b1, never 0.
    pub fn for_element(seed: u32, index: u64) -> Lfsr {
        let state = seed ^ (index as u32).wrapping_add(1).wrapping_mul(0x9e37_79b1);
        Lfsr { state: if state == 0 { 1 } else { state } }
    }

    /// One step.
    pub fn step(&mut self) {
        let out = self.state & 1;
        self.state = (self.state >> 1) ^ (out * Lfsr::TAPS);
    }

    /// 32 steps, then the low 16 bits.
    pub fn draw(&mut self) -> u16 {
        (0..32).for_each(|_| self.step());
        self.state as u16
    }

    /// The register.
    pub fn state(&self) -> u32 {
        self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stochastic_rounding_picks_each_neighbour_as_often_as_it_should() {
        let e4m3: Format = "e4m3".parse().unwrap();
        for (value, expected) in
            [(1.0 + 1.0 / 32.0, 0.25), (-1.1, 0.8), (0.001, 0.512), (440.0, 0.75)]
        {
            let mut away = 0.0;
            let mut total = 0.0;
            for random in 0..=u16::MAX {
                let to = RoundTo { random: Some(random), ..RoundTo::nearest(e4m3) };
                let got = e4m3.decode(to.round(value)).to_f64();
                away += f64::from(u8::from(got.abs() > f64::abs(value)));
                total += got;
            }
            assert!((away / 65536.0 - expected).abs() <= 1.0 / 65536.0, "{value}: {away}");
            assert!((total / 65536.0 - value).abs() < 1e-3, "{value}: mean {}", total / 65536.0);
        }
    }

    #[test]
    fn the_register_has_the_longest_period() {
        // x^(2^32) = x, and the order does not divide (2^32 - 1) / p for its primes 3, 5, 17, 257, 65537:
        // the register's step is multiplication by x, so jumping by doubling proves it without 2^32 steps.
        let jump = |steps: u64| {
            // Images of the unit vectors under one step, squared and multiplied.
            let apply = |m: &[u32; 32], v: u32| {
                (0..32).filter(|i| v >> i & 1 == 1).fold(0, |sum, i| sum ^ m[i])
            };
            let mut power: [u32; 32] = std::array::from_fn(|i| {
                let mut r = Lfsr { state: 1 << i };
                r.step();
                r.state
            });
            let mut state = 1u32;
            let mut left = steps;
            while left > 0 {
                if left & 1 == 1 {
                    state = apply(&power, state);
                }
                power = std::array::from_fn(|i| apply(&power, power[i]));
                left >>= 1;
            }
            state
        };
        let order = (1u64 << 32) - 1;
        assert_eq!(jump(order), 1);
        for prime in [3, 5, 17, 257, 65537] {
            assert_ne!(jump(order / prime), 1, "{prime}");
        }
    }
}
