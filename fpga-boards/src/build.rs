//! Runs a plan: one program after the other, each only when what it reads has changed.
//!
//! Work goes to `work/` in the folder of the build. The bitstream appears beside it, whole, only when
//! every program has succeeded and every clock reaches its rate; else none is there.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Instant;

use mattock_toolbox::{Missing, Toolbox};

use crate::error::BoardError;
use crate::flow::{Options, Plan, Step, plan};
use crate::report::{Area, FormatError, ModuleArea, TimedClock, Timing};
use crate::steps::{file, run, write_if_changed};
use crate::{Board, Design, TOP};

/// A design on its way onto a board.
#[derive(Clone, Debug)]
pub struct Build {
    board: &'static Board,
    name: String,
    folder: PathBuf,
    plan: Plan,
}

/// A finished build.
#[derive(Clone, Debug)]
pub struct Built {
    /// The bitstream.
    pub bitstream: PathBuf,
    /// Area of the design and of its instances.
    pub modules: Vec<ModuleArea>,
    /// Clock rates.
    pub timing: Timing,
    /// Whether every step was found done.
    pub cached: bool,
    /// Time it took now.
    pub seconds: f64,
}

/// Why there is no bitstream.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The design does not go with the board.
    #[error(transparent)]
    Board(#[from] BoardError),
    /// A tool is not there.
    #[error(transparent)]
    Tool(#[from] Missing),
    /// The system refuses.
    #[error("{}: {source}", path.display())]
    File {
        /// Where.
        path: PathBuf,
        /// What it says.
        source: std::io::Error,
    },
    /// A tool's output is not understood.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A module that cannot be measured by itself.
    #[error("module {top} cannot be measured: {why}")]
    Harness {
        /// The module.
        top: String,
        /// What it lacks.
        why: String,
    },
    /// The design is larger than the part.
    #[error("it needs {needed} {resource}s and the {part} of {board} has {there}")]
    Full {
        /// The board.
        board: &'static str,
        /// Its part.
        part: String,
        /// The resource there is not enough of.
        resource: &'static str,
        /// How many it needs.
        needed: u64,
        /// How many there are.
        there: u64,
    },
    /// A clock is too slow.
    #[error(
        "clock {} reaches {:.1} MHz of the {:.1} MHz asked; the slowest path goes {}",
        clock.name, clock.fmax_mhz, clock.asked_mhz, path_words(clock)
    )]
    Slow {
        /// The clock.
        clock: Box<TimedClock>,
    },
    /// The place and route tool did not learn of the clock.
    #[error(
        "no clock in {report} was held to {asked_mhz:.1} MHz: the constraint was not understood"
    )]
    Unconstrained {
        /// The report.
        report: String,
        /// Rate that should have been asked.
        asked_mhz: f64,
    },
    /// A tool failed or was killed.
    #[error("{what}: {tool} {}{}; the whole log is {}", how(*status), quoted(said), log.display())]
    Failed {
        /// The step.
        what: &'static str,
        /// The tool.
        tool: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The line of its log that says why.
        said: String,
        /// Its log.
        log: PathBuf,
    },
    /// A tool ended well but did not leave what it should have.
    #[error("{what}: {tool} ended without writing {file}; the whole log is {}", log.display())]
    Nothing {
        /// The step.
        what: &'static str,
        /// The tool.
        tool: &'static str,
        /// What is missing.
        file: &'static str,
        /// Its log.
        log: PathBuf,
    },
}

fn path_words(clock: &TimedClock) -> String {
    clock.critical_path.as_ref().map_or("unknown ways".into(), |path| {
        format!(
            "from {} to {} ({:.1} ns in cells, {:.1} ns in wires)",
            path.from, path.to, path.logic_ns, path.routing_ns
        )
    })
}

fn how(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("was killed by signal {signal}");
    }
    status.code().map_or("failed".into(), |code| format!("failed with code {code}"))
}

fn quoted(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

impl Build {
    /// Plans the build of a design for a board in `folder`.
    ///
    /// # Errors
    /// [`BoardError`]: they do not go together.
    pub fn plan(
        board: &'static Board,
        design: &Design,
        options: Options,
        folder: &Path,
    ) -> Result<Self, BoardError> {
        let plan = plan(board, design, options)?;
        Ok(Self { board, name: design.name.clone(), folder: folder.to_owned(), plan })
    }

    /// Its steps.
    pub fn steps(&self) -> &[Step] {
        &self.plan.steps
    }

    /// Its files.
    pub fn files(&self) -> &[(String, String)] {
        &self.plan.files
    }

    /// Rate of the design's clock on the board.
    pub fn clock_mhz(&self) -> f64 {
        self.plan.clock_mhz
    }

    /// Where the bitstream will be.
    pub fn bitstream(&self) -> PathBuf {
        self.folder.join(format!("{}.{}", self.name, self.plan.extension))
    }

    /// Runs what has to be run. `tell` is told of each step, and whether it was found done, as it begins;
    /// what it returns lives as long as the step.
    ///
    /// # Errors
    /// [`BuildError`]; no bitstream is there then, not even an older one.
    pub fn run<T>(
        &self,
        toolbox: &Toolbox,
        mut tell: impl FnMut(&Step, bool) -> T,
    ) -> Result<Built, BuildError> {
        let start = Instant::now();
        // Every tool before the first minute of work.
        for step in &self.plan.steps {
            toolbox.find_named(step.tool)?;
        }
        let work = self.folder.join("work");
        fs::create_dir_all(&work).map_err(file(&work))?;
        let bitstream = self.bitstream();
        let mut cached = true;
        let mut outcome = None;
        let result = (|| {
            for (name, text) in &self.plan.files {
                write_if_changed(&work.join(name), text)?;
            }
            for step in &self.plan.steps {
                cached &= run(step, toolbox, &work, &mut tell)?;
                if step.writes.contains(&self.plan.netlist) {
                    outcome = Some((self.fitting(&work)?, None));
                }
                if let Some((_, timing)) =
                    outcome.as_mut().filter(|_| step.writes.contains(&self.plan.report))
                {
                    *timing = Some(self.timed(&work)?);
                }
            }
            place(&work.join(self.plan.bitstream), &bitstream)
        })();
        if result.is_err() {
            // What an earlier design left must not pass for this one's.
            for stale in [bitstream.clone(), work.join(self.plan.bitstream)] {
                let _ = fs::remove_file(stale);
            }
        }
        result?;
        let Some((modules, Some(timing))) = outcome else {
            let detail = "no step of the plan leaves it".into();
            return Err(FormatError { path: self.plan.report.into(), detail }.into());
        };
        Ok(Built { bitstream, modules, timing, cached, seconds: start.elapsed().as_secs_f64() })
    }

    /// The area of the netlist, if the part has room for it.
    fn fitting(&self, work: &Path) -> Result<Vec<ModuleArea>, BuildError> {
        let modules = ModuleArea::read(&work.join(self.plan.netlist), TOP, 4)?;
        let Some(resources) = &self.board.resources else { return Ok(modules) };
        let has = Area {
            lut: resources.lut,
            ff: resources.ff,
            dsp: resources.dsp,
            bram: resources.bram,
            spram: resources.spram,
        };
        match modules[0].area.overflow(&has) {
            None => Ok(modules),
            Some((resource, needed, there)) => Err(BuildError::Full {
                board: self.board.id,
                part: self.board.fpga.part.clone(),
                resource,
                needed,
                there,
            }),
        }
    }

    /// The clocks, if each reaches its rate.
    fn timed(&self, work: &Path) -> Result<Timing, BuildError> {
        let report = work.join(self.plan.report);
        let timing = Timing::read(&report)?;
        let asked_mhz = self.plan.clock_mhz;
        // Periods are whole picoseconds in the tools.
        let held = |clock: &TimedClock| clock.asked_mhz >= 0.999 * asked_mhz;
        if !timing.clocks.iter().any(held) {
            let report = report.display().to_string();
            return Err(BuildError::Unconstrained { report, asked_mhz });
        }
        let tightest = timing.tightest();
        if tightest.fmax_mhz < tightest.asked_mhz {
            return Err(BuildError::Slow { clock: Box::new(tightest.clone()) });
        }
        Ok(timing)
    }
}

/// Copies a finished bitstream to its place in one move.
fn place(from: &Path, to: &Path) -> Result<(), BuildError> {
    let folder = to.parent().unwrap_or(Path::new("."));
    let bytes = fs::read(from).map_err(file(from))?;
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(file(to))?;
    temporary.write_all(&bytes).map_err(file(to))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let readable = fs::Permissions::from_mode(0o644);
        temporary.as_file().set_permissions(readable).map_err(file(to))?;
    }
    temporary.persist(to).map_err(|error| file(to)(error.error))?;
    Ok(())
}
