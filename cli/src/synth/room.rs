//! Whether the card will fit, from its hardware description alone, in a fraction of a second.

use fpga_boards::Board;
use fpga_boards::fit::{Fit, estimate, judge};
use fpga_boards::report::Area;

use super::ASKED;
use crate::card::Chosen;
use crate::design::elaborate;
use crate::error::Failure;
use crate::estimate::demand;
use crate::output::{Output, grouped};

/// The estimate for a card on a board.
pub(super) struct Room<'a> {
    board: &'a Board,
    need: Area,
    pub(super) fit: Fit,
}

impl<'a> Room<'a> {
    /// # Errors
    /// The card cannot be built.
    pub(super) fn of(chosen: &Chosen, board: &'a Board, output: Output) -> Result<Self, Failure> {
        let need = estimate(board, &demand(&elaborate(chosen, output)?));
        Ok(Self { board, need, fit: judge(board, &need) })
    }

    /// One line: what is needed, what is there, the verdict.
    pub(super) fn line(&self) -> String {
        let Area { lut, ff, dsp, bram, spram } = self.need;
        let mut parts = Vec::new();
        if let Some(has) = &self.board.resources {
            for (name, need, there) in [
                ("LUT", lut, has.lut),
                ("FF", ff, has.ff),
                ("DSP", dsp, has.dsp),
                ("RAM", bram, has.bram),
                ("SPRAM", spram, has.spram),
            ] {
                if there > 0 {
                    parts.push(format!("{name} {} of {}", grouped(need), grouped(there)));
                }
            }
        }
        let verdict = match self.fit {
            Fit::Fits => "it should fit".to_owned(),
            Fit::Tight { resource, .. } => format!("{resource}s are tight"),
            Fit::Full { resource, .. } => format!("too many {resource}s"),
        };
        format!("estimate for {}: {}: {verdict}", self.board.id, parts.join(", "))
    }

    /// The refusal, with the largest array that would fit.
    pub(super) fn refusal(&self, chosen: &Chosen, output: Output) -> Failure {
        let Fit::Full { resource, needed, there } = self.fit else {
            return Failure::new(ASKED, "it fits");
        };
        let board = self.board.id;
        let why = format!(
            "{} needs about {} {resource}s and {board} has {}",
            chosen.config.name,
            grouped(needed),
            grouped(there)
        );
        let next = match largest(chosen, self.board, output) {
            Some((rows, cols)) => {
                format!(
                    "the largest array that would fit is {rows} x {cols}: set `gemm.rows` and `gemm.cols`"
                )
            }
            None => "no array of this card would fit: choose smaller scratchpads or a larger board"
                .into(),
        };
        Failure::new(ASKED, why).next(format!("{next}; `--force` tries anyway"))
    }
}

/// The largest array, in powers of two, with which the card would fit.
fn largest(chosen: &Chosen, board: &Board, output: Output) -> Option<(u32, u32)> {
    let gemm = chosen.config.gemm.as_ref()?;
    let sizes = |most: u32| (0..9).map(|i| 1u32 << i).filter(move |size| *size <= most);
    let mut shapes: Vec<(u32, u32)> = sizes(gemm.rows)
        .flat_map(|rows| sizes(gemm.cols).map(move |cols| (rows, cols)))
        .filter(|shape| *shape != (gemm.rows, gemm.cols))
        .collect();
    // The most multiply-adds first, of equals the one nearest to square.
    shapes.sort_by_key(|&(rows, cols)| (std::cmp::Reverse(rows * cols), rows.abs_diff(cols)));
    shapes.into_iter().find(|&(rows, cols)| {
        let mut smaller = chosen.clone();
        if let Some(gemm) = &mut smaller.config.gemm {
            (gemm.rows, gemm.cols) = (rows, cols);
        }
        smaller.config.check_buildable().is_ok()
            && Room::of(&smaller, board, output)
                .is_ok_and(|room| !matches!(room.fit, Fit::Full { .. }))
    })
}
