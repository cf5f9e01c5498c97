//! Matrices from files, and random graphs in their place.

use std::path::Path;

use clap::{Args, ValueEnum};
use mattock::io::{Field, Format, LoadedMatrix, ReadError, ReadOptions, Symmetrize, read_matrix};
use mattock_testbench::rmat::Rmat;

use crate::arguments::whole;
use crate::error::Failure;
use crate::output::Output;
use crate::progress::Progress;

/// What random graphs begin with where a file is asked for.
const RMAT: &str = "rmat:";
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
    /// Reads a file for the command `asked`, or makes the graph that stands for one: `rmat:scale=14,edges=16,seed=1`.
    ///
    /// # Errors
    /// The file is none, or larger than was allowed; the words for a graph make none.
    pub(crate) fn read(
        &self,
        asked: &str,
        path: &Path,
        output: Output,
    ) -> Result<LoadedMatrix, Failure> {
        if let Some(words) = path.to_str().and_then(|text| text.strip_prefix(RMAT)) {
            return self.random_graph(asked, words, output);
        }
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

    fn random_graph(
        &self,
        asked: &str,
        words: &str,
        output: Output,
    ) -> Result<LoadedMatrix, Failure> {
        let bad = |fault: String| {
            Failure::argument(asked, "FILE", format!("\"{RMAT}{words}\": {fault}")).allowed(
                "rmat:scale=N,edges=N,seed=N with a=P,b=P,c=P besides: 2^scale rows with so many edges drawn for each",
            )
        };
        let graph: Rmat = words.parse().map_err(bad)?;
        if 1 << graph.scale > self.max_dim {
            return Err(bad(format!("2^{} rows", graph.scale)).next("allow them with `--max-dim`"));
        }
        let _progress = Progress::start(output, format!("drawing {RMAT}{graph}"));
        Ok(LoadedMatrix {
            matrix: graph.generate().pattern(1.0),
            format: Format::EdgeList,
            field: Field::Pattern,
            mirrored: false,
        })
    }
}

/// A matrix's name in tables: that of its file up to the first full stop, or a random graph's words without commas.
pub(crate) fn name(path: &Path) -> String {
    let whole = path.to_string_lossy();
    if whole.starts_with(RMAT) {
        return whole.replace(',', " ");
    }
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    file.split('.').next().unwrap_or_default().to_owned()
}
