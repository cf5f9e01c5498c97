//! `mattock completions`: what a shell needs to complete our commands.

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use serde::Serialize;

use crate::arguments::Arguments;
use crate::output::Output;

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The shell to write for
    shell: Shell,
}

#[derive(Serialize)]
struct Report {
    shell: String,
    script: String,
}

pub(crate) fn run(options: &Options, output: Output) {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Arguments::command(), "mattock", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    if output.json {
        output.result(&Report { shell: options.shell.to_string(), script }, String::new);
    } else {
        output.page(&script);
    }
}
