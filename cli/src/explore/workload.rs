//! The workload: a TOML list of products.

use std::path::Path;

use mattock_spec::Tuple;
use serde::{Deserialize, Serialize};

use super::ASKED;
use crate::error::Failure;

/// Most bytes of a workload file.
const MOST_BYTES: u64 = 1 << 20;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    gemm: Vec<Gemm>,
    #[serde(default)]
    spgemm: Vec<toml::Table>,
}

/// A dense product, so many times.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Gemm {
    pub(super) m: u32,
    pub(super) n: u32,
    pub(super) k: u32,
    #[serde(default = "int8")]
    pub(super) types: String,
    #[serde(default = "once")]
    pub(super) count: u32,
}

fn int8() -> String {
    "i8,i8,i32".into()
}

fn once() -> u32 {
    1
}

/// The products, and the types they need.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    pub(super) gemms: Vec<(Gemm, Tuple)>,
}

impl Workload {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, is no such list, is empty, or asks for what there is no model of.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::file(ASKED, path, &error);
        let size = std::fs::metadata(path).map_err(failed)?.len();
        if size > MOST_BYTES {
            return Err(fault(path, format!("has more than {MOST_BYTES} bytes")));
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let file: File = toml::from_str(&text)
            .map_err(|error| fault(path, error.to_string().trim_end().into()))?;
        if !file.spgemm.is_empty() {
            return Err(fault(
                path,
                "asks for `[[spgemm]]`: there is no model of its cycles".into(),
            )
            .allowed("tables `[[gemm]]`"));
        }
        if file.gemm.is_empty() {
            return Err(fault(path, "names no product".into()));
        }
        let gemms = file.gemm.into_iter().enumerate().map(|(at, gemm)| {
            let key = format!("gemm[{at}]");
            let sizes = [("m", gemm.m), ("n", gemm.n), ("k", gemm.k), ("count", gemm.count)];
            if let Some((name, value)) = sizes.iter().find(|(_, v)| !(1..=1 << 20).contains(v)) {
                return Err(Failure::argument(ASKED, &format!("{key}.{name}"), value)
                    .allowed(format!("1 to {}", 1 << 20))
                    .next("correct the workload"));
            }
            let refuse = |next: String| {
                Failure::argument(ASKED, &format!("{key}.types"), format!("{:?}", gemm.types))
                    .allowed("types that the dense engine computes, such as i8,i8,i32")
                    .next(next)
            };
            let tuple: Tuple = gemm.types.parse().map_err(|e| refuse(format!("{e}")))?;
            if !tuple.is_built() {
                return Err(refuse("choose other types".into()));
            }
            // The cost model was calibrated without their PE.
            if tuple.is_chained() {
                return Err(refuse(
                    "choose types of at most 8 bits; cards of wider floats have no cost model yet"
                        .into(),
                ));
            }
            Ok((gemm, tuple))
        });
        Ok(Self { gemms: gemms.collect::<Result<_, _>>()? })
    }

    /// Every type tuple once.
    pub(super) fn tuples(&self) -> Vec<Tuple> {
        let mut tuples: Vec<Tuple> = vec![];
        for (_, tuple) in &self.gemms {
            if !tuples.contains(tuple) {
                tuples.push(*tuple);
            }
        }
        tuples
    }

    /// Bytes of the matrices of its largest product, lines padded.
    pub(super) fn bytes(&self) -> u64 {
        let of = |(gemm, tuple): &(Gemm, Tuple)| {
            let line = |rows: u32, cols: u32, bits: u32| {
                let line = (u64::from(cols) * u64::from(bits)).div_ceil(8).next_multiple_of(64);
                u64::from(rows) * line
            };
            line(gemm.m, gemm.k, tuple.a.storage_bits())
                + line(gemm.k, gemm.n, tuple.b.storage_bits())
                + line(gemm.m, gemm.n, tuple.d.storage_bits())
        };
        self.gemms.iter().map(of).max().unwrap_or(0)
    }
}

fn fault(path: &Path, why: String) -> Failure {
    Failure::new(ASKED, format!("{} {why}", path.display()))
        .allowed("TOML with a table `[[gemm]]` of m, n, k (and types, count) for each product")
        .next("write, for example: [[gemm]] m = 64, n = 64, k = 64, each on its line")
}
