//! A Verilated design as a [`Simulator`].

use rtl_gen::Design;
use rtl_gen::ir::Direction;
use rtl_gen::sim::{AssertionFailure, PortId, Simulator};
use verilator_rs::{Build, Model, Status, Toolchain};

/// Warnings that say nothing about a generated design: bits nobody reads, open outputs of instances,
/// comparisons that a parameter makes constant, a reset that some registers take at once and others at the edge.
pub(crate) const WAIVERS: &str = "`verilator_config
lint_off -rule UNUSEDSIGNAL
lint_off -rule PINCONNECTEMPTY
lint_off -rule DECLFILENAME
lint_off -rule CMPCONST
lint_off -rule UNSIGNED
lint_off -rule SYNCASYNCNET
";

/// The design, compiled.
pub(crate) struct Verilated {
    model: Model,
    ports: Vec<(String, u32, verilator_rs::PortId)>,
    clocks: Vec<verilator_rs::PortId>,
    cycle: u64,
}

impl Verilated {
    /// Builds (or takes from the cache) with `-Wall`; any warning not waived is an error.
    pub(crate) fn new(design: &Design) -> Self {
        let top = design.top();
        let mut sources: Vec<(String, String)> =
            design.verilog().into_iter().map(|f| (f.name, f.text)).collect();
        // The top first: its file name gives the messages.
        sources.reverse();
        let build = Build {
            sources,
            waivers: Some(WAIVERS.into()),
            flags: vec!["-Wall".into()],
            ..Build::new(&top.name, "")
        };
        let tools = Toolchain::find().unwrap_or_else(|e| panic!("{e}"));
        let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/verilated");
        let library = build.build(&tools, cache).unwrap_or_else(|e| panic!("{e}"));
        let model = library.instance().unwrap_or_else(|e| panic!("{e}"));
        let ports: Vec<_> = (top.ports.iter())
            .map(|p| {
                let id = model.port(&p.name).unwrap_or_else(|e| panic!("{e}"));
                (p.name.clone(), p.ty.width(), id)
            })
            .collect();
        let clocks = (top.ports.iter().zip(&ports))
            .filter(|(p, _)| p.direction == Direction::Input && p.ty == rtl_gen::Type::Clock)
            .map(|(_, p)| p.2)
            .collect();
        let mut sim = Verilated { model, ports, clocks, cycle: 0 };
        sim.model.eval();
        sim
    }

    fn clocks(&mut self, level: u64) {
        for clock in &self.clocks {
            self.model.set_u64(*clock, level).unwrap();
        }
        self.model.eval();
    }
}

impl Simulator for Verilated {
    fn try_port(&self, name: &str) -> Option<PortId> {
        self.ports.iter().position(|p| p.0 == name).map(PortId)
    }
    fn width(&self, port: PortId) -> u32 {
        self.ports[port.0].1
    }
    fn set(&mut self, port: PortId, value: u64) {
        self.set_words(port, &[value as u32, (value >> 32) as u32]);
    }
    fn set_words(&mut self, port: PortId, words: &[u32]) {
        let (_, width, id) = self.ports[port.0];
        let mut all = words.to_vec();
        all.resize(width.div_ceil(32) as usize, 0);
        if let Some(last) = all.last_mut()
            && !width.is_multiple_of(32)
        {
            *last &= (1 << (width % 32)) - 1;
        }
        self.model.set_words(id, &all).unwrap();
    }
    fn get(&mut self, port: PortId) -> u64 {
        let mut words = [0; 2];
        self.get_words(port, &mut words);
        words[0] as u64 | (words[1] as u64) << 32
    }
    fn get_words(&mut self, port: PortId, words: &mut [u32]) {
        let (_, width, id) = self.ports[port.0];
        self.model.eval();
        let mut all = vec![0; width.div_ceil(32) as usize];
        self.model.get_words(id, &mut all).unwrap();
        all.resize(words.len().max(all.len()), 0);
        words.copy_from_slice(&all[..words.len()]);
    }
    fn eval(&mut self) {
        self.model.eval();
    }
    fn tick(&mut self) {
        self.model.eval();
        self.clocks(1);
        self.clocks(0);
        self.cycle += 1;
    }
    fn failure(&self) -> Option<AssertionFailure> {
        match self.model.status() {
            Status::Stopped { message } => {
                Some(AssertionFailure { path: String::new(), label: message, cycle: self.cycle })
            }
            _ => None,
        }
    }
}
