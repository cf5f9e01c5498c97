//! What the card does to integer sums on their way to memory.
//!
//! Always in this order: bias, scale, zero point, activation, saturating cast to D's type. The rules, bit for bit, are those
//! of `docs/numerics.md`. Nothing is done on the host: a card without a step refuses the call.

use super::{TABLE_ENTRIES, arg};
use crate::Error;
use mattock_spec::EpilogueStep;
use mattock_spec::epilogue::EpilogueCaps;
use mattock_spec::regs::epilogue::STEPS;
use std::borrow::Cow;

/// One value for each row or column of D, or for all of D.
#[derive(Clone, Debug, PartialEq)]
pub enum Per<T> {
    /// One for all.
    Tensor(T),
    /// One for each column.
    Column(Vec<T>),
    /// One for each row.
    Row(Vec<T>),
}

/// How a sum is multiplied by a real factor; they differ on ties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Requant {
    /// gemmlowp and TFLite: a rounding doubling high product, then a rounding shift. The factor becomes 31 bits and a shift.
    TfliteDouble,
    /// TFLite with single rounding: one 64-bit product, ties up. The factor becomes 31 bits and a shift.
    TfliteSingle,
    /// ONNX QLinearMatMul: in binary32, each step to nearest even. The factor is rounded to binary32.
    Onnx,
}

/// A function of one value, applied after the zero point was added.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Activation {
    /// The value itself.
    #[default]
    None,
    /// Not below the zero point.
    Relu,
    /// Between both limits, which count in steps of the result, zero point included. ReLU6 is the zero point and that of 6.
    Clamp {
        /// Least result.
        low: i32,
        /// Greatest result.
        high: i32,
    },
    /// What lies below the zero point is multiplied by a slope, to nearest even.
    Leaky {
        /// The slope.
        slope: f32,
    },
    /// The value, saturated to i8 (to u8 where D has no sign), becomes the entry its low 8 bits name: GELU, SiLU and any other
    /// function of [`Activation::table`].
    Table(Vec<i16>),
}

/// What happens to integer sums before they are stored as D's type; the default is a saturating cast.
///
/// ```
/// use mattock::dense::{Activation, Epilogue, Per, Requant};
/// let layer = Epilogue::new()
///     .bias(Per::Column(vec![5, -7]))
///     .scale(Requant::Onnx, Per::Tensor(0.01))
///     .zero_point(3)
///     .activation(Activation::Relu);
/// assert_eq!(layer, layer.clone());
/// ```
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Epilogue {
    bias: Option<Per<i32>>,
    scale: Option<(Requant, Per<f64>)>,
    zero_point: i32,
    activation: Activation,
    wraps: bool,
}

impl Epilogue {
    /// A saturating cast.
    pub fn new() -> Epilogue {
        Epilogue::default()
    }

    /// Added to the sum, modulo 2^32.
    pub fn bias(self, bias: Per<i32>) -> Self {
        Epilogue { bias: Some(bias), ..self }
    }

    /// Factors of the sum with its bias.
    pub fn scale(self, requant: Requant, factors: Per<f64>) -> Self {
        Epilogue { scale: Some((requant, factors)), ..self }
    }

    /// Added after scaling.
    pub fn zero_point(self, zero_point: i32) -> Self {
        Epilogue { zero_point, ..self }
    }

    /// Applied after that.
    pub fn activation(self, activation: Activation) -> Self {
        Epilogue { activation, ..self }
    }

    /// Keep the low bits of what D's type cannot hold, instead of its nearest end.
    pub fn wrapping(self) -> Self {
        Epilogue { wraps: true, ..self }
    }
}

/// The lines of the array's columns: columns of D, or its rows when D is computed column by column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Along {
    Columns,
    Rows,
}

/// Which way D must be computed for an epilogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    Either,
    Only(Along),
}

impl<T: Copy> Per<T> {
    fn along(&self, (rows, cols): (usize, usize)) -> Needs {
        match self {
            Per::Tensor(_) => Needs::Either,
            Per::Column(_) if cols <= 1 => Needs::Either,
            Per::Row(_) if rows <= 1 => Needs::Either,
            Per::Column(_) => Needs::Only(Along::Columns),
            Per::Row(_) => Needs::Only(Along::Rows),
        }
    }

    /// As many values as D has rows or columns.
    fn check(&self, what: &str, (rows, cols): (usize, usize)) -> Result<(), Error> {
        let (values, lines, name) = match self {
            Per::Tensor(_) => return Ok(()),
            Per::Column(values) => (values, cols, "columns"),
            Per::Row(values) => (values, rows, "rows"),
        };
        if values.len() == lines {
            return Ok(());
        }
        let what = format!("its {what} has {} values, D has {lines} {name}", values.len());
        Err(Error::invalid_arg(arg::EPILOGUE, what))
    }

    fn values(&self) -> &[T] {
        match self {
            Per::Tensor(value) => std::slice::from_ref(value),
            Per::Column(values) | Per::Row(values) => values,
        }
    }

    /// The value of line `i`: there is one for each, or one for all.
    fn at(&self, i: usize) -> Option<T> {
        match self.values() {
            [all] => Some(*all),
            values => values.get(i).copied(),
        }
    }

    /// The values of a part of D.
    fn part(&self, rows: &std::ops::Range<usize>, cols: &std::ops::Range<usize>) -> Per<T> {
        let of = |values: &Vec<T>, range: &std::ops::Range<usize>| {
            values.get(range.clone()).map(<[T]>::to_vec).unwrap_or_default()
        };
        match self {
            Per::Tensor(value) => Per::Tensor(*value),
            Per::Column(values) => Per::Column(of(values, cols)),
            Per::Row(values) => Per::Row(of(values, rows)),
        }
    }
}

/// A block of parameters, as [`mattock_spec::epilogue`] lays it out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Block {
    pub(super) steps: u32,
    pub(super) bytes: Vec<u8>,
}

impl Epilogue {
    /// Checks the epilogue of a D of that shape on a card.
    pub(super) fn check(
        &self,
        caps: Option<&EpilogueCaps>,
        shape: (usize, usize),
    ) -> Result<(), Error> {
        let bad = |what: String| Err(Error::invalid_arg(arg::EPILOGUE, what));
        let Some(caps) = caps.filter(|caps| caps.has(EpilogueStep::Requantise)) else {
            let (asked, have) = ("an epilogue".into(), "none: it stores sums of 32 bits".into());
            return Err(Error::Unsupported { asked, have });
        };
        if matches!(self.activation, Activation::Leaky { .. }) && !caps.has(EpilogueStep::Leaky) {
            return Err(lacks(caps, EpilogueStep::Leaky));
        }
        if matches!(self.activation, Activation::Table(_)) && !caps.has(EpilogueStep::Table) {
            return Err(lacks(caps, EpilogueStep::Table));
        }
        if let Some(bias) = &self.bias {
            bias.check("bias", shape)?;
        }
        if let Some((requant, factors)) = &self.scale {
            factors.check("scale", shape)?;
            for (i, factor) in factors.values().iter().enumerate() {
                requant.check(i, *factor)?;
            }
        }
        match &self.activation {
            Activation::Table(entries) if entries.len() != TABLE_ENTRIES => {
                let count = entries.len();
                return bad(format!("its table has {count} entries, {TABLE_ENTRIES} are needed"));
            }
            Activation::Clamp { low, high } if low > high => {
                return bad(format!("its lower limit {low} is above its upper limit {high}"));
            }
            Activation::Leaky { slope } if !slope.is_finite() => {
                return bad(format!("its slope is {slope}, a finite number is needed"));
            }
            _ => {}
        }
        self.needs(shape).map(|_| ())
    }

    /// Checks that the array's columns are `lines` lines of D or fewer than the card has parameters for.
    pub(super) fn fits(&self, caps: Option<&EpilogueCaps>, lines: u32) -> Result<(), Error> {
        let room = caps.map_or(0, |caps| caps.columns);
        if !self.by_column() || lines <= room {
            return Ok(());
        }
        let asked = format!("an epilogue with parameters for {lines} rows or columns of D");
        let have = format!("room for {room}; cut the product, as the option `chunked` does");
        Err(Error::Unsupported { asked, have })
    }

    /// Which way D must be computed: the card has parameters for the columns of its array.
    pub(super) fn needs(&self, shape: (usize, usize)) -> Result<Needs, Error> {
        let bias = self.bias.as_ref().map_or(Needs::Either, |bias| bias.along(shape));
        let scale = self.scale.as_ref().map_or(Needs::Either, |(_, scale)| scale.along(shape));
        match (bias, scale) {
            (Needs::Either, other) | (other, Needs::Either) => Ok(other),
            (bias, scale) if bias == scale => Ok(bias),
            _ => {
                let asked = "a bias and a scale of which one is per row and one per column".into();
                let have = "both of one kind, or one of them for all of D".into();
                Err(Error::Unsupported { asked, have })
            }
        }
    }

    /// The epilogue of a part of D.
    pub(super) fn part(
        &self,
        rows: &std::ops::Range<usize>,
        cols: &std::ops::Range<usize>,
    ) -> Epilogue {
        let scale = self.scale.as_ref().map(|(requant, s)| (*requant, s.part(rows, cols)));
        let bias = self.bias.as_ref().map(|bias| bias.part(rows, cols));
        Epilogue { bias, scale, ..self.clone() }
    }

    /// Whether columns have records: with a bias, or with factors of their own.
    pub(super) fn by_column(&self) -> bool {
        let many = |(_, factors): &(Requant, Per<f64>)| !matches!(factors, Per::Tensor(_));
        self.bias.is_some() || self.scale.as_ref().is_some_and(many)
    }

    /// Bytes of [`block`](Self::block).
    pub(super) fn block_bytes(&self, lines: usize) -> u64 {
        let table = matches!(self.activation, Activation::Table(_));
        let steps = STEPS::COLUMNS.put(self.by_column().into()) | STEPS::TABLE.put(table.into());
        EpilogueCaps::block_bytes(steps, u32::try_from(lines).unwrap_or(u32::MAX))
    }

    /// The block of a checked epilogue, for an array whose columns are `lines` lines of D.
    pub(super) fn block(&self, lines: usize) -> Block {
        let mut steps = STEPS::ENABLE.put(1) | STEPS::SATURATE.put((!self.wraps).into());
        let requant = self.scale.as_ref().map(|(requant, _)| *requant);
        steps |= STEPS::REQUANT.put(requant.map_or(0, Requant::number));
        let (zero, mut slope) = (self.zero_point, 0f32);
        let (mut low, mut high) = (None, None);
        let mut table: &[i16] = &[];
        match &self.activation {
            Activation::None => {}
            Activation::Relu => low = Some(zero),
            Activation::Clamp { low: least, high: most } => {
                (low, high) = (Some(*least), Some(*most));
            }
            Activation::Leaky { slope: by } => {
                slope = *by;
                steps |= STEPS::LEAKY.put(1);
            }
            Activation::Table(entries) => {
                table = entries;
                steps |= STEPS::TABLE.put(1);
            }
        }
        steps |= STEPS::LOW.put(low.is_some().into()) | STEPS::HIGH.put(high.is_some().into());
        let factor = |i: usize| match &self.scale {
            None => [0, 0],
            Some((requant, factors)) => requant.words(factors.at(i).unwrap_or(0.0)),
        };
        let by_column = self.by_column();
        let [all, shift] = if by_column { [0, 0] } else { factor(0) };
        let limits = [low, high].map(|limit| limit.unwrap_or(0) as u32);
        let header = [zero as u32, limits[0], limits[1], slope.to_bits(), all, shift];
        let mut words = header.to_vec();
        words.resize(EpilogueStep::HEADER_BYTES as usize / 4, 0);
        let halves =
            |pair: &[i16]| pair.iter().rev().fold(0, |w, e| w << 16 | u32::from(*e as u16));
        words.extend(table.chunks(2).map(halves));
        if by_column {
            steps |= STEPS::COLUMNS.put(1);
            for i in 0..lines {
                let bias = self.bias.as_ref().and_then(|bias| bias.at(i)).unwrap_or(0);
                let [factor, shift] = factor(i);
                words.extend([bias as u32, factor, shift, 0]);
            }
        }
        let bytes = words.into_iter().flat_map(u32::to_le_bytes).collect();
        Block { steps, bytes }
    }
}

/// An error that names what the card has.
fn lacks(caps: &EpilogueCaps, step: EpilogueStep) -> Error {
    let have = EpilogueStep::NAMES.iter().filter(|(_, step)| caps.has(*step));
    let have: Vec<&str> = have.map(|(name, _)| *name).collect();
    let asked = format!("the epilogue step \"{}\"", step.name());
    Error::Unsupported { asked, have: have.join(", ") }
}

impl Requant {
    /// Every mode by its name, in the order of their numbers in `EPILOGUE.STEPS`, from 1.
    pub const NAMES: [(&'static str, Requant); 3] = [
        ("tflite-double", Requant::TfliteDouble),
        ("tflite-single", Requant::TfliteSingle),
        ("onnx", Requant::Onnx),
    ];

    fn number(self) -> u32 {
        Requant::NAMES.iter().zip(1..).find(|((_, mode), _)| *mode == self).map_or(0, |(_, n)| n)
    }

    fn check(self, i: usize, factor: f64) -> Result<(), Error> {
        let fits = match self {
            Requant::Onnx => (factor as f32).is_finite(),
            _ => (0.0..1_073_741_824.0).contains(&factor),
        };
        if fits {
            return Ok(());
        }
        let allowed = match self {
            Requant::Onnx => "a finite binary32 number",
            _ => "a number from 0 to below 2^30",
        };
        let what = format!("factor {i} of its scale is {factor:e}, {allowed} is needed");
        Err(Error::invalid_arg(arg::EPILOGUE, what))
    }

    /// Factor and shift as the card takes them.
    fn words(self, factor: f64) -> [u32; 2] {
        match self {
            Requant::Onnx => [(factor as f32).to_bits(), 0],
            _ => fixed_point(factor),
        }
    }
}

/// A factor from 0 to 2^30 as `multiplier * 2^(shift - 31)` with a multiplier of 31 bits, to nearest with ties away from
/// zero; below 2^-32 it becomes 0 (TFLite, `QuantizeMultiplier`).
fn fixed_point(factor: f64) -> [u32; 2] {
    let exponent = (factor.to_bits() >> 52) as i32 - 1022;
    if factor == 0.0 || exponent < -31 {
        return [0, 0];
    }
    match (factor * 2f64.powi(31 - exponent)).round() as u32 {
        0x8000_0000 => [1 << 30, (exponent + 1) as u32],
        multiplier => [multiplier, exponent as u32],
    }
}

/// The epilogue of a call, cut where the product is.
pub(super) type Own<'a> = Option<Cow<'a, Epilogue>>;

#[cfg(test)]
mod tests {
    use super::*;

    fn words(block: &Block) -> Vec<u32> {
        let word = |b: &[u8]| u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
        block.bytes.chunks(4).map(word).collect()
    }

    #[test]
    fn blocks_lie_as_the_card_reads_them() {
        let one = Epilogue::new().scale(Requant::TfliteDouble, Per::Tensor(0.375));
        let block = one.clone().zero_point(-3).activation(Activation::Relu).block(7);
        assert_eq!(block.bytes.len(), 64);
        assert_eq!(words(&block)[..6], [-3i32 as u32, -3i32 as u32, 0, 0, 0x6000_0000, u32::MAX]);
        assert_eq!(block.steps, 1 | 1 << 1 | 1 << 4 | 1 << 6);
        let block = one.bias(Per::Column(vec![4, -5])).block(2);
        assert_eq!(words(&block)[4..6], [0, 0]);
        let records = [4, 0x6000_0000, u32::MAX, 0, -5i32 as u32, 0x6000_0000, u32::MAX, 0];
        assert_eq!(words(&block)[16..], records);
        let rows = Epilogue::new().scale(Requant::Onnx, Per::Row(vec![0.5, 2.0])).wrapping();
        let block = rows.block(2);
        let factors = [0, 0.5f32.to_bits(), 0, 0, 0, 2f32.to_bits(), 0, 0];
        assert_eq!((block.steps, &words(&block)[16..]), (1 | 3 << 1 | 1 << 3, &factors[..]));
    }

    #[test]
    fn factors_become_normalised_multipliers() {
        assert_eq!(fixed_point(1.0), [1 << 30, 1]);
        assert_eq!(fixed_point(1.0 - 1e-12), [1 << 30, 1]);
        assert_eq!(fixed_point(2f64.powi(-32)), [1 << 30, -31i32 as u32]);
        assert_eq!((fixed_point(2f64.powi(-33)), fixed_point(0.0)), ([0, 0], [0, 0]));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let caps = EpilogueCaps { steps: 1, columns: 4 };
        let tables = EpilogueCaps { steps: 5, columns: 4 };
        let refuse = |epilogue: Epilogue, caps: Option<&EpilogueCaps>| {
            epilogue.check(caps, (3, 5)).unwrap_err().to_string()
        };
        let (new, all) = (Epilogue::new, Some(&caps));
        let mixed =
            new().bias(Per::Row(vec![0; 3])).scale(Requant::Onnx, Per::Column(vec![1.0; 5]));
        let text = [
            refuse(new(), None),
            refuse(new().activation(Activation::Leaky { slope: 0.1 }), all),
            refuse(new().activation(Activation::Table(vec![0; 256])), all),
            refuse(new().activation(Activation::Table(vec![0; 9])), Some(&tables)),
            refuse(new().bias(Per::Column(vec![0; 4])), all),
            refuse(new().scale(Requant::Onnx, Per::Row(vec![1.0; 5])), all),
            refuse(new().scale(Requant::Onnx, Per::Tensor(1e39)), all),
            refuse(new().scale(Requant::TfliteSingle, Per::Tensor(-0.5)), all),
            refuse(new().scale(Requant::TfliteDouble, Per::Row(vec![1.0, 2.0, 2e9])), all),
            refuse(new().activation(Activation::Clamp { low: 3, high: 2 }), all),
            new().bias(Per::Column(vec![0; 5])).fits(all, 5).unwrap_err().to_string(),
            refuse(mixed, Some(&EpilogueCaps { steps: 3, columns: 99 })),
        ];
        insta::assert_snapshot!(text.join("\n"));
        assert!(new().bias(Per::Row(vec![0; 3])).check(all, (3, 5)).is_ok());
    }
}
