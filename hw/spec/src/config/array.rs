//! Arrays and processing elements of the dense engine: names, and which go together.

use super::ConfigError;
use super::keys::{Checked, quoted};
use crate::format::{Format, Tuple};

/// How the processing elements are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArrayKind {
    /// Operands move from PE to PE, one step of k a cycle.
    Systolic,
}

impl ArrayKind {
    /// Every array by its name in a configuration; the first is the default.
    pub const ALL: &[(&str, ArrayKind)] = &[("systolic", ArrayKind::Systolic)];

    /// Name in configurations.
    pub fn name(self) -> &'static str {
        ArrayKind::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}

/// What multiplies and adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pe {
    /// What suits the types: [`Pe::Dsp`] for i8 and i4, [`Pe::Fp`] where others are listed.
    Auto,
    /// A multiplier block per PE.
    Dsp,
    /// Row pairs in carry chains.
    Rows,
    /// Exact window: floats, and integers of every width.
    Fp,
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
    /// All that can be built.
    Any,
}

/// Every PE; [`Pe::Auto`] stands for one of them.
pub const PES: &[PeInfo] = &[
    PeInfo {
        pe: Pe::Dsp,
        name: "dsp",
        arrays: &[ArrayKind::Systolic],
        operands: Operands::Signed(8),
    },
    PeInfo {
        pe: Pe::Rows,
        name: "rows",
        arrays: &[ArrayKind::Systolic],
        operands: Operands::Signed(8),
    },
    PeInfo { pe: Pe::Fp, name: "fp", arrays: &[ArrayKind::Systolic], operands: Operands::Any },
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
        let plain = |t: &Tuple| [t.a, t.b].into_iter().all(|f| Operands::Signed(8).take(f));
        match self {
            Pe::Auto if tuples.into_iter().all(plain) => Pe::Dsp,
            Pe::Auto => Pe::Fp,
            pe => pe,
        }
    }
}

impl PeInfo {
    /// Whether it multiplies elements of this format.
    pub fn takes(&self, format: Format) -> bool {
        self.operands.take(format)
    }
}

impl Operands {
    fn take(self, format: Format) -> bool {
        match self {
            Operands::Any => true,
            Operands::Signed(most) => [Format::I8, Format::I4]
                .into_iter()
                .any(|f| f == format && f.storage_bits() <= most),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Operands::Any => "every type",
            Operands::Signed(4) => "i4",
            Operands::Signed(_) => "i8 and i4",
        }
    }
}

/// Refuses a PE that the array or the types rule out.
pub(super) fn check_pairing(array: ArrayKind, pe: Pe, tuples: &[Tuple]) -> Checked {
    let Some(info) = pe.resolve(tuples).info() else { return Ok(()) };
    let alien = |info: &PeInfo| {
        tuples.iter().find(|t| !info.takes(t.a) || !info.takes(t.b)).map(Tuple::to_string)
    };
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
    if let Some(tuple) = alien(info) {
        return refuse(format!("which multiplies {}, not \"{tuple}\"", info.operands.words()));
    }
    Ok(())
}
