//! Order and place: operations are sorted by (level, kind, module node, instance), and each gets the
//! next slot, so that the operands of neighbours are neighbours too and batches become runs.

use super::SimError;
use super::flatten::Id;
use super::kernel::{Arg, Batch, Code};
use super::lower::{Lowered, NONE, Program, Word};

/// Shorter runs than this are not worth a loop of their own.
const SHORTEST_RUN: usize = 12;

/// Slots of the values, in words.
pub(super) struct Slots {
    /// Per id: its first slot, `NONE` when nothing needs the value.
    slot: Vec<u32>,
    pub(super) size: u32,
}

impl Slots {
    pub(super) fn new(ids: usize) -> Self {
        Slots { slot: vec![NONE; ids], size: 0 }
    }

    /// Gives `id` the next `words` slots.
    pub(super) fn place(&mut self, id: Id, words: u32) -> u32 {
        self.slot[id as usize] = self.size;
        self.size += words;
        self.size - words
    }

    pub(super) fn get(&self, id: Id) -> Option<u32> {
        let slot = self.slot[id as usize];
        (slot != NONE).then_some(slot)
    }

    /// Slot of a value that the schedule has placed.
    pub(super) fn of(&self, word: Word) -> u32 {
        debug_assert_ne!(self.slot[word.id as usize], NONE);
        self.slot[word.id as usize] + word.word
    }
}

/// Finds the operations that `roots` need with their levels (1 + the deepest operand), or a loop.
fn levels(program: &Program, roots: &[Id]) -> Result<Vec<u32>, SimError> {
    const OPEN: u32 = NONE - 1;
    let mut level = vec![NONE; program.ops.len()];
    let mut stack: Vec<(u32, usize)> = vec![];
    for &root in roots {
        let op = program.producer[root as usize];
        if op == NONE || level[op as usize] != NONE {
            continue;
        }
        level[op as usize] = OPEN;
        stack.push((op, 0));
        while let Some((op, next)) = stack.last_mut() {
            let args = &program.ops[*op as usize].args;
            if let Some(arg) = args.get(*next) {
                *next += 1;
                let producer = program.producer[arg.id as usize];
                if producer == NONE {
                    continue;
                }
                match level[producer as usize] {
                    NONE => {
                        level[producer as usize] = OPEN;
                        stack.push((producer, 0));
                    }
                    OPEN => {
                        let scope = program.ops[producer as usize].place.2;
                        return Err(SimError::Loop { path: program.flat.path(scope) });
                    }
                    _ => {}
                }
            } else {
                let below = args.iter().map(|a| program.producer[a.id as usize]);
                let deepest = below.filter(|p| *p != NONE).map(|p| level[p as usize]).max();
                level[*op as usize] = deepest.map_or(0, |d| d + 1);
                stack.pop();
            }
        }
    }
    Ok(level)
}

/// The combinational logic behind `roots` as batches, in order, with their index pool.
pub(super) fn schedule(
    program: &mut Program,
    slots: &mut Slots,
    roots: &[Id],
) -> Result<(Vec<Batch>, Vec<u32>), SimError> {
    let level = levels(program, roots)?;
    let mut live: Vec<u32> =
        (0..program.ops.len() as u32).filter(|i| level[*i as usize] != NONE).collect();
    let key = |o: &Lowered| (o.code, o.imm, o.k);
    live.sort_unstable_by_key(|&i| {
        let op = &program.ops[i as usize];
        (level[i as usize], key(op), op.place)
    });
    for &i in &live {
        let op = &program.ops[i as usize];
        if op.code == Code::Box {
            let index = op.k as usize;
            for (shape, id) in program.box_ports(index).1 {
                if let Some(id) = id {
                    slots.place(id, shape.words());
                }
            }
        } else {
            slots.place(op.dst, program.flat.shapes[op.dst as usize].words());
        }
    }
    let (mut batches, mut pool) = (vec![], vec![]);
    let same = |a: &u32, b: &u32| {
        level[*a as usize] == level[*b as usize]
            && key(&program.ops[*a as usize]) == key(&program.ops[*b as usize])
    };
    for group in live.chunk_by(same) {
        let first = &program.ops[group[0] as usize];
        let (code, imm, k) = key(first);
        let dst = slots.get(first.dst).unwrap_or(0);
        let words = program.flat.shapes[first.dst as usize].words();
        let nothing = Batch { code, imm, k, dst, len: group.len() as u32, args: [Arg::Same(0); 3] };
        match code {
            Code::Box => batches.push(nothing),
            Code::Wide => {
                let wide = &mut program.wide[k as usize];
                wide.dst = dst;
                for (arg, word) in wide.args.iter_mut().zip(&first.args) {
                    arg.slot = slots.of(*word);
                }
                batches.push(nothing);
            }
            _ => {
                let operands: Vec<[u32; 3]> = (group.iter())
                    .map(|i| {
                        let mut places = [0; 3];
                        let args = &program.ops[*i as usize].args;
                        places.iter_mut().zip(args).for_each(|(p, a)| *p = slots.of(*a));
                        places
                    })
                    .collect();
                for (at, len, args) in segments(&operands, &mut pool) {
                    let (dst, len) = (dst + at as u32 * words, len as u32);
                    batches.push(Batch { dst, len, args, ..nothing.clone() });
                }
            }
        }
    }
    Ok((batches, pool))
}

/// Cuts a list of operand slots into stretches of consecutive or equal slots, and gathered rests:
/// `(first, length, operands)`.
pub(super) fn segments<const N: usize>(
    operands: &[[u32; N]],
    pool: &mut Vec<u32>,
) -> Vec<(usize, usize, [Arg; N])> {
    let mut out = vec![];
    let (mut rest, mut i) = (0, 0);
    let mut gather = |out: &mut Vec<_>, from: usize, to: usize| {
        if from < to {
            let args = std::array::from_fn(|arg| {
                let start = pool.len() as u32;
                pool.extend(operands[from..to].iter().map(|o| o[arg]));
                Arg::Gather(start)
            });
            out.push((from, to - from, args));
        }
    };
    while i < operands.len() {
        let (len, steps) = run_length(&operands[i..]);
        if len >= SHORTEST_RUN {
            gather(&mut out, rest, i);
            let first = operands[i];
            let args = std::array::from_fn(|a| {
                if steps[a] == 0 { Arg::Same(first[a]) } else { Arg::Run(first[a]) }
            });
            out.push((i, len, args));
            rest = i + len;
        }
        i += len;
    }
    gather(&mut out, rest, operands.len());
    out
}

/// How many operands from the start on go in steps of 0 or 1, and which.
fn run_length<const N: usize>(operands: &[[u32; N]]) -> (usize, [u32; N]) {
    let step = |i: usize| -> [u32; N] {
        std::array::from_fn(|a| operands[i + 1][a].wrapping_sub(operands[i][a]))
    };
    if operands.len() < 2 || step(0).iter().any(|s| *s > 1) {
        return (1, [0; N]);
    }
    let steps = step(0);
    let more = (1..operands.len() - 1).take_while(|i| step(*i) == steps).count();
    (more + 2, steps)
}
