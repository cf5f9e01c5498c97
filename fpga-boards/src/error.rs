//! What a board or its tools cannot do.

use crate::Chip;

/// The known word most like a mistyped one, if any is near.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let score = |name: &&str| strsim::jaro_winkler(word, name);
    known.iter().copied().filter(|n| score(n) > 0.7).max_by(|x, y| score(x).total_cmp(&score(y)))
}

fn wiring(chip: &Chip) -> &'static str {
    if chip.masks { "wired" } else { "grounded" }
}

/// Why a design cannot be put on a board. The text says what was asked and what would do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BoardError {
    /// No such board.
    #[error("there is no board {asked:?}{}", match nearest {
        Some(name) => format!("; did you mean {name:?}?"),
        None => format!("; there are {}", names.join(", ")),
    })]
    Unknown {
        /// What was asked for.
        asked: String,
        /// The most similar name.
        nearest: Option<&'static str>,
        /// All names.
        names: Vec<&'static str>,
    },
    /// The board has no such thing.
    #[error("board {board} has no {what} in its file")]
    Lacks {
        /// The board.
        board: &'static str,
        /// What is missing.
        what: &'static str,
    },
    /// The flow of this board is not one that runs here.
    #[error("board {board} is built by {tools}, which is not run by this program")]
    Flow {
        /// The board.
        board: &'static str,
        /// Its tools.
        tools: &'static str,
    },
    /// The design's host port has no place on the board.
    #[error("board {board} takes a card with a {offers} host port, this design has {has}")]
    Link {
        /// The board.
        board: &'static str,
        /// What the board's flow connects.
        offers: &'static str,
        /// What the design has.
        has: &'static str,
    },
    /// The top module lacks a port its host port needs.
    #[error("module {top} has no {direction} `{port}`, which the board's top module connects")]
    Port {
        /// The design's top module.
        top: String,
        /// `input` or `output`.
        direction: &'static str,
        /// The port.
        port: String,
    },
    /// The top module has an input that nothing would drive.
    #[error("module {top} has an input `{port}`, which the board's top module does not know")]
    Undriven {
        /// The design's top module.
        top: String,
        /// The port.
        port: String,
    },
    /// The design drives another memory chip.
    #[error(
        "board {board} has an SDRAM chip of {} data, {} row and {} column bits, masks {}; this design is made for {}, {} and {}, masks {}",
        has.data_bits, has.row_bits, has.column_bits, wiring(has),
        wants.data_bits, wants.row_bits, wants.column_bits, wiring(wants)
    )]
    Chip {
        /// The board.
        board: &'static str,
        /// Its chip.
        has: Chip,
        /// The chip the design drives.
        wants: Chip,
    },
    /// The PLL does not make that clock.
    #[error(
        "the {pll} of board {board} cannot make {asked_mhz} MHz of {input_mhz} MHz{}",
        match nearest_mhz {
            Some(mhz) => format!("; the nearest it makes is {mhz:.3} MHz"),
            None => "; it makes no clock of that input".into(),
        }
    )]
    Clock {
        /// The board.
        board: &'static str,
        /// The primitive.
        pll: &'static str,
        /// Rate of the oscillator.
        input_mhz: f64,
        /// Rate asked for.
        asked_mhz: f64,
        /// The nearest rate it makes.
        nearest_mhz: Option<f64>,
    },
    /// The serial rate is too far from what the clock divides to.
    #[error(
        "{baud} baud of {clock_mhz:.3} MHz by {divisor}: {percent:.1} % off, and at most {limit} % is allowed; \
         the nearest rate is {actual:.0} baud, by {nearest}"
    )]
    Baud {
        /// Rate asked for.
        baud: u32,
        /// Clock it is divided from.
        clock_mhz: f64,
        /// Divisor of the design.
        divisor: u64,
        /// Error of the rate it gives, in percent.
        percent: f64,
        /// Largest error allowed, in percent.
        limit: f64,
        /// Nearest divisor.
        nearest: u64,
        /// Rate that gives.
        actual: f64,
    },
}
