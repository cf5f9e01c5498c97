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
use fpga_boards::report::Area;
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
    lut: Option<Compared>,
    ff: Option<Compared>,
    dsp: Option<Compared>,
    bram: Option<Compared>,
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
        let counts =
            |of: fn(&Area) -> u64| card.area.map(|is| Compared::counts(of(&area), of(&is)));
        Self {
            design: card.name.clone(),
            held_out: !card.calibrates,
            lut: counts(|area| area.lut),
            ff: counts(|area| area.ff),
            dsp: counts(|area| area.dsp),
            bram: counts(|area| area.bram),
            fmax_mhz: card.mhz.map(|measured| Compared::new(mhz, measured)),
        }
    }
}

fn page(rows: &[Row], costs: &Table) -> String {
    type Of = fn(&Row) -> &Option<Compared>;
    let columns: [(&str, Of); 5] = [
        ("LUT", |row| &row.lut),
        ("FF", |row| &row.ff),
        ("DSP", |row| &row.dsp),
        ("RAM", |row| &row.bram),
        ("MHz", |row| &row.fmax_mhz),
    ];
    let mut head = vec!["design".to_owned(), "held out".to_owned()];
    head.extend(columns.iter().flat_map(|(name, _)| [*name, "is", "off"].map(String::from)));
    let mut lines = vec![head];
    for row in rows {
        let mut line = vec![row.design.clone(), if row.held_out { "yes" } else { "" }.to_owned()];
        let number = |value: f64| grouped(value.round() as u64);
        line.extend(columns.iter().flat_map(|(_, of)| match of(row) {
            Some(c) => [number(c.foretold), number(c.measured), percent(c.error)],
            None => ["-", "-", "-"].map(String::from),
        }));
        lines.push(line);
    }
    let right: Vec<usize> = (2..2 + 3 * columns.len()).collect();
    let mut text = table(&lines, &right);
    for (name, of) in columns {
        let held = rows.iter().filter(|row| row.held_out).filter_map(|row| of(row).as_ref());
        let held: Vec<f64> = held.map(|compared| compared.error.abs()).collect();
        if let Some(worst) = held.iter().copied().max_by(f64::total_cmp) {
            let mean = held.iter().sum::<f64>() / held.len() as f64;
            text += &format!(
                "{name} of {} held out: off by {} on average, {} at worst\n",
                held.len(),
                percent(mean),
                percent(worst)
            );
        }
    }
    text + &format!("measured by {}\n", costs.tools)
}
