//! What the tools say: cells of a netlist, clock rates, the slowest path.

mod area;
mod stat;
mod timing;

pub use area::{Area, ModuleArea};
pub use stat::Cells;
pub use timing::{CriticalPath, TimedClock, Timing};

/// A document of a tool that is not as it should be.
#[derive(Debug, thiserror::Error)]
#[error("{path} has an unexpected form: {detail}")]
pub struct FormatError {
    /// The file.
    pub path: String,
    /// What is wrong with it.
    pub detail: String,
}

/// Reads a file and makes something of its text.
fn read<T>(
    path: &std::path::Path,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, FormatError> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string());
    text.and_then(|text| parse(&text))
        .map_err(|detail| FormatError { path: path.display().to_string(), detail })
}
