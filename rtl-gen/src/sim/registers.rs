//! Registers: next values go to a shadow of the state, which is copied back when all is computed.

use super::flatten::{Id, Shape};
use super::kernel::{Arg, pick};
use super::lower::{Program, Word};
use super::schedule::{Slots, segments};
use crate::Value;
use crate::ir::ResetKind;

/// A register of the flattened design.
pub(super) struct FlatReg {
    pub(super) q: Id,
    pub(super) shape: Shape,
    pub(super) domain: u32,
    next: Id,
    enable: Option<Id>,
    reset: ResetKind,
    pub(super) init: Option<Value>,
    place: (u32, u32, u32),
}

/// Neighbouring registers that load in the same way.
#[derive(Debug)]
pub(super) struct RegBatch {
    q: u32,
    len: u32,
    next: Arg,
    enable: Option<Arg>,
    reset: bool,
}

/// All registers of one clock domain.
#[derive(Default, Debug)]
pub(super) struct RegDomain {
    batches: Vec<RegBatch>,
    /// `(first slot, length)` of registers with asynchronous reset.
    asynchronous: Vec<(u32, u32)>,
}

/// All registers, ordered so that neighbours load in the same way.
pub(super) fn collect(program: &mut Program) -> Vec<FlatReg> {
    let mut regs = vec![];
    for scope in 0..program.flat.scopes.len() {
        let (base, module) = (program.flat.scopes[scope].base, program.flat.scopes[scope].module);
        let def = &program.flat.modules[module];
        for (i, reg) in def.regs.iter().enumerate() {
            let Some(next) = reg.next else { continue };
            regs.push(FlatReg {
                q: base + reg.q.0,
                shape: def.node(reg.q).ty.into(),
                domain: program.flat.scopes[scope].domains[reg.domain as usize],
                next: program.flat.resolve(base + next.0),
                enable: reg.enable.map(|e| program.flat.resolve(base + e.0)),
                reset: reg.reset.clone(),
                init: reg.init.clone(),
                place: (module as u32, i as u32, scope as u32),
            });
        }
    }
    regs.sort_by_key(|r| (r.domain, r.kind(), r.enable.is_some(), r.place));
    regs
}

impl FlatReg {
    fn kind(&self) -> u8 {
        match self.reset {
            ResetKind::None => 0,
            ResetKind::Sync(_) => 1,
            ResetKind::Async(_) => 2,
        }
    }

    pub(super) fn roots(&self) -> impl Iterator<Item = Id> {
        [Some(self.next), self.enable].into_iter().flatten()
    }

    /// The value after reset, word by word; zeros without reset.
    pub(super) fn reset_words(&self) -> Vec<u64> {
        let mut words = match &self.reset {
            ResetKind::Sync(v) | ResetKind::Async(v) => v.words().to_vec(),
            ResetKind::None => vec![0; self.shape.words() as usize],
        };
        self.shape.canon(&mut words);
        words
    }
}

/// Makes the batches of one domain; `regs` are its registers in slot order.
pub(super) fn batches(regs: &[FlatReg], slots: &Slots, pool: &mut Vec<u32>) -> RegDomain {
    let mut domain = RegDomain::default();
    let alike =
        |a: &FlatReg, b: &FlatReg| (a.kind(), a.enable.is_some()) == (b.kind(), b.enable.is_some());
    for group in regs.chunk_by(alike) {
        let mut operands = vec![];
        for reg in group {
            for word in 0..reg.shape.words() {
                let next = slots.of(Word { id: reg.next, word });
                let enable = reg.enable.map_or(0, |id| slots.of(Word { id, word: 0 }));
                operands.push([next, enable]);
            }
        }
        let q = slots.of(Word { id: group[0].q, word: 0 });
        let (reset, enabled) = (group[0].kind() != 0, group[0].enable.is_some());
        for (at, len, [next, enable]) in segments(&operands, pool) {
            let (q, len) = (q + at as u32, len as u32);
            let enable = enabled.then_some(enable);
            domain.batches.push(RegBatch { q, len, next, enable, reset });
        }
        if group[0].kind() == 2 {
            domain.asynchronous.push((q, operands.len() as u32));
        }
    }
    domain
}

impl RegDomain {
    /// Computes the next state into `shadow`, whose first word is slot `base`.
    pub(super) fn clock(
        &self,
        v: &[u64],
        shadow: &mut [u64],
        base: u32,
        in_reset: bool,
        reset_values: &[u64],
        pool: &[u32],
    ) {
        for batch in &self.batches {
            let (at, n) = ((batch.q - base) as usize, batch.len as usize);
            let out = &mut shadow[at..at + n];
            if batch.reset && in_reset {
                out.copy_from_slice(&reset_values[at..at + n]);
                continue;
            }
            let q = &v[batch.q as usize..][..n];
            match batch.enable {
                None => load(batch.next, v, pool, out),
                Some(Arg::Same(e)) if v[e as usize] & 1 == 1 => load(batch.next, v, pool, out),
                Some(Arg::Same(_)) => out.copy_from_slice(q),
                Some(Arg::Run(e)) => {
                    let e = &v[e as usize..][..n];
                    load(batch.next, v, pool, out);
                    for ((o, q), e) in out.iter_mut().zip(q).zip(e) {
                        *o = *q ^ ((*q ^ *o) & e.wrapping_neg());
                    }
                }
                Some(e @ Arg::Gather(_)) => {
                    load(batch.next, v, pool, out);
                    for (i, (o, q)) in out.iter_mut().zip(q).enumerate() {
                        *o = *q ^ ((*q ^ *o) & pick(e, i, v, pool).wrapping_neg());
                    }
                }
            }
        }
    }

    pub(super) fn has_asynchronous(&self) -> bool {
        !self.asynchronous.is_empty()
    }

    /// Applies an asynchronous reset that is high now.
    pub(super) fn reset_now(&self, v: &mut [u64], base: u32, reset_values: &[u64]) {
        for &(q, len) in &self.asynchronous {
            let at = (q - base) as usize;
            v[q as usize..][..len as usize].copy_from_slice(&reset_values[at..at + len as usize]);
        }
    }
}

fn load(next: Arg, v: &[u64], pool: &[u32], out: &mut [u64]) {
    match next {
        Arg::Run(a) => out.copy_from_slice(&v[a as usize..][..out.len()]),
        Arg::Same(a) => out.fill(v[a as usize]),
        Arg::Gather(a) => {
            let from = &pool[a as usize..][..out.len()];
            out.iter_mut().zip(from).for_each(|(o, a)| *o = v[*a as usize]);
        }
    }
}
