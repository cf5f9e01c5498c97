//! `mattock bench pe`: every array and PE that go together, side by side.
//!
//! Each is built with 64 multipliers, multiplies the same matrices in Verilator, every element compared with the
//! reference, and is mapped to ECP5 by yosys.
//!
//! ```text
//! $ mattock bench pe --only systolic/rows --json
//! ```

use std::process::ExitCode;

use clap::Args;
use fpga_boards::measure::Mapping;
use mattock_hw::gemm::Array;
use mattock_hw::pe::{PeShape, variant_of};
use mattock_spec::config::{ArrayKind, PES, PeInfo};
use mattock_spec::{Format, Tuple};
use rtl_gen::Design;
use serde::Serialize;

use super::mapped::Mapped;
use super::product::{SIMULATOR, product};
use crate::arguments::whole;
use crate::error::{Failure, nearest};
use crate::output::{Output, percent, table};
use crate::synthetic::Source;

/// Most elements of a matrix.
const MOST_ELEMENTS: u64 = 1 << 22;

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Only these: a PE, an array, or ARRAY/PE; several with commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    /// Formats of A, B and D: i8,i8,i32 or i4,i4,i32 [default: the widest the PE multiplies]
    #[arg(long, value_name = "A,B,D")]
    types: Option<String>,
    /// Rows and columns of multipliers
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = side)]
    side: u32,
    /// Rows of A and D
    #[arg(long, default_value_t = 64, value_parser = whole::<u32>, allow_negative_numbers = true)]
    m: u32,
    /// Columns of B and D
    #[arg(long, default_value_t = 64, value_parser = whole::<u32>, allow_negative_numbers = true)]
    n: u32,
    /// Columns of A, rows of B
    #[arg(long, default_value_t = 64, value_parser = whole::<u32>, allow_negative_numbers = true)]
    k: u32,
    /// Names the random operands
    #[arg(long, default_value_t = 1, value_parser = whole::<u64>, allow_negative_numbers = true)]
    seed: u64,
}

/// What `--json` prints for each; the keys are stable.
#[derive(Serialize)]
struct Row {
    array: &'static str,
    pe: &'static str,
    /// Rows and columns of a tile of results.
    rows: u32,
    cols: u32,
    /// Products summed per result and cycle.
    depth: u32,
    types: String,
    m: u32,
    n: u32,
    k: u32,
    /// First operand in to last result out.
    cycles: u64,
    /// Part of the multiplications that the array could have made in these cycles.
    utilization: f64,
    lut: u64,
    ff: u64,
    dsp: u64,
    lut_per_mac: f64,
    mismatches: u64,
    simulator: &'static str,
}

/// Reads `--side`.
fn side(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|n| [4, 8, 16, 32].contains(n));
    number.ok_or_else(|| "4, 8, 16 or 32".to_owned())
}

/// An array and a PE that go together.
struct Pairing {
    kind: ArrayKind,
    pe: &'static PeInfo,
}

impl Pairing {
    /// All, in the order of the tables.
    fn all() -> Vec<Pairing> {
        let pairings = |&(_, kind): &(&str, ArrayKind)| {
            // Their products are of integers.
            let integers =
                |pe: &&PeInfo| [Format::I8, Format::I4].iter().any(|f| pe.takes(&of(*f)));
            let pes = PES.iter().filter(move |pe| pe.arrays.contains(&kind)).filter(integers);
            pes.map(move |pe| Pairing { kind, pe })
        };
        ArrayKind::ALL.iter().flat_map(pairings).collect()
    }

    fn name(&self) -> String {
        format!("{}/{}", self.kind.name(), self.pe.name)
    }

    fn is_meant(&self, word: &str) -> bool {
        [self.kind.name(), self.pe.name, &self.name()].contains(&word)
    }
}

pub(crate) fn run(options: &Options, output: Output) -> Result<ExitCode, Failure> {
    options.check_size()?;
    let mut rows = vec![];
    for pairing in options.chosen()? {
        let row = options.measure(&pairing, output)?;
        if output.json {
            output.result(&row, String::new);
        }
        rows.push(row);
    }
    if !output.json {
        output.result(&rows, || page(&rows));
    }
    let exact = rows.iter().all(|row| row.mismatches == 0);
    Ok(if exact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Options {
    fn chosen(&self) -> Result<Vec<Pairing>, Failure> {
        let all = Pairing::all();
        if let Some(word) = self.only.iter().find(|word| !all.iter().any(|p| p.is_meant(word))) {
            let names: Vec<String> = all.iter().map(Pairing::name).collect();
            let known: Vec<&str> = all
                .iter()
                .flat_map(|p| [p.kind.name(), p.pe.name])
                .chain(names.iter().map(String::as_str))
                .collect();
            let next = match nearest(word, &known) {
                Some(name) => format!("did you mean {name:?}?"),
                None => "choose one of the list".into(),
            };
            return Err(Failure::argument("bench pe", "--only", format!("{word:?}"))
                .allowed(names.join(", "))
                .next(next)
                .usage());
        }
        let format = self.format()?;
        let meant = |p: &Pairing| {
            format.is_none_or(|f| p.pe.takes(&of(f)))
                && (self.only.is_empty() || self.only.iter().any(|w| p.is_meant(w)))
        };
        Ok(all.into_iter().filter(meant).collect())
    }

    /// The format of both operands, if one was asked for.
    fn format(&self) -> Result<Option<Format>, Failure> {
        let Some(text) = &self.types else { return Ok(None) };
        let known = [("i8,i8,i32", Format::I8), ("i4,i4,i32", Format::I4)];
        let found = known.iter().find(|(name, _)| name == text);
        found.map(|(_, format)| Some(*format)).ok_or_else(|| {
            Failure::argument("bench pe", "--types", format!("{text:?}"))
                .allowed("i8,i8,i32 or i4,i4,i32")
                .next("choose one of them, or leave the option out")
                .usage()
        })
    }

    fn check_size(&self) -> Result<(), Failure> {
        let sizes = [("--m", self.m), ("--n", self.n), ("--k", self.k)];
        if let Some((key, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return Err(Failure::argument("bench pe", key, "0")
                .allowed("1 or more")
                .next("choose a product with elements"));
        }
        for (what, rows, cols) in [
            ("--m x --k", self.m, self.k),
            ("--k x --n", self.k, self.n),
            ("--m x --n", self.m, self.n),
        ] {
            if u64::from(rows) * u64::from(cols) > MOST_ELEMENTS {
                return Err(Failure::argument("bench pe", what, format!("{rows} x {cols}"))
                    .allowed(format!("at most {MOST_ELEMENTS} elements in a matrix"))
                    .next("choose a smaller product"));
            }
        }
        Ok(())
    }

    fn measure(&self, pairing: &Pairing, output: Output) -> Result<Row, Failure> {
        let widest = if pairing.pe.takes(&of(Format::I8)) { Format::I8 } else { Format::I4 };
        let format = self.format()?.unwrap_or(widest);
        let shape = PeShape::int(format.bits());
        let array = Array::of_side(pairing.kind, self.side, variant_of(pairing.pe.pe), shape);
        let design = Design::elaborate(&array).map_err(|error| {
            Failure::new("bench pe", format!("{} cannot be built: {error}", pairing.name()))
        })?;
        let types = format!("{format},{format},i32");

        let [m, n, k] = [self.m, self.n, self.k].map(|x| x as usize);
        let mut source = Source::new(self.seed);
        let mut operand = |len: usize| -> Vec<i8> {
            source.elements(format, len).into_iter().map(|x| x as i8).collect()
        };
        let (a, b) = (operand(m * k), operand(k * n));
        let fed = product((&array, &design), [&a, &b], [self.m, self.n, self.k], output)?;
        let area = Mapped::new(&design, Mapping::Ecp5, output)?.area()?;
        let peak = array.rows * array.cols * array.depth;
        let macs = u64::from(self.m) * u64::from(self.n) * u64::from(self.k);
        Ok(Row {
            array: pairing.kind.name(),
            pe: pairing.pe.name,
            rows: array.rows,
            cols: array.cols,
            depth: array.depth,
            types,
            m: self.m,
            n: self.n,
            k: self.k,
            cycles: fed.cycles,
            utilization: macs as f64 / (u64::from(peak) * fed.cycles) as f64,
            lut: area.lut,
            ff: area.ff,
            dsp: area.dsp,
            lut_per_mac: area.lut as f64 / f64::from(peak),
            mismatches: fed.mismatches,
            simulator: SIMULATOR.name(),
        })
    }
}

/// Integers of a format by themselves.
fn of(format: Format) -> Tuple {
    Tuple { a: format, b: format, acc: Format::I32, d: Format::I32 }
}

fn page(rows: &[Row]) -> String {
    let head = [
        "array",
        "pe",
        "size",
        "types",
        "cycles",
        "utilisation",
        "LUT",
        "FF",
        "DSP",
        "LUT/MAC",
        "mismatches",
    ];
    let mut lines = vec![head.map(String::from).to_vec()];
    lines.extend(rows.iter().map(|r| {
        let depth = if r.depth > 1 { format!(" x {}", r.depth) } else { String::new() };
        vec![
            r.array.into(),
            r.pe.into(),
            format!("{} x {}{depth}", r.rows, r.cols),
            r.types.clone(),
            r.cycles.to_string(),
            percent(r.utilization),
            r.lut.to_string(),
            r.ff.to_string(),
            r.dsp.to_string(),
            format!("{:.1}", r.lut_per_mac),
            r.mismatches.to_string(),
        ]
    }));
    table(&lines, &[4, 5, 6, 7, 8, 9, 10])
}
