//! A Verilated design as a [`Simulator`].

use std::path::Path;

use rtl_gen::ir::Direction;
use rtl_gen::sim::{AssertionFailure, PortId, Simulator};
use rtl_gen::{Design, Type};
use verilator_rs::{Build, BuildError, Model, RecordError, Status, Toolchain};

/// A design printed as Verilog, compiled by Verilator and loaded.
///
/// Two evaluations a clock cycle: one settles what the bench has set, one is the rising edge. The falling
/// edge, which no generated design looks at, passes together with the next inputs.
///
/// Port numbers are the bench's; a set of an output, or a number of another design, is a mistake of the
/// bench and panics.
pub struct Verilated {
    model: Model,
    ports: Vec<Pin>,
    clocks: Vec<verilator_rs::PortId>,
    words: Vec<u32>,
    cycle: u64,
    /// An input has changed since the last evaluation.
    is_stale: bool,
    /// The clocks are still high from the last rising edge.
    is_high: bool,
    is_tracing: bool,
    /// Why the trace ended early.
    trace_error: Option<RecordError>,
}

struct Pin {
    name: String,
    width: u32,
    id: verilator_rs::PortId,
}

impl Verilated {
    /// Compiles the design, or takes it from `cache`; `trace` builds in waveforms, for
    /// [`trace`](Self::trace).
    ///
    /// Warnings about style are not asked for: reading the Verilog critically is a job of its own.
    ///
    /// # Errors
    /// [`BuildError`] with the tool's own message.
    pub fn new(
        design: &Design,
        tools: &Toolchain,
        cache: impl AsRef<Path>,
        trace: bool,
    ) -> Result<Self, BuildError> {
        let top = design.top();
        let files = design.verilog().into_iter().chain(design.black_box_texts());
        let build = Build {
            sources: files.map(|file| (file.name, file.text)).collect(),
            flags: ["-Wno-lint", "-Wno-style"].map(str::to_owned).to_vec(),
            trace,
            ..Build::new(&top.name, "")
        };
        let model = build.build(tools, cache)?.instance()?;
        let pin = |name: &str| model.port(name).unwrap_or_else(|error| panic!("{error}"));
        let ports: Vec<Pin> = (top.ports.iter())
            .map(|port| Pin {
                name: port.name.clone(),
                width: port.ty.width(),
                id: pin(&port.name),
            })
            .collect();
        let is_clock = |port: &&rtl_gen::ir::Port| {
            port.direction == Direction::Input && port.ty == Type::Clock
        };
        let clocks = top.ports.iter().filter(is_clock).map(|port| pin(&port.name)).collect();
        Ok(Self {
            model,
            ports,
            clocks,
            words: Vec::new(),
            cycle: 0,
            is_stale: true,
            is_high: false,
            is_tracing: false,
            trace_error: None,
        })
    }

    /// Records every signal from now on into an FST file; needs a model built for it.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn trace(&mut self, path: impl AsRef<Path>) -> Result<(), RecordError> {
        self.model.trace_open(path)?;
        self.is_tracing = true;
        Ok(())
    }

    fn set_clocks(&mut self, level: u64) {
        for clock in &self.clocks {
            // A clock is an input of one bit.
            let _ = self.model.set_u64(*clock, level);
        }
        self.is_high = level == 1;
    }

    fn settle(&mut self) {
        if self.is_high {
            self.set_clocks(0);
            self.is_stale = true;
        }
        if self.is_stale {
            self.model.eval();
            self.is_stale = false;
        }
    }

    /// Writes the present values at a time; two units of time make a cycle.
    fn record(&mut self, time: u64) {
        if self.is_tracing
            && let Err(error) = self.model.trace_dump(time)
        {
            self.is_tracing = false;
            self.trace_error = Some(error);
        }
    }
}

impl Simulator for Verilated {
    fn try_port(&self, name: &str) -> Option<PortId> {
        self.ports.iter().position(|pin| pin.name == name).map(PortId)
    }

    fn width(&self, port: PortId) -> u32 {
        self.ports[port.0].width
    }

    fn set(&mut self, port: PortId, value: u64) {
        let Pin { width, id, .. } = self.ports[port.0];
        if width > 64 {
            return self.set_words(port, &[value as u32, (value >> 32) as u32]);
        }
        let value = value & u64::MAX >> (64 - width);
        self.model.set_u64(id, value).unwrap_or_else(|error| panic!("{error}"));
        self.is_stale = true;
    }

    fn set_words(&mut self, port: PortId, words: &[u32]) {
        let Pin { width, id, .. } = self.ports[port.0];
        self.words.clear();
        self.words.extend_from_slice(words);
        self.words.resize(width.div_ceil(32) as usize, 0);
        if let Some(last) = self.words.last_mut() {
            *last &= u32::MAX >> (width.wrapping_neg() % 32);
        }
        self.model.set_words(id, &self.words).unwrap_or_else(|error| panic!("{error}"));
        self.is_stale = true;
    }

    fn get(&mut self, port: PortId) -> u64 {
        let Pin { width, id, .. } = self.ports[port.0];
        if width > 64 {
            let mut words = [0; 2];
            self.get_words(port, &mut words);
            return u64::from(words[0]) | u64::from(words[1]) << 32;
        }
        self.eval();
        self.model.get_u64(id).unwrap_or_else(|error| panic!("{error}"))
    }

    fn get_words(&mut self, port: PortId, words: &mut [u32]) {
        let Pin { width, id, .. } = self.ports[port.0];
        self.eval();
        self.words.resize(width.div_ceil(32) as usize, 0);
        self.model.get_words(id, &mut self.words).unwrap_or_else(|error| panic!("{error}"));
        for (i, word) in words.iter_mut().enumerate() {
            *word = self.words.get(i).copied().unwrap_or(0);
        }
    }

    fn eval(&mut self) {
        if self.is_stale {
            self.settle();
        }
    }

    fn tick(&mut self) {
        self.settle();
        self.record(2 * self.cycle);
        self.set_clocks(1);
        self.model.eval();
        self.record(2 * self.cycle + 1);
        self.cycle += 1;
    }

    fn failure(&self) -> Option<AssertionFailure> {
        let failed = |label| AssertionFailure { path: String::new(), label, cycle: self.cycle };
        if self.model.is_ok() {
            return self.trace_error.as_ref().map(|error| failed(error.to_string()));
        }
        match self.model.status() {
            Status::Stopped { message } => Some(failed(message)),
            _ => None,
        }
    }
}
