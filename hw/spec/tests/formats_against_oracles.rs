//! Our codecs against ml_dtypes, gfloat and numpy (through the committed file that
//! `testbench/oracles/formats.py` writes) and, exhaustively, against the `half` crate.

use mattock_spec::format::{FORMATS, Float, Format, Rounding, Value};

const ORACLE: &str = include_str!("data/formats.txt");

fn parse_value(text: &str) -> f64 {
    match text {
        "nan" => f64::NAN,
        bits => f64::from_bits(u64::from_str_radix(bits, 16).unwrap()),
    }
}

fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
}

#[test]
fn decoding_agrees_with_the_oracles() {
    let mut counts = std::collections::BTreeMap::new();
    for line in ORACLE.lines().filter(|l| l.starts_with("d ")) {
        let words: Vec<&str> = line.split(' ').collect();
        let format: Format = words[1].parse().unwrap();
        let code = u32::from_str_radix(words[2], 16).unwrap();
        match format.decode(code) {
            Value::Int(i) => assert_eq!(i.to_string(), words[3], "{line}"),
            Value::Float(f) => assert!(same(f, parse_value(words[3])), "{line}: we say {f}"),
        }
        *counts.entry(format.name()).or_insert(0u32) += 1;
    }
    // Every code of the small formats is in the file.
    for (name, codes) in [
        ("e2m1", 16),
        ("e2m3", 64),
        ("e3m2", 64),
        ("e4m3", 256),
        ("e5m2", 256),
        ("i4", 16),
        ("u8", 256),
    ] {
        assert_eq!(counts.get(name), Some(&codes), "{name}");
    }
}

#[test]
fn encoding_agrees_with_the_oracles() {
    let (mut compared, mut ours_alone) = (0, 0);
    for line in ORACLE.lines().filter(|l| l.starts_with("e ")) {
        let words: Vec<&str> = line.split(' ').collect();
        let format: Format = words[1].parse().unwrap();
        let value = Value::Float(parse_value(words[2]));
        let modes = [false, true].into_iter().flat_map(|s| Rounding::ALL.map(|r| (r, s)));
        for ((rounding, saturate), expected) in modes.zip(&words[3..]) {
            if *expected == "-" {
                ours_alone += 1; // neither library defines it
                continue;
            }
            let code = format.encode(value, rounding, saturate);
            assert_eq!(
                format!("{code:x}"),
                canonical(format, expected),
                "{line} {rounding:?} {saturate}"
            );
            compared += 1;
        }
    }
    assert!(
        compared > 20_000 && ours_alone < compared / 20,
        "{compared} compared, {ours_alone} not"
    );
}

/// The oracles keep a NaN's sign; our hardware writes one positive NaN.
fn canonical(format: Format, expected: &str) -> String {
    let code = u32::from_str_radix(expected, 16).unwrap();
    match format {
        Format::Float(f) if format.decode(code).to_f64().is_nan() => {
            format!("{:x}", f.nan_code().unwrap())
        }
        _ => expected.to_owned(),
    }
}

/// Asks the libraries again when the project's Python environment is there (`cargo xtask setup`).
#[test]
fn the_committed_answers_are_what_the_oracles_say_today() {
    let Ok(python) = mattock_toolbox::Toolbox::open().python() else {
        eprintln!("SKIPPED: no Python environment; the committed answers are used as they are");
        return;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testbench/oracles/formats.py");
    let run = std::process::Command::new(python).args([script, "--check"]).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn ocp_e4m3_overflow_is_a_parameter() {
    let e4m3 = Format::Float(Float::E4M3);
    let of =
        |v, saturate| e4m3.decode(e4m3.encode(Value::Float(v), Rounding::Rne, saturate)).to_f64();
    assert_eq!(of(464.0, false), 448.0);
    assert_eq!(of(464.0, true), 448.0);
    assert!(of(465.0, false).is_nan());
    assert_eq!(of(465.0, true), 448.0);
    assert_eq!(of(f64::NEG_INFINITY, true), -448.0);
}

/// Halfway between every two neighbouring codes, one step to each side, and the codes themselves.
///
/// In `f32`, because `half` 2.7 rounds an `f64` twice: it drops the low 32 bits first.
fn around(code: u32, format: Format) -> Vec<f32> {
    let [low, high] = [code, code + 1].map(|c| format.decode(c).to_f64() as f32);
    if !low.is_finite() || !high.is_finite() {
        return vec![low];
    }
    let middle = (low + high) / 2.0;
    let (below, above) = (middle.next_down(), middle.next_up());
    [low, below, middle, above].into_iter().flat_map(|v| [v, -v]).collect()
}

#[test]
fn f16_agrees_with_half_on_every_code_and_every_tie() {
    let f16 = Format::Float(Float::F16);
    for code in 0..=u16::MAX {
        assert!(
            same(f16.decode(code.into()).to_f64(), half::f16::from_bits(code).to_f64()),
            "{code:#x}"
        );
    }
    for code in 0..0x8000u32 {
        for v in around(code, f16).into_iter().filter(|v| !v.is_nan()) {
            let code = f16.encode(Value::Float(v.into()), Rounding::Rne, false);
            assert_eq!(code, u32::from(half::f16::from_f32(v).to_bits()), "{v}");
        }
    }
}

#[test]
fn bf16_agrees_with_half_on_every_code_and_every_tie() {
    let bf16 = Format::Float(Float::BF16);
    for code in 0..=u16::MAX {
        let expected = half::bf16::from_bits(code).to_f64();
        assert!(same(bf16.decode(code.into()).to_f64(), expected), "{code:#x}");
    }
    for code in 0..0x8000u32 {
        for v in around(code, bf16).into_iter().filter(|v| !v.is_nan()) {
            let code = bf16.encode(Value::Float(v.into()), Rounding::Rne, false);
            assert_eq!(code, u32::from(half::bf16::from_f32(v).to_bits()), "{v}");
        }
    }
}

#[test]
fn f32_is_the_rust_conversion() {
    let f32 = Format::F32;
    let mut state = 1u64;
    for _ in 0..200_000 {
        // A multiplicative generator is enough to reach every exponent.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let code = (state >> 32) as u32;
        assert!(same(f32.decode(code).to_f64(), f64::from(f32::from_bits(code))), "{code:#x}");
        let v = f64::from_bits(state);
        if !v.is_nan() {
            assert_eq!(
                f32.encode(Value::Float(v), Rounding::Rne, false),
                (v as f32).to_bits(),
                "{v}"
            );
        }
        let near = f64::from(f32::from_bits(code)) * (1.0 + f64::from(code >> 8) * 2f64.powi(-48));
        if !near.is_nan() {
            assert_eq!(
                f32.encode(Value::Float(near), Rounding::Rne, false),
                (near as f32).to_bits(),
                "{near}"
            );
        }
    }
}

#[test]
fn rounding_modes_bracket_the_value() {
    for &format in FORMATS.iter().filter(|f| f.bits() <= 8) {
        let values = (-4000..=4000).map(|i| f64::from(i) / 7.0);
        for v in values {
            let of = |r| format.decode(format.encode(Value::Float(v), r, true)).to_f64();
            let (down, up) = (of(Rounding::Rd), of(Rounding::Ru));
            assert!(down <= up, "{format} {v}: {down} {up}");
            for r in [Rounding::Rne, Rounding::Rna, Rounding::Rz] {
                assert!(of(r) == down || of(r) == up, "{format} {v} {r:?}");
            }
            // The nearer of the two neighbours, whenever there is one.
            if (v - down).abs() != (v - up).abs() {
                let nearer = if (v - down).abs() < (v - up).abs() { down } else { up };
                assert_eq!(of(Rounding::Rne), nearer, "{format} {v}");
                assert_eq!(of(Rounding::Rna), nearer, "{format} {v}");
            }
        }
    }
}
