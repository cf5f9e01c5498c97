//! Arrays and processing elements of the dense engine: names, and which go together.

use super::ConfigError;
use super::keys::{Checked, quoted};
use crate::format::{Format, Tuple};

/// How the processing elements are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArrayKind {
    /// Operands move from PE to PE, one step of k a cycle.
    Systolic,
    /// Row operands go to all columns at once, one step of k a cycle: a 2-D matrix.
    Broadcast,
    /// As `Broadcast` with several steps of k summed in the PE.
    Cube,
    /// One row of PEs that sum many steps of k: multiplier-adder trees.
    Tree,
}

impl ArrayKind {
    /// Every array by its name in a configuration; the first is the default.
    pub const ALL: &[(&str, ArrayKind)] = &[
        ("systolic", ArrayKind::Systolic),
        ("broadcast", ArrayKind::Broadcast),
        ("cube", ArrayKind::Cube),
        ("tree", ArrayKind::Tree),
    ];

    /// Steps of k that PEs sum a cycle, for so many rows of multipliers; the rows of a tile of results are as many times fewer.
    pub fn depth(self, rows: u32) -> u32 {
        match self {
            ArrayKind::Systolic | ArrayKind::Broadcast => 1,
            // A cube as nearly as the rows can be shared out.
            ArrayKind::Cube => 1 << (rows.max(1).ilog2() / 2),
            ArrayKind::Tree => rows,
        }
    }

    /// Name in configurations.
    pub fn name(self) -> &'static str {
        ArrayKind::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}

/// Rows of D that a PE of [`Pe::FpChain`] works on in turn: as many as its addition has stages.
pub const CHAIN_INTERLEAVE: u32 = 8;

/// What multiplies and adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pe {
    /// What suits the types: [`Pe::Dsp`] for i8 and i4, [`Pe::FpChain`] for floats of which one has more than 8 bits, [`Pe::Fp`]
    /// where others are listed.
    Auto,
    /// A multiplier block per PE.
    Dsp,
    /// Two products of 4-bit operands per multiplier block.
    DspPacked,
    /// Row pairs in carry chains.
    Rows,
    /// Booth rows and a carry-save sum, for ASIC.
    CarrySave,
    /// ANDs and population counts of bit planes.
    BitPlanes,
    /// Tables of sums.
    Lut,
    /// Row operands recoded once per row.
    SharedEncoder,
    /// One nonzero digit of the row operand a cycle.
    DigitSkip,
    /// Exact window: floats, and integers of every width.
    Fp,
    /// Fused multiply-add in binary32: floats of 16 and 32 bits.
    FpChain,
}

/// A processing element as configurations see it.
#[derive(Debug)]
pub struct PeInfo {
    /// Which.
    pub pe: Pe,
    /// Name in configurations.
    pub name: &'static str,
    /// Arrays it is built for.
    pub arrays: &'static [ArrayKind],
    /// The operands it multiplies.
    operands: Operands,
}

#[derive(Clone, Copy, Debug)]
enum Operands {
    /// Signed integers of up to so many bits that are stored in 4 or 8.
    Signed(u32),
    /// All that is summed exactly.
    Exact,
    /// Floats that are summed in binary32.
    Chained,
}

const BROADCAST: &[ArrayKind] = &[ArrayKind::Broadcast, ArrayKind::Cube, ArrayKind::Tree];
const EVERY: &[ArrayKind] =
    &[ArrayKind::Systolic, ArrayKind::Broadcast, ArrayKind::Cube, ArrayKind::Tree];

/// Every PE; [`Pe::Auto`] stands for one of them.
pub const PES: &[PeInfo] = &[
    PeInfo { pe: Pe::Dsp, name: "dsp", arrays: EVERY, operands: Operands::Signed(8) },
    PeInfo {
        pe: Pe::DspPacked,
        name: "dsp-packed",
        arrays: &[ArrayKind::Systolic],
        operands: Operands::Signed(4),
    },
    PeInfo { pe: Pe::Rows, name: "rows", arrays: EVERY, operands: Operands::Signed(8) },
    PeInfo {
        pe: Pe::CarrySave,
        name: "carry-save",
        arrays: &[ArrayKind::Systolic],
        operands: Operands::Signed(8),
    },
    PeInfo {
        pe: Pe::BitPlanes,
        name: "bit-serial",
        arrays: BROADCAST,
        operands: Operands::Signed(8),
    },
    PeInfo {
        pe: Pe::Lut,
        name: "lut",
        arrays: &[ArrayKind::Cube, ArrayKind::Tree],
        operands: Operands::Signed(8),
    },
    PeInfo {
        pe: Pe::SharedEncoder,
        name: "shared-encoder",
        arrays: BROADCAST,
        operands: Operands::Signed(8),
    },
    PeInfo {
        pe: Pe::DigitSkip,
        name: "digit-skip",
        arrays: &[ArrayKind::Broadcast],
        operands: Operands::Signed(8),
    },
    PeInfo { pe: Pe::Fp, name: "fp", arrays: &[ArrayKind::Systolic], operands: Operands::Exact },
    PeInfo {
        pe: Pe::FpChain,
        name: "fp-chain",
        arrays: &[ArrayKind::Systolic],
        operands: Operands::Chained,
    },
];

impl Pe {
    /// What a configuration may say.
    pub(super) fn words() -> Vec<(&'static str, Pe)> {
        let all = PES.iter().map(|info| (info.name, info.pe));
        [("auto", Pe::Auto)].into_iter().chain(all).collect()
    }

    /// The row of the table; `None` for [`Pe::Auto`].
    pub fn info(self) -> Option<&'static PeInfo> {
        PES.iter().find(|info| info.pe == self)
    }

    /// The PE of an array for these types: itself, unless it is [`Pe::Auto`].
    pub fn resolve<'t>(self, tuples: impl IntoIterator<Item = &'t Tuple>) -> Pe {
        let mut tuples = tuples.into_iter().peekable();
        match self {
            Pe::Auto if tuples.peek().is_some_and(|t| t.is_chained()) => Pe::FpChain,
            Pe::Auto if tuples.all(|t| Operands::Signed(8).take(t)) => Pe::Dsp,
            Pe::Auto => Pe::Fp,
            pe => pe,
        }
    }
}

impl PeInfo {
    /// Whether it computes with these types.
    pub fn takes(&self, tuple: &Tuple) -> bool {
        self.operands.take(tuple)
    }

    /// Bits of the widest integer it multiplies in an array of plain integers.
    pub fn operand_bits(&self) -> u32 {
        match self.operands {
            Operands::Signed(bits) => bits,
            Operands::Exact | Operands::Chained => 8,
        }
    }
}

impl Operands {
    fn take(self, tuple: &Tuple) -> bool {
        match self {
            Operands::Exact => !tuple.is_chained(),
            Operands::Chained => tuple.is_chained(),
            Operands::Signed(most) => {
                let known = |f| [Format::I8, Format::I4].contains(&f) && f.storage_bits() <= most;
                known(tuple.a) && known(tuple.b)
            }
        }
    }

    fn words(self) -> &'static str {
        match self {
            Operands::Exact => "every type whose sums are exact",
            Operands::Chained => "floats of which one has more than 8 bits",
            Operands::Signed(4) => "i4",
            Operands::Signed(_) => "i8 and i4",
        }
    }
}

/// Refuses rows that the array cannot share out between tile and sums.
pub(super) fn check_rows(array: ArrayKind, rows: u32, interleave: u32) -> Checked {
    if rows * interleave > 256 {
        return Err(ConfigError::new(
            "gemm.rows",
            rows,
            format!("at most {}, as each works on {interleave} rows in turn", 256 / interleave),
            "make the array lower",
        ));
    }
    let least = match array {
        ArrayKind::Systolic | ArrayKind::Broadcast => return Ok(()),
        ArrayKind::Cube => 4,
        ArrayKind::Tree => 2,
    };
    if rows.is_power_of_two() && (least..=64).contains(&rows) {
        return Ok(());
    }
    Err(ConfigError::new(
        "gemm.rows",
        rows,
        format!("a power of two from {least} to 64 with `array = \"{}\"`", array.name()),
        "choose another array or number of rows",
    ))
}

/// Refuses a PE that the array or the types rule out.
pub(super) fn check_pairing(array: ArrayKind, pe: Pe, cols: u32, tuples: &[Tuple]) -> Checked {
    let Some(info) = pe.resolve(tuples).info() else { return Ok(()) };
    let alien = |info: &PeInfo| tuples.iter().find(|t| !info.takes(t)).map(Tuple::to_string);
    let legal: Vec<&str> = PES
        .iter()
        .filter(|other| other.arrays.contains(&array) && alien(other).is_none())
        .map(|other| other.name)
        .collect();
    let with = format!("with `array = \"{}\"` and these tuples", array.name());
    let refuse = |reason: String| {
        let allowed = match legal[..] {
            [] => format!("no PE {with}"),
            _ => format!("{} {with}", quoted(&legal)),
        };
        let value = format!("\"{}\", {reason}", info.name);
        Err(ConfigError::new(
            "gemm.pe",
            value,
            allowed,
            "choose a PE, array and tuples that go together",
        ))
    };
    if !info.arrays.contains(&array) {
        let arrays: Vec<&str> = info.arrays.iter().map(|a| a.name()).collect();
        return refuse(format!("which is built for `array = {}`", quoted(&arrays)));
    }
    if pe == Pe::DspPacked && !cols.is_multiple_of(2) {
        return Err(ConfigError::new(
            "gemm.cols",
            cols,
            "an even number with `pe = \"dsp-packed\"`, which computes two columns at once",
            "add a column, or choose another PE",
        ));
    }
    if let Some(tuple) = alien(info) {
        return refuse(format!("which multiplies {}, not \"{tuple}\"", info.operands.words()));
    }
    Ok(())
}
