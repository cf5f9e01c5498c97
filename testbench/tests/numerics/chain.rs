//! `fp-chain` against rustc_apfloat (a translation of LLVM's APFloat) and this machine's own fused multiply-add.

use crate::jobs::format;
use mattock_spec::{Format, Rounding};
use mattock_testbench::reference::dense::{Number, RoundTo, chain_dot};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rustc_apfloat::ieee::Single;
use rustc_apfloat::{Float, Round};

/// Chains of `k` steps in every rounding mode: dot products tried, mismatches.
pub(crate) fn check(cases: usize) -> (u64, u64) {
    let mut rng = StdRng::seed_from_u64(11);
    let modes = [
        (Rounding::Rne, Round::NearestTiesToEven),
        (Rounding::Rz, Round::TowardZero),
        (Rounding::Ru, Round::TowardPositive),
        (Rounding::Rd, Round::TowardNegative),
        (Rounding::Rna, Round::NearestTiesToAway),
    ];
    let operands = ["f32", "bf16", "f16", "e5m2", "e4m3"];
    let (mut tried, mut wrong) = (0, 0);
    for case in 0..cases {
        let (a, b) = (format(operands[case % 5]), format(operands[case / 5 % 5]));
        let (rounding, round) = modes[case / 25 % 5];
        let k = 1 + case % 9;
        let mut code = |f: Format| loop {
            let mut code = rng.random::<u32>() & ((1u64 << f.bits()) - 1) as u32;
            if case % 3 != 0 && f.bits() > 8 && f.name() != "f16" {
                // Exponents near 1, so that the steps interfere.
                let shift = f.bits() - 9;
                code = code & !(0xff << shift) | (115 + (code >> shift & 0xff) % 26) << shift;
            }
            if case % 11 == 0 || f.decode(code).to_f64().is_finite() {
                break code;
            }
        };
        let terms: Vec<(u32, u32)> = (0..k).map(|_| (code(a), code(b))).collect();
        let start = if case % 2 == 0 { 0 } else { code(Format::F32) };
        let to = RoundTo { rounding, ..RoundTo::nearest(Format::F32) };
        let products = terms.iter().map(|&(x, y)| (Number::of(a, x), Number::of(b, y)));
        let got = chain_dot(products, start, &to);
        let single =
            |f: Format, x: u32| Single::from_bits((f.decode(x).to_f64() as f32).to_bits().into());
        let expected = terms.iter().fold(Single::from_bits(start.into()), |acc, &(x, y)| {
            single(a, x).mul_add_r(single(b, y), acc, round).value
        });
        let expected = if expected.is_nan() { 0x7fc0_0000 } else { expected.to_bits() as u32 };
        let mut agrees = got == expected;
        if rounding == Rounding::Rne {
            let host = terms.iter().fold(f32::from_bits(start), |acc, &(x, y)| {
                let of = |f: Format, x| f.decode(x).to_f64() as f32;
                of(a, x).mul_add(of(b, y), acc)
            });
            agrees &= if host.is_nan() { got == 0x7fc0_0000 } else { host.to_bits() == got };
        }
        if !agrees && wrong < 5 {
            eprintln!(
                "{a},{b} {rounding:?} from {start:#x}: {got:#x}, APFloat {expected:#x}, terms {terms:x?}"
            );
        }
        (tried, wrong) = (tried + 1, wrong + u64::from(!agrees));
    }
    (tried, wrong)
}
