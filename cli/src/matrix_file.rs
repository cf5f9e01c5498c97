//! Matrices from files: how they are read.

use std::path::Path;

use clap::{Args, ValueEnum};
use mattock::io::{Format, LoadedMatrix, ReadError, ReadOptions, Symmetrize, read_matrix};

use crate::arguments::whole;
use crate::error::Failure;
use crate::output::Output;
use crate::progress::Progress;

/// Most rows or columns that may be allowed: 2 GiB of row pointers.
const MOST_DIM: u64 = 1 << 28;

/// How matrix files are read.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// Format of the files: matrix-market, edge-list, metis or triplet [default: found out]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// When the mirror image of a file's entries is added
    #[arg(long, value_enum, default_value = "auto")]
    symmetrize: Mirror,
    /// Most rows or columns of a file that are believed; row pointers take 8 bytes each
    #[arg(long, value_name = "N", default_value_t = ReadOptions::default().max_dim, value_parser = clap::value_parser!(u64).range(..=MOST_DIM))]
    max_dim: u64,
    /// Most bytes of a file, unpacked
    #[arg(long, value_name = "N", default_value_t = ReadOptions::default().max_bytes, value_parser = whole::<u64>)]
    max_bytes: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Mirror {
    /// As the format means it
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Reading {
    /// Reads a file for the command `asked`.
    ///
    /// # Errors
    /// The file is none, or larger than was allowed.
    pub(crate) fn read(
        &self,
        asked: &str,
        path: &Path,
        output: Output,
    ) -> Result<LoadedMatrix, Failure> {
        let _progress = Progress::start(output, format!("reading {}", path.display()));
        let symmetrize = match self.symmetrize {
            Mirror::Auto => Symmetrize::Auto,
            Mirror::Always => Symmetrize::Always,
            Mirror::Never => Symmetrize::Never,
        };
        let Self { format, max_dim, max_bytes, .. } = *self;
        let read = ReadOptions { format, symmetrize, max_dim, max_bytes, ..Default::default() };
        read_matrix(path, &read).map_err(|error| {
            let next = match &error {
                mattock::Error::Read { source: ReadError::TooLarge { option, .. }, .. } => {
                    format!("allow it with `--{}`", option.replace('_', "-"))
                }
                _ => "give a matrix file, or its `--format`".into(),
            };
            Failure::new(asked, error).next(next)
        })
    }
}
