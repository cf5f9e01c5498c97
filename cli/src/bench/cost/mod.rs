//! `mattock bench cost`: how well area and clock are foretold, and the fit of the coefficients.
//!
//! Without options it compares what the committed table ([`fpga_boards::fit::cost`]) foretells of its cards with what yosys and
//! nextpnr measured. `--calibrate FILE` maps the cards of [`CARDS`] (kept in the tool folder) and writes the table anew.
//!
//! ```text
//! $ mattock bench cost
//! $ mattock bench cost --calibrate fpga-boards/src/fit/ecp5.json
//! ```

mod calibrate;

use std::path::PathBuf;

use clap::Args;
use fpga_boards::fit::cost::{Sample, Table};
use serde::Serialize;

use crate::error::Failure;
use crate::files::write_file;
use crate::output::{Output, grouped, percent, table};

const ASKED: &str = "bench cost";

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Map the cards, fit the coefficients and write them here
    #[arg(long, value_name = "FILE")]
    calibrate: Option<PathBuf>,
}

/// What `--json` prints for each design; the keys are stable.
#[derive(Serialize)]
struct Row {
    design: String,
    held_out: bool,
    lut: Compared,
    ff: Compared,
    dsp: Compared,
    bram: Compared,
    fmax_mhz: Option<Compared>,
}

#[derive(Serialize)]
struct Compared {
    foretold: f64,
    measured: f64,
    /// Foretold to measured, less 1; 0 of none.
    error: f64,
}

impl Compared {
    fn new(foretold: f64, measured: f64) -> Self {
        let error = if foretold == measured { 0.0 } else { foretold / measured.max(1e-9) - 1.0 };
        Self { foretold, measured, error }
    }

    fn counts(foretold: u64, measured: u64) -> Self {
        // One block too many where there is none says nothing as a ratio.
        let least = measured.max(1) as f64;
        Self {
            error: (foretold as f64 - measured as f64) / least,
            ..Self::new(foretold as f64, measured as f64)
        }
    }
}

pub(crate) fn run(options: &Options, output: Output) -> Result<(), Failure> {
    let fresh;
    let costs = match &options.calibrate {
        None => Table::get(),
        Some(path) => {
            fresh = calibrate::table(output)?;
            // A table of numbers and strings always serialises.
            let text = serde_json::to_string(&fresh).unwrap_or_default();
            // A card a line, for whoever reads a change of it.
            let text = text.replace("},{\"name\"", "},\n{\"name\"") + "\n";
            write_file(ASKED, path, &text)?;
            &fresh
        }
    };
    let rows: Vec<Row> = costs.cards.iter().map(|card| Row::of(costs, card)).collect();
    if output.json {
        rows.iter().for_each(|row| output.result(row, String::new));
    } else {
        output.result(&rows, || page(&rows, costs));
    }
    Ok(())
}

impl Row {
    fn of(costs: &Table, card: &Sample) -> Self {
        let (area, mhz) = costs.foretell(card);
        let is = card.area;
        Self {
            design: card.name.clone(),
            held_out: !card.calibrates,
            lut: Compared::counts(area.lut, is.lut),
            ff: Compared::counts(area.ff, is.ff),
            dsp: Compared::counts(area.dsp, is.dsp),
            bram: Compared::counts(area.bram, is.bram),
            fmax_mhz: card.mhz.map(|measured| Compared::new(mhz, measured)),
        }
    }
}

fn page(rows: &[Row], costs: &Table) -> String {
    let head = [
        "design", "held out", "LUT", "is", "off", "FF", "is", "off", "DSP", "is", "RAM", "is",
        "MHz", "is", "off",
    ];
    let mut lines = vec![head.map(String::from).to_vec()];
    for row in rows {
        let mut line = vec![row.design.clone(), if row.held_out { "yes" } else { "" }.to_owned()];
        let number = |value: f64| grouped(value.round() as u64);
        for compared in [&row.lut, &row.ff] {
            line.extend([
                number(compared.foretold),
                number(compared.measured),
                percent(compared.error),
            ]);
        }
        for compared in [&row.dsp, &row.bram] {
            line.extend([number(compared.foretold), number(compared.measured)]);
        }
        if let Some(compared) = &row.fmax_mhz {
            line.extend([
                number(compared.foretold),
                number(compared.measured),
                percent(compared.error),
            ]);
        }
        lines.push(line);
    }
    let columns: Vec<usize> = (2..head.len()).collect();
    let mut text = table(&lines, &columns);
    for (what, of) in [
        ("LUT", (|row: &Row| Some(row.lut.error)) as fn(&Row) -> Option<f64>),
        ("FF", |row| Some(row.ff.error)),
        ("Fmax", |row| row.fmax_mhz.as_ref().map(|c| c.error)),
    ] {
        let held: Vec<f64> = rows.iter().filter(|row| row.held_out).filter_map(of).collect();
        if let Some(worst) = held.iter().map(|error| error.abs()).max_by(f64::total_cmp) {
            let mean = held.iter().map(|error| error.abs()).sum::<f64>() / held.len() as f64;
            text += &format!(
                "{what} of {} held out: off by {} on average, {} at worst\n",
                held.len(),
                percent(mean),
                percent(worst)
            );
        }
    }
    text + &format!("measured by {}\n", costs.tools)
}
