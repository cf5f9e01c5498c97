//! Both units against Rust's `f32`, bit for bit. `MATTOCK_FLOAT_CASES` sets the number of random
//! cases per unit (default 100,000).

use super::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rtl_gen::{Design, Interpreter, Module};

pub(super) fn cases() -> usize {
    std::env::var("MATTOCK_FLOAT_CASES").ok().and_then(|v| v.parse().ok()).unwrap_or(100_000)
}

/// Zeros, limits of the subnormal and normal ranges, powers of two, infinities and NaNs, both signs.
pub(super) fn specials() -> Vec<u32> {
    let magnitudes = [
        0,
        1,
        2,
        3,
        0x0000_ffff,
        0x003f_ffff,
        0x0040_0000,
        0x007f_ffff,
        0x0080_0000,
        0x0080_0001,
        0x00ff_ffff,
        0x0100_0000,
        0x0b80_0000,
        0x2000_0000,
        0x3380_0000,
        0x3f00_0000,
        0x3f7f_ffff,
        0x3f80_0000,
        0x3f80_0001,
        0x3fff_ffff,
        0x4000_0000,
        0x4b00_0000,
        0x4b7f_ffff,
        0x5f00_0000,
        0x7e7f_ffff,
        0x7f00_0000,
        0x7f7f_fffe,
        0x7f7f_ffff,
        0x7f80_0000,
        0x7f80_0001,
        0x7fc0_0000,
        0x7fff_ffff,
    ];
    magnitudes.iter().flat_map(|&m: &u32| [m, m | 1 << 31]).collect()
}

/// All pairs of specials, then random pairs of several shapes.
fn operands(count: usize, seed: u64) -> Vec<(u32, u32)> {
    let specials = specials();
    let pairs = specials.iter().flat_map(|&a| specials.iter().map(move |&b| (a, b)));
    let mut out: Vec<_> = pairs.collect();
    let mut rng = StdRng::seed_from_u64(seed);
    for i in 0..count {
        let (a, b): (u32, u32) = (rng.random(), rng.random());
        let small = |x: u32| x & 0x80ff_ffff;
        out.push(match i % 8 {
            0 | 1 => (a, b),
            // Near cancellation: the same or the next exponent, the other sign.
            2 => (a, (a ^ 1 << 31).wrapping_add(b & 0xff)),
            3 => (a, (a & 0xff80_0000 ^ 1 << 31).wrapping_add(b & 0x00ff_ffff)),
            // Subnormals and the smallest normals.
            4 => (small(a), small(b)),
            5 => (small(a), b & 0x00ff_ffff | b & 0x8000_0000 | (b & 0x3f) << 23),
            // Products near the subnormal limit and near overflow.
            6 => {
                let (ea, sum) = (1 + a % 254, if b & 1 == 0 { 96 + b % 36 } else { 376 + b % 8 });
                let eb = (sum as i32 - ea as i32).clamp(0, 254) as u32;
                (a & 0x807f_ffff | ea << 23, b & 0x807f_ffff | eb << 23)
            }
            _ => (specials[a as usize % specials.len()], b),
        });
    }
    out
}

pub(super) fn canonical(x: f32) -> u32 {
    if x.is_nan() { CANONICAL_NAN } else { x.to_bits() }
}

/// Streams the operands through `unit` and compares each result with `expected`; float and integer
/// operations follow each other in a random mix when `mixed`.
fn check(
    unit: &dyn Module,
    latency: usize,
    output: &str,
    pairs: &[(u32, u32)],
    mixed: bool,
    expected: fn(bool, u32, u32) -> u32,
) {
    check_with(unit, latency, output, pairs, mixed, expected, &[]);
}

/// The same with other inputs held at a value; those the unit does not have are left out.
fn check_with(
    unit: &dyn Module,
    latency: usize,
    output: &str,
    pairs: &[(u32, u32)],
    mixed: bool,
    expected: fn(bool, u32, u32) -> u32,
    held: &[(&str, u64)],
) {
    let design = Design::elaborate(unit).expect("the unit elaborates");
    let mut sim = Interpreter::new(&design).expect("the unit simulates");
    let enable = sim.try_port("enable");
    for &(port, value) in held {
        if let Some(port) = sim.try_port(port) {
            sim.set(port, value);
        }
    }
    let (float, a, b) = (sim.port("is_float"), sim.port("a"), sim.port("b"));
    let output = sim.port(output);
    let mut rng = StdRng::seed_from_u64(7);
    let mut pending = std::collections::VecDeque::new();
    let mut wrong = 0;
    let flush = std::iter::repeat_n((0, 0), latency);
    for (x, y) in pairs.iter().copied().chain(flush) {
        let is_float = !mixed || rng.random();
        if let Some(enable) = enable {
            while mixed && rng.random_ratio(1, 4) {
                sim.set(enable, 0);
                sim.tick();
            }
            sim.set(enable, 1);
        }
        sim.set(float, is_float as u64);
        sim.set(a, x as u64);
        sim.set(b, y as u64);
        if pending.len() == latency {
            let (is_float, x, y) = pending.pop_front().unwrap();
            let (got, want) = (sim.get(output) as u32, expected(is_float, x, y));
            if got != want {
                wrong += 1;
                if wrong <= 10 {
                    eprintln!("float {is_float} {x:08x} {y:08x}: {got:08x}, expected {want:08x}");
                }
            }
        }
        pending.push_back((is_float, x, y));
        sim.tick();
    }
    assert_eq!(wrong, 0, "of {} results", pairs.len());
}

fn sum(float: bool, x: u32, y: u32) -> u32 {
    if float { canonical(f32::from_bits(x) + f32::from_bits(y)) } else { x.wrapping_add(y) }
}

fn product(float: bool, x: u32, y: u32) -> u32 {
    if float { canonical(f32::from_bits(x) * f32::from_bits(y)) } else { x.wrapping_mul(y) }
}

#[test]
fn sums_are_those_of_the_host() {
    check(&Add::plain(6), 6, "sum", &operands(cases(), 1), false, sum);
}

#[test]
fn every_latency_gives_the_same_sums() {
    for latency in 3..=8 {
        let pairs = operands(cases() / 20, latency as u64);
        check(&Add::plain(latency), latency as usize, "sum", &pairs, true, sum);
    }
}

#[test]
fn products_are_those_of_the_host() {
    check(&Multiply { bypass: false }, 7, "product", &operands(cases(), 2), false, product);
    check(&Multiply { bypass: false }, 7, "product", &operands(cases() / 20, 3), true, product);
}

#[test]
fn adding_minus_zero_changes_nothing() {
    let pairs: Vec<_> = specials().into_iter().map(|x| (x, 0x8000_0000)).collect();
    check(&Add::plain(4), 4, "sum", &pairs, false, |_, x, _| canonical(f32::from_bits(x)));
}

#[test]
fn latency_out_of_range_is_refused() {
    let error = Design::elaborate(&Add::plain(9)).unwrap_err();
    assert!(error.to_string().contains("adder latency 9 is outside 3 to 8"), "{error}");
}

/// A choice or an `enable` leaves the sum as it is; a picked operand is the lesser or greater one, or `b`.
#[test]
fn operands_are_picked() {
    fn extreme(float: bool, x: u32, y: u32, least: bool) -> u32 {
        let greater = if float {
            let (a, b) = (f32::from_bits(x), f32::from_bits(y));
            match (a.is_nan(), b.is_nan()) {
                (true, _) => return y,
                (_, true) => return x,
                _ => a.total_cmp(&b).is_gt(),
            }
        } else {
            x as i32 > y as i32
        };
        if greater == least { y } else { x }
    }
    let pairs = operands(cases() / 20, 11);
    for latency in 3..=8 {
        for choice in [Choice::Second, Choice::Extreme] {
            for holds in [false, true] {
                let unit = Add { latency, choice, holds };
                check(&unit, latency as usize, "sum", &pairs[..2000], true, sum);
                for (least, picked) in [
                    (1, (|f, x, y| extreme(f, x, y, true)) as fn(bool, u32, u32) -> u32),
                    (0, |f, x, y| extreme(f, x, y, false)),
                ] {
                    let expected = if choice == Choice::Second { |_, _, y| y } else { picked };
                    let inputs = [("pick", 1), ("least", least)];
                    check_with(&unit, latency as usize, "sum", &pairs, true, expected, &inputs);
                }
            }
        }
    }
    let bypass = Multiply { bypass: true };
    check(&bypass, 7, "product", &pairs, true, product);
}
