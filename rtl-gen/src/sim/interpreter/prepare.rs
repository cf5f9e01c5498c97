//! From a design to batches of operations on slots.

use super::{BoxState, Domain, Fill, Interpreter, Options, TopPort};
use crate::ir::{AssertKind, Direction};
use crate::sim::SimError;
use crate::sim::flatten::{Flat, Id, Shape};
use crate::sim::lower::{Program, Word};
use crate::sim::memory::{self, Memory};
use crate::sim::probe::Probes;
use crate::sim::registers;
use crate::sim::schedule::{Slots, schedule};
use crate::sim::wide::Scratch;
use crate::{Design, Type, Value};

impl Interpreter {
    /// Prepares a design with the default [`Options`].
    ///
    /// # Errors
    /// [`SimError::NoModel`] when a black box has no behaviour.
    pub fn new(design: &Design) -> Result<Self, SimError> {
        Self::with_options(design, Options::default())
    }

    /// Prepares a design.
    ///
    /// # Errors
    /// As [`Interpreter::new`].
    pub fn with_options(design: &Design, options: Options) -> Result<Self, SimError> {
        let mut fill = Fill { start: options.start, state: options.seed };
        let mut program = Program::new(Flat::new(design));
        let top = design.top();
        let regs = registers::collect(&mut program);
        let mut memories = memory::collect(&mut program, &mut fill);
        let mut boxes = box_states(&mut program)?;
        let claims = claims(&mut program);

        let mut roots: Vec<Id> = claims.iter().map(|c| c.0).collect();
        let top_base = program.flat.scopes[0].base;
        let sources: Vec<Id> = (top.ports.iter().enumerate())
            .map(|(i, p)| match p.source {
                Some(s) => program.flat.resolve(top_base + s.0),
                None => i as Id,
            })
            .collect();
        roots.extend(&sources);
        roots.extend(regs.iter().flat_map(|r| r.roots()));
        roots.extend(memories.iter().flat_map(Memory::roots));
        for b in &boxes {
            roots.extend(b.inputs.iter().map(|(id, _)| *id));
        }

        // State has the first slots: constants, inputs, then each domain's registers.
        let mut slots = Slots::new(program.flat.shapes.len());
        let mut v: Vec<u64> = vec![];
        for (id, words) in &program.constants {
            slots.place(*id, words.len() as u32);
            v.extend(words);
        }
        for (i, port) in top.ports.iter().enumerate() {
            if port.direction == Direction::Input {
                slots.place(i as Id, Shape::from(port.ty).words());
            }
        }
        for (index, b) in boxes.iter().enumerate() {
            if b.registered {
                for (shape, id) in program.box_ports(index).1 {
                    id.map(|id| slots.place(id, shape.words()));
                }
            }
        }
        v.resize(slots.size as usize, 0);
        let base = slots.size;
        let mut reset_values = vec![];
        let mut states = vec![];
        for domain in 0..top.domains.len() as u32 {
            let first = slots.size;
            for reg in regs.iter().filter(|r| r.domain == domain) {
                let at = slots.place(reg.q, reg.shape.words()) as usize;
                v.resize(slots.size as usize, 0);
                match &reg.init {
                    Some(init) => v[at..].copy_from_slice(init.words()),
                    None => fill.start(&mut v[at..], reg.shape),
                }
                reg.shape.canon(&mut v[at..]);
                reset_values.extend(reg.reset_words());
            }
            for mem in &memories {
                for read in mem.reads.iter().filter(|r| r.domain == domain) {
                    let at = slots.place(read.q, mem.words()) as usize;
                    v.resize(slots.size as usize, 0);
                    mem.start_output(&mut v[at..], &mut fill);
                }
            }
            reset_values.resize((slots.size - base) as usize, 0);
            states.push((first, slots.size));
        }

        let (batches, mut pool) = schedule(&mut program, &mut slots, &roots)?;
        v.resize(slots.size as usize, 0);
        memories.iter_mut().for_each(|m| m.bind(&slots));
        for (index, b) in boxes.iter_mut().enumerate() {
            for (slot, _) in &mut b.inputs {
                *slot = slots.of(Word { id: *slot, word: 0 });
            }
            let ids = program.box_ports(index).1;
            b.outputs =
                ids.into_iter().map(|(s, id)| (id.and_then(|id| slots.get(id)), s)).collect();
        }
        let mut domains = vec![];
        for (i, (def, state)) in top.domains.iter().zip(states).enumerate() {
            let mine = regs.partition_point(|r| r.domain < i as u32)
                ..regs.partition_point(|r| r.domain <= i as u32);
            let claims = (claims.iter().enumerate())
                .filter(|(_, c)| c.1 == i as u32)
                .map(|(n, c)| (slots.of(Word { id: c.0, word: 0 }), c.2, n as u32))
                .collect();
            domains.push(Domain {
                clock: def.clock.clone(),
                reset: def.reset_port.and_then(|p| slots.get(p)),
                regs: registers::batches(&regs[mine], &slots, &mut pool),
                state,
                claims,
            });
        }
        let state_end = domains.last().map_or(base, |d| d.state.1);
        let ports = (top.ports.iter().zip(&sources))
            .map(|(port, source)| {
                let slot = slots.of(Word { id: *source, word: 0 });
                TopPort {
                    name: port.name.clone(),
                    shape: port.ty.into(),
                    slot,
                    input: port.direction == Direction::Input && port.ty != Type::Clock,
                    direct: slot < state_end,
                }
            })
            .collect();
        let any_asynchronous = domains.iter().any(|d| d.regs.has_asynchronous());
        let mut sim = Interpreter {
            shadow: v[base as usize..state_end as usize].to_vec(),
            v,
            reset_values,
            base,
            batches,
            pool,
            wide: std::mem::take(&mut program.wide),
            scratch: Scratch::default(),
            memories,
            boxes,
            domains,
            ports,
            claims: claims.into_iter().map(|c| (c.3, c.4, 0)).collect(),
            fill,
            dirty: true,
            any_asynchronous,
            cycle: 0,
            failure: None,
            probes: Probes::new(&mut program, &slots),
            trace: None,
        };
        for index in 0..sim.boxes.len() {
            if sim.boxes[index].registered {
                sim.box_outputs(index);
            }
        }
        Ok(sim)
    }
}

fn box_states(program: &mut Program) -> Result<Vec<BoxState>, SimError> {
    (0..program.flat.boxes.len())
        .map(|index| {
            let (inputs, outputs) = program.box_ports(index);
            let flat = &program.flat.boxes[index];
            let scope = &program.flat.scopes[flat.scope as usize];
            let inst = &program.flat.modules[scope.module].insts[flat.inst as usize];
            let Some(model) = flat.target.model else {
                let path = format!("{}/{}", program.flat.path(flat.scope), inst.name);
                return Err(SimError::NoModel { path, module: inst.module.clone() });
            };
            Ok(BoxState {
                model: model(),
                inputs: inputs.into_iter().map(|(shape, id)| (id, shape)).collect(),
                values: outputs.iter().map(|(s, _)| Value::zero(s.width)).collect(),
                outputs: vec![],
                domain: scope.domains[inst.domains[0] as usize],
                registered: flat.target.registered_outputs,
            })
        })
        .collect()
}

/// `(condition, domain, kind, path, label)` of every assertion.
fn claims(program: &mut Program) -> Vec<(Id, u32, AssertKind, String, String)> {
    let mut out = vec![];
    for index in 0..program.flat.scopes.len() {
        let flat = &mut program.flat;
        let (base, module) = (flat.scopes[index].base, flat.scopes[index].module);
        for a in &flat.modules[module].asserts {
            let condition = flat.resolve(base + a.condition.0);
            let domain = flat.scopes[index].domains[a.domain as usize];
            out.push((condition, domain, a.kind, flat.path(index as u32), a.label.clone()));
        }
    }
    out
}
