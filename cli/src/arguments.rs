//! What can be typed.

use clap::{Parser, Subcommand};

use crate::{check, completions, doctor, new, regs};

/// Generate, simulate and drive Mattock matrix cards.
#[derive(Debug, Parser)]
#[command(name = "mattock", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Print one JSON object on one line
    #[arg(long, global = true, display_order = 100)]
    pub(crate) json: bool,
    /// Print nothing but what was asked for
    #[arg(short, long, global = true, display_order = 101)]
    pub(crate) quiet: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a commented card configuration to begin with
    New(new::Options),
    /// Check a card configuration and say what the card would be
    Check(check::Options),
    /// List the outside tools: which are here, which are missing and how to get them
    Doctor(doctor::Options),
    /// Print the register manual, the C header or the register table
    Regs(regs::Options),
    /// Print a completion script for a shell
    Completions(completions::Options),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
