//! What is tried: every mode of the reference model on exhaustive and random operands.

use crate::jobs::{Jobs, Run, Size, format, name};
use mattock_spec::format::Float;
use mattock_spec::{Format, Rounding, Value};
use mattock_testbench::reference::dense::{
    Activation, Bias, Blocks, Combination, Epilogue, ExactSum, IntMode, Number, Requant, RoundTo,
    Scale, TcProfile, double_rounding, exact_dot, int_dot, quantized_multiplier, scale_add,
    single_rounding, tc_dot,
};
use rand::Rng;
use serde_json::json;

/// Result formats, rotated over the pairs so that every pair meets several and every format is met often.
const RESULTS: [&str; 6] = ["f32", "f16", "bf16", "e4m3", "e5m2", "e2m1"];
const OCP: [&str; 5] = ["e2m1", "e2m3", "e3m2", "e4m3", "e5m2"];

fn all_runs(turn: usize) -> Vec<Run> {
    let mut runs: Vec<Run> = Rounding::ALL
        .iter()
        .enumerate()
        .map(|(i, &rounding)| Run {
            format: format(RESULTS[(turn + i) % RESULTS.len()]),
            rounding: Some(rounding),
            saturate: (turn + i).is_multiple_of(3),
        })
        .collect();
    runs.push(Run {
        format: format(RESULTS[(turn + 5) % RESULTS.len()]),
        rounding: None,
        saturate: false,
    });
    runs
}

fn small_floats() -> Vec<Format> {
    Float::ALL.into_iter().map(Format::Float).filter(|f| f.bits() <= 8).collect()
}

/// Every pair of codes of every two floats of at most 8 bits.
pub(crate) fn exact_exhaustive(jobs: &mut Jobs) {
    let formats: Vec<Format> = match jobs.size {
        Size::Full => small_floats(),
        Size::Short => OCP.into_iter().map(format).collect(),
    };
    for (i, &a) in formats.iter().enumerate() {
        for (j, &b) in formats.iter().enumerate() {
            let turn = i * 7 + j;
            let all = all_runs(turn);
            let runs = &all[turn % all.len()..][..1];
            let products: Vec<ExactSum> = (0..1u32 << (a.bits() + b.bits()))
                .map(|code| {
                    let (x, y) = (code >> b.bits(), code & ((1 << b.bits()) - 1));
                    exact_dot([(Number::of(a, x), Number::of(b, y))], None)
                })
                .collect();
            add_exact(jobs, "fp-exact, all codes", (a, b), 1, &[], &products, runs);
        }
    }
}

/// Random sums of every pair of OCP formats, of pairs with f16, and of some other ExMy.
pub(crate) fn exact_sums(jobs: &mut Jobs) {
    let names = ["e2m1", "e2m3", "e3m2", "e4m3", "e5m2", "e3m4", "e1m4", "e4m0", "f16"];
    let count = jobs.size.pick(300, 6000);
    for (i, a) in names.iter().enumerate() {
        for (j, b) in names.iter().enumerate() {
            let k = [2, 3, 16, 33, 64, 128][(i * 5 + j) % 6];
            let (a, b) = (format(a), format(b));
            let (x, y) = (jobs.codes(a, count, k, true), jobs.codes(b, count, k, false));
            // The second half of B repeats the first where A's changes sign.
            let y: Vec<u32> = (0..count * k)
                .map(|at| {
                    let (case, i) = (at / k, at % k);
                    let again = case % 2 == 1 && i >= k.div_ceil(2);
                    if again { y[at - k.div_ceil(2)] } else { y[at] }
                })
                .collect();
            let sums: Vec<ExactSum> = x
                .chunks(k)
                .zip(y.chunks(k))
                .map(|(x, y)| {
                    let of = |(x, y): (&u32, &u32)| (Number::of(a, *x), Number::of(b, *y));
                    exact_dot(x.iter().zip(y).map(of), None)
                })
                .collect();
            let runs = all_runs(i * 5 + j);
            add_exact(jobs, "fp-exact, random sums", (a, b), k, &[&x, &y], &sums, &runs);
        }
    }
}

fn add_exact(
    jobs: &mut Jobs,
    suite: &str,
    (a, b): (Format, Format),
    k: usize,
    operands: &[&[u32]],
    sums: &[ExactSum],
    runs: &[Run],
) {
    let results: Vec<Vec<u32>> = runs.iter().map(|run| run.results(sums, &mut jobs.rng)).collect();
    let job = json!({
        "kind": "exact", "suite": suite, "judge": "ml_dtypes, gfloat, numpy", "pair": format!("{a},{b}"),
        "modes": runs.iter().map(|r| r.json()["round"].as_str().unwrap().to_owned()).collect::<Vec<_>>(),
        "a": a.name(), "b": b.name(), "b_bits": b.bits(), "k": k, "count": sums.len(),
        "exhaustive": operands.is_empty(), "runs": runs.iter().map(|r| r.json()).collect::<Vec<_>>(),
    });
    let words: Vec<&[u32]> =
        operands.iter().copied().chain(results.iter().map(Vec::as_slice)).collect();
    jobs.add(job, &words);
}

fn integers() -> Vec<Format> {
    let each = |prefix: &'static str| (1..=8).map(move |bits| format(&format!("{prefix}{bits}")));
    each("i").chain(each("u")).chain(each("b")).collect()
}

fn integer(format: Format, code: u32) -> i64 {
    match format.decode(code) {
        Value::Int(i) => i,
        Value::Float(_) => unreachable!(),
    }
}

/// Every pair of codes of all integers up to 8 bits, and random sums that wrap and saturate.
pub(crate) fn int_sums(jobs: &mut Jobs) {
    let formats = integers();
    for (i, &a) in formats.iter().enumerate() {
        for (j, &b) in formats.iter().enumerate() {
            if jobs.size == Size::Short && (i + j) % 4 != 0 {
                continue;
            }
            let results: Vec<u32> = (0..1u32 << (a.bits() + b.bits()))
                .map(|code| {
                    let (x, y) = (code >> b.bits(), code & ((1 << b.bits()) - 1));
                    int_dot([(integer(a, x), integer(b, y))], 0, 32, IntMode::Exact).unwrap() as u32
                })
                .collect();
            let job = json!({
                "kind": "int", "suite": "int, all codes", "judge": "numpy", "pair": format!("{a},{b}"), "modes": ["exact"],
                "a": a.name(), "b": b.name(), "b_bits": b.bits(), "k": 1, "count": results.len(), "exhaustive": true,
                "mode": "exact", "bits": 32,
            });
            jobs.add(job, &[&results]);
        }
    }
    let wide: Vec<Format> =
        formats.into_iter().chain([format("i12"), format("i16"), format("u16")]).collect();
    let count = jobs.size.pick(200, 1500);
    for (i, &a) in wide.iter().enumerate() {
        let b = wide[(i * 11 + 5) % wide.len()];
        for (mode, bits, text) in [
            (IntMode::Wrap, 32, "wrap"),
            (IntMode::Wrap, 20, "wrap"),
            (IntMode::Saturate, 18, "saturate"),
        ] {
            let k = [5, 64, 300][i % 3];
            let (x, y) = (jobs.codes(a, count, k, false), jobs.codes(b, count, k, false));
            let results: Vec<u32> = x
                .chunks(k)
                .zip(y.chunks(k))
                .map(|(x, y)| {
                    let products = x.iter().zip(y).map(|(&x, &y)| (integer(a, x), integer(b, y)));
                    int_dot(products, 0, bits, mode).unwrap() as u32
                })
                .collect();
            let job = json!({
                "kind": "int", "suite": "int, random sums", "judge": "numpy", "pair": format!("{a},{b}"), "modes": [text],
                "a": a.name(), "b": b.name(), "b_bits": b.bits(), "k": k, "count": count, "exhaustive": false,
                "mode": text, "bits": bits,
            });
            jobs.add(job, &[&x, &y, &results]);
        }
    }
}

/// Whole quantised products in ONNX Runtime.
pub(crate) fn onnx(jobs: &mut Jobs) {
    let repeats = jobs.size.pick(1, 6);
    for repeat in 0..repeats {
        // ONNX Runtime's CPU kernels: A unsigned with B of either sign, or both signed.
        for (a, b, d) in [("u8", "u8", "u8"), ("u8", "i8", "u8"), ("i8", "i8", "i8")] {
            let [m, n, k] = [[37, 41, 19], [64, 48, 129], [16, 100, 300]][repeat % 3];
            let (fa, fb, fd) = (format(a), format(b), format(d));
            let (x, y) = (jobs.codes(fa, 1, m * k, false), jobs.codes(fb, 1, k * n, false));
            let sums: Vec<i32> = (0..m * n)
                .map(|at| {
                    let (i, j) = (at / n, at % n);
                    let products =
                        (0..k).map(|l| (integer(fa, x[i * k + l]), integer(fb, y[l * n + j])));
                    int_dot(products, 0, 32, IntMode::Exact).unwrap() as i32
                })
                .collect();
            let words: Vec<u32> = sums.iter().map(|&s| s as u32).collect();
            let job = |op: &str, scales: usize, zero: i32| {
                json!({
                    "kind": "onnx", "suite": format!("int, {op}"), "judge": "onnxruntime", "pair": format!("{a},{b}"),
                    "modes": ["half-even"], "op": op, "a": a, "b": b, "d": d, "m": m, "n": n, "k": k,
                    "scales": scales, "zero": zero,
                })
            };
            jobs.add(job("MatMulInteger", 0, 0), &[&x, &y, &words]);
            for per_column in [false, true] {
                let scales = if per_column { n } else { 1 };
                // Results spread over the range, a factor of exactly 1/2 or 1/8 making ties.
                let typical = 40.0 / (f64::from(k as u32).sqrt() * 5000.0);
                let factors: Vec<f32> = (0..scales)
                    .map(|i| match i % 3 {
                        0 if per_column => 2f32.powi((typical.log2() as i32).min(-3)),
                        _ => (typical * jobs.rng.random_range(0.5..2.0)) as f32,
                    })
                    .collect();
                let zero = if d == "u8" { 117 } else { -9 };
                let epilogue = Epilogue::<i32> {
                    scale: if per_column {
                        Scale::Column(factors.clone())
                    } else {
                        Scale::Tensor(factors[0])
                    },
                    requant: Requant::HalfEven,
                    zero_point: zero,
                    ..Epilogue::default()
                };
                let to = RoundTo { saturate: true, ..RoundTo::nearest(fd) };
                let codes: Vec<u32> = (0..m * n)
                    .map(|at| epilogue.apply(sums[at], (at / n, at % n, n), &to) & 0xff)
                    .collect();
                let bits: Vec<u32> = factors.iter().map(|f| f.to_bits()).collect();
                jobs.add(job("QLinearMatMul", scales, zero), &[&x, &y, &bits, &codes]);
            }
        }
    }
    // Casts of floats to integers: every tie, and values out of range.
    for d in ["i8", "u8"] {
        let values: Vec<f32> = (-1200..=1200).map(|i| i as f32 / 4.0).chain([1e9, -1e9]).collect();
        let to = RoundTo { saturate: true, ..RoundTo::nearest(format(d)) };
        let codes: Vec<u32> = values.iter().map(|&v| to.round(v.into()) & 0xff).collect();
        let job = json!({
            "kind": "quantize", "suite": "cast, QuantizeLinear", "judge": "onnxruntime", "pair": format!("f32,{d}"),
            "modes": ["rne"], "d": d, "count": values.len(),
        });
        let bits: Vec<u32> = values.iter().map(|v| v.to_bits()).collect();
        jobs.add(job, &[&bits, &codes]);
    }
}

/// TFLite's two requantisations, from their published definitions.
pub(crate) fn requant(jobs: &mut Jobs) {
    let count = jobs.size.pick(4000, 60_000);
    for (mode, by) in
        [("double", double_rounding as fn(i32, i32, i32) -> i32), ("single", single_rounding)]
    {
        let mut x: Vec<i32> = (0..count).map(|i| jobs.rng.random::<i32>() >> (i % 28)).collect();
        x[..4].copy_from_slice(&[i32::MIN, i32::MAX, 0, -1]);
        let factors: Vec<f32> = (0..count)
            .map(|i| match i % 4 {
                0 => 2f32.powi(-(i as i32 / 4 % 24)),
                1 => jobs.rng.random_range(0.0..8.0),
                _ => jobs.rng.random_range(0.5..1.0) * 2f32.powi(-jobs.rng.random_range(0..30)),
            })
            .collect();
        let results: Vec<u32> = x
            .iter()
            .zip(&factors)
            .map(|(&x, &factor)| {
                let (multiplier, shift) = quantized_multiplier(factor.into());
                by(x, multiplier, shift) as u32
            })
            .collect();
        let job = json!({
            "kind": "requant", "suite": "requantise, TFLite", "judge": "Python integers", "pair": "i32,i32",
            "modes": [mode], "mode": mode, "count": count,
        });
        let x: Vec<u32> = x.iter().map(|&x| x as u32).collect();
        let factors: Vec<u32> = factors.iter().map(|f| f.to_bits()).collect();
        jobs.add(job, &[&x, &factors, &results]);
    }
}

/// MX, NVFP4 and grouped integers.
pub(crate) fn blocks(jobs: &mut Jobs) {
    let count = jobs.size.pick(30, 800);
    let cases = [
        ("mx", "e4m3", "e4m3", 32, 70),
        ("mx", "e5m2", "e4m3", 32, 64),
        ("mx", "e2m1", "e2m3", 32, 33),
        ("mx", "e3m2", "e2m1", 32, 96),
        ("mx", "i8", "i8", 32, 64),
        ("nvfp4", "e2m1", "e2m1", 16, 40),
        ("group", "i8", "u4", 32, 80),
        ("group", "u4", "i4", 64, 128),
    ];
    for (kind, a, b, size, k) in cases {
        let per_line = usize::div_ceil(k, size);
        let mut words: Vec<Vec<u32>> = vec![];
        let mut sides: Vec<(Blocks, Vec<u32>, Format)> = vec![];
        for name in [a, b] {
            let format = format(name);
            let codes = jobs.codes(format, count, k, false);
            let scales: Vec<u32> = (0..count * per_line)
                .map(|i| match (kind, i % 97) {
                    ("mx", 0) => 255,
                    ("mx", 1..=20) => jobs.rng.random_range(0..255),
                    ("mx", _) => jobs.rng.random_range(117..137),
                    ("nvfp4", 0) => 0x7f,
                    ("nvfp4", _) => jobs.rng.random_range(0..0x7f),
                    _ => jobs.rng.random_range(0x0001..0x7c00), // f16: positive, subnormals too
                })
                .collect();
            let zeros: Vec<u32> =
                (0..count * per_line).map(|_| jobs.rng.random_range(0..16)).collect();
            let bytes: Vec<u8> = scales.iter().map(|&s| s as u8).collect();
            let block = match kind {
                "mx" => Blocks::Mx { size, scales: bytes },
                "nvfp4" => Blocks::Nvfp4 { scales: bytes },
                _ => Blocks::Group {
                    size,
                    scale_format: Format::Float(Float::F16),
                    scales: scales.clone(),
                    zeros: zeros.iter().map(|&z| z as i32).collect(),
                },
            };
            words.push(codes.clone());
            words.push(scales);
            if kind == "group" {
                words.push(zeros);
            }
            sides.push((block, codes, format));
        }
        let value = |side: &(Blocks, Vec<u32>, Format), line: usize, at: usize| {
            side.0.value(side.2, side.1[line * k + at], line, at, k)
        };
        let results: Vec<u32> = (0..count)
            .map(|i| {
                let products = (0..k).map(|l| (value(&sides[0], i, l), value(&sides[1], i, l)));
                exact_dot(products, None).round(&RoundTo::nearest(Format::F32))
            })
            .collect();
        words.push(results);
        let job = json!({
            "kind": "blocks", "suite": format!("fp-exact, blocks {kind}"), "judge": "gfloat, Fractions", "pair": format!("{a},{b}"),
            "modes": ["rne"], "blocks": kind, "a": a, "b": b, "size": size, "k": k, "count": count,
        });
        let words: Vec<&[u32]> = words.iter().map(Vec::as_slice).collect();
        jobs.add(job, &words);
    }
}

/// alpha and beta.
pub(crate) fn combine(jobs: &mut Jobs) {
    let count = jobs.size.pick(150, 4000);
    for (i, rounding) in Rounding::ALL.into_iter().enumerate() {
        let (a, b) = [("e4m3", "e4m3"), ("e2m1", "e3m2"), ("e5m2", "e4m3")][i % 3];
        let (fa, fb, k) = (format(a), format(b), 24);
        let finite = |jobs: &mut Jobs, f: Format, n: usize| -> Vec<u32> {
            (0..n)
                .map(|_| {
                    loop {
                        let code = jobs.rng.random_range(0..1u64 << f.bits()) as u32;
                        if f.decode(code).to_f64().is_finite() {
                            break code;
                        }
                    }
                })
                .collect()
        };
        let (x, y) = (finite(jobs, fa, count * k), finite(jobs, fb, count * k));
        let mut c = finite(jobs, Format::F32, count);
        let mut factors = vec![0f32; 2 * count];
        for case in 0..count {
            if case % 4 != 3 {
                c[case] = (jobs.rng.random_range(-1000.0f32..1000.0)
                    * 2f32.powi(case as i32 % 40 - 30))
                .to_bits();
            }
            factors[2 * case] = [1.0, 1.0, 0.1, -3.0, 0.0][case % 5];
            factors[2 * case + 1] = [0.0, 1.0, 1.0, 0.3, -1.5, 0.0][case % 6];
        }
        let results: Vec<u32> = (0..count)
            .map(|i| {
                let products =
                    (0..k).map(|l| (Number::of(fa, x[i * k + l]), Number::of(fb, y[i * k + l])));
                let by = Combination { alpha: factors[2 * i], beta: factors[2 * i + 1] };
                let to = RoundTo { rounding, ..RoundTo::nearest(Format::F32) };
                scale_add(exact_dot(products, None), Number::of(Format::F32, c[i]), by, &to)
            })
            .collect();
        let job = json!({
            "kind": "combine", "suite": "alpha*A*B + beta*C", "judge": "gfloat, Fractions", "pair": format!("{a},{b}"),
            "modes": [name(rounding)], "a": a, "b": b, "k": k, "count": count, "round": name(rounding),
        });
        let bits: Vec<u32> = factors.iter().map(|f| f.to_bits()).collect();
        jobs.add(job, &[&x, &y, &c, &bits, &results]);
    }
}

/// Tensor-core profiles against mmaemu.
pub(crate) fn tensor_core(jobs: &mut Jobs) {
    let count = jobs.size.pick(1000, 40_000);
    for profile in TcProfile::ALL {
        let pairs: &[(&str, &str)] = if profile.name.ends_with("fp8") {
            &[("e4m3", "e4m3"), ("e4m3", "e5m2"), ("e5m2", "e4m3"), ("e5m2", "e5m2")]
        } else if profile.name.starts_with("volta") {
            &[("f16", "f16")]
        } else {
            &[("f16", "f16"), ("bf16", "bf16")]
        };
        for &(a, b) in pairs {
            let (fa, fb) = (format(a), format(b));
            let k = profile.group * 2 + 3;
            let finite = |jobs: &mut Jobs, f: Format| -> Vec<u32> {
                let mut codes = jobs.codes(f, count, k, false);
                for code in &mut codes {
                    // bf16 near 1: exponents that overlap, and no overflow of binary32.
                    if f.name() == "bf16" {
                        *code = *code & 0x807f | (117 + (*code >> 7 & 0xff) % 20) << 7;
                    }
                    if !f.decode(*code).to_f64().is_finite() {
                        *code = 0;
                    }
                }
                codes
            };
            let (x, y) = (finite(jobs, fa), finite(jobs, fb));
            let c: Vec<u32> = (0..count)
                .map(|i| {
                    let value = jobs.rng.random_range(-2.0f32..2.0) * 2f32.powi(i as i32 % 30 - 15);
                    if i % 3 == 0 { 0 } else { value.to_bits() }
                })
                .collect();
            let lowest = |f: Format| match f {
                Format::Float(f) => 1 - f.bias(),
                _ => unreachable!(),
            };
            let results: Vec<u32> = (0..count)
                .map(|i| {
                    let products: Vec<_> = (i * k..(i + 1) * k)
                        .map(|l| (Number::of(fa, x[l]), Number::of(fb, y[l])))
                        .collect();
                    tc_dot(&products, (lowest(fa), lowest(fb)), f32::from_bits(c[i]), &profile)
                        .to_bits()
                })
                .collect();
            let preset = match profile.name {
                "ada-fp8" => Some("ada"),
                "hopper-fp8" => Some("hopper"),
                _ => None,
            };
            let job = json!({
                "kind": "tc", "suite": format!("fp-tc, {}", profile.name), "judge": "mmaemu", "pair": format!("{a},{b}"), "modes": ["rz"],
                "a": a, "b": b, "k": k, "count": count, "group": profile.group, "fraction": profile.fraction,
                "result_fraction": profile.result_fraction, "least_exponent": profile.least_exponent, "preset": preset,
            });
            jobs.add(job, &[&x, &y, &c, &results]);
        }
    }
}

/// The rest of the epilogue has no outside judge; its order and its limits are stated as cases.
#[test]
fn the_epilogue_runs_in_its_fixed_order() {
    let to = RoundTo { saturate: true, ..RoundTo::nearest(Format::I8) };
    let epilogue = Epilogue::<i32> {
        bias: Bias::Column(vec![0, 10]),
        scale: Scale::RowColumn(vec![0.5], vec![1.0, 2.0]),
        requant: Requant::HalfEven,
        zero_point: 3,
        activation: Activation::Relu,
        residual: Some(vec![1, 200]),
    };
    let at = |sum, col| Format::I8.decode(epilogue.apply(sum, (0, col, 2), &to));
    assert_eq!(at(5, 0), Value::Int(2 + 3 + 1)); // 2.5 to even
    assert_eq!(at(-50, 0), Value::Int(3 + 1)); // not below the zero point
    assert_eq!(at(-10, 1), Value::Int(127)); // 0 + 3 + 200 saturates
    let float = Epilogue::<f32> {
        bias: Bias::Row(vec![1.0]),
        scale: Scale::Tensor(2.0),
        activation: Activation::Leaky { slope: 0.5 },
        residual: Some(vec![0.25]),
        ..Epilogue::default()
    };
    let to = RoundTo::nearest(Format::F32);
    assert_eq!(f32::from_bits(float.apply(-3.0, (0, 0, 1), &to)), -1.75); // (-3 + 1) * 2 * 0.5 + 0.25
    assert_eq!(f32::from_bits(float.apply(f32::NAN, (0, 0, 1), &to)).to_bits(), 0x7fc0_0000);
    assert!(Epilogue::<f32>::default().is_identity() && !float.is_identity());
}
