//! Why a chore failed.

use std::io;
use std::path::{Path, PathBuf};

use mattock_toolbox::Missing;

/// Why a chore failed. The text says what was tried and what to do next.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Tool(#[from] Missing),
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("`{command}` could not be started: {source}")]
    Start { command: String, source: io::Error },
    #[error("`{command}` failed ({status}){tail}")]
    Failed { command: String, status: std::process::ExitStatus, tail: String },
    #[error("{what} has an unexpected form: {detail}")]
    Format { what: String, detail: String },
    #[error(transparent)]
    Measure(#[from] fpga_boards::BuildError),
    #[error(transparent)]
    Report(#[from] fpga_boards::report::FormatError),
    #[error("{0}")]
    Other(String),
}

impl Error {
    /// An I/O error at a path.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), source }
    }

    /// A document that is not as it should be.
    pub(crate) fn format(what: impl Into<String>, detail: impl ToString) -> Self {
        Self::Format { what: what.into(), detail: detail.to_string() }
    }
}
