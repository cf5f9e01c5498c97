//! What the tests of the front end share: a memory that answers line requests in order.

use mattock_spec::Value;
use mattock_spec::regs::ValueType;
use rand::{Rng, SeedableRng, rngs::StdRng};
use rtl_gen::Interpreter;
use rtl_gen::sim::PortId;
use std::collections::VecDeque;

/// Memory behind the ports `mem_req_*` and `mem_rsp_*`.
pub(super) struct Memory {
    content: Box<dyn Fn(u64) -> Vec<u32>>,
    latency: u64,
    /// Percentage of cycles in which no request is taken or no answer given.
    stall: u32,
    open: VecDeque<(u64, u64)>,
    rng: StdRng,
    ready: bool,
    /// Answers come with an error.
    pub(super) broken: bool,
    /// Lines asked for.
    pub(super) requests: u64,
    ports: [PortId; 6],
}

impl Memory {
    pub(super) fn new(
        sim: &Interpreter,
        latency: u64,
        stall: u32,
        content: impl Fn(u64) -> Vec<u32> + 'static,
    ) -> Self {
        let ports = ["req_valid", "req_ready", "req_addr", "rsp_valid", "rsp_data", "rsp_error"]
            .map(|p| sim.port(&format!("mem_{p}")));
        let (open, rng) = (VecDeque::new(), StdRng::seed_from_u64(latency ^ u64::from(stall)));
        let content = Box::new(content);
        Memory {
            content,
            latency,
            stall,
            open,
            rng,
            ready: false,
            broken: false,
            requests: 0,
            ports,
        }
    }

    /// Drives the inputs of the design for this cycle.
    pub(super) fn drive(&mut self, sim: &mut Interpreter) {
        let [_, ready, _, valid, data, error] = self.ports;
        self.ready = !self.stalls();
        sim.set(ready, u64::from(self.ready));
        let due = self.open.front().is_some_and(|&(time, _)| time <= sim.cycle());
        let answer = due && !self.stalls();
        sim.set(valid, u64::from(answer));
        sim.set(error, u64::from(self.broken));
        if answer && let Some((_, addr)) = self.open.pop_front() {
            sim.set_words(data, &(self.content)(addr));
        }
    }

    /// Takes the request of this cycle; call before the clock edge.
    pub(super) fn sample(&mut self, sim: &mut Interpreter) {
        let [valid, _, addr, ..] = self.ports;
        if self.ready && sim.get(valid) == 1 {
            self.open.push_back((sim.cycle() + self.latency, sim.get(addr)));
            self.requests += 1;
        }
    }

    fn stalls(&mut self) -> bool {
        self.stall > 0 && self.rng.random_range(0..100) < self.stall
    }
}

/// Elaborates, simulates and resets a module.
pub(super) fn start(module: &dyn rtl_gen::Module) -> Interpreter {
    let design = rtl_gen::Design::elaborate(module).unwrap_or_else(|e| panic!("{e}"));
    let mut sim = Interpreter::new(&design).unwrap_or_else(|e| panic!("{e}"));
    sim.set("rst", 1);
    sim.tick();
    sim.tick();
    sim.set("rst", 0);
    sim
}

/// Fails the test when an assertion of the design did not hold.
pub(super) fn expect_sound(sim: &Interpreter) {
    if let Some(failure) = sim.failure() {
        panic!("{failure}");
    }
}

/// A value's code as the 32 bits it is computed with.
pub(super) fn widened(value: ValueType, code: u32) -> u32 {
    match value.format().decode(code) {
        Value::Int(number) => number as u32,
        Value::Float(number) if number.is_nan() => {
            let bits = value.format().bits();
            // Sign, exponent and fraction keep their order; the fraction stands at the top of the wider one.
            let fraction = code & if value == ValueType::F16 { 0x3ff } else { 0x7f };
            let moved = fraction << if value == ValueType::F16 { 13 } else { 16 };
            if bits == 32 { code } else { code >> (bits - 1) << 31 | 0x7f80_0000 | moved }
        }
        Value::Float(number) => (number as f32).to_bits(),
    }
}
