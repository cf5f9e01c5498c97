//! Options of `mattock gemm` for what the card does to integer sums on their way to memory.

use clap::{Args, ValueEnum};
use mattock::dense::{self, Activation, Epilogue, Per, Quantised, Requant};
use mattock_spec::{Format, Tuple};
use mattock_testbench::reference::dense as model;

use crate::arguments::whole;
use crate::error::Failure;
use crate::synthetic::Source;

/// What a step of D counts for functions of real numbers.
const STEP: f64 = 1.0 / 16.0;

/// What shares a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// One value for all of D
    Tensor,
    /// One for each column of D
    Column,
    /// One for each row of D
    Row,
}

/// Rounding of scaled sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rounds {
    /// As TFLite does: a doubling high product, then a shift
    TfliteDouble,
    /// As TFLite built with single rounding does
    TfliteSingle,
    /// As ONNX Runtime's QLinearMatMul does: binary32, ties to even
    Onnx,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct EpilogueArgs {
    /// Add random biases to the sums, on the card
    #[arg(long, value_enum, value_name = "KIND", num_args = 0..=1, default_missing_value = "column")]
    bias: Option<Kind>,
    /// Multiply the sums by random factors that spread them over D's type, and round in this way [default with --scale: onnx]
    #[arg(long, value_enum, value_name = "MODE")]
    requant: Option<Rounds>,
    /// What shares a factor [default with --requant: tensor]
    #[arg(long, value_enum, value_name = "KIND")]
    scale: Option<Kind>,
    /// Add this to scaled sums
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    zero_point: Option<i32>,
    /// Then apply a function: relu, relu6, gelu, silu (a step of D counts 1/16), clamp[:LOW,HIGH], leaky[:SLOPE]
    #[arg(long, value_name = "FUNCTION")]
    activation: Option<String>,
    /// Names the random biases and factors
    #[arg(long, default_value_t = 2, value_parser = whole::<u64>, allow_negative_numbers = true, hide = true)]
    epilogue_seed: u64,
}

/// An epilogue as the card is asked for it, and as the reference model is.
#[derive(Clone, Debug)]
pub(crate) struct Both {
    pub(crate) card: Epilogue,
    pub(crate) model: model::Epilogue<i32>,
}

impl EpilogueArgs {
    /// The epilogue of a `m` x `n` product that sums `k` products; `None` when sums are stored as they are.
    ///
    /// # Errors
    /// An activation that is not known, or options that do not go with floats.
    pub(crate) fn both(
        &self,
        tuple: Tuple,
        [m, n, k]: [usize; 3],
    ) -> Result<Option<Both>, Failure> {
        let asked = self.bias.is_some()
            || self.requant.is_some()
            || self.scale.is_some()
            || self.zero_point.is_some()
            || self.activation.is_some();
        if !asked && !tuple.is_narrowed() {
            return Ok(None);
        }
        if !tuple.a.is_integer() {
            return Err(Failure::argument("gemm", "--bias, --requant, --scale", tuple.to_string())
                .allowed("types of integers: sums of floats have no epilogue on cards")
                .next("leave the options out, or choose integers with `--types`"));
        }
        let mut source = Source::new(self.epilogue_seed);
        let mut model = model::Epilogue::default();
        let spread = spread(tuple, k);
        if let Some(kind) = self.bias {
            let most = spread.clamp(1.0, 1e9);
            let mut bias = || (f64::from(source.real()) * most) as i32;
            model.bias = match kind {
                Kind::Tensor => model::Bias::Column(vec![bias(); n]),
                Kind::Column => model::Bias::Column((0..n).map(|_| bias()).collect()),
                Kind::Row => model::Bias::Row((0..m).map(|_| bias()).collect()),
            };
        }
        if self.requant.is_some() || self.scale.is_some() {
            // Half of the type's range at a deviation of the sums.
            let unit = most(tuple.d) / (2.0 * spread);
            let mut factor = || (unit * (0.5 + f64::from(source.real().abs()))) as f32;
            model.scale = match self.scale.unwrap_or(Kind::Tensor) {
                Kind::Tensor => model::Scale::Tensor(factor()),
                Kind::Column => model::Scale::Column((0..n).map(|_| factor()).collect()),
                Kind::Row => model::Scale::Row((0..m).map(|_| factor()).collect()),
            };
            model.requant = self.requant.unwrap_or(Rounds::Onnx).model();
        }
        model.zero_point = self.zero_point.unwrap_or(0);
        if let Some(text) = &self.activation {
            model.activation = named_activation(text, model.zero_point, tuple.d)?;
        }
        Ok(Some(Both::of(model)))
    }
}

impl Both {
    /// What the card is asked for to do as the model does.
    pub(crate) fn of(model: model::Epilogue<i32>) -> Self {
        let wide = |values: &[f32]| values.iter().copied().map(f64::from).collect();
        let mut card = Epilogue::new().zero_point(model.zero_point);
        card = match &model.bias {
            model::Bias::None => card,
            model::Bias::Column(values) => card.bias(Per::Column(values.clone())),
            model::Bias::Row(values) => card.bias(Per::Row(values.clone())),
        };
        let requant = match model.requant {
            model::Requant::DoubleRounding => Requant::TfliteDouble,
            model::Requant::SingleRounding => Requant::TfliteSingle,
            model::Requant::HalfEven => Requant::Onnx,
        };
        let factors = match &model.scale {
            model::Scale::Tensor(factor) => Some(Per::Tensor(f64::from(*factor))),
            model::Scale::Column(values) => Some(Per::Column(wide(values))),
            model::Scale::Row(values) => Some(Per::Row(wide(values))),
            _ => None,
        };
        if let Some(factors) = factors {
            card = card.scale(requant, factors);
        }
        let activation = match &model.activation {
            model::Activation::None => Activation::None,
            model::Activation::Relu => Activation::Relu,
            // Limits of integers are whole numbers.
            model::Activation::Clamp { low, high } => {
                Activation::Clamp { low: low.ceil() as i32, high: high.floor() as i32 }
            }
            model::Activation::Leaky { slope } => Activation::Leaky { slope: *slope },
            model::Activation::Table(entries) => Activation::Table(entries.clone()),
        };
        Both { card: card.activation(activation), model }
    }
}

impl Rounds {
    fn model(self) -> model::Requant {
        match self {
            Rounds::TfliteDouble => model::Requant::DoubleRounding,
            Rounds::TfliteSingle => model::Requant::SingleRounding,
            Rounds::Onnx => model::Requant::HalfEven,
        }
    }
}

/// Standard deviation of a sum of `k` products of random operands.
fn spread(tuple: Tuple, k: usize) -> f64 {
    let deviation = |format: Format| (1u64 << format.bits()) as f64 / 12f64.sqrt();
    deviation(tuple.a) * deviation(tuple.b) * (k.max(1) as f64).sqrt()
}

fn most(format: Format) -> f64 {
    (1u64 << (format.bits() - 1)) as f64
}

/// An activation by its name, limits and slope behind a colon.
fn named_activation(text: &str, zero: i32, d: Format) -> Result<model::Activation, Failure> {
    use model::Activation;
    let (name, rest) = text.split_once(':').map_or((text, None), |(name, rest)| (name, Some(rest)));
    // Binary32 holds whole numbers of 24 bits, more than any narrow type.
    let clamp = |low: i32, high: i32| {
        let fits = [low, high].iter().all(|limit| limit.unsigned_abs() <= 1 << 24) && low <= high;
        fits.then_some(Activation::Clamp { low: low as f32, high: high as f32 })
    };
    let around = |below: i32, above: i32| clamp(zero.checked_sub(below)?, zero.checked_add(above)?);
    // The model's tables are the driver's: what a card makes of one is judged, what is in it by tests of its own.
    let table = |f: fn(f64) -> f64| {
        let steps = Quantised { step: STEP, zero };
        match dense::Activation::table(d.is_signed(), steps, steps, f) {
            dense::Activation::Table(entries) => Some(Activation::Table(entries)),
            _ => None,
        }
    };
    let found = match (name, rest) {
        ("gelu", None) => table(dense::gelu),
        ("silu", None) => table(dense::silu),
        ("relu", None) => Some(Activation::Relu),
        ("relu6", None) => around(0, (6.0 / STEP) as i32),
        ("clamp", None) => around(32, 32),
        ("clamp", Some(limits)) => {
            let limits = limits.split_once(',').map(|(low, high)| (low.trim(), high.trim()));
            limits.and_then(|(low, high)| clamp(low.parse().ok()?, high.parse().ok()?))
        }
        ("leaky", None) => Some(Activation::Leaky { slope: 0.125 }),
        ("leaky", Some(slope)) => {
            let slope = slope.parse().ok().filter(|slope: &f32| slope.is_finite());
            slope.map(|slope| Activation::Leaky { slope })
        }
        _ => None,
    };
    found.ok_or_else(|| {
        Failure::argument("gemm", "--activation", format!("{text:?}"))
            .allowed("relu, relu6, clamp, clamp:LOW,HIGH, leaky, leaky:SLOPE, gelu or silu")
            .next("write for example `--activation relu` or `--activation clamp:-5,100`")
            .usage()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activations_have_names() {
        use model::Activation;
        let clamp = |low, high| Activation::Clamp { low, high };
        for (text, want) in [
            ("relu", Activation::Relu),
            ("relu6", clamp(5.0, 101.0)),
            ("clamp:-5,100", clamp(-5.0, 100.0)),
            ("clamp", clamp(-27.0, 37.0)),
            ("leaky:0.5", Activation::Leaky { slope: 0.5 }),
        ] {
            assert_eq!(named_activation(text, 5, Format::I8).unwrap(), want);
        }
        for text in
            ["gelu2", "relu:3", "clamp:5", "clamp:3,2", "clamp:a,b", "leaky:x", "leaky:inf", ""]
        {
            assert!(named_activation(text, 0, Format::I8).is_err(), "{text}");
        }
    }
}
