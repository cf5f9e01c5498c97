//! The fused multiply-add against the host's, bit for bit. `MATTOCK_FLOAT_CASES` sets the number of random cases (default
//! 100,000). The other rounding modes are compared in `testbench/tests/fma.rs`.

use super::tests::{canonical, cases, specials};
use super::*;
use mattock_spec::format::Float;
use mattock_spec::{Format, Value};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rtl_gen::{Design, Interpreter, Module};

/// Decoders in front of a multiply-add.
#[derive(Debug)]
struct Chain(Float, Float);

impl Module for Chain {
    fn name(&self) -> String {
        format!("fma_bench_{}_{}", Format::Float(self.0), Format::Float(self.1))
    }

    fn build(&self, m: &Builder) {
        let factor = |name: &str, f: Float| {
            let operand = Operand::of(f);
            let code_bits = f.bits();
            let decode =
                m.inst(&format!("decode_{name}"), &Decode { formats: vec![f], operand, code_bits });
            decode.set("code", m.input(name, rtl_gen::bits(code_bits)));
            (operand, decode.get("word"))
        };
        let ((a, a_word), (b, b_word)) = (factor("a", self.0), factor("b", self.1));
        let fma = m.inst("fma", &Fma { a, b });
        let late = Decode::LATENCY + Fma { a, b }.product_latency();
        fma.set("a", a_word).set("b", b_word);
        fma.set("hold", m.delay("hold", m.input("hold", rtl_gen::bit()), late));
        fma.set("addend", m.delay("addend", m.input("addend", rtl_gen::bits(32)), late));
        fma.set("mode", m.lit(uint(3), 0)).set("saturate", m.low());
        m.output("sum", fma.get("sum"));
    }
}

fn latency(f: Float, g: Float) -> usize {
    let fma = Fma { a: Operand::of(f), b: Operand::of(g) };
    (Decode::LATENCY + fma.product_latency() + Fma::LATENCY) as usize
}

fn expected(f: Float, g: Float, [a, b, c]: [u32; 3], hold: bool) -> u32 {
    let value = |f: Float, code| match Format::Float(f).decode(code) {
        Value::Float(x) => x as f32,
        Value::Int(_) => unreachable!("a float"),
    };
    let c = f32::from_bits(c);
    canonical(if hold { c } else { value(f, a).mul_add(value(g, b), c) })
}

/// All triples of specials, then random ones of several shapes.
fn triples(f: Float, g: Float, count: usize, seed: u64) -> Vec<[u32; 3]> {
    let codes = |f: Float| -> Vec<u32> {
        let narrow = |x: &u32| {
            Format::Float(f).encode(
                Value::Float(f32::from_bits(*x).into()),
                Default::default(),
                false,
            )
        };
        let (m, e) = (f.mantissa_bits(), f.exponent_bits());
        let edges = [0, 1, (1 << m) - 1, 1 << m, (1 << m) + 1, (1 << (m + e)) - 1, f.max_code()];
        let edges = edges.into_iter().flat_map(|x: u32| [x, x | 1 << (m + e)]);
        let mut all: Vec<u32> = specials().iter().map(narrow).chain(edges).collect();
        all.sort();
        all.dedup();
        all
    };
    let (left, right, addends) = (codes(f), codes(g), specials());
    let mut out = vec![];
    for &a in &left {
        for &b in &right {
            out.extend(addends.iter().map(|&c| [a, b, c]));
        }
    }
    let mut rng = StdRng::seed_from_u64(seed);
    for i in 0..count {
        let mask = |f: Float, x: u32| x & (u32::MAX >> (32 - f.bits()));
        let (a, b): (u32, u32) = (mask(f, rng.random()), mask(g, rng.random()));
        let c: u32 = rng.random();
        // Near the product: its neighbours, halves of units beside it, the other sign.
        let exact = f64::from(f32::from_bits(expected(f, g, [a, b, 0], false)));
        let near = (exact as f32).to_bits();
        let small = |f: Float, x: u32| {
            let m = f.mantissa_bits();
            x & !((((1 << f.exponent_bits()) - 1) & !3) << m)
        };
        out.push(match i % 8 {
            0 => [a, b, c],
            1 => [a, b, (near ^ 1 << 31).wrapping_add(c & 3)],
            2 => [a, b, (near ^ 1 << 31).wrapping_sub((c & 0xff) << 20)],
            3 => [a, b, near.wrapping_add((c & 0x3f) << 23) ^ (c & 1 << 31)],
            4 => [a, b, (near.wrapping_sub((c & 0x3f) << 23) & 0x7fff_ffff) | (c & 0x8000_0007)],
            5 => [small(f, a), small(g, b), c & 0x80ff_ffff],
            6 => [a, small(g, b), c & 0x807f_ffff],
            _ => [left[a as usize % left.len()], b, addends[c as usize % addends.len()]],
        });
    }
    // What no sum of such products is, the unit need not add.
    let fma = Fma { a: Operand::of(f), b: Operand::of(g) };
    for [_, _, c] in &mut out {
        let field = *c >> 23 & 0xff;
        if field == 0 && !fma.is_deep() || (250..255).contains(&field) && !fma.can_overflow() {
            *c &= 1 << 31;
        }
    }
    out
}

fn check(f: Float, g: Float, count: usize) {
    let design = Design::elaborate(&Chain(f, g)).expect("the unit elaborates");
    let mut sim = Interpreter::new(&design).expect("the unit simulates");
    let [a, b, c, hold, sum] = ["a", "b", "addend", "hold", "sum"].map(|name| sim.port(name));
    let mut rng = StdRng::seed_from_u64(9);
    let mut pending = std::collections::VecDeque::new();
    let (mut wrong, mut seen) = (0, 0);
    let cases = triples(f, g, count, 5);
    let total = cases.len();
    let flush = std::iter::repeat_n([0; 3], latency(f, g));
    for triple in cases.into_iter().chain(flush) {
        let held = rng.random_ratio(1, 16);
        sim.set(a, triple[0].into());
        sim.set(b, triple[1].into());
        sim.set(c, triple[2].into());
        sim.set(hold, held.into());
        if pending.len() == latency(f, g) {
            let (triple, held) = pending.pop_front().unwrap();
            let (got, want) = (sim.get(sum) as u32, expected(f, g, triple, held));
            seen += 1;
            if got != want {
                wrong += 1;
                if wrong <= 10 {
                    let [a, b, c] = triple;
                    eprintln!("{a:08x} * {b:08x} + {c:08x} hold {held}: {got:08x}, not {want:08x}");
                }
            }
        }
        pending.push_back((triple, held));
        sim.tick();
    }
    assert_eq!((wrong, seen), (0, total), "of {} by {}", Format::Float(f), Format::Float(g));
}

#[test]
fn fused_sums_of_f16_are_those_of_the_host() {
    check(Float::F16, Float::F16, cases());
}

#[test]
fn fused_sums_of_bf16_are_those_of_the_host() {
    check(Float::BF16, Float::BF16, cases());
}

#[test]
fn fused_sums_of_f32_are_those_of_the_host() {
    check(Float::F32, Float::F32, cases());
}

#[test]
fn fused_sums_of_mixed_formats_are_those_of_the_host() {
    for (f, g) in [
        (Float::F16, Float::BF16),
        (Float::E4M3, Float::F16),
        (Float::E5M2, Float::BF16),
        (Float::E2M1, Float::F32),
        (Float::F32, Float::F16),
    ] {
        check(f, g, cases() / 10);
    }
}
