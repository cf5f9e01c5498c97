//! The array for every type a card is built with: decoders before it, rounding behind it.

use super::Array;
use crate::float::Round;
use crate::pe::{FLAGS, Lane, PeShape, variant_of};
use mattock_spec::Format;
use mattock_spec::config::Pe;
use mattock_spec::format::{Float, TupleList};
use rtl_gen::{Builder, Module, Sig, bit, bits, case, cat, mux, uint};

/// An [`Array`] of [`ExactWindow`](crate::pe::ExactWindow) PEs behind decoders, its columns rounded to 32-bit results.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `first`, `valid` | in | bit | as for [`Array`]; these operands are a step (else they count as 0) |
/// | `a`, `b` | in | bits(R * 8), bits(C * 8) | codes, in the low bits of their bytes |
/// | `tuple` | in | uint(8) | index into the card's tuples |
/// | `swap` | in | bit | `a` has the format of the tuple's B and the reverse |
/// | `rounding`, `saturate` | in | uint(3), bit | of [`Round`] |
/// | `result` | out | bits(C * 32) | as of [`Array`], [`latency`](Self::latency) after `first` |
///
/// A decoder per row and column (one register), then the array, then a [`Round`] per column: format logic grows with
/// R + C, not with R * C. `tuple`, `swap`, `rounding` and `saturate` hold still during a command.
#[derive(Clone, Copy, Debug)]
pub struct TypedArray {
    /// PE rows.
    pub rows: u32,
    /// PE columns.
    pub cols: u32,
    /// The tuples commands choose among.
    pub tuples: TupleList,
}

impl TypedArray {
    /// Cycles from `first` to the old result of row 0, column 0.
    pub fn latency(&self) -> u32 {
        1 + self.array().latency() + Round::LATENCY
    }

    /// Every operand format once.
    fn formats(&self) -> Vec<Format> {
        let mut formats: Vec<Format> = vec![];
        for format in self.tuples.iter().flat_map(|t| [t.a, t.b]) {
            if !formats.contains(&format) {
                formats.push(format);
            }
        }
        formats
    }

    fn lane(&self) -> Lane {
        // Column-major results swap the operands, so both sides take every format.
        let lanes = self.formats().into_iter().map(Lane::of);
        lanes.reduce(Lane::union).unwrap_or(Lane::integer(8))
    }

    /// Bits of the accumulator: the widest window, at least an integer result.
    fn window(&self) -> u32 {
        let float = self.tuples.iter().filter(|t| !t.a.is_integer());
        float.filter_map(|t| t.window()).map(|w| w.bits).max().unwrap_or(32).max(32)
    }

    fn array(&self) -> Array {
        let lane = self.lane();
        let acc_bits = self.window() + if lane.specials { FLAGS } else { 0 };
        let bits = lane.bits();
        let shape = PeShape { a_bits: bits, b_bits: bits, acc_bits, lanes: Some([lane, lane]) };
        Array::systolic(self.rows, self.cols, variant_of(Pe::Fp), shape)
    }
}

impl Module for TypedArray {
    fn name(&self) -> String {
        let tuples: Vec<String> = self.tuples.iter().map(|t| format!("{}_{}", t.a, t.b)).collect();
        format!("typed_array_{}x{}_{}", self.rows, self.cols, tuples.join("_"))
    }

    fn check(&self) -> Result<(), String> {
        for tuple in self.tuples.iter().filter(|t| !t.a.is_integer()) {
            if tuple.window().is_none() {
                return Err(format!(
                    "gemm.tuples lists {tuple}; its exact sums need more than 128 bits"
                ));
            }
        }
        Ok(())
    }

    fn build(&self, m: &Builder) {
        m.doc("The array with decoders before it and rounding behind it.");
        let first = m.reg_reset("first_q", m.input("first", bit()), 0);
        let valid = m.input("valid", bit());
        let a = m.input("a", bits(self.rows * 8));
        let b = m.input("b", bits(self.cols * 8));
        let tuple = m.input("tuple", uint(8));
        let swap = m.input("swap", bit());
        let rounding = m.input("rounding", uint(3));
        let saturate = m.input("saturate", bit());

        // Which format stands on each side: settled long before the first step.
        let formats = self.formats();
        let index = |format: Format| formats.iter().position(|f| *f == format).unwrap_or(0) as i128;
        let ty = uint(5);
        let choose = |name: &str, left: bool| {
            let of = |a: bool| {
                let each = self.tuples.iter().enumerate();
                let arms: Vec<_> = each
                    .map(|(i, t)| (i as i128, m.lit(ty, index(if a { t.a } else { t.b }))))
                    .collect();
                case(tuple, &arms, m.lit(ty, 0))
            };
            m.reg(name, mux(swap, of(!left), of(left)))
        };
        let sides = [
            ("a", a, self.rows, choose("a_format", true)),
            ("b", b, self.cols, choose("b_format", false)),
        ];

        let lane = self.lane();
        let decode = Decode { formats: formats.clone(), lane };
        let array = self.array();
        let array = m.inst("array", &array);
        array.set("first", first);
        for (name, codes, count, format) in sides {
            let lanes: Vec<Sig> = (0..count)
                .rev()
                .map(|i| {
                    let decoder = m.inst(&format!("decode_{name}_{i}"), &decode);
                    decoder.set("code", codes.lane(i, 8)).set("format", format).set("valid", valid);
                    decoder.get("lane")
                })
                .collect();
            array.set(name, cat(&lanes));
        }

        let round = Round { window: self.window(), flags: lane.specials, to: Float::F32 };
        let bias = Float::F32.bias();
        let each = || self.tuples.iter().enumerate().map(|(i, t)| (i as i128, t));
        let exponents: Vec<_> = each()
            .map(|(i, t)| {
                (i, m.lit(uint(8), i128::from(bias + t.window().map_or(0, |w| w.lowest))))
            })
            .collect();
        let integers: Vec<_> =
            each().map(|(i, t)| (i, if t.a.is_integer() { m.high() } else { m.low() })).collect();
        let exponent = m.reg("exponent", case(tuple, &exponents, m.lit(uint(8), 0)));
        let integer = m.reg("is_int", case(tuple, &integers, m.low()));
        let sums = array.get("result").lanes(self.array().shape.acc_bits);
        let results: Vec<Sig> = sums
            .into_iter()
            .enumerate()
            .rev()
            .map(|(c, sum)| {
                let cell = m.inst(&format!("round_{c}"), &round);
                cell.set("sum", sum).set("exponent", exponent).set("is_int", integer);
                cell.set("mode", rounding)
                    .set("saturate", saturate)
                    .set("random", m.lit(bits(16), 0));
                cell.get("result")
            })
            .collect();
        m.output("result", cat(&results));
    }
}

/// A code of one of several formats as a [`Lane`] word, a cycle later.
///
/// `code` bits(8), `format` uint(5) an index into `formats`, `valid`: 0 gives the value zero. One code a cycle.
#[derive(Clone, Debug)]
struct Decode {
    formats: Vec<Format>,
    lane: Lane,
}

impl Module for Decode {
    fn name(&self) -> String {
        let names: Vec<&str> = self.formats.iter().map(|f| f.name()).collect();
        format!("decode_{}", names.join("_"))
    }

    fn build(&self, m: &Builder) {
        m.doc("A code of one of several formats, taken apart.");
        let code = m.input("code", bits(8));
        let format = m.input("format", uint(5));
        let valid = m.input("valid", bit());
        let words: Vec<(i128, Sig)> = (self.formats.iter().enumerate())
            .map(|(i, f)| (i as i128, self.lane.decode(m, *f, code)))
            .collect();
        let word = match words[..] {
            [(_, only)] => {
                m.unused("format");
                only
            }
            _ => case(format, &words[1..], words[0].1),
        };
        m.output("lane", m.reg("lane_q", valid.gate(word)));
    }
}
