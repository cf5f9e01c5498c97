//! The interpreter: state, clock edges, ports.

mod prepare;
mod start;

pub(in crate::sim) use start::Fill;
pub use start::{Options, Start};

use super::flatten::Shape;
use super::kernel::{Batch, Code, pick};
use super::memory::Memory;
use super::probe::Probes;
use super::registers::RegDomain;
use super::trace::Trace;
use super::wide::{Scratch, WideOp};
use super::{AssertionFailure, PortId, Simulator};
use crate::ir::AssertKind;
use crate::{BlackBoxModel, Value};

struct TopPort {
    name: String,
    shape: Shape,
    slot: u32,
    input: bool,
    /// The value changes without [`Interpreter::eval`]: an input or a register.
    direct: bool,
}

struct Domain {
    clock: String,
    /// Slot of the reset input.
    reset: Option<u32>,
    regs: RegDomain,
    /// First and last + 1 slot of its state.
    state: (u32, u32),
    /// Slots of the conditions with kind and number in `Interpreter::claims`.
    claims: Vec<(u32, AssertKind, u32)>,
}

struct BoxState {
    model: Box<dyn BlackBoxModel>,
    inputs: Vec<(u32, Shape)>,
    outputs: Vec<(Option<u32>, Shape)>,
    values: Vec<Value>,
    domain: u32,
    registered: bool,
}

/// Runs a design, cycle by cycle, on the IR itself.
///
/// Combinational logic is settled when a value is asked for; a clock edge computes all next states from the
/// settled logic before any register changes. Values of at most 64 bits run in batches of like operations, so
/// arrays of identical cells simulate at a speed near to compiled code, without a compile step.
///
/// Reading a synchronous memory port with [`crate::Collision::DontCare`] at the address written in
/// the same cycle returns noise, as does state before its first value (see [`Options`]).
pub struct Interpreter {
    pub(super) v: Vec<u64>,
    shadow: Vec<u64>,
    reset_values: Vec<u64>,
    base: u32,
    batches: Vec<Batch>,
    pool: Vec<u32>,
    wide: Vec<WideOp>,
    scratch: Scratch,
    pub(super) memories: Vec<Memory>,
    boxes: Vec<BoxState>,
    domains: Vec<Domain>,
    ports: Vec<TopPort>,
    claims: Vec<(String, String, u64)>,
    fill: Fill,
    dirty: bool,
    any_asynchronous: bool,
    cycle: u64,
    failure: Option<AssertionFailure>,
    pub(super) probes: Probes,
    pub(super) trace: Option<Box<Trace>>,
}

/// A top-level port by handle or by name.
pub trait PortRef {
    /// The handle.
    ///
    /// # Panics
    /// When the design has no such port.
    fn id(self, sim: &Interpreter) -> PortId;
}

impl PortRef for PortId {
    fn id(self, _: &Interpreter) -> PortId {
        self
    }
}

impl PortRef for &str {
    fn id(self, sim: &Interpreter) -> PortId {
        sim.port(self)
    }
}

impl Interpreter {
    /// The top-level port of that name.
    ///
    /// # Panics
    /// When the design has no such port; the message lists those it has.
    pub fn port(&self, name: &str) -> PortId {
        self.try_port(name).unwrap_or_else(|| {
            let have: Vec<&str> = self.ports.iter().map(|p| p.name.as_str()).collect();
            panic!("the design has no port `{name}`; it has {}", have.join(", "))
        })
    }

    /// The top-level port of that name, if there is one.
    pub fn try_port(&self, name: &str) -> Option<PortId> {
        self.ports.iter().position(|p| p.name == name).map(PortId)
    }

    /// Drives an input; bits past its width are dropped, those past 64 become 0. Setting a clock does
    /// nothing: see [`Interpreter::tick_clock`].
    ///
    /// # Panics
    /// When the port is an output or does not exist.
    pub fn set(&mut self, port: impl PortRef, value: u64) {
        let port = self.writable(port.id(self));
        if let Some((slot, shape)) = port {
            let words = &mut self.v[slot as usize..][..shape.words() as usize];
            words.fill(0);
            words[0] = value;
            shape.canon(words);
        }
    }

    /// Drives an input of any width from words, least significant first; missing words are 0.
    ///
    /// # Panics
    /// As [`Interpreter::set`].
    pub fn set_words(&mut self, port: impl PortRef, value: &[u32]) {
        if let Some((slot, shape)) = self.writable(port.id(self)) {
            let words = &mut self.v[slot as usize..][..shape.words() as usize];
            for (i, word) in words.iter_mut().enumerate() {
                let half = |j: usize| value.get(j).copied().unwrap_or(0) as u64;
                *word = half(2 * i) | half(2 * i + 1) << 32;
            }
            shape.canon(words);
        }
    }

    fn writable(&mut self, id: PortId) -> Option<(u32, Shape)> {
        let port = &self.ports[id.0];
        if !port.input {
            let clock = self.domains.iter().any(|d| d.clock == port.name);
            assert!(clock, "port `{}` is an output", port.name);
            return None;
        }
        self.dirty = true;
        Some((port.slot, port.shape))
    }

    /// The low 64 bits of a port.
    pub fn get(&mut self, port: impl PortRef) -> u64 {
        let (slot, shape) = self.readable(port.id(self));
        let mask = if shape.narrow() { shape.mask() } else { u64::MAX };
        self.v[slot as usize] & mask
    }

    /// The value of a port of at most 64 bits, its top bit taken as the sign.
    pub fn get_i64(&mut self, port: impl PortRef) -> i64 {
        let id = port.id(self);
        Simulator::get_i64(self, id)
    }

    /// All bits of a port in words, least significant first; words past its width become 0.
    pub fn get_words(&mut self, port: impl PortRef, value: &mut [u32]) {
        let (slot, shape) = self.readable(port.id(self));
        let n = shape.words() as usize;
        let words = &self.v[slot as usize..][..n];
        for (i, half) in value.iter_mut().enumerate() {
            let mask = if i / 2 + 1 == n { shape.mask() } else { u64::MAX };
            let word = words.get(i / 2).map_or(0, |w| w & mask);
            *half = (word >> (32 * (i % 2))) as u32;
        }
    }

    fn readable(&mut self, id: PortId) -> (u32, Shape) {
        let port = &self.ports[id.0];
        let (slot, shape) = (port.slot, port.shape);
        if !port.direct || self.any_asynchronous {
            self.eval();
        }
        (slot, shape)
    }

    /// Settles the combinational logic, if anything changed since the last time.
    pub fn eval(&mut self) {
        if !self.dirty {
            return;
        }
        self.dirty = false;
        if self.any_asynchronous {
            for domain in &self.domains {
                if domain.reset.is_some_and(|r| self.v[r as usize] == 1) {
                    domain.regs.reset_now(&mut self.v, self.base, &self.reset_values);
                }
            }
        }
        for i in 0..self.batches.len() {
            let batch = &self.batches[i];
            match batch.code {
                Code::MemRead => {
                    let mem = &self.memories[batch.k as usize];
                    for j in 0..batch.len as usize {
                        let addr = pick(batch.args[0], j, &self.v, &self.pool);
                        let word = mem.read(addr);
                        let at = batch.dst as usize + j * word.len();
                        self.v[at..at + word.len()].copy_from_slice(word);
                    }
                }
                Code::Wide => self.wide[batch.k as usize].run(&mut self.v, &mut self.scratch),
                Code::Box => {
                    let index = batch.k as usize;
                    self.box_outputs(index);
                }
                _ => batch.run(&mut self.v, &self.pool),
            }
        }
    }

    /// One rising edge of all clocks together.
    pub fn tick(&mut self) {
        let active = vec![true; self.domains.len()];
        self.edge(&active);
    }

    /// One rising edge of the top-level clock of that name.
    ///
    /// # Panics
    /// When the design has no such clock.
    pub fn tick_clock(&mut self, clock: &str) {
        let active: Vec<bool> = self.domains.iter().map(|d| d.clock == clock).collect();
        assert!(active.contains(&true), "the design has no clock `{clock}`");
        self.edge(&active);
    }

    fn edge(&mut self, active: &[bool]) {
        self.eval();
        self.trace_sample(None);
        self.check_claims(active);
        let domains = || self.domains.iter().zip(active).filter(|(_, a)| **a).map(|(d, _)| d);
        for domain in domains() {
            let in_reset = domain.reset.is_some_and(|r| self.v[r as usize] == 1);
            let (v, shadow) = (&self.v, &mut self.shadow);
            domain.regs.clock(v, shadow, self.base, in_reset, &self.reset_values, &self.pool);
        }
        for mem in &self.memories {
            mem.clock_reads(&self.v, active, &mut self.shadow, self.base, &mut self.fill);
        }
        for b in self.boxes.iter_mut().filter(|b| active[b.domain as usize]) {
            let inputs = inputs(&self.v, &b.inputs);
            b.model.clock(&inputs);
        }
        for mem in &mut self.memories {
            mem.clock_writes(&self.v, active, &mut self.fill);
        }
        for domain in domains() {
            let (first, end) = (domain.state.0 as usize, domain.state.1 as usize);
            let base = self.base as usize;
            self.v[first..end].copy_from_slice(&self.shadow[first - base..end - base]);
        }
        for index in 0..self.boxes.len() {
            if self.boxes[index].registered {
                self.box_outputs(index);
            }
        }
        self.dirty = true;
        self.trace_sample(Some(active));
        self.cycle += 1;
    }

    fn check_claims(&mut self, active: &[bool]) {
        for (domain, _) in self.domains.iter().zip(active).filter(|(_, a)| **a) {
            if domain.reset.is_some_and(|r| self.v[r as usize] == 1) {
                continue;
            }
            for &(slot, kind, number) in &domain.claims {
                let holds = self.v[slot as usize] == 1;
                let (path, label, hits) = &mut self.claims[number as usize];
                match kind {
                    AssertKind::Cover => *hits += holds as u64,
                    _ if !holds && self.failure.is_none() => {
                        let (path, label) = (path.clone(), label.clone());
                        self.failure = Some(AssertionFailure { path, label, cycle: self.cycle });
                    }
                    _ => {}
                }
            }
        }
    }

    fn box_outputs(&mut self, index: usize) {
        let b = &mut self.boxes[index];
        let inputs = inputs(&self.v, &b.inputs);
        b.model.outputs(&inputs, &mut b.values);
        for ((slot, shape), value) in b.outputs.iter().zip(&b.values) {
            if let Some(slot) = slot {
                let words = &mut self.v[*slot as usize..][..shape.words() as usize];
                words.copy_from_slice(value.words());
                shape.canon(words);
            }
        }
    }

    pub(super) fn clock_names(&self) -> impl Iterator<Item = &str> {
        self.domains.iter().map(|d| d.clock.as_str())
    }

    /// Clock edges so far.
    pub fn cycle(&self) -> u64 {
        self.cycle
    }

    /// The first assertion (or assumption) that did not hold at a clock edge outside reset.
    pub fn failure(&self) -> Option<&AssertionFailure> {
        self.failure.as_ref()
    }

    /// How often each cover point was seen: path of the module, label, clock edges.
    pub fn covers(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        let points = self.domains.iter().flat_map(|d| &d.claims);
        points.filter(|c| c.1 == AssertKind::Cover).map(|c| {
            let (path, label, hits) = &self.claims[c.2 as usize];
            (path.as_str(), label.as_str(), *hits)
        })
    }
}

fn inputs(v: &[u64], places: &[(u32, Shape)]) -> Vec<Value> {
    let value = |(slot, shape): &(u32, Shape)| {
        Value::from_words(shape.width, v[*slot as usize..][..shape.words() as usize].to_vec())
    };
    places.iter().map(value).collect()
}

impl Simulator for Interpreter {
    fn try_port(&self, name: &str) -> Option<PortId> {
        Interpreter::try_port(self, name)
    }
    fn width(&self, port: PortId) -> u32 {
        self.ports[port.0].shape.width
    }
    fn set(&mut self, port: PortId, value: u64) {
        Interpreter::set(self, port, value);
    }
    fn set_words(&mut self, port: PortId, words: &[u32]) {
        Interpreter::set_words(self, port, words);
    }
    fn get(&mut self, port: PortId) -> u64 {
        Interpreter::get(self, port)
    }
    fn get_words(&mut self, port: PortId, words: &mut [u32]) {
        Interpreter::get_words(self, port, words);
    }
    fn eval(&mut self) {
        Interpreter::eval(self);
    }
    fn tick(&mut self) {
        Interpreter::tick(self);
    }
    fn failure(&self) -> Option<AssertionFailure> {
        self.failure.clone()
    }
}
