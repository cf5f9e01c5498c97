//! Multiplexers, concatenation and reductions of several signals.

use super::Sig;
use crate::bits;
use crate::ir::Op;

impl<'m> Sig<'m> {
    /// `then` where this bit is 1, else `other`.
    #[track_caller]
    pub fn mux(self, then: Sig<'m>, other: Sig<'m>) -> Sig<'m> {
        self.flag("mux select");
        then.same("mux", other);
        self.node(Op::Mux, &[self, then, other], then.ty())
    }

    /// `value` where this bit is 1, else zeros (an AND with the bit repeated).
    #[track_caller]
    pub fn gate(self, value: Sig<'m>) -> Sig<'m> {
        self.mux(value, value.lit(0))
    }
}

/// `then` where `select` is 1, else `other`.
#[track_caller]
pub fn mux<'m>(select: Sig<'m>, then: Sig<'m>, other: Sig<'m>) -> Sig<'m> {
    select.mux(then, other)
}

/// The arm whose key equals `select`, else `default`.
#[track_caller]
pub fn case<'m>(select: Sig<'m>, arms: &[(i128, Sig<'m>)], default: Sig<'m>) -> Sig<'m> {
    let mut args = vec![select, default];
    let mut keys = Vec::with_capacity(arms.len());
    for &(key, arm) in arms {
        default.same("case", arm);
        // `lit` checks that the key fits the selector.
        let key = select.lit(key);
        keys.extend(select.m.constant_of(key.id));
        args.push(arm);
    }
    select.node(Op::CaseMux(keys), &args, default.ty())
}

/// The OR of all values gated by their select bits: a multiplexer when at most one select is 1.
/// Zero when none is. Panics on an empty list.
#[track_caller]
pub fn one_hot_mux<'m>(arms: &[(Sig<'m>, Sig<'m>)]) -> Sig<'m> {
    let gated: Vec<_> = arms.iter().map(|&(select, value)| select.gate(value)).collect();
    tree(&gated, |a, b| a | b)
}

/// Operands side by side, the first one most significant. Panics on an empty list.
#[track_caller]
pub fn cat<'m>(parts: &[Sig<'m>]) -> Sig<'m> {
    let (first, width) = (parts[0], parts.iter().map(|p| p.width()).sum());
    if parts.len() == 1 { first.as_bits() } else { first.node(Op::Cat, parts, bits(width)) }
}

/// One bit: any of the bits. Panics on an empty list.
#[track_caller]
pub fn any<'m>(flags: &[Sig<'m>]) -> Sig<'m> {
    tree(flags, |a, b| a | b)
}

/// One bit: all of the bits. Panics on an empty list.
#[track_caller]
pub fn all<'m>(flags: &[Sig<'m>]) -> Sig<'m> {
    tree(flags, |a, b| a & b)
}

#[track_caller]
fn tree<'m>(items: &[Sig<'m>], op: fn(Sig<'m>, Sig<'m>) -> Sig<'m>) -> Sig<'m> {
    match items {
        [] => panic!("a reduction needs at least one signal"),
        [one] => *one,
        _ => {
            let (a, b) = items.split_at(items.len() / 2);
            op(tree(a, op), tree(b, op))
        }
    }
}
