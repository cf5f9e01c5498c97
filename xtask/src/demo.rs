//! `cargo xtask demo`: both engines on real data, run by the `mattock` program.

use mattock_toolbox::Toolbox;

use crate::error::Error;
use crate::metadata::Metadata;
use crate::process::{cargo, run};

/// Runs `mattock demo`, optimised: simulation speed is what a person waits for.
pub(crate) fn demo(toolbox: &Toolbox, arguments: &[String]) -> Result<(), Error> {
    let metadata = Metadata::read()?;
    let package = &metadata.command_line()?.name;
    let mut command = cargo();
    toolbox.export_verilators(&mut command);
    run(command.args(["run", "--release", "--package", package, "--", "demo"]).args(arguments))
}
