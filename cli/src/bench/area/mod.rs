//! `mattock bench area`: area and clock of the designs with a goal, and whether it is met.
//!
//! Each line's design is generated, its arrays multiply random matrices in Verilator, yosys maps it, and on ECP5
//! nextpnr places it with several seeds ([`fpga_boards::measure`]). What was run before is kept in the tool folder by a
//! hash of the design, the tool and its version, the arguments and the seed, so that a run cut short goes on
//! where it was.
//!
//! ```text
//! $ mattock bench area --only int8-8x8,dsp-int8 --seeds 2 --json
//! ```

mod goal;
#[cfg(test)]
mod leaves;
mod lines;

use std::process::ExitCode;

use clap::Args;
use fpga_boards::measure::Mapping;
use fpga_boards::report::Area;
use mattock_hw::float::Operand;
use mattock_hw::gemm::Array;
use mattock_hw::pe::{Chain, PeShape, variant_of};
use mattock_hw::spgemm::Cluster;
use mattock_spec::{CardConfig, Format};
use mattock_toolbox::Toolbox;
use rtl_gen::{Design, Module};
use serde::Serialize;

use super::mapped::Mapped;
use super::product::{Outcome, SIMULATOR, product};
use crate::error::{Failure, nearest};
use crate::output::{Output, grouped, table};
use crate::synthetic::Source;
use goal::{Answer, Met, Quantity};
use lines::{LINES, Line, Subject};

const ASKED: &str = "bench area";
/// Standard deviation of the operands of an array whose pace depends on them.
const DEVIATION: f64 = 20.0;

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Only these lines; several with commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    /// Seeds of the placer: 1 to this many
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    seeds: u32,
    /// Synthesis only: neither simulation nor place and route
    #[arg(long)]
    quick: bool,
}

/// What `--json` prints for each line; the keys are stable.
#[derive(Serialize)]
struct Row {
    name: &'static str,
    what: &'static str,
    /// Top module.
    design: Option<String>,
    part: &'static str,
    #[serde(flatten)]
    measured: Measured,
    goals: Vec<Answer>,
    met: Met,
    command: String,
    synthesis: &'static str,
    tools: Tools,
}

#[derive(Clone, Default, Serialize)]
struct Measured {
    lut: Option<u64>,
    ff: Option<u64>,
    dsp: Option<u64>,
    bram: Option<u64>,
    /// Multiply-adds a cycle.
    macs: Option<u32>,
    lut_per_mac: Option<f64>,
    macs_per_dsp: Option<f64>,
    cycles_per_operand: Option<f64>,
    gmacs: Option<f64>,
    fmax_mhz_best: Option<f64>,
    fmax_mhz_median: Option<f64>,
    /// In the order of the seeds.
    fmax_mhz: Vec<f64>,
    /// Wrong elements of a random product.
    mismatches: Option<u64>,
    simulator: Option<&'static str>,
}

#[derive(Clone, Serialize)]
struct Tools {
    yosys: Option<String>,
    nextpnr: Option<String>,
}

pub(crate) fn run(options: &Options, output: Output) -> Result<ExitCode, Failure> {
    let toolbox = Toolbox::open();
    let version = |tool| toolbox.find_named(tool).ok().map(|found| found.version.to_string());
    let tools = Tools { yosys: version("yosys"), nextpnr: version("nextpnr-ecp5") };
    let mut rows = vec![];
    for line in options.chosen()? {
        let row = options.row(line, &tools, output)?;
        if output.json {
            output.result(&row, String::new);
        }
        rows.push(row);
    }
    if !output.json {
        output.result(&rows, || page(&rows, &tools));
    }
    // A goal that is missed is a result; a wrong product is not.
    let exact = rows.iter().all(|row| row.measured.mismatches.unwrap_or(0) == 0);
    Ok(if exact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Options {
    fn chosen(&self) -> Result<Vec<&'static Line>, Failure> {
        let names: Vec<&str> = LINES.iter().map(|line| line.name).collect();
        if let Some(word) = self.only.iter().find(|word| !names.contains(&word.as_str())) {
            let next = match nearest(word, &names) {
                Some(name) => format!("did you mean {name:?}?"),
                None => "choose one of the list".into(),
            };
            return Err(Failure::argument(ASKED, "--only", format!("{word:?}"))
                .allowed(names.join(", "))
                .next(next)
                .usage());
        }
        let meant = |line: &&Line| self.only.is_empty() || self.only.iter().any(|w| w == line.name);
        Ok(LINES.iter().filter(meant).collect())
    }

    fn row(&self, line: &Line, tools: &Tools, output: Output) -> Result<Row, Failure> {
        let (design, measured) = match line.subject {
            None => (None, Measured::default()),
            Some(Subject::Array { kind, pe, side, bits: [a_bits, b_bits] }) => {
                let shape = PeShape { a_bits, b_bits, ..PeShape::INT8 };
                let array = Array::of_side(kind, side, variant_of(pe), shape);
                self.array(line, &array, output)?
            }
            Some(Subject::Cluster(config)) => {
                let card = CardConfig::reference(config);
                let card = card.map_err(|error| Failure::config(&error, config, ""))?;
                let cluster = Cluster::of(&card)
                    .ok_or_else(|| Failure::new(ASKED, format!("{config} has no sparse engine")))?;
                let design = elaborate(&cluster)?;
                let measured = self.mapped(line, &design, None, output)?;
                (Some(design.top().name.clone()), measured)
            }
            Some(Subject::Chain(format)) => {
                let operand = Operand::of(format);
                let design = elaborate(&Chain { a: operand, b: operand })?;
                let measured = self.mapped(line, &design, Some(1), output)?;
                (Some(design.top().name.clone()), measured)
            }
        };
        let goals: Vec<Answer> =
            line.goals.iter().map(|goal| goal.answer(measured.get(goal.of))).collect();
        let met = if line.subject.is_none() { Met::NotBuilt } else { Met::of(&goals) };
        let quick = if self.quick { " --quick" } else { "" };
        Ok(Row {
            name: line.name,
            what: line.what,
            design,
            part: line.mapping.part(),
            measured,
            goals,
            met,
            command: format!(
                "mattock bench area --only {} --seeds {}{quick}",
                line.name, self.seeds
            ),
            synthesis: line.mapping.synthesis(),
            tools: tools.clone(),
        })
    }

    fn array(
        &self,
        line: &Line,
        array: &Array,
        output: Output,
    ) -> Result<(Option<String>, Measured), Failure> {
        let design = elaborate(array)?;
        let macs = array.rows * array.cols * array.depth;
        let mut measured = self.mapped(line, &design, Some(macs), output)?;
        if !self.quick {
            let (outcome, steps) = multiply(array, &design, output)?;
            measured.mismatches = Some(outcome.mismatches);
            measured.simulator = Some(SIMULATOR.name());
            if array.is_paced() {
                measured.cycles_per_operand = Some(outcome.cycles as f64 / steps as f64);
            }
        }
        Ok((Some(design.top().name.clone()), measured))
    }

    fn mapped(
        &self,
        line: &Line,
        design: &Design,
        macs: Option<u32>,
        output: Output,
    ) -> Result<Measured, Failure> {
        let mapped = Mapped::new(design, line.mapping, output)?;
        let Area { lut, ff, dsp, bram, .. } = mapped.area()?;
        let per = |all: u64, parts: u64| (parts > 0).then(|| all as f64 / parts as f64);
        let macs_wide = macs.map(u64::from);
        let mut measured = Measured {
            lut: Some(lut),
            ff: Some(ff),
            dsp: Some(dsp),
            bram: Some(bram),
            macs,
            lut_per_mac: macs_wide.and_then(|macs| per(lut, macs)),
            macs_per_dsp: macs_wide.and_then(|macs| per(macs, dsp)),
            ..Measured::default()
        };
        let asked = line.goals.iter().find_map(|goal| goal.mhz());
        if let (Mapping::Ecp5, Some(asked), false) = (line.mapping, asked, self.quick) {
            for seed in 1..=self.seeds {
                measured.fmax_mhz.push(mapped.mhz(asked, seed)?);
            }
            let mut sorted = measured.fmax_mhz.clone();
            sorted.sort_by(f64::total_cmp);
            measured.fmax_mhz_best = sorted.last().copied();
            measured.fmax_mhz_median = Some(median(&sorted));
            let rate = measured.fmax_mhz_median.zip(macs);
            measured.gmacs = rate.map(|(mhz, macs)| mhz * f64::from(macs) / 1e3);
        }
        Ok(measured)
    }
}

impl Measured {
    fn get(&self, quantity: Quantity) -> Option<f64> {
        match quantity {
            Quantity::LutPerMac => self.lut_per_mac,
            Quantity::Lut => self.lut.map(|lut| lut as f64),
            Quantity::Mhz => self.fmax_mhz_median,
            Quantity::MacsPerDsp => self.macs_per_dsp,
            Quantity::CyclesPerOperand => self.cycles_per_operand,
            Quantity::Gmacs => self.gmacs,
        }
    }
}

/// Of ascending values, of which there is one.
fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

fn elaborate(module: &dyn Module) -> Result<Design, Failure> {
    Design::elaborate(module)
        .map_err(|error| Failure::new(ASKED, format!("{} cannot be built: {error}", module.name())))
}

/// A random product; also the steps that its tiles take at one a cycle.
fn multiply(array: &Array, design: &Design, output: Output) -> Result<(Outcome, u64), Failure> {
    // Sums deep enough that filling the array does not show.
    let shape = [32, 32, 256];
    let [m, n, k] = shape;
    let mut source = Source::new(1);
    let mut operand = |bits: u32, len: u32| -> Vec<i8> {
        if array.is_paced() {
            return source.normal(DEVIATION, len as usize);
        }
        let format = Format::int(bits as u8);
        source.integers(format, len as usize).into_iter().map(|x| x as i8).collect()
    };
    let (a, b) = (operand(array.shape.a_bits, m * k), operand(array.shape.b_bits, k * n));
    let outcome = product((array, design), [&a, &b], shape, output)?;
    let tiles = u64::from(m.div_ceil(array.rows)) * u64::from(n.div_ceil(array.cols));
    Ok((outcome, tiles * u64::from(k.div_ceil(array.depth))))
}

fn page(rows: &[Row], tools: &Tools) -> String {
    let head =
        ["line", "part", "LUT", "FF", "DSP", "RAM", "LUT/MAC", "MHz best", "median", "goal", "met"];
    let mut lines = vec![head.map(String::from).to_vec()];
    let count = |value: Option<u64>| value.map_or("-".into(), grouped);
    let tenth = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.1}"));
    lines.extend(rows.iter().map(|row| {
        let Measured { lut, ff, dsp, bram, lut_per_mac, .. } = row.measured;
        let goals: Vec<String> = row.goals.iter().map(Answer::words).collect();
        vec![
            row.name.into(),
            row.part.split(' ').next().unwrap_or_default().into(),
            count(lut),
            count(ff),
            count(dsp),
            count(bram),
            tenth(lut_per_mac),
            tenth(row.measured.fmax_mhz_best),
            tenth(row.measured.fmax_mhz_median),
            goals.join(", "),
            row.met.words().into(),
        ]
    }));
    let shown = |version: &Option<String>| version.clone().unwrap_or("missing".into());
    let mut text = table(&lines, &[2, 3, 4, 5, 6, 7, 8]);
    for row in rows {
        if let Some(cycles) = row.measured.cycles_per_operand {
            text += &format!("{}: {cycles:.2} cycles per operand\n", row.name);
        }
        if let Some(wrong) = row.measured.mismatches.filter(|wrong| *wrong > 0) {
            text += &format!("{}: {wrong} wrong elements\n", row.name);
        }
    }
    text + &format!(
        "clock goals are judged by the median of the seeds; yosys {}, nextpnr {}\n",
        shown(&tools.yosys),
        shown(&tools.nextpnr)
    )
}
