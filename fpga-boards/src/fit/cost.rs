//! The coefficients of the estimate, and the synthesised cards they are fitted to.
//!
//! `ecp5.json` is written by `mattock bench cost --calibrate`: yosys maps cards module by module, so that one card gives
//! a hundred samples of what operations come to, and least squares find what a bit of each kind takes. Cards that are held out
//! tell how far the estimate is off.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::{Demand, Family, estimate_on};
use crate::report::Area;

/// Nanoseconds on ECP5, speed grade 6, wires included: a level of logic, a bit of a carry chain, a product, from the clock to a
/// register's output, to a block RAM's. The clock rate is fitted to the path they give.
pub const DELAYS: [f64; 5] = [0.9, 0.05, 3.2, 0.5, 5.8];

/// Tables that choose a bit among the blocks of sixteen words of a LUT RAM, for each block but the first.
pub(super) const WORD: f64 = 0.6;

/// What the coefficients are before any card was synthesised, in the order of [`Table::operations`]. A fit stays near these where samples say nothing.
const PRIORS: [f64; 13] = [0.5, 0.35, 1.0, 1.0, 0.7, 0.35, 1.0, 0.4, 0.8, 0.6, 0.6, 0.6, 0.6];

/// Coefficients, and what they were fitted to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Table {
    /// The command that writes the table.
    pub made_by: String,
    /// The tools that measured.
    pub tools: String,
    /// Kinds of operations.
    pub operations: Vec<String>,
    /// Tables a bit of each kind takes.
    pub tables_per_bit: Vec<f64>,
    /// Flip-flops left of a bit of registers.
    pub flip_flops: f64,
    /// A clock period in ns: a constant, and a factor of the longest path.
    pub period: [f64; 2],
    /// What was synthesised.
    pub cards: Vec<Sample>,
}

/// A design beside what the tools made of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// Its name.
    pub name: String,
    /// The coefficients were fitted to it; else it was held out.
    pub calibrates: bool,
    /// What it is made of.
    pub demand: Demand,
    /// What yosys counts in a card's flow; a bare array is placed only.
    pub area: Option<Area>,
    /// What nextpnr says it reaches, if it was placed.
    pub mhz: Option<f64>,
}

impl Table {
    /// The table of this version.
    ///
    /// # Panics
    /// Never: a test reads the file.
    pub fn get() -> &'static Table {
        static TABLE: OnceLock<Table> = OnceLock::new();
        TABLE.get_or_init(|| {
            serde_json::from_str(include_str!("ecp5.json")).expect("a table of coefficients")
        })
    }

    /// Tables of ECP5 that the operations take.
    pub(super) fn tables(&self, demand: &Demand) -> f64 {
        let bits = demand.operations.iter().zip(&self.tables_per_bit);
        bits.map(|(bits, per_bit)| bits * per_bit).sum()
    }

    /// Clock rate for a longest path.
    pub(super) fn mhz(&self, path_ns: f64) -> f64 {
        1e3 / (self.period[0] + self.period[1] * path_ns)
    }

    /// What the table foretells of a sample: area and MHz.
    pub fn foretell(&self, sample: &Sample) -> (Area, f64) {
        (estimate_on(Family::Ecp5, self, &sample.demand), self.mhz(sample.demand.path_ns))
    }

    /// Fits coefficients: those of logic to `modules`, each with its demand, its instances and the tables it took; the rest to the cards
    /// that calibrate.
    pub fn fit(&mut self, modules: &[(Demand, u64, f64)]) {
        let rows: Vec<Row> = modules
            .iter()
            .map(|(demand, count, tables)| {
                // What is not logic is counted, not fitted.
                let rest = Demand { operations: vec![], ..demand.clone() };
                let known = estimate_on(Family::Ecp5, self, &rest).lut as f64;
                Row {
                    features: demand.operations.clone(),
                    target: (tables - known).max(0.0),
                    // Errors of a module count as they show in a card.
                    weight: (*count as f64).sqrt() / (tables + 50.0),
                }
            })
            .collect();
        self.tables_per_bit = least_squares(&rows, &PRIORS);
        self.flip_flops = 1.0;
        let fitted = || self.cards.iter().filter(|card| card.calibrates);
        let ratio = |of: fn(&Area) -> u64| {
            let ratios = fitted().filter_map(|card| {
                let foretold = of(&self.foretell(card).0);
                card.area.map(|area| of(&area) as f64 / foretold.max(1) as f64)
            });
            let ratios: Vec<f64> = ratios.collect();
            ratios.iter().sum::<f64>() / ratios.len().max(1) as f64
        };
        // Relative errors of many small modules leave whole cards off to one side.
        let (tables, flip_flops) = (ratio(|area| area.lut), ratio(|area| area.ff));
        self.tables_per_bit.iter_mut().for_each(|bit| *bit *= tables);
        self.flip_flops = flip_flops;
        let fitted = || self.cards.iter().filter(|card| card.calibrates);
        let periods: Vec<Row> = fitted()
            .filter_map(|card| {
                let period = 1e3 / card.mhz?;
                let features = vec![1.0, card.demand.path_ns];
                Some(Row { features, target: period, weight: 1.0 / period })
            })
            .collect();
        let period = least_squares(&periods, &[1.0, 1.0]);
        self.period = [period[0], period[1]];
    }
}

struct Row {
    features: Vec<f64>,
    target: f64,
    weight: f64,
}

/// Coefficients of zero or more that explain the rows, each pulled a little towards its prior: coordinate descent, which for this
/// convex sum of squares finds the one minimum.
fn least_squares(rows: &[Row], priors: &[f64]) -> Vec<f64> {
    const PULL: f64 = 0.05;
    let mut values = priors.to_vec();
    for _ in 0..2000 {
        for (i, prior) in priors.iter().enumerate() {
            let pull = PULL / (prior * prior);
            let (mut top, mut bottom) = (pull * prior, pull);
            for row in rows.iter().filter(|row| row.features.get(i).is_some_and(|x| *x != 0.0)) {
                let all: f64 = row.features.iter().zip(&values).map(|(x, c)| x * c).sum();
                let x = row.features[i] * row.weight;
                top += x * (row.target - all + row.features[i] * values[i]) * row.weight;
                bottom += x * x;
            }
            values[i] = (top / bottom).max(0.0);
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coefficients_are_found_again() {
        let truth = [0.7, 1.5];
        let row = |x: f64, y: f64| Row {
            features: vec![x, y],
            target: x * truth[0] + y * truth[1],
            weight: 1.0,
        };
        let rows = [row(10.0, 3.0), row(4.0, 8.0), row(1.0, 0.0), row(70.0, 20.0)];
        let found = least_squares(&rows, &[1.0, 1.0]);
        assert!(found.iter().zip(truth).all(|(c, t)| (c - t).abs() < 0.01), "{found:?}");
    }

    #[test]
    fn the_committed_table_says_what_its_own_cards_give() {
        let table = Table::get();
        assert_eq!(table.operations.len(), table.tables_per_bit.len());
        let off = |foretold: u64, measured: u64| foretold as f64 / (measured.max(1) as f64) - 1.0;
        for card in &table.cards {
            let (area, _) = table.foretell(card);
            let Some(measured) = card.area else { continue };
            let errors = [(area.lut, measured.lut), (area.ff, measured.ff)];
            for (foretold, measured) in errors {
                let error = off(foretold, measured);
                assert!(error.abs() < 0.25, "{}: {foretold} for {measured}", card.name);
            }
        }
        assert!(table.cards.iter().any(|card| !card.calibrates), "nothing is held out");
    }
}
