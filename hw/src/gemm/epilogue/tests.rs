//! Lanes against the model, a sum in every cycle.

use super::{EpilogueLane, Requantise};
use mattock_spec::{Format, Rounding};
use mattock_testbench::reference::dense::{
    Activation, Bias, Epilogue, Requant, RoundTo, Scale, double_rounding, half_even,
    quantized_multiplier, single_rounding,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rtl_gen::{Design, Interpreter};

/// Sums of every size, both signs, the ends often.
fn sum(rng: &mut StdRng) -> i32 {
    match rng.random_range(0..10) {
        0 => [0, 1, -1, i32::MAX, i32::MIN, i32::MIN + 1, 1 << 30, -(1 << 30)]
            [rng.random_range(0..8)],
        1 => rng.random_range(-20..20),
        _ => rng.random::<i32>() >> rng.random_range(0..31),
    }
}

/// Factors of every size; powers of two and halves of odd numbers, which make ties, often.
fn factor(rng: &mut StdRng) -> f32 {
    let exponent = 2f32.powi(rng.random_range(-34..29));
    match rng.random_range(0..4) {
        0 => exponent,
        1 => (rng.random_range(0..64) as f32 + 0.5) / 64.0,
        _ => rng.random_range(1.0..2.0) * exponent,
    }
}

/// What `Requantise` takes for a factor.
fn coded(requant: Requant, factor: f32) -> (u64, u64) {
    match requant {
        Requant::HalfEven => (factor.to_bits().into(), 0),
        _ => {
            let (multiplier, shift) = quantized_multiplier(factor.into());
            (multiplier as u64, shift as u64 & 0x3f)
        }
    }
}

const REQUANTS: [Requant; 3] =
    [Requant::DoubleRounding, Requant::SingleRounding, Requant::HalfEven];

#[test]
fn sums_are_requantised_as_in_the_model() {
    let design = Design::elaborate(&Requantise).expect("elaborates");
    let mut sim = Interpreter::new(&design).expect("simulates");
    let mut rng = StdRng::seed_from_u64(8);
    for (mode, requant) in (1..).zip(REQUANTS) {
        sim.set("mode", mode);
        let cases: Vec<(i32, f32)> =
            (0..20_000).map(|_| (sum(&mut rng), factor(&mut rng))).collect();
        let latency = Requantise::LATENCY as usize;
        for cycle in 0..cases.len() + latency {
            if let Some(&(sum, factor)) = cases.get(cycle) {
                let (factor, shift) = coded(requant, factor);
                sim.set("sum", (sum as u32).into());
                sim.set("factor", factor);
                sim.set("shift", shift);
            }
            if let Some(&(sum, factor)) = cycle.checked_sub(latency).and_then(|i| cases.get(i)) {
                let (multiplier, shift) = quantized_multiplier(factor.into());
                let want = match requant {
                    Requant::DoubleRounding => double_rounding(sum, multiplier, shift),
                    Requant::SingleRounding => single_rounding(sum, multiplier, shift),
                    Requant::HalfEven => half_even(sum, factor),
                };
                let got = sim.get("result") as u32 as i32;
                assert_eq!(got, want, "{sum} times {factor} ({multiplier}, {shift}), {requant:?}");
            }
            sim.tick();
        }
    }
}

/// A random epilogue of one column, and the type it gives.
fn random(rng: &mut StdRng, leaky: bool) -> (Epilogue<i32>, RoundTo) {
    let format = [Format::I8, Format::I4, Format::uint(8), Format::I32][rng.random_range(0..4)];
    let activation = match rng.random_range(0..4) {
        0 => Activation::None,
        1 => Activation::Relu,
        2 if leaky => Activation::Leaky { slope: [0.01, 0.5, 0.2][rng.random_range(0..3)] },
        _ => Activation::Clamp { low: -3.5, high: 6.0 },
    };
    let epilogue = Epilogue {
        zero_point: rng.random_range(-128..128),
        requant: REQUANTS[rng.random_range(0..3)],
        activation,
        ..Epilogue::default()
    };
    let (rounding, saturate) = (Rounding::Rne, rng.random_bool(0.8));
    (epilogue, RoundTo { format, rounding, saturate, random: None })
}

/// One sum with parameters of its own.
struct Case {
    sum: i32,
    bias: i32,
    factor: Option<f32>,
    residual: i32,
}

impl Case {
    fn new(rng: &mut StdRng, scaled: bool) -> Case {
        let (bias, residual) = (rng.random_range(-1000..1000), rng.random_range(-40..40));
        // Sums that land near the range of the type, and others.
        let near = rng.random_range(-30_000..30_000);
        let sum = if rng.random_bool(0.7) { near } else { sum(rng) };
        let factor = if rng.random_bool(0.7) { rng.random_range(0.001..0.02) } else { factor(rng) };
        Case { sum, bias, factor: scaled.then_some(factor), residual }
    }

    fn expected(&self, epilogue: &Epilogue<i32>, to: &RoundTo) -> u32 {
        let epilogue = Epilogue {
            bias: Bias::Column(vec![self.bias]),
            scale: self.factor.map_or(Scale::None, Scale::Tensor),
            residual: Some(vec![self.residual]),
            ..epilogue.clone()
        };
        epilogue.apply(self.sum, (0, 0, 1), to)
    }
}

#[test]
fn lanes_do_what_the_model_does() {
    for leaky in [false, true] {
        let lane = EpilogueLane { leaky, table: false };
        let design = Design::elaborate(&lane).expect("elaborates");
        let mut sim = Interpreter::new(&design).expect("simulates");
        let mut rng = StdRng::seed_from_u64(9);
        for command in 0..60 {
            let (epilogue, to) = random(&mut rng, leaky);
            let scaled = command % 5 != 0;
            let zero = i64::from(epilogue.zero_point);
            let all = (-(1i64 << 32), (1i64 << 32) - 1);
            let (low, high) = match epilogue.activation {
                Activation::Relu => (zero, all.1),
                Activation::Clamp { low, high } => (low.ceil() as i64, high.floor() as i64),
                _ => all,
            };
            let (least, most) = match to.format {
                Format::Int(f) => (f.min(), f.max()),
                _ => unreachable!("integers"),
            };
            let requant = REQUANTS.iter().position(|r| *r == epilogue.requant).map_or(0, |i| i + 1);
            let word = |value: i64| value as u64 & 0xffff_ffff;
            let wide = |value: i64| value as u64 & 0x1_ffff_ffff;
            for (name, value) in [
                ("requant", if scaled { requant as u64 } else { 0 }),
                ("zero", word(zero)),
                ("low", wide(low)),
                ("high", wide(high)),
                ("least", word(least)),
                ("most", word(most)),
                ("saturate", to.saturate.into()),
            ] {
                sim.set(name, value);
            }
            if leaky {
                let slope = match epilogue.activation {
                    Activation::Leaky { slope } => Some(slope),
                    _ => None,
                };
                sim.set("leaky", slope.is_some().into());
                sim.set("slope", slope.unwrap_or(0.0).to_bits().into());
            }
            let cases: Vec<Case> = (0..400).map(|_| Case::new(&mut rng, scaled)).collect();
            let latency = lane.latency() as usize;
            for cycle in 0..cases.len() + latency {
                if let Some(case) = cases.get(cycle) {
                    let (factor, shift) = coded(epilogue.requant, case.factor.unwrap_or(0.0));
                    for (name, value) in
                        [("sum", case.sum), ("bias", case.bias), ("residual", case.residual)]
                    {
                        sim.set(name, (value as u32).into());
                    }
                    sim.set("factor", factor);
                    sim.set("shift", shift);
                }
                if let Some(case) = cycle.checked_sub(latency).and_then(|i| cases.get(i)) {
                    let want = case.expected(&epilogue, &to);
                    let got = sim.get("code") as u32 & (u32::MAX >> (32 - to.format.bits()));
                    assert_eq!(got, want, "{} {:?}: {epilogue:?} {to:?}", case.sum, case.factor);
                }
                sim.tick();
            }
        }
    }
}
