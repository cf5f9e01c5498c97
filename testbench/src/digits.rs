//! The digit classifier of the demo: 1,797 real images and a network in several types of numbers.
//!
//! The files, their source and how the network was trained and quantised: `testbench/data/digits`.
//! Matrix products go through a closure, so that the card can do them; the rest is done here.

use mattock_spec::{Format, Rounding, Tuple, Value};
use serde::{Deserialize, Deserializer, de};
use std::io::Cursor;

use mattock::quant::{Matrix, QuantError};

use crate::reference::dense::{Activation, Bias, DenseGemm, Epilogue, RoundTo, Scale, half_even};

/// Pixels of an image.
pub const PIXELS: usize = 64;

/// Images, labels and the network in its forms.
#[derive(Clone, Debug)]
pub struct Digits {
    /// Images one after the other, [`PIXELS`] values 0..=16 each.
    pub images: Vec<u8>,
    /// The digit on each image.
    pub labels: Vec<u8>,
    /// The network.
    pub model: Model,
}

/// One multi-layer perceptron in several types of numbers.
#[derive(Clone, Debug, Deserialize)]
pub struct Model {
    /// Images the float form reads right, of all.
    pub correct_float: usize,
    /// Indices of the images that were kept from training.
    pub test: Vec<usize>,
    /// The forms, int8 first.
    pub networks: Vec<Network>,
}

/// The perceptron in one tuple of types.
#[derive(Clone, Debug, Deserialize)]
pub struct Network {
    /// `int8`, `int4` or `fp8`.
    pub name: String,
    /// Types of activations, weights and sums.
    #[serde(deserialize_with = "tuple")]
    pub types: Tuple,
    /// Images it reads right, of all, as counted when it was made.
    pub correct: usize,
    /// The same of those kept from training.
    pub correct_test: usize,
    /// Layers, first to last.
    pub layers: Vec<Layer>,
}

/// One layer: `outputs = cast(relu((inputs * weights + bias) * scale))`.
#[derive(Clone, Debug, Deserialize)]
pub struct Layer {
    /// Values in.
    pub inputs: usize,
    /// Values out.
    pub outputs: usize,
    /// `inputs` x `outputs`, row-major: integers, or codes of floats.
    pub weights: Vec<i32>,
    /// Added to the sums: 32-bit integers, or binary32.
    pub bias: Vec<f64>,
    /// Factor of each column, applied in binary32. `None` in a last layer whose sums are compared as they are.
    pub scale: Option<Vec<f32>>,
}

/// One layer in floating point: `outputs = relu(inputs * weights + bias)`, the last without relu. Inputs of the first are pixels over 16.
#[derive(Clone, Debug)]
pub struct FloatLayer {
    /// Inputs x outputs.
    pub weights: Matrix,
    /// Of each output.
    pub bias: Vec<f32>,
}

impl FloatLayer {
    /// The layers of the committed network, first to last.
    ///
    /// # Errors
    /// None with the committed file; [`QuantError`] if it was changed wrongly.
    pub fn load() -> Result<Vec<FloatLayer>, QuantError> {
        let file = include_bytes!("../data/digits/weights.npz").as_slice();
        let read = |name: String| Matrix::read_from(Cursor::new(file), Some(&name));
        let layer = |number: u32| {
            let bias = read(format!("bias{number}"))?.values().to_vec();
            Ok(FloatLayer { weights: read(format!("weights{number}"))?, bias })
        };
        [1, 2].into_iter().map(layer).collect()
    }

    /// `inputs * weights`, each sum in binary64, row after row.
    pub fn product(&self, inputs: &Matrix) -> Vec<f32> {
        let n = self.weights.cols();
        let row = |inputs: &[f32]| {
            let mut sums = vec![0.0f64; n];
            for (k, &input) in inputs.iter().enumerate() {
                let weights = self.weights.row(k).iter();
                sums.iter_mut()
                    .zip(weights)
                    .for_each(|(s, &w)| *s += f64::from(input) * f64::from(w));
            }
            sums.into_iter().map(|sum| sum as f32)
        };
        (0..inputs.rows()).flat_map(|i| row(inputs.row(i))).collect()
    }

    /// The layer's outputs of these products, in binary32.
    pub fn finish(&self, mut products: Vec<f32>, hidden: bool) -> Vec<f32> {
        for row in products.chunks_mut(self.bias.len()) {
            for (value, bias) in row.iter_mut().zip(&self.bias) {
                *value += bias;
                if hidden {
                    *value = value.max(0.0);
                }
            }
        }
        products
    }

    /// The digit that the outputs of the last layer say.
    pub fn answer(outputs: &[f32]) -> u8 {
        largest(&outputs.iter().map(|&output| output.into()).collect::<Vec<f64>>())
    }
}

/// A product `D = A * B` that is asked for: A is `m` x `k`, B is `k` x `n`, row-major, integers or codes of floats; D is
/// wanted as `m` x `n` integers, or codes of binary32, row-major.
#[derive(Clone, Debug)]
pub struct Product<'a> {
    /// Types of A, B and D.
    pub tuple: Tuple,
    /// Rows of A and D.
    pub m: usize,
    /// Columns of B and D.
    pub n: usize,
    /// Columns of A, rows of B.
    pub k: usize,
    /// The activations.
    pub a: &'a [i32],
    /// The weights.
    pub b: &'a [i32],
    /// What becomes of integer sums; D is then the whole layer.
    pub epilogue: Option<Epilogue<i32>>,
}

impl Product<'_> {
    /// The elements of D that become of these sums.
    pub fn apply(&self, mut sums: Vec<i32>) -> Vec<i32> {
        let to = RoundTo { saturate: true, ..RoundTo::nearest(self.tuple.d) };
        if let Some(epilogue) = &self.epilogue {
            for (i, sum) in sums.iter_mut().enumerate() {
                let code = epilogue.apply(*sum, (i / self.n, i % self.n, self.n), &to);
                if let Value::Int(value) = self.tuple.d.decode(code) {
                    *sum = value as i32;
                }
            }
        }
        sums
    }
}

fn tuple<'de, D: Deserializer<'de>>(from: D) -> Result<Tuple, D::Error> {
    String::deserialize(from)?.parse().map_err(de::Error::custom)
}

/// Files that do not fit together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DigitsError {
    /// The network is not JSON of the right form.
    #[error("model.json: {0}")]
    Json(#[from] serde_json::Error),
    /// A size is wrong.
    #[error("{what}: expected {expected} values, found {found}")]
    Size {
        /// What has the wrong size.
        what: String,
        /// Its right size.
        expected: usize,
        /// Its size.
        found: usize,
    },
    /// A pixel above 16 or a label above 9.
    #[error("{what} {index} is {value}, at most {limit} is allowed")]
    Value {
        /// `pixel` or `label`.
        what: &'static str,
        /// Its position.
        index: usize,
        /// Its value.
        value: u8,
        /// What is allowed.
        limit: u8,
    },
}

impl Digits {
    /// The committed data set and network, which are part of this crate.
    ///
    /// # Errors
    /// None with the committed files; [`DigitsError`] if they were changed wrongly.
    pub fn load() -> Result<Self, DigitsError> {
        Self::parse(
            include_bytes!("../data/digits/images.u8"),
            include_bytes!("../data/digits/labels.u8"),
            include_str!("../data/digits/model.json"),
        )
    }

    /// The same from the contents of the three files.
    ///
    /// # Errors
    /// [`DigitsError`].
    pub fn parse(images: &[u8], labels: &[u8], model: &str) -> Result<Self, DigitsError> {
        size("images.u8", labels.len() * PIXELS, images.len())?;
        at_most("pixel", images, 16)?;
        at_most("label", labels, 9)?;
        let model: Model = serde_json::from_str(model)?;
        for network in &model.networks {
            let mut inputs = PIXELS;
            for (index, layer) in network.layers.iter().enumerate() {
                let name = |part| format!("model.json: {}: layer {index}: {part}", network.name);
                size(name("inputs"), inputs, layer.inputs)?;
                size(name("weights"), inputs.saturating_mul(layer.outputs), layer.weights.len())?;
                size(name("bias"), layer.outputs, layer.bias.len())?;
                let scales = layer.scale.as_ref().map_or(layer.outputs, Vec::len);
                size(name("scale"), layer.outputs, scales)?;
                inputs = layer.outputs;
            }
            let outputs = format!("model.json: {}: outputs of the last layer", network.name);
            size(outputs, 10, inputs)?;
        }
        Ok(Self { images: images.to_vec(), labels: labels.to_vec(), model })
    }

    /// Number of answers that are the label.
    pub fn correct(&self, answers: &[u8]) -> usize {
        self.labels.iter().zip(answers).filter(|(label, answer)| label == answer).count()
    }
}

impl Network {
    /// The digit the network sees on each of `images`, with every matrix product done by `product`.
    ///
    /// # Errors
    /// The first error of `product`.
    ///
    /// # Panics
    /// When `product` answers with another number of sums than asked for.
    pub fn classify<E>(
        &self,
        images: &[u8],
        mut product: impl FnMut(Product<'_>) -> Result<Vec<i32>, E>,
    ) -> Result<Vec<u8>, E> {
        let (m, tuple) = (images.len() / PIXELS, self.types);
        let mut inputs: Vec<i32> =
            images.iter().map(|&pixel| cast(f32::from(pixel), tuple.a)).collect();
        let mut outputs = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let (n, k) = (layer.outputs, layer.inputs);
            let hidden = index + 1 < self.layers.len();
            let integers = tuple.a.is_integer();
            // A hidden layer of integers is one command of a card; the sums of the last keep their 32 bits.
            let d = if integers && hidden { tuple.a } else { tuple.d };
            let epilogue = integers.then(|| layer.epilogue(hidden));
            let (a, b) = (&inputs, &layer.weights);
            let done = product(Product { tuple: Tuple { d, ..tuple }, m, n, k, a, b, epilogue })?;
            assert_eq!(done.len(), m * n, "a product of {m} x {n} was asked for");
            if integers && hidden {
                inputs = done;
                continue;
            }
            outputs = layer.outputs(&done, tuple.d);
            inputs = outputs.iter().map(|&value| cast((value as f32).max(0.0), tuple.a)).collect();
        }
        Ok(outputs.chunks(10).map(largest).collect())
    }

    /// [`classify`](Self::classify) with the reference product.
    pub fn classify_reference(&self, images: &[u8]) -> Vec<u8> {
        let answers = self.classify(images, |product| {
            let Product { tuple, m, n, k, a, b, .. } = product;
            let code = |format: Format, value: i32| match format {
                Format::Float(_) => value as u32,
                _ => format.encode(Value::Int(value.into()), Rounding::Rne, false),
            };
            let [a, b] = [(a, tuple.a), (b, tuple.b)].map(|(values, format)| {
                values.iter().map(|&v| code(format, v)).collect::<Vec<_>>()
            });
            let sums = DenseGemm::new(self.types).product(&a, &b, &[], [m, n, k])?;
            let sums = sums.into_iter().map(|sum| sum as i32).collect();
            Ok::<_, crate::reference::dense::Unsupported>(product.apply(sums))
        });
        answers.expect("the types of the committed networks are exact at their depth")
    }
}

impl Layer {
    /// What a card does to the integer sums of this layer: bias, and between layers scale and ReLU.
    fn epilogue(&self, hidden: bool) -> Epilogue<i32> {
        let bias = Bias::Column(self.bias.iter().map(|&bias| bias as i32).collect());
        let scale = self.scale.clone().filter(|_| hidden).map_or(Scale::None, Scale::Column);
        let activation = if hidden { Activation::Relu } else { Activation::None };
        Epilogue { bias, scale, activation, ..Epilogue::default() }
    }

    /// What comes out of a layer whose integer sums have their bias, and whose float sums, as codes of binary32, have not.
    fn outputs(&self, sums: &[i32], types: Format) -> Vec<f64> {
        let output = |(index, &sum): (usize, &i32)| {
            let (column, bias) = (index % self.outputs, self.bias[index % self.outputs]);
            let sum: f64 = match types.is_integer() {
                true => sum.into(),
                false => (f32::from_bits(sum as u32) + bias as f32).into(),
            };
            self.scale.as_ref().map_or(sum, |scale| (sum as f32 * scale[column]).into())
        };
        sums.iter().enumerate().map(output).collect()
    }
}

/// A value in the type of an operand, to nearest even, saturating; of integers symmetric.
fn cast(value: f32, to: Format) -> i32 {
    match to {
        Format::Float(_) => to.encode(Value::Float(value.into()), Rounding::Rne, true) as i32,
        _ => {
            let most = i32::MAX >> (32 - to.bits());
            half_even(1, value).clamp(-most, most)
        }
    }
}

/// Index of the largest output, the first one of equals.
fn largest(outputs: &[f64]) -> u8 {
    let best = (0..outputs.len()).rev().max_by(|&a, &b| outputs[a].total_cmp(&outputs[b]));
    best.unwrap_or(0) as u8
}

fn size(what: impl Into<String>, expected: usize, found: usize) -> Result<(), DigitsError> {
    if expected == found {
        return Ok(());
    }
    Err(DigitsError::Size { what: what.into(), expected, found })
}

fn at_most(what: &'static str, values: &[u8], limit: u8) -> Result<(), DigitsError> {
    match values.iter().position(|&value| value > limit) {
        None => Ok(()),
        Some(index) => Err(DigitsError::Value { what, index, value: values[index], limit }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_reads_nearly_as_well_as_float() {
        let digits = Digits::load().unwrap();
        let model = &digits.model;
        let points = |count: usize| 100.0 * count as f64 / 1797.0;
        let mut text = String::new();
        for network in &model.networks {
            let answers = network.classify_reference(&digits.images);
            let correct = digits.correct(&answers);
            let unseen = model.test.iter().filter(|&&i| answers[i] == digits.labels[i]).count();
            let (counted, name) = ((network.correct, network.correct_test), &network.name);
            assert_eq!((correct, unseen), counted, "{name}: the training script counted the same");
            assert!((points(model.correct_float) - points(correct)).abs() <= 0.5, "{name}");
            text += &format!("{name} {} {correct} {unseen}\n", network.types);
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn the_float_network_reads_what_it_read_when_it_was_trained() {
        let digits = Digits::load().unwrap();
        let layers = FloatLayer::load().unwrap();
        let pixels = digits.images.iter().map(|&pixel| f32::from(pixel) / 16.0).collect();
        let mut values = Matrix::new(digits.labels.len(), PIXELS, pixels).unwrap();
        for (i, layer) in layers.iter().enumerate() {
            let d = layer.finish(layer.product(&values), i == 0);
            values = Matrix::new(values.rows(), layer.bias.len(), d).unwrap();
        }
        let answers: Vec<u8> =
            (0..values.rows()).map(|i| FloatLayer::answer(values.row(i))).collect();
        assert_eq!(digits.correct(&answers), digits.model.correct_float);
    }

    #[test]
    fn a_wrong_product_is_seen_in_the_answers() {
        let digits = Digits::load().unwrap();
        let zeros = |p: Product<'_>| Ok::<_, ()>(vec![0; p.m * p.n]);
        let network = &digits.model.networks[0];
        let answers = network.classify(&digits.images, zeros).unwrap();
        assert!(digits.correct(&answers) < 300);
        let failing = network.classify(&digits.images, |_| Err("no card"));
        assert_eq!(failing, Err("no card"));
    }

    #[test]
    fn wrong_files_are_refused() {
        let model = include_str!("../data/digits/model.json");
        let refuse = |images: &[u8], labels: &[u8], model: &str| {
            Digits::parse(images, labels, model).unwrap_err().to_string()
        };
        let text = [
            refuse(&[0; 63], &[1], model),
            refuse(&[17; 64], &[1], model),
            refuse(&[0; 64], &[10], model),
            refuse(&[0; 64], &[1], &model[..500]),
            refuse(&[0; 64], &[1], &model.replacen("\"inputs\": 64", "\"inputs\": 63", 1)),
            refuse(&[0; 64], &[1], &model.replacen("\"outputs\": 10", "\"outputs\": 11", 1)),
        ];
        insta::assert_snapshot!(text.join("\n"));
    }

    #[test]
    fn rounding_ties_go_to_even_and_ends_are_clamped() {
        let all = |to, values: [f32; 5]| values.map(|value| cast(value, to));
        assert_eq!(all(Format::I8, [0.5, 1.5, 2.5, -300.0, 1000.0]), [0, 2, 2, -127, 127]);
        let e4m3 = "e4m3".parse().unwrap();
        // 17 lies between 16 and 18; 448 is the largest.
        assert_eq!(all(e4m3, [1.0, 16.0, 17.0, 448.0, 1000.0]), [0x38, 0x58, 0x58, 0x7e, 0x7e]);
        assert_eq!(largest(&[3.0, 9.0, 9.0, -1.0]), 1);
    }
}
