//! Which format a file has.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// A matrix file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Matrix Market coordinate format (Boisvert, Pozo, Remington, NISTIR 5935).
    MatrixMarket,
    /// Edge list as published by SNAP: `from to [weight]`, blanks, tabs or commas between.
    EdgeList,
    /// METIS graph file (METIS manual, section 4.1.1).
    Metis,
    /// Triplets `i j x` as read by CSparse (Davis, Direct Methods for Sparse Linear Systems, 2.4).
    Triplet,
}

/// What the values of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// The file gives positions only; every value is 1.
    Pattern,
    /// Whole numbers within +-2^53.
    Integer,
    /// Real numbers.
    Real,
}

/// A format name that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown matrix format `{0}`; formats: {names}", names = Format::NAMES)]
pub struct UnknownFormatName(pub String);

impl Format {
    /// Every format, in the order of its documentation.
    pub const ALL: [Self; 4] = [Self::MatrixMarket, Self::EdgeList, Self::Metis, Self::Triplet];

    /// The names that `from_str` takes first, for messages.
    pub const NAMES: &'static str = "matrix-market, edge-list, metis, triplet";

    /// The name, as `from_str` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::MatrixMarket => "matrix-market",
            Self::EdgeList => "edge-list",
            Self::Metis => "metis",
            Self::Triplet => "triplet",
        }
    }

    /// Finds the format from the first line that is not blank, then from the file's name with
    /// `.gz` taken off. A line of bare numbers says nothing: three formats start like that.
    pub(super) fn detect(first_line: &[u8], name: Option<&Path>) -> Option<Self> {
        let start = first_line.trim_ascii_start();
        if is_banner(start) {
            return Some(Self::MatrixMarket);
        }
        let from_name = name.and_then(|path| {
            let name = path.file_name()?.to_str()?.to_ascii_lowercase();
            let extension = name.strip_suffix(".gz").unwrap_or(&name).rsplit_once('.')?.1;
            match extension {
                "mtx" | "mm" => Some(Self::MatrixMarket),
                "txt" | "edges" | "edgelist" | "el" | "wel" | "csv" | "tsv" | "snap" => {
                    Some(Self::EdgeList)
                }
                "graph" | "metis" => Some(Self::Metis),
                "triplet" | "triplets" => Some(Self::Triplet),
                _ => None,
            }
        });
        from_name.or_else(|| start.starts_with(b"#").then_some(Self::EdgeList))
    }
}

/// Whether a first line announces Matrix Market; the Network Repository writes one `%` only.
pub(super) fn is_banner(line: &[u8]) -> bool {
    const WORD: &[u8] = b"MatrixMarket";
    let word = line.strip_prefix(b"%").map(|rest| rest.strip_prefix(b"%").unwrap_or(rest));
    word.and_then(|word| word.get(..WORD.len())).is_some_and(|w| w.eq_ignore_ascii_case(WORD))
}

impl FromStr for Format {
    type Err = UnknownFormatName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name.to_ascii_lowercase().as_str() {
            "matrix-market" | "mtx" | "mm" => Ok(Self::MatrixMarket),
            "edge-list" | "snap" | "edges" => Ok(Self::EdgeList),
            "metis" | "graph" => Ok(Self::Metis),
            "triplet" | "csparse" => Ok(Self::Triplet),
            _ => Err(UnknownFormatName(name.to_string())),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pattern => "pattern",
            Self::Integer => "integer",
            Self::Real => "real",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for format in Format::ALL {
            assert_eq!(format.name().parse(), Ok(format));
        }
        assert_eq!(Format::NAMES, Format::ALL.map(Format::name).join(", "));
        insta::assert_snapshot!(
            "hdf5".parse::<Format>().unwrap_err(),
            @"unknown matrix format `hdf5`; formats: matrix-market, edge-list, metis, triplet"
        );
    }

    #[test]
    fn content_goes_before_the_name() {
        let detect = |line: &[u8], name: &str| Format::detect(line, Some(Path::new(name)));
        assert_eq!(detect(b"%%MatrixMarket matrix", "a.txt.gz"), Some(Format::MatrixMarket));
        assert_eq!(detect(b"%matrixmarket matrix", "a"), Some(Format::MatrixMarket));
        assert_eq!(detect(b"1 2", "a.GRAPH.gz"), Some(Format::Metis));
        assert_eq!(detect(b"1 2 3", "a.triplet"), Some(Format::Triplet));
        assert_eq!(detect(b"# nodes", "a.dat"), Some(Format::EdgeList));
        assert_eq!(detect(b"1 2", "a.dat"), None);
        assert_eq!(detect(b"\xff\xfe", "a"), None);
    }
}
