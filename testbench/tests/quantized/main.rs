//! Quantised weights on simulated cards: bit for bit what docs/numerics.md says, by our own plain loops and by other people's libraries.

mod judge;

use mattock::quant::{
    Matrix, Method, OutlierPlace, Outliers, QuantizedWeights, Quantizer, WeightArrays, Wide,
};
use mattock::{Context, ContextOptions};
use mattock_spec::CardConfig;
use mattock_testbench::reference::QuantizedProduct;
use mattock_testbench::sim::{SimOptions, SimulatorKind, open_device};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// A small card for these tuples.
fn card(rows: u32, cols: u32, rest: &str, tuples: &[&str]) -> Context {
    let text = format!(
        "name = \"quantised\"\nhost = \"axi\"\ncontrol = \"host\"\n[memory]\nbus_bytes = 16\n\
         address_bits = 40\n[gemm]\nrows = {rows}\ncols = {cols}\ntuples = {tuples:?}\n\
         a_kib = 4\nb_kib = 4\nresult_kib = 64\nalign = 16\n{rest}"
    );
    let config = CardConfig::from_toml(&text).unwrap_or_else(|e| panic!("{e}"));
    let options = SimOptions::new(SimulatorKind::Interpreter, "unused");
    let device = open_device(&config, &options).unwrap_or_else(|e| panic!("{e}"));
    device.context(ContextOptions::default()).unwrap()
}

fn integers() -> Context {
    card(4, 4, "k_split = 4\n", &["i8,i8,i32", "i8,i4,i32"])
}

fn floats() -> Context {
    card(1, 4, "", &["f16,f16,f32"])
}

/// Values of every magnitude, some of them zero.
fn matrix(rng: &mut StdRng, rows: usize, cols: usize) -> Matrix {
    let values = (0..rows * cols).map(|_| match rng.random_range(0..10) {
        0 => 0.0,
        1 => rng.random_range(-100.0..100.0),
        _ => rng.random_range(-1.0..1.0),
    });
    let values = values.collect();
    Matrix::new(rows, cols, values).unwrap()
}

/// Some way to quantise `k` rows.
fn quantizer(rng: &mut StdRng, k: usize) -> Quantizer {
    let bits = rng.random_range(2..=8);
    let mut how = match rng.random_range(0..4) {
        0 => Quantizer::rtn(bits),
        1 => Quantizer::groups(bits, rng.random_range(1..=k + 3)),
        2 if k > 1 => Quantizer::outliers(bits, Outliers::Share(0.3 / k as f64 * 2.0)),
        _ => {
            let bits = bits.min(5);
            let wide = rng.random_range(bits + 1..=8);
            Quantizer::columns(bits, Wide { bits: wide, share: rng.random_range(0.0..1.0) })
        }
    };
    if rng.random_ratio(1, 3) {
        how = how.grouped(rng.random_range(1..=k));
    }
    if rng.random_ratio(1, 3) {
        how = how.zero_points();
    }
    if rng.random_ratio(1, 3) {
        how = how.scaled_by_activations();
    }
    how
}

fn assert_same(got: &[f32], want: &[f32], what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        assert_eq!(got.to_bits(), want.to_bits(), "{what}: element {i}: {got}, not {want}");
    }
}

#[test]
fn products_are_what_their_definition_says() {
    let (card, beside) = (integers(), floats());
    let mut rng = StdRng::seed_from_u64(9);
    for case in 0..120 {
        let [m, n, k] = [6, 11, 40].map(|most| rng.random_range(1..=most));
        let (weights, inputs) = (matrix(&mut rng, k, n), matrix(&mut rng, m, k));
        let how = quantizer(&mut rng, k);
        let coded = how.quantize(&weights, Some(&inputs)).unwrap();
        // A file says the same.
        let file = std::io::Cursor::new(coded.to_bytes().unwrap());
        let coded = QuantizedWeights::read_from(file).unwrap();
        let loaded = card.load_quantized(coded.clone(), rng.random_range(1..=6)).unwrap();
        let want = QuantizedProduct::of(&coded).product(inputs.values(), k);
        let places = [OutlierPlace::Card(&beside), OutlierPlace::Host];
        for place in &places[case % 2..=case % 2] {
            let (d, stats) = card.gemm_quantized(&inputs, &loaded, *place).unwrap();
            assert_same(&d, &want, &format!("case {case}: {m} x {n} x {k}, {how:?}"));
            assert_eq!(stats.integers.macs, (m * n * coded.ordinary()) as u64);
        }
        let (none, _) = card.gemm_quantized(&inputs.head(0), &loaded, OutlierPlace::Host).unwrap();
        assert!(none.is_empty());
    }
}

/// A result by hand, in which every piece of the definition shows: a column of 8 bits before one of 4, two groups and a short one, zero
/// points, an outlier, factors.
#[test]
fn a_product_by_hand() {
    let half = mattock::f16::from_f32;
    let coded = QuantizedWeights::new(WeightArrays {
        method: Method::Columns,
        shape: (6, 2),
        group: 2,
        widths: vec![8, 4],
        codes: vec![100, 7, -100, -8, 1, 2, 3, 4, 50, 5],
        scales: vec![0.5, 1.0, 2.0, 0.25, 4.0, 8.0],
        zeros: vec![10, 1, 0, 0, -20, -3],
        outliers: vec![1],
        outlier_weights: vec![half(0.5), half(-2.0)],
        factors: vec![1.0, 3.0, 0.5, 1.0, 1.0, 2.0],
    })
    .unwrap();
    // Codes 127, 5, -1, 2, 4 with a scale of 1.
    let inputs = Matrix::new(1, 6, vec![127.0, 1000.0, 10.0, -1.0, 2.0, 2.0]).unwrap();
    let first = (127.0 * 90.0 - 5.0 * 110.0) * 0.5 + (-1.0 + 2.0 * 3.0) * 2.0 + 4.0 * 70.0 * 4.0;
    let second = (127.0 * 6.0 - 5.0 * 9.0) * 1.0 + (-2.0 + 2.0 * 4.0) * 0.25 + 4.0 * 8.0 * 8.0;
    let want = [first + 500.0, second - 2000.0];
    let (card, beside) = (integers(), floats());
    let loaded = card.load_quantized(coded.clone(), 1).unwrap();
    let parts: Vec<String> = loaded.parts().map(|(f, n)| format!("{n} {f}")).collect();
    assert_eq!(parts, ["1 i4", "1 i8"]);
    for place in [OutlierPlace::Card(&beside), OutlierPlace::Host] {
        assert_same(&card.gemm_quantized(&inputs, &loaded, place).unwrap().0, &want, "by hand");
    }
    assert_same(&QuantizedProduct::of(&coded).product(inputs.values(), 6), &want, "the model");
}

/// The extremes of codes and activations: sums near the ends of 32 bits are exact, also where a group is deeper than one product may be.
#[test]
fn deep_groups_are_cut_and_do_not_wrap() {
    let card = card(2, 2, "", &["i8,i8,i32"]);
    let k = 140_000;
    let coded = QuantizedWeights::new(WeightArrays {
        method: Method::Rtn,
        shape: (k, 1),
        group: k,
        widths: vec![8],
        codes: vec![-128; k],
        scales: vec![1.0],
        zeros: vec![],
        outliers: vec![],
        outlier_weights: vec![],
        factors: vec![],
    })
    .unwrap();
    let inputs = Matrix::new(1, k, vec![1.0; k]).unwrap();
    let loaded = card.load_quantized(coded, 1).unwrap();
    let (d, stats) = card.gemm_quantized(&inputs, &loaded, OutlierPlace::Host).unwrap();
    let exact = -128i64 * 127 * k as i64;
    assert_eq!(d, [exact as f32 * (1.0f32 / 127.0)]);
    assert_eq!(stats.integers.commands, 2);
}

#[test]
fn what_does_not_fit_is_refused() {
    let (card, beside) = (integers(), floats());
    let mut rng = StdRng::seed_from_u64(1);
    let weights = matrix(&mut rng, 4, 3);
    let coded = Quantizer::outliers(8, Outliers::Share(0.25)).quantize(&weights, None).unwrap();
    let outlier = coded.arrays().outliers[0] as usize;
    let loaded = card.load_quantized(coded.clone(), 1).unwrap();
    let inputs = matrix(&mut rng, 2, 4);
    let refuse = |card: &Context, inputs: &Matrix, place: OutlierPlace<'_>| {
        card.gemm_quantized(inputs, &loaded, place).unwrap_err().to_string()
    };
    let huge = |at: usize, value: f32| {
        let mut values = inputs.values().to_vec();
        values[at] = value;
        Matrix::new(2, 4, values).unwrap()
    };
    let other = integers();
    let factors = Quantizer::rtn(4).scaled_by_activations();
    let mut arrays = factors.quantize(&weights, Some(&inputs)).unwrap().arrays().clone();
    arrays.factors[2] = 2.0;
    let scaled = card.load_quantized(QuantizedWeights::new(arrays).unwrap(), 1).unwrap();
    let overflow =
        card.gemm_quantized(&huge(6, f32::MAX), &scaled, OutlierPlace::Host).unwrap_err();
    let text = [
        refuse(&card, &matrix(&mut rng, 1, 5), OutlierPlace::Host),
        refuse(&card, &inputs, OutlierPlace::SameCard),
        refuse(&card, &inputs, OutlierPlace::Card(&other)),
        refuse(&card, &huge(4 + outlier, 70_000.0), OutlierPlace::Card(&beside)),
        refuse(&other, &inputs, OutlierPlace::Host),
        beside.load_quantized(coded, 1).unwrap_err().to_string(),
        overflow.to_string(),
    ];
    insta::assert_snapshot!(text.join("\n"));
}
