//! Adders that do more than add in one carry chain.
//!
//! A carry cell of an FPGA has a look-up table in front of its carry multiplexer. Where that table computes more than
//! `a ^ b`, gates and multiplexers in front of an adder cost nothing. No synthesis tool infers it, so these leaves
//! also have a body in the cells of ECP5.
//!
//! A bit of ECP5's `CCU2C` computes P = LUT4(A, B, C, D), sum P ^ carry, and takes its carry out from LUT4(A, B, 0, 0)
//! where P is 0. So one bit adds A + f(B, C, D) for any f with f(B, 0, 0) = 0, or A&B + g(C, D) with g(0, 0) = 0.

use rtl_gen::{Builder, Module, Sig, bit, bits, cat, sint};
use std::fmt::Write;

/// Name of the technology in [`Builder::native`].
pub const ECP5: &str = "ecp5";

/// (A & B) ^ (C & D): adds two gated bits.
const AND_PLUS_AND: u16 = 0x7888;
/// (A & B) ^ (D & !C): adds a gated bit and the complement of another.
const AND_PLUS_NOT: u16 = 0x8788;

/// One bit of a chain: look-up table and its inputs A, B, C, D as Verilog.
struct Bit {
    table: u16,
    inputs: [String; 4],
    /// Where the sum bit goes; empty: nowhere.
    sum: String,
}

/// The chain in `CCU2C` cells, two bits each, carry in 0.
fn chain(bits: &[Bit]) -> String {
    let cells = bits.len().div_ceil(2);
    let mut out = format!("  wire [{cells}:0] carry;\n  assign carry[0] = 1'b0;\n");
    let idle = || Bit { table: 0, inputs: ["1'b0"; 4].map(String::from), sum: String::new() };
    for (i, pair) in bits.chunks(2).enumerate() {
        let last = idle();
        let pair = [&pair[0], pair.get(1).unwrap_or(&last)];
        let _ = writeln!(
            out,
            "  CCU2C #(.INIT0(16'h{:04x}), .INIT1(16'h{:04x}), .INJECT1_0(\"NO\"), .INJECT1_1(\"NO\")) cell_{i} (",
            pair[0].table, pair[1].table
        );
        for (n, bit) in pair.iter().enumerate() {
            let [a, b, c, d] = &bit.inputs;
            let _ = writeln!(
                out,
                "    .A{n}({a}), .B{n}({b}), .C{n}({c}), .D{n}({d}), .S{n}({}),",
                bit.sum
            );
        }
        let _ = writeln!(out, "    .CIN(carry[{i}]), .COUT(carry[{}])\n  );", i + 1);
    }
    out
}

/// `sum = a + (keep ? b : 0)`, modulo 2^`width`: an accumulator's adder with its load for free.
///
/// | port | dir | type |
/// |---|---|---|
/// | `a`, `b` | in | bits(`width`) |
/// | `keep` | in | bit |
/// | `sum` | out | bits(`width`) |
///
/// Combinational. On ECP5 one carry cell bit per bit.
#[derive(Clone, Copy, Debug)]
pub struct GatedAdd {
    /// Width of operands and sum.
    pub width: u32,
}

impl Module for GatedAdd {
    fn name(&self) -> String {
        format!("gated_add_w{}", self.width)
    }

    fn build(&self, m: &Builder) {
        m.doc("a + (keep ? b : 0)");
        let ty = bits(self.width);
        let (a, b, keep) = (m.input("a", ty), m.input("b", ty), m.input("keep", bit()));
        let kept = keep.gate(b);
        m.output("sum", a.as_u().add_wrap(kept.as_u()).as_bits());

        let lane = |port: &str, i: u32| {
            if self.width == 1 { port.to_owned() } else { format!("{port}[{i}]") }
        };
        let bits: Vec<Bit> = (0..self.width)
            .map(|i| Bit {
                table: AND_PLUS_AND,
                inputs: [lane("a", i), "1'b1".into(), lane("b", i), "keep".into()],
                sum: lane("sum", i),
            })
            .collect();
        m.native(ECP5, chain(&bits));
    }
}

/// `product = a * digit`, where `digit` is two bits of a multiplier: one row pair of a partial-product tree.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `a` | in | sint(`width`) | multiplicand |
/// | `digit` | in | bits(2) | 0 to 3; with `signed` its upper bit counts -2 |
/// | `product` | out | sint(`width` + 2) | |
///
/// Combinational. On ECP5 `width` + 2 carry cell bits, one more with `signed`.
#[derive(Clone, Copy, Debug)]
pub struct RowPair {
    /// Width of the multiplicand.
    pub width: u32,
    /// The digit is the top one of a two's complement number.
    pub signed: bool,
}

impl Module for RowPair {
    fn name(&self) -> String {
        let sign = if self.signed { "_signed" } else { "" };
        format!("row_pair_w{}{sign}", self.width)
    }

    fn build(&self, m: &Builder) {
        m.doc(if self.signed { "a * (digit[0] - 2 * digit[1])" } else { "a * digit" });
        let width = self.width + 2;
        let (a, digit) = (m.input("a", sint(self.width)), m.input("digit", bits(2)));
        let once = digit.bit(0).gate(a.sext(width));
        let twice = digit.bit(1).gate(cat(&[a.sext(width - 1).as_bits(), m.low()]).as_s());
        let product = if self.signed { once.sub_wrap(twice) } else { once.add_wrap(twice) };
        m.output("product", product);

        let lane = |i: u32| match self.width {
            1 => "a".to_owned(),
            w => format!("a[{}]", i.min(w - 1)),
        };
        // A first bit that makes a carry of the digit's upper bit: -x is ~x + 1.
        let lead = self.signed.then(|| Bit {
            table: AND_PLUS_NOT,
            inputs: ["digit[1]".into(), "1'b1".into(), "1'b0".into(), "1'b1".into()],
            sum: String::new(),
        });
        let table = if self.signed { AND_PLUS_NOT } else { AND_PLUS_AND };
        let rows = (0..width).map(|i| Bit {
            table,
            inputs: [
                lane(i),
                "digit[0]".into(),
                if i == 0 { "1'b0".into() } else { lane(i - 1) },
                "digit[1]".into(),
            ],
            sum: format!("product[{i}]"),
        });
        m.native(ECP5, chain(&lead.into_iter().chain(rows).collect::<Vec<_>>()));
    }
}

/// Signed product in LUTs: row pairs, then a tree of adders, a register behind each level.
///
/// | port | dir | type |
/// |---|---|---|
/// | `a` | in | sint(`a_bits`) |
/// | `b` | in | sint(`b_bits`) |
/// | `product` | out | sint(`a_bits` + `b_bits`) |
///
/// [`latency`](Self::latency) cycles, one product a cycle. On ECP5 73 carry cell bits for 8 x 8. Source of the fused
/// rows: the carry cell rule in the module's head; the tree keeps operands from being delayed along with the rows.
#[derive(Clone, Copy, Debug)]
pub struct RowMultiplier {
    /// Multiplicand.
    pub a_bits: u32,
    /// Multiplier, two bits a row pair.
    pub b_bits: u32,
}

/// A partial product: its value and the weight of its lowest bit, log2.
#[derive(Clone, Copy)]
struct Partial<'m> {
    value: Sig<'m>,
    weight: u32,
}

impl RowMultiplier {
    /// Cycles from operands to product.
    pub fn latency(&self) -> u32 {
        1 + self.pairs().next_power_of_two().ilog2()
    }

    fn pairs(&self) -> u32 {
        self.b_bits.div_ceil(2)
    }
}

impl Module for RowMultiplier {
    fn name(&self) -> String {
        format!("row_multiplier_{}x{}", self.a_bits, self.b_bits)
    }

    fn check(&self) -> Result<(), String> {
        for (key, bits) in [("a_bits", self.a_bits), ("b_bits", self.b_bits)] {
            if !(2..=32).contains(&bits) {
                return Err(format!("row multiplier: {key} is {bits}; 2 to 32 are built"));
            }
        }
        Ok(())
    }

    fn build(&self, m: &Builder) {
        m.doc("Signed product: row pairs and a tree of adders, a register behind each level.");
        let (a, b) = (m.input("a", sint(self.a_bits)), m.input("b", sint(self.b_bits)));
        // An odd multiplier gets its sign once more.
        let digits = b.sext(2 * self.pairs()).as_bits().lanes(2);
        let mut level: Vec<Partial> = (digits.iter().enumerate())
            .map(|(i, digit)| {
                let signed = i + 1 == digits.len();
                let row = m.inst(&format!("row_{i}"), &RowPair { width: self.a_bits, signed });
                row.set("a", a).set("digit", *digit);
                let value = m.reg(&format!("row_{i}_q"), row.get("product"));
                Partial { value, weight: 2 * i as u32 }
            })
            .collect();
        let mut depth = 1;
        while level.len() > 1 {
            level = (level.chunks(2).enumerate())
                .map(|(i, pair)| {
                    let name = format!("sum_{depth}_{i}");
                    let value = match pair {
                        [low, high] => add_shifted(*low, *high),
                        rest => rest[0].value,
                    };
                    Partial { value: m.reg(&name, value), weight: pair[0].weight }
                })
                .collect();
            depth += 1;
        }
        m.output("product", level[0].value.resize(self.a_bits + self.b_bits));
    }
}

/// `low + (high << distance)` of two neighbours; the bits of `low` below `high` need no adder. The sum has
/// exactly the bits of `high` above them: a partial product of n digit bits fits the multiplicand and n more.
fn add_shifted<'m>(low: Partial<'m>, high: Partial<'m>) -> Sig<'m> {
    let distance = high.weight - low.weight;
    let width = high.value.width();
    let passed = low.value.slice(distance - 1, 0);
    let rest = low.value.shr_k(distance).sext(width);
    cat(&[high.value.add_wrap(rest).as_bits(), passed]).as_s()
}
