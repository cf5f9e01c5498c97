//! Work for the outside judges: what was computed, from what, written where `oracles/numerics.py` reads it.

use mattock_spec::{Format, Rounding};
use mattock_testbench::reference::dense::{ExactSum, RoundTo};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// How much is tried: a minute's worth, or the long form of `cargo xtask test numerics`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    Short,
    Full,
}

impl Size {
    pub(crate) fn of_environment() -> Size {
        if std::env::var("MATTOCK_NUMERICS").is_ok_and(|v| v == "full") {
            Size::Full
        } else {
            Size::Short
        }
    }

    pub(crate) fn pick(self, short: usize, full: usize) -> usize {
        if self == Size::Full { full } else { short }
    }
}

/// The jobs of one run.
pub(crate) struct Jobs {
    folder: PathBuf,
    list: BufWriter<File>,
    count: usize,
    pub(crate) size: Size,
    pub(crate) rng: StdRng,
}

impl Jobs {
    pub(crate) fn new(folder: &Path, size: Size) -> Jobs {
        let list = BufWriter::new(File::create(folder.join("jobs.jsonl")).unwrap());
        Jobs { folder: folder.into(), list, count: 0, size, rng: StdRng::seed_from_u64(2026) }
    }

    /// One job: its description, the words its judge reads.
    pub(crate) fn add(&mut self, mut job: Value, words: &[&[u32]]) {
        let file = format!("{}.bin", self.count);
        self.count += 1;
        let mut out = BufWriter::new(File::create(self.folder.join(&file)).unwrap());
        for word in words.iter().copied().flatten() {
            out.write_all(&word.to_le_bytes()).unwrap();
        }
        out.flush().unwrap();
        job["file"] = json!(file);
        writeln!(self.list, "{job}").unwrap();
    }

    pub(crate) fn finish(mut self) {
        self.list.flush().unwrap();
    }

    /// Codes for `count` sums of `k` terms. One sum in eight has any codes; the others are finite, and in one of two the
    /// second half nearly cancels the first.
    pub(crate) fn codes(
        &mut self,
        format: Format,
        count: usize,
        k: usize,
        cancel: bool,
    ) -> Vec<u32> {
        let limit = 1u64 << format.bits();
        let mut codes = Vec::with_capacity(count * k);
        for case in 0..count {
            let start = codes.len();
            for i in 0..k {
                let copied = cancel && case % 2 == 1 && i >= k.div_ceil(2);
                let mut code = if copied && self.rng.random_ratio(9, 10) {
                    let earlier: u32 = codes[start + i - k.div_ceil(2)];
                    earlier ^ (limit / 2) as u32
                } else {
                    self.rng.random_range(0..limit) as u32
                };
                while case % 8 != 0 && !format.decode(code).to_f64().is_finite() {
                    code = self.rng.random_range(0..limit) as u32;
                }
                codes.push(code);
            }
        }
        codes
    }
}

/// One way to round a sum.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) format: Format,
    pub(crate) rounding: Option<Rounding>,
    pub(crate) saturate: bool,
}

impl Run {
    pub(crate) fn json(self) -> Value {
        let rounding = self.rounding.map_or("stochastic", name);
        json!({"d": self.format.name(), "round": rounding, "saturate": self.saturate})
    }

    /// All results of this run, after the random words of stochastic rounding.
    pub(crate) fn results(self, sums: &[ExactSum], rng: &mut StdRng) -> Vec<u32> {
        let random: Option<Vec<u16>> =
            self.rounding.is_none().then(|| sums.iter().map(|_| rng.random()).collect());
        let rounding = self.rounding.unwrap_or(Rounding::Rne);
        let codes = sums.iter().enumerate().map(|(i, sum)| {
            let random = random.as_ref().map(|r| r[i]);
            sum.round(&RoundTo { format: self.format, rounding, saturate: self.saturate, random })
        });
        random.iter().flatten().map(|&r| r.into()).chain(codes).collect()
    }
}

pub(crate) fn name(rounding: Rounding) -> &'static str {
    match rounding {
        Rounding::Rne => "rne",
        Rounding::Rz => "rz",
        Rounding::Ru => "ru",
        Rounding::Rd => "rd",
        Rounding::Rna => "rna",
    }
}

pub(crate) fn format(name: &str) -> Format {
    name.parse().unwrap()
}
