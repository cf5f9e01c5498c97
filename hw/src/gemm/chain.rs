//! The array for floats that are summed in binary32, one rounding a step.

use super::array::{DrainTree, results};
use crate::float::{Decode, Operand};
use crate::pe::Chain;
use mattock_spec::Format;
use mattock_spec::format::{Float, TupleList};
use rtl_gen::{Builder, Instance, Module, Sig, bit, bits, case, cat, mux, uint};

/// R x C sums on an array of R / L x C PEs: each works on L rows in turn, L = [`Chain::ROWS`].
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `turn` | in | bit | every L cycles: operands may be here |
/// | `first`, `valid` | in | bit | with `turn`: these operands are the first of a tile; they are a step (else they count for nothing) |
/// | `a`, `b` | in | bits(R * width), bits(C * width) | codes, in the low bits of their elements |
/// | `tuple` | in | uint(8) | index into the card's tuples |
/// | `swap` | in | bit | `a` has the format of the tuple's B and the reverse |
/// | `rounding`, `saturate` | in | uint(3), bit | of [`Fma`](crate::float::Fma) |
/// | `result` | out | bits(C * 32) | one result per column, column 0 in the low bits |
///
/// With `first` in cycle t, the result of row r and column c of the tile before is at `result` in cycle
/// t + [`latency`](Self::latency) + r + c: as of any [`Array`](super::Array) of R x C, whose steps take L cycles.
///
/// # Timing on paper
/// PE (p, c) computes rows p * L + j, j = 0 .. L - 1. A step's operands for it arrive L * p + j + c cycles after `turn`: those of A leave a
/// shift register at the row's edge one a cycle and move to the right, that of B is kept for L cycles in the PE and then taken by the PE
/// below. So a row of PEs is L cycles behind the one above, and the rows of a tile leave a column in the order of their numbers, one a
/// cycle: `first` may come every R / L turns, and a tile takes `max(K, R / L)` of them.
///
/// Decoders stand behind the shift registers, one per row of PEs and one per column. `tuple`, `swap`, `rounding` and `saturate` hold
/// still during a command.
#[derive(Clone, Copy, Debug)]
pub struct ChainArray {
    /// Rows of a tile, a multiple of L.
    pub rows: u32,
    /// Columns of it and of the array.
    pub cols: u32,
    /// Bits of an element.
    pub width: u32,
    /// The tuples commands choose among.
    pub tuples: TupleList,
}

impl ChainArray {
    /// Cycles from `first` to the old result of row 0, column 0.
    pub fn latency(&self) -> u32 {
        // shift register, decoder, operand register, product, drain register, OR tree
        1 + Decode::LATENCY + 1 + self.pe().latency() + 1 + self.tree().latency()
    }

    fn pe_rows(&self) -> u32 {
        self.rows / Chain::ROWS
    }

    /// Every operand format once.
    fn formats(&self) -> Vec<Float> {
        let mut formats: Vec<Float> = vec![];
        for format in self.tuples.iter().flat_map(|t| [t.a, t.b]) {
            if let Format::Float(f) = format
                && !formats.contains(&f)
            {
                formats.push(f);
            }
        }
        formats
    }

    fn pe(&self) -> Chain {
        // Column-major results swap the operands, so both sides take every format.
        let operands = self.formats().into_iter().map(Operand::of);
        let operand = operands.reduce(Operand::union).unwrap_or(Operand::of(Float::F32));
        Chain { a: operand, b: operand }
    }

    fn tree(&self) -> DrainTree {
        DrainTree { groups: 1, inputs: self.pe_rows(), width: 32 }
    }

    fn decode(&self) -> Decode {
        Decode { formats: self.formats(), operand: self.pe().a, code_bits: self.width }
    }
}

impl Module for ChainArray {
    fn name(&self) -> String {
        let tuples: Vec<String> = self.tuples.iter().map(|t| format!("{}_{}", t.a, t.b)).collect();
        format!("chain_array_{}x{}_{}", self.rows, self.cols, tuples.join("_"))
    }

    fn check(&self) -> Result<(), String> {
        if self.rows == 0 || !self.rows.is_multiple_of(Chain::ROWS) || self.rows > 256 {
            let (rows, each) = (self.rows, Chain::ROWS);
            return Err(format!("{rows} rows of sums; a multiple of {each} up to 256 is built"));
        }
        match self.tuples.iter().find(|t| !t.is_chained()) {
            Some(tuple) => Err(format!("gemm.tuples lists {tuple}, whose sums are exact")),
            None => Ok(()),
        }
    }

    fn build(&self, m: &Builder) {
        m.doc("Array of multiply-adds in binary32; each works on several rows in turn.");
        let turn = m.input("turn", bit());
        let (first, valid) = (m.input("first", bit()), m.input("valid", bit()));
        let a = m.input("a", bits(self.rows * self.width));
        let b = m.input("b", bits(self.cols * self.width));
        let tuple = m.input("tuple", uint(8));
        let swap = m.input("swap", bit());
        let mode = m.input("rounding", uint(3));
        let saturate = m.input("saturate", bit());
        let pe = self.pe();
        let each_turn = |name: &str, value| m.reg_when(name, turn, value);

        // Which format stands on each side: settled long before the first step.
        let formats = self.formats();
        let several = formats.len() > 1;
        let side = |name: &str, left: bool| {
            let of = |a: bool| {
                let index = |t: Format| formats.iter().position(|f| Format::Float(*f) == t);
                let arms: Vec<_> = (self.tuples.iter().enumerate())
                    .map(|(i, t)| (i as i128, index(if a { t.a } else { t.b }).unwrap_or(0)))
                    .map(|(i, format)| (i, m.lit(uint(5), format as i128)))
                    .collect();
                case(tuple, &arms, m.lit(uint(5), 0))
            };
            m.reg(name, mux(swap, of(!left), of(left)))
        };
        let sides = several.then(|| [side("a_format", true), side("b_format", false)]);
        if !several {
            m.unused("tuple");
            m.unused("swap");
        }
        let decoded = |name: &str, code: Sig<'_>, side: usize| {
            let decode = m.inst(name, &self.decode());
            decode.set("code", code);
            if let Some(sides) = sides {
                decode.set("format", sides[side]);
            }
            decode.get("word")
        };

        // ---- columns: a code a turn, in time for the PE at the top ----
        let last_of_word = m.delay("last_of_word", turn, Decode::LATENCY);
        let takes = m.reg("take", last_of_word);
        let mut from_above: Vec<Sig> = (0..self.cols)
            .map(|c| {
                let code = each_turn(&format!("b_{c}"), b.lane(c, self.width));
                let word = decoded(&format!("decode_b_{c}"), code, 1);
                // A word is there for a turn; further columns begin later by more than that.
                (1..=c / Chain::ROWS).fold(word, |word, i| {
                    m.reg_when(&format!("b_{c}_late_{i}"), last_of_word, word)
                })
            })
            .collect();

        // ---- rows: a turn behind one another, their codes one a cycle ----
        let share = Chain::ROWS * self.width;
        let late = Decode::LATENCY + pe.latency();
        let (mut starts, mut steps) = (first, valid);
        let mut drained: Vec<Vec<Sig>> = vec![vec![]; self.cols as usize];
        for p in 0..self.pe_rows() {
            let codes = (1..=p)
                .fold(a.lane(p, share), |codes, i| each_turn(&format!("a_{p}_late_{i}"), codes));
            let shifted = m.reg_decl(&format!("a_{p}"), bits(share));
            let rest = cat(&[m.lit(bits(self.width), 0), shifted.q().slice(share - 1, self.width)]);
            shifted.drive(turn.mux(codes, rest));
            starts = each_turn(&format!("starts_{p}"), starts);
            steps = each_turn(&format!("steps_{p}"), steps);
            let mut word = decoded(&format!("decode_a_{p}"), shifted.q().lane(0, self.width), 0);
            let mut take = takes;
            let mut keep = m.delay(&format!("keep_{p}"), !starts, late);
            let mut hold = m.delay(&format!("hold_{p}"), !steps, late);
            for c in 0..self.cols as usize {
                let cell: Instance = m.inst(&format!("pe_{p}_{c}"), &pe);
                cell.set("a_in", word)
                    .set("take_in", take)
                    .set("keep_in", keep)
                    .set("hold_in", hold);
                cell.set("b_in", from_above[c]).set("mode", mode).set("saturate", saturate);
                drained[c].push(cell.get("drain"));
                from_above[c] = cell.get("b_out");
                if c + 1 < self.cols as usize {
                    [word, take, keep, hold] =
                        ["a_out", "take_out", "keep_out", "hold_out"].map(|port| cell.get(port));
                }
            }
        }
        let columns = drained.into_iter().map(|column| vec![column]);
        m.output("result", results(m, self.tree(), columns, |_| 0));
    }
}
