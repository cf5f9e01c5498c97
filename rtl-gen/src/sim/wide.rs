//! Operations on values of more than 64 bits, one at a time on slices of words.

use super::flatten::Shape;
use crate::ir::Op;
use crate::{Type, Value};

/// An operand: where its words are and how to read them.
#[derive(Clone, Copy, Debug)]
pub(super) struct WideArg {
    pub(super) slot: u32,
    pub(super) shape: Shape,
}

/// An operation with its places.
#[derive(Clone, Debug)]
pub(super) struct WideOp {
    op: Op,
    keys: Vec<Box<[u64]>>,
    to: Shape,
    pub(super) dst: u32,
    pub(super) args: Vec<WideArg>,
}

impl WideOp {
    pub(super) fn new(op: Op, to: Shape, shapes: &[Shape]) -> Self {
        let mut keys = vec![];
        if let Op::CaseMux(values) = &op {
            for value in values {
                let mut words = value.words().to_vec();
                shapes[0].canon(&mut words);
                keys.push(words.into());
            }
        }
        let args = shapes.iter().map(|s| WideArg { slot: 0, shape: *s }).collect();
        WideOp { op, keys, to, dst: 0, args }
    }

    /// Computes the result. `scratch` is kept between calls only to spare allocations.
    pub(super) fn run(&self, v: &mut [u64], scratch: &mut Scratch) {
        let n = self.to.words() as usize;
        let dst = self.dst as usize;
        let (lo, hi) = v.split_at_mut(dst);
        let out = &mut hi[..n];
        let words = |i: usize| {
            let a = self.args[i];
            &lo[a.slot as usize..][..a.shape.words() as usize]
        };
        let flag = |i: usize| lo[self.args[i].slot as usize] & 1 == 1;
        match &self.op {
            Op::Mux => return out.copy_from_slice(words(if flag(0) { 1 } else { 2 })),
            Op::CaseMux(_) => {
                let select = words(0);
                let arm = self.keys.iter().position(|k| **k == *select).map_or(1, |i| i + 2);
                return out.copy_from_slice(words(arm));
            }
            Op::Cat | Op::Rep(_) => {
                out.fill(0);
                let copies = if let Op::Rep(n) = self.op { n } else { 1 };
                let mut at = 0;
                for _ in 0..copies {
                    for i in (0..self.args.len()).rev() {
                        place(out, words(i), self.args[i].shape, at);
                        at += self.args[i].shape.width;
                    }
                }
                return self.to.canon(out);
            }
            _ => {}
        }
        // Enough words that nothing is lost before the result is cut.
        let most = self.args.iter().map(|a| a.shape.words() as usize).max().unwrap_or(0).max(n);
        let Scratch { a, b } = scratch;
        load(a, words(0), self.args[0].shape.signed, most);
        let from = self.args[0].shape;
        match &self.op {
            Op::Not => a.iter_mut().for_each(|x| *x = !*x),
            Op::And | Op::Or | Op::Xor | Op::Add | Op::Sub | Op::Mul | Op::Eq | Op::Lt => {
                load(b, words(1), self.args[1].shape.signed, most);
                binary(&self.op, a, b, from.signed);
            }
            Op::Neg => {
                b.clear();
                b.resize(most, 0);
                std::mem::swap(a, b);
                subtract(a, b);
            }
            Op::RedAnd | Op::RedOr | Op::RedXor => {
                cut(a, from);
                let result = match self.op {
                    Op::RedAnd => a.iter().map(|x| x.count_ones()).sum::<u32>() == from.width,
                    Op::RedOr => a.iter().any(|x| *x != 0),
                    _ => a.iter().map(|x| x.count_ones()).sum::<u32>() & 1 == 1,
                };
                set_flag(a, result);
            }
            Op::ShlK(k) => shift_left(a, *k),
            Op::ShrK(k) => shift_right(a, *k, from.signed),
            Op::Shl => shift_left(a, amount(words(1))),
            Op::Shr => {
                cut(a, from);
                shift_right(a, amount(words(1)), false);
            }
            Op::Sra => shift_right(a, amount(words(1)), true),
            Op::Slice(_, lo) => shift_right(a, *lo, false),
            Op::Zext => cut(a, from),
            Op::Sext => {
                // The operand may be plain bits: its top bit counts all the same.
                a.truncate(from.words() as usize);
                Shape { signed: true, ..from }.canon(a);
                let fill = fill(a);
                a.resize(most, fill);
            }
            Op::DynSlice => {
                let (lane, index) = (self.to.width, amount(words(1)));
                cut(a, from);
                if index < from.width / lane {
                    shift_right(a, index * lane, false);
                } else {
                    a.fill(0);
                }
            }
            // Trunc and casts only cut; the rest never comes here.
            _ => {}
        }
        out.copy_from_slice(&a[..n]);
        self.to.canon(out);
    }
}

/// The value of one operation on constants.
pub(crate) fn evaluate(op: &Op, args: &[(Value, Type)], ty: Type) -> Value {
    let shapes: Vec<Shape> = args.iter().map(|a| a.1.into()).collect();
    let mut wide = WideOp::new(op.clone(), ty.into(), &shapes);
    let mut v = vec![];
    for (arg, (value, shape)) in wide.args.iter_mut().zip(args.iter().zip(&shapes)) {
        arg.slot = v.len() as u32;
        v.extend(value.0.words());
        shape.canon(&mut v[arg.slot as usize..]);
    }
    wide.dst = v.len() as u32;
    v.resize(v.len() + wide.to.words() as usize, 0);
    wide.run(&mut v, &mut Scratch::default());
    Value::from_words(ty.width(), v.split_off(wide.dst as usize))
}

/// Buffers for operands.
#[derive(Default, Debug)]
pub(super) struct Scratch {
    a: Vec<u64>,
    b: Vec<u64>,
}

fn fill(words: &[u64]) -> u64 {
    if words.last().is_some_and(|w| *w >> 63 == 1) { u64::MAX } else { 0 }
}

fn load(to: &mut Vec<u64>, words: &[u64], signed: bool, n: usize) {
    to.clear();
    to.extend_from_slice(words);
    to.resize(n, if signed { fill(words) } else { 0 });
}

/// Clears everything past the width.
fn cut(x: &mut [u64], shape: Shape) {
    let n = shape.words() as usize;
    x[n..].fill(0);
    x[n - 1] &= shape.mask();
}

fn set_flag(x: &mut [u64], flag: bool) {
    x.fill(0);
    x[0] = flag as u64;
}

/// An amount that may be wider than it needs: past `u32` it saturates.
fn amount(words: &[u64]) -> u32 {
    if words[1..].iter().any(|w| *w != 0) { u32::MAX } else { words[0].min(u32::MAX as u64) as u32 }
}

fn binary(op: &Op, a: &mut [u64], b: &[u64], signed: bool) {
    let pairs = |a: &mut [u64], f: fn(u64, u64) -> u64| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a = f(*a, *b));
    };
    match op {
        Op::And => pairs(a, |a, b| a & b),
        Op::Or => pairs(a, |a, b| a | b),
        Op::Xor => pairs(a, |a, b| a ^ b),
        Op::Add => {
            let mut carry = 0;
            for (a, b) in a.iter_mut().zip(b) {
                let sum = *a as u128 + *b as u128 + carry;
                (*a, carry) = (sum as u64, sum >> 64);
            }
        }
        Op::Sub => subtract(a, b),
        Op::Mul => {
            let x = a.to_vec();
            a.fill(0);
            for (i, x) in x.iter().enumerate() {
                let mut carry = 0;
                for (a, b) in a[i..].iter_mut().zip(b) {
                    let sum = *x as u128 * *b as u128 + *a as u128 + carry;
                    (*a, carry) = (sum as u64, sum >> 64);
                }
            }
        }
        Op::Eq => {
            let equal = *a == *b;
            set_flag(a, equal);
        }
        _ => {
            let top = a.len() - 1;
            let flip = if signed { 1 << 63 } else { 0 };
            let above = (a[top] ^ flip).cmp(&(b[top] ^ flip));
            let less = above.then_with(|| a[..top].iter().rev().cmp(b[..top].iter().rev())).is_lt();
            set_flag(a, less);
        }
    }
}

fn subtract(a: &mut [u64], b: &[u64]) {
    let mut borrow = false;
    for (a, b) in a.iter_mut().zip(b) {
        let (x, first) = a.overflowing_sub(*b);
        let (x, second) = x.overflowing_sub(borrow as u64);
        (*a, borrow) = (x, first | second);
    }
}

fn shift_left(x: &mut [u64], n: u32) {
    let (words, bits) = ((n / 64) as usize, n % 64);
    for i in (0..x.len()).rev() {
        let at = |j: usize| if j <= i { x[i - j] } else { 0 };
        let high = if words > i { 0 } else { at(words) << bits };
        let low = if bits == 0 || words + 1 > i { 0 } else { at(words + 1) >> (64 - bits) };
        x[i] = high | low;
    }
}

fn shift_right(x: &mut [u64], n: u32, signed: bool) {
    let fill = if signed { fill(x) } else { 0 };
    let (words, bits) = ((n / 64) as usize, n % 64);
    for i in 0..x.len() {
        let at = |j: usize| x.get(i + j).copied().unwrap_or(fill);
        let low = at(words) >> bits;
        let high = if bits == 0 { 0 } else { at(words + 1) << (64 - bits) };
        x[i] = low | high;
    }
}

/// Ors the bits of a value into `out` from bit `at` on.
fn place(out: &mut [u64], words: &[u64], shape: Shape, at: u32) {
    let (first, bits) = ((at / 64) as usize, at % 64);
    let last = words.len() - 1;
    for (i, word) in words.iter().enumerate() {
        let word = if i == last { word & shape.mask() } else { *word };
        out[first + i] |= word << bits;
        if bits != 0 && first + i + 1 < out.len() {
            out[first + i + 1] |= word >> (64 - bits);
        }
    }
}
