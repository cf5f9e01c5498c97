//! The digit classifier of the demo: 1,797 real images and an int8 network.
//!
//! The files, their source and how the network was trained and quantised: `testbench/data/digits`.
//! Matrix products go through a closure, so that the card can do them; the rest is done here.

use serde::Deserialize;

use crate::reference::{Layout, gemm};

/// Pixels of an image.
pub const PIXELS: usize = 64;

/// Images, labels and network.
#[derive(Clone, Debug)]
pub struct Digits {
    /// Images one after the other, [`PIXELS`] values 0..=16 each.
    pub images: Vec<i8>,
    /// The digit on each image.
    pub labels: Vec<u8>,
    /// The network.
    pub network: Network,
}

/// A multi-layer perceptron in 8-bit integers.
#[derive(Clone, Debug, Deserialize)]
pub struct Network {
    /// Layers, first to last.
    pub layers: Vec<Layer>,
    /// Images the float form reads right, of all.
    pub correct_float: usize,
    /// Images the int8 form reads right, of all, as counted when it was trained.
    pub correct_int8: usize,
    /// Indices of the images that were kept from training.
    pub test: Vec<usize>,
}

/// One layer: `outputs = requantise(inputs * weights + bias)`.
#[derive(Clone, Debug, Deserialize)]
pub struct Layer {
    /// Values in.
    pub inputs: usize,
    /// Values out.
    pub outputs: usize,
    /// `inputs` x `outputs`, row-major.
    pub weights: Vec<i8>,
    /// Added to the sums.
    pub bias: Vec<i32>,
    /// Scale from sums to int8, rounded half to even and clamped to 0..=127, which is the ReLU;
    /// `None` for the last layer, whose sums are compared as they are.
    pub multiplier: Option<f32>,
}

/// A product `D = A * B` that is asked for: A is `m` x `k`, B is `k` x `n`, row-major; D is wanted
/// as `m` x `n` sums of 32 bits, row-major.
#[derive(Clone, Copy, Debug)]
pub struct Product<'a> {
    /// Rows of A and D.
    pub m: usize,
    /// Columns of B and D.
    pub n: usize,
    /// Columns of A, rows of B.
    pub k: usize,
    /// The activations.
    pub a: &'a [i8],
    /// The weights.
    pub b: &'a [i8],
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
        let network: Network = serde_json::from_str(model)?;
        let mut inputs = PIXELS;
        for (index, layer) in network.layers.iter().enumerate() {
            let name = |part| format!("model.json: layer {index}: {part}");
            size(name("inputs"), inputs, layer.inputs)?;
            size(name("weights"), inputs.saturating_mul(layer.outputs), layer.weights.len())?;
            size(name("bias"), layer.outputs, layer.bias.len())?;
            inputs = layer.outputs;
        }
        size("model.json: outputs of the last layer", 10, inputs)?;
        let images = images.iter().map(|&pixel| pixel as i8).collect();
        Ok(Self { images, labels: labels.to_vec(), network })
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
        images: &[i8],
        mut product: impl FnMut(Product<'_>) -> Result<Vec<i32>, E>,
    ) -> Result<Vec<u8>, E> {
        let m = images.len() / PIXELS;
        let mut activations = images.to_vec();
        let mut sums = Vec::new();
        for layer in &self.layers {
            let (n, k) = (layer.outputs, layer.inputs);
            sums = product(Product { m, n, k, a: &activations, b: &layer.weights })?;
            assert_eq!(sums.len(), m * n, "a product of {m} x {n} was asked for");
            for row in sums.chunks_mut(n) {
                for (sum, &bias) in row.iter_mut().zip(&layer.bias) {
                    *sum = sum.wrapping_add(bias);
                }
            }
            activations = match layer.multiplier {
                Some(multiplier) => sums.iter().map(|&sum| requantise(sum, multiplier)).collect(),
                None => Vec::new(),
            };
        }
        Ok(sums.chunks(10).map(largest).collect())
    }

    /// [`classify`](Self::classify) with the reference product.
    pub fn classify_reference(&self, images: &[i8]) -> Vec<u8> {
        let answers = self.classify(images, |Product { m, n, k, a, b }| {
            let mut d = vec![0; m * n];
            let layouts = (Layout::row_major(m, k), Layout::row_major(k, n));
            gemm((a, layouts.0), (b, layouts.1), (&mut d, Layout::row_major(m, n))).map(|()| d)
        });
        answers.expect("a loaded network has layers that fit")
    }
}

fn requantise(sum: i32, multiplier: f32) -> i8 {
    (sum as f32 * multiplier).round_ties_even().clamp(0.0, 127.0) as i8
}

/// Index of the largest sum, the first one of equals.
fn largest(sums: &[i32]) -> u8 {
    let best = (0..sums.len()).rev().max_by_key(|&index| sums[index]);
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
    fn int8_reads_as_well_as_float() {
        let digits = Digits::load().unwrap();
        let answers = digits.network.classify_reference(&digits.images);
        let correct = digits.correct(&answers);
        assert_eq!((answers.len(), correct), (1797, 1787));
        assert_eq!(digits.network.correct_int8, correct, "the training script counted the same");
        let points = |count: usize| 100.0 * count as f64 / 1797.0;
        assert!((points(digits.network.correct_float) - points(correct)).abs() <= 0.5);
        let unseen = digits.network.test.iter();
        let unseen = unseen.filter(|&&image| answers[image] == digits.labels[image]).count();
        assert_eq!(unseen, 530);
    }

    #[test]
    fn a_wrong_product_is_seen_in_the_answers() {
        let digits = Digits::load().unwrap();
        let zeros = |p: Product<'_>| Ok::<_, ()>(vec![0; p.m * p.n]);
        let answers = digits.network.classify(&digits.images, zeros).unwrap();
        assert!(digits.correct(&answers) < 300);
        let failing = digits.network.classify(&digits.images, |_| Err("no card"));
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
        let rounded = [1, 3, 5, -7, 1000].map(|sum| requantise(sum, 0.5));
        assert_eq!(rounded, [0, 2, 2, 0, 127]);
        assert_eq!(largest(&[3, 9, 9, -1]), 1);
    }
}
