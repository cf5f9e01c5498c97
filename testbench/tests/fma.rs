//! The fused multiply-add in every rounding mode against rustc_apfloat, a translation of LLVM's APFloat.
//! `MATTOCK_FLOAT_CASES` sets the number of random cases (default 20,000).

use mattock_hw::float::{Decode, Fma, Operand};
use mattock_spec::Format;
use mattock_spec::format::Float;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rtl_gen::{Builder, Design, Interpreter, Module, bits, uint};
use rustc_apfloat::Round;
use rustc_apfloat::ieee::Single;
use std::collections::VecDeque;

/// In the order of the command's numbers.
const MODES: [Round; 5] = [
    Round::NearestTiesToEven,
    Round::TowardZero,
    Round::TowardPositive,
    Round::TowardNegative,
    Round::NearestTiesToAway,
];

/// Decoders in front of a multiply-add of one format.
#[derive(Debug)]
struct Unit(Float);

impl Unit {
    fn fma(&self) -> Fma {
        Fma { a: Operand::of(self.0), b: Operand::of(self.0) }
    }

    fn latency(&self) -> usize {
        (Decode::LATENCY + self.fma().product_latency() + Fma::LATENCY) as usize
    }
}

impl Module for Unit {
    fn name(&self) -> String {
        format!("fma_unit_{}", Format::Float(self.0))
    }

    fn build(&self, m: &Builder) {
        let (operand, code_bits) = (Operand::of(self.0), self.0.bits());
        let decode = Decode { formats: vec![self.0], operand, code_bits };
        let fma = m.inst("fma", &self.fma());
        for name in ["a", "b"] {
            let cell = m.inst(&format!("decode_{name}"), &decode);
            cell.set("code", m.input(name, bits(code_bits)));
            fma.set(name, cell.get("word"));
        }
        let late = Decode::LATENCY + self.fma().product_latency();
        fma.set("addend", m.delay("late", m.input("addend", bits(32)), late));
        fma.set("hold", m.low()).set("saturate", m.low());
        fma.set("mode", m.input("mode", uint(3)));
        m.output("sum", fma.get("sum"));
    }
}

fn expected(f: Float, [a, b, c]: [u32; 3], round: Round) -> u32 {
    use rustc_apfloat::Float as _;
    let wide = |code| (Format::Float(f).decode(code).to_f64() as f32).to_bits();
    let single = |bits: u32| Single::from_bits(bits.into());
    let sum = single(wide(a)).mul_add_r(single(wide(b)), single(c), round).value;
    if sum.is_nan() { 0x7fc0_0000 } else { sum.to_bits() as u32 }
}

/// Edges of the format and of binary32, then random numbers near cancellation and near both ends.
fn triples(f: Float, count: usize) -> Vec<[u32; 3]> {
    let (m, e) = (f.mantissa_bits(), f.exponent_bits());
    let (one, top) = ((f.bias() as u32) << m, 1 << (m + e));
    let edges = [0, 1, (1 << m) - 1, 1 << m, one, one + 1, f.max_code(), f.max_code() + 1, top - 1];
    let both = |x: u32, sign: u32| [x, x | sign];
    let codes: Vec<u32> = edges.into_iter().flat_map(|x| both(x, top)).collect();
    let addends = [0, 1, 0x7f_ffff, 0x80_0000, 0x3f80_0000, 0x7f7f_ffff, 0x7f80_0000, 0x7fc0_0000];
    let addends: Vec<u32> = addends.into_iter().flat_map(|x| both(x, 1 << 31)).collect();
    let mut out = vec![];
    for &a in &codes {
        for &b in &codes {
            out.extend(addends.iter().map(|&c| [a, b, c]));
        }
    }
    let mut rng = StdRng::seed_from_u64(3);
    for i in 0..count {
        let mut code = || rng.random::<u32>() & (u32::MAX >> (32 - f.bits()));
        let (a, b) = (code(), code());
        let product = expected(f, [a, b, 0], MODES[0]);
        let c: u32 = rng.random();
        let near = (product ^ 1 << 31).wrapping_add(c & 3);
        out.push(match i % 4 {
            0 => [a, b, c],
            1 => [a, b, near],
            // A tie, or beside one: the product lies some dozen places lower.
            2 => [a, b, (product ^ (c & 1 << 31)).wrapping_add((20 + (c & 15)) << 23)],
            _ => [a & !((((1 << e) - 1) & !1) << m), b, c & 0x807f_ffff],
        });
    }
    // What no sum of products of f16 is, its unit need not add.
    if f == Float::F16 {
        out.retain(|[_, _, c]| {
            let field = c >> 23 & 0xff;
            (c << 1 == 0 || field > 0) && !(250..255).contains(&field)
        });
    }
    out
}

#[test]
fn every_rounding_mode_is_apfloats() {
    let cases = std::env::var("MATTOCK_FLOAT_CASES").ok().and_then(|v| v.parse().ok());
    for f in [Float::F16, Float::BF16, Float::F32] {
        let unit = Unit(f);
        let design = Design::elaborate(&unit).expect("elaborates");
        let mut sim = Interpreter::new(&design).expect("simulates");
        let [a, b, c, mode, sum] = ["a", "b", "addend", "mode", "sum"].map(|name| sim.port(name));
        let triples = triples(f, cases.unwrap_or(20_000));
        for (number, round) in MODES.into_iter().enumerate() {
            sim.set(mode, number as u64);
            let mut pending: VecDeque<[u32; 3]> = VecDeque::new();
            let flush = std::iter::repeat_n([0; 3], unit.latency());
            let mut seen = 0;
            for triple in triples.iter().copied().chain(flush) {
                for (port, value) in [a, b, c].into_iter().zip(triple) {
                    sim.set(port, value.into());
                }
                if pending.len() == unit.latency() {
                    let triple = pending.pop_front().unwrap();
                    let (got, want) = (sim.get(sum) as u32, expected(f, triple, round));
                    let name = Format::Float(f);
                    assert_eq!(got, want, "{name} {round:?} {triple:x?}: {got:#x}, {want:#x}");
                    seen += 1;
                }
                pending.push_back(triple);
                sim.tick();
            }
            assert_eq!(seen, triples.len());
        }
    }
}
