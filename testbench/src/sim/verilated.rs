//! A Verilated model as a [`Simulator`].

use super::foreign::{ForeignError, foreign_sources};
use rtl_gen::ir::Direction;
use rtl_gen::sim::{AssertionFailure, PortId, Simulator};
use rtl_gen::{Design, VerilogFile};
use std::path::Path;
use verilator_rs::{Build, BuildError, Model, Port, PortError, RecordError, Status, Toolchain};

/// Warnings about style that generated Verilog may cause; anything else stops the build.
const WAIVERS: &str = "`verilator_config\n\
    lint_off -rule UNUSEDSIGNAL\nlint_off -rule PINCONNECTEMPTY\nlint_off -rule DECLFILENAME\n";

/// Why a design cannot be Verilated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerilateError {
    /// Verilator or the compiler failed.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A module that is not ours cannot be had.
    #[error(transparent)]
    Foreign(#[from] ForeignError),
    /// The model's ports are not those of the design.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The waveform file cannot be written.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// A model built from a design's own Verilog. Ports and their numbers are those of
/// [`Design::top`]; all clocks tick together.
pub struct Verilated {
    model: Model,
    ports: Vec<TopPort>,
    clocks: Vec<verilator_rs::PortId>,
    words: Vec<u32>,
    /// Inputs changed since the outputs were computed.
    stale: bool,
    /// The clock is still high in the model.
    high: bool,
    cycle: u64,
    tracing: bool,
    /// Why the trace ended early.
    trace_error: Option<RecordError>,
}

struct TopPort {
    name: String,
    width: u32,
    id: verilator_rs::PortId,
}

impl Verilated {
    /// Prints, builds (or takes from the folder `cache`) and starts the design.
    ///
    /// # Errors
    /// [`VerilateError`].
    pub fn new(design: &Design, tools: &Toolchain, cache: &Path) -> Result<Self, VerilateError> {
        Self::build(design, tools, cache, false)
    }

    /// As [`new`](Self::new), with every signal recorded in the FST file `waves`; two units of its
    /// time make a cycle.
    ///
    /// # Errors
    /// [`VerilateError`].
    pub fn traced(
        design: &Design,
        tools: &Toolchain,
        cache: &Path,
        waves: &Path,
    ) -> Result<Self, VerilateError> {
        let mut verilated = Self::build(design, tools, cache, true)?;
        verilated.model.trace_open(waves)?;
        verilated.tracing = true;
        Ok(verilated)
    }

    fn build(
        design: &Design,
        tools: &Toolchain,
        cache: &Path,
        trace: bool,
    ) -> Result<Self, VerilateError> {
        let top = design.top();
        let port = |p: &rtl_gen::ir::Port| match p.direction {
            Direction::Input => Port::input(&p.name, p.ty.width()),
            Direction::Output => Port::output(&p.name, p.ty.width()),
        };
        let foreign = foreign_sources(design)?;
        // Other people's style is theirs.
        let waiver = |f: &VerilogFile| format!("lint_off -file \"*/{}\"\n", f.name);
        let waivers = foreign.iter().map(waiver).fold(WAIVERS.to_owned(), |all, one| all + &one);
        let sources = design.verilog().into_iter().chain(foreign);
        let build = Build {
            top: top.name.clone(),
            sources: sources.map(|f| (f.name, f.text)).collect(),
            ports: top.ports.iter().map(port).collect(),
            waivers: Some(waivers),
            trace,
            ..Build::default()
        };
        let model = build.build(tools, cache)?.instance()?;
        let ports = top.ports.iter().map(|p| {
            let id = model.port(&p.name)?;
            Ok(TopPort { name: p.name.clone(), width: p.ty.width(), id })
        });
        let ports: Vec<TopPort> = ports.collect::<Result<_, PortError>>()?;
        let clocks = top.domains.iter().filter_map(|d| d.clock_port);
        let clocks = clocks.map(|p| ports[p as usize].id).collect();
        Ok(Verilated {
            model,
            ports,
            clocks,
            words: vec![],
            stale: true,
            high: false,
            cycle: 0,
            tracing: false,
            trace_error: None,
        })
    }

    /// The clocks fall; nothing but the model's notion of an edge depends on it.
    fn lower_clocks(&mut self) {
        for &clock in &self.clocks {
            checked(self.model.set_u64(clock, 0));
        }
        self.high = false;
    }

    /// Records the present values.
    fn record(&mut self, time: u64) {
        if self.tracing
            && let Err(error) = self.model.trace_dump(time)
        {
            self.tracing = false;
            self.trace_error = Some(error);
        }
    }
}

/// Port numbers were checked when the model was made and values are cut to width.
#[track_caller]
fn checked<T>(result: Result<T, PortError>) -> T {
    result.unwrap_or_else(|e| panic!("{e}"))
}

impl Simulator for Verilated {
    fn try_port(&self, name: &str) -> Option<PortId> {
        self.ports.iter().position(|p| p.name == name).map(PortId)
    }

    fn width(&self, port: PortId) -> u32 {
        self.ports[port.0].width
    }

    fn set(&mut self, port: PortId, value: u64) {
        let TopPort { width, id, .. } = self.ports[port.0];
        self.stale = true;
        if width > 64 {
            return self.set_words(port, &[value as u32, (value >> 32) as u32]);
        }
        checked(self.model.set_u64(id, value & (u64::MAX >> (64 - width))));
    }

    fn set_words(&mut self, port: PortId, words: &[u32]) {
        let TopPort { width, id, .. } = self.ports[port.0];
        self.stale = true;
        let spare = width.next_multiple_of(32) - width;
        self.words.clear();
        self.words.extend(words.iter().copied().take(width.div_ceil(32) as usize));
        self.words.resize(width.div_ceil(32) as usize, 0);
        if let Some(last) = self.words.last_mut() {
            *last &= u32::MAX >> spare;
        }
        checked(self.model.set_words(id, &self.words));
    }

    fn get(&mut self, port: PortId) -> u64 {
        let TopPort { width, id, .. } = self.ports[port.0];
        if width > 64 {
            let mut words = vec![0; width.div_ceil(32) as usize];
            self.get_words(port, &mut words);
            return u64::from(words[0]) | u64::from(words[1]) << 32;
        }
        self.eval();
        checked(self.model.get_u64(id))
    }

    fn get_words(&mut self, port: PortId, words: &mut [u32]) {
        let TopPort { width, id, .. } = self.ports[port.0];
        self.eval();
        let have = width.div_ceil(32) as usize;
        if words.len() == have {
            return checked(self.model.get_words(id, words));
        }
        self.words.resize(have, 0);
        checked(self.model.get_words(id, &mut self.words));
        words.fill(0);
        words.iter_mut().zip(&self.words).for_each(|(to, from)| *to = *from);
    }

    fn eval(&mut self) {
        if self.stale {
            if self.high {
                self.lower_clocks();
            }
            self.model.eval();
            self.stale = false;
        }
    }

    fn tick(&mut self) {
        self.stale |= self.high;
        self.eval();
        self.record(2 * self.cycle);
        for &clock in &self.clocks {
            checked(self.model.set_u64(clock, 1));
        }
        self.model.eval();
        self.high = true;
        self.record(2 * self.cycle + 1);
        self.cycle += 1;
    }

    fn failure(&self) -> Option<AssertionFailure> {
        if self.model.is_ok() {
            // A waveform that breaks off must not pass for a whole one.
            let failed = |error: &RecordError| AssertionFailure {
                path: String::new(),
                label: error.to_string(),
                cycle: self.cycle,
            };
            return self.trace_error.as_ref().map(failed);
        }
        let (Status::Stopped { message } | Status::Finished { message }) = self.model.status()
        else {
            return None;
        };
        // `assertion failed: top.card.fifo.label`, as the printer writes it.
        let name = message.split("assertion failed: ").nth(1).unwrap_or(&message);
        let name = name.lines().next().unwrap_or(name);
        let (path, label) = name.rsplit_once('.').unwrap_or(("", name));
        let path = path.trim_start_matches("TOP.").replace('.', "/");
        let cycle = self.cycle.saturating_sub(1);
        Some(AssertionFailure { path, label: label.to_owned(), cycle })
    }
}
