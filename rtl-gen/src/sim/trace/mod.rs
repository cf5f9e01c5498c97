//! Waveforms of an [`Interpreter`] run, as VCD or FST.

mod vcd;

use super::flatten::Shape;
use super::interpreter::Interpreter;
use fst_writer::{
    FstBodyWriter, FstFileType, FstInfo, FstScopeType, FstSignalId, FstSignalType, FstVarDirection,
    FstVarType, FstWriteError,
};
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use vcd::VcdWriter;

/// Time units (nanoseconds) of a clock edge to the next: values before the edge stand at `10 n`, the clock
/// rises at `10 n + 5`.
const PERIOD: u64 = 10;

/// File format of a trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TraceFormat {
    /// Value change dump: text, read by every viewer.
    Vcd,
    /// Fast signal trace: compressed, read by GTKWave and Surfer.
    #[default]
    Fst,
}

/// Which signals a trace holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum TraceSignals {
    /// All ports, registers and named wires.
    #[default]
    All,
    /// Those with one of these paths (`pe_0/acc`), and all below an instance of that path (`pe_0`).
    Named(Vec<String>),
}

/// Settings of [`Interpreter::trace`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TraceOptions {
    /// Which signals.
    pub signals: TraceSignals,
    /// Which format.
    pub format: TraceFormat,
}

/// Why a trace could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The file system refused.
    #[error("writing the trace {path}")]
    Io {
        /// The trace.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The FST writer refused.
    #[error("writing the trace {path}")]
    Fst {
        /// The trace.
        path: PathBuf,
        /// Why.
        source: FstWriteError,
    },
    /// No signal has such a path.
    #[error("no signal or instance `{name}` to trace")]
    NoSignal {
        /// The path asked for.
        name: String,
    },
}

enum Sink {
    Vcd(VcdWriter),
    Fst(Box<FstBodyWriter<BufWriter<File>>>, Vec<FstSignalId>),
}

/// What the writers report.
enum Problem {
    Io(std::io::Error),
    Fst(FstWriteError),
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        Problem::Io(error)
    }
}

impl From<FstWriteError> for Problem {
    fn from(error: FstWriteError) -> Self {
        Problem::Fst(error)
    }
}

impl Problem {
    fn at(self, path: &Path) -> TraceError {
        let path = path.to_owned();
        match self {
            Problem::Io(source) => TraceError::Io { path, source },
            Problem::Fst(source) => TraceError::Fst { path, source },
        }
    }
}

/// Where the value of a traced signal comes from.
#[derive(Clone, Copy)]
enum Source {
    Slot(u32, Shape),
    /// Clock of that top-level domain.
    Clock(usize),
}

/// A trace being written.
pub(super) struct Trace {
    path: PathBuf,
    sink: Sink,
    signals: Vec<(Source, Option<String>)>,
    /// The first thing that went wrong while running.
    problem: Option<Problem>,
}

/// Lines of the header: the tree of scopes with what is traced in each.
enum Line {
    Scope(String),
    Up,
    Variable(String, Source),
}

impl Source {
    fn width(self) -> u32 {
        match self {
            Source::Slot(_, shape) => shape.width,
            Source::Clock(_) => 1,
        }
    }
}

impl Trace {
    fn create(
        path: &Path,
        format: TraceFormat,
        lines: Vec<Line>,
        start_time: u64,
    ) -> Result<Trace, Problem> {
        let mut signals = vec![];
        let sink = match format {
            TraceFormat::Vcd => {
                let mut out = VcdWriter::create(path)?;
                for line in lines {
                    match line {
                        Line::Scope(name) => out.scope(&name)?,
                        Line::Up => out.up()?,
                        Line::Variable(name, source) => {
                            out.variable(&name, source.width())?;
                            signals.push((source, None));
                        }
                    }
                }
                out.end_header()?;
                Sink::Vcd(out)
            }
            TraceFormat::Fst => {
                let info = FstInfo {
                    start_time,
                    timescale_exponent: -9,
                    version: "rtl-gen".into(),
                    date: String::new(),
                    file_type: FstFileType::Verilog,
                };
                let mut out = fst_writer::open_fst(path, &info)?;
                let mut ids = vec![];
                for line in lines {
                    match line {
                        Line::Scope(name) => out.scope(name, "", FstScopeType::Module)?,
                        Line::Up => out.up_scope()?,
                        Line::Variable(name, source) => {
                            let ty = FstSignalType::bit_vec(source.width());
                            let direction = FstVarDirection::Implicit;
                            ids.push(out.var(name, ty, FstVarType::Wire, direction, None)?);
                            signals.push((source, None));
                        }
                    }
                }
                Sink::Fst(Box::new(out.finish()?), ids)
            }
        };
        Ok(Trace { path: path.to_owned(), sink, signals, problem: None })
    }

    /// Writes what has changed since the last time.
    pub(super) fn sample(&mut self, v: &[u64], time: u64, clocks: &[bool]) {
        if self.problem.is_none() {
            self.problem = self.write(v, time, clocks).err();
        }
    }

    fn write(&mut self, v: &[u64], time: u64, clocks: &[bool]) -> Result<(), Problem> {
        match &mut self.sink {
            Sink::Vcd(out) => out.time(time)?,
            Sink::Fst(out, _) => out.time_change(time)?,
        }
        for (i, (source, last)) in self.signals.iter_mut().enumerate() {
            let text: String = match *source {
                Source::Clock(domain) => if clocks[domain] { "1" } else { "0" }.into(),
                Source::Slot(slot, shape) => (0..shape.width)
                    .rev()
                    .map(|b| {
                        let word = v[(slot + b / 64) as usize];
                        if word >> (b % 64) & 1 == 1 { '1' } else { '0' }
                    })
                    .collect(),
            };
            if last.as_ref() != Some(&text) {
                match &mut self.sink {
                    Sink::Vcd(out) => out.change(i, &text)?,
                    Sink::Fst(out, ids) => out.signal_change(ids[i], text.as_bytes())?,
                }
                *last = Some(text);
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<(), TraceError> {
        if let Some(problem) = self.problem {
            return Err(problem.at(&self.path));
        }
        let finished = match self.sink {
            Sink::Vcd(out) => out.finish().map_err(Problem::from),
            Sink::Fst(out, _) => out.finish().map(|_| ()).map_err(Problem::from),
        };
        finished.map_err(|p| p.at(&self.path))
    }
}

/// Completes an open waveform file as well as it can; [`Interpreter::trace_finish`] also says how that went.
impl Drop for Interpreter {
    fn drop(&mut self) {
        let _ = self.trace_finish();
    }
}

impl Interpreter {
    /// Starts a waveform file; each clock edge from now on adds to it. A trace already open is finished first.
    /// It costs a second evaluation per edge. It ends with [`Interpreter::trace_finish`], or with the interpreter.
    ///
    /// # Errors
    /// [`TraceError`]: the file cannot be made, or a named signal does not exist.
    pub fn trace(
        &mut self,
        path: impl AsRef<Path>,
        options: TraceOptions,
    ) -> Result<(), TraceError> {
        self.trace_finish()?;
        let path = path.as_ref();
        let lines = self.trace_lines(&options.signals)?;
        let start = PERIOD * self.cycle();
        let trace = Trace::create(path, options.format, lines, start).map_err(|p| p.at(path))?;
        self.trace = Some(Box::new(trace));
        Ok(())
    }

    /// Completes the waveform file.
    ///
    /// # Errors
    /// The first thing that went wrong since [`Interpreter::trace`].
    pub fn trace_finish(&mut self) -> Result<(), TraceError> {
        self.trace.take().map_or(Ok(()), |t| t.finish())
    }

    /// Adds the settled values to the open trace; `risen` says which clocks are high.
    pub(super) fn trace_sample(&mut self, risen: Option<&[bool]>) {
        if let Some(mut trace) = self.trace.take() {
            self.eval();
            let low = vec![false; self.clock_names().count()];
            let half = if risen.is_some() { PERIOD / 2 } else { 0 };
            trace.sample(&self.v, PERIOD * self.cycle() + half, risen.unwrap_or(&low));
            self.trace = Some(trace);
        }
    }

    fn trace_lines(&self, wanted: &TraceSignals) -> Result<Vec<Line>, TraceError> {
        let scopes = &self.probes.scopes;
        let mut children = vec![vec![]; scopes.len()];
        for (i, scope) in scopes.iter().enumerate() {
            if let Some(parent) = scope.parent {
                children[parent as usize].push(i);
            }
        }
        let names: &[String] = match wanted {
            TraceSignals::All => &[],
            TraceSignals::Named(names) => names,
        };
        let mut found = vec![false; names.len()];
        let mut is_wanted = |path: &str| {
            let mut any = *wanted == TraceSignals::All;
            for (name, found) in names.iter().zip(&mut found) {
                let rest = path.strip_prefix(name.as_str());
                if rest.is_some_and(|r| r.is_empty() || r.starts_with('/')) {
                    (any, *found) = (true, true);
                }
            }
            any
        };
        let mut lines = vec![];
        // Depth first, with the closing of each scope on the stack.
        let mut stack = vec![(Some(0), String::new())];
        while let Some((scope, prefix)) = stack.pop() {
            let Some(index) = scope else {
                lines.push(Line::Up);
                continue;
            };
            let scope = &scopes[index];
            lines.push(Line::Scope(scope.name.clone()));
            if index == 0 {
                for (domain, clock) in self.clock_names().enumerate() {
                    if is_wanted(clock) {
                        lines.push(Line::Variable(clock.into(), Source::Clock(domain)));
                    }
                }
            }
            for probe in &scope.values {
                if is_wanted(&format!("{prefix}{}", probe.name)) {
                    let source = Source::Slot(probe.slot, probe.shape);
                    lines.push(Line::Variable(probe.name.clone(), source));
                }
            }
            stack.push((None, String::new()));
            for &child in children[index].iter().rev() {
                stack.push((Some(child), format!("{prefix}{}/", scopes[child].name)));
            }
        }
        match found.iter().position(|f| !f) {
            Some(i) => Err(TraceError::NoSignal { name: names[i].clone() }),
            None => Ok(lines),
        }
    }
}
