//! Whole quantised layers on a simulated card, for ONNX Runtime to judge.

use crate::jobs::Jobs;
use mattock::dense::{Epilogue, Per, Requant};
use mattock::{ContextOptions, DynView, DynViewMut, GemmOptions, Order};
use mattock_spec::{CardConfig, Format};
use mattock_testbench::sim::{SimOptions, SimulatorKind, open_device};
use rand::Rng;
use serde_json::json;

/// A card for both types of activations.
const CARD: &str = r#"
name = "judged"
[memory]
bus_bytes = 16
[gemm]
rows = 8
cols = 8
tuples = ["u8,i8,u8", "i8,i8,i8"]
epilogue = ["requantise"]
"#;

/// `QGemm`: bias, scale per tensor or per column, zero point, saturation, all of it on the card.
pub(crate) fn onnx(jobs: &mut Jobs) {
    let config = CardConfig::from_toml(CARD).unwrap();
    let options =
        SimOptions::new(SimulatorKind::Interpreter, concat!(env!("CARGO_TARGET_TMPDIR"), "/none"));
    let card = open_device(&config, &options).unwrap().context(ContextOptions::default()).unwrap();
    let format = |name: &str| name.parse::<Format>().unwrap();
    for repeat in 0..jobs.size.pick(1, 4) {
        for (a, d, zero) in [("u8", "u8", 117), ("i8", "i8", -9)] {
            for per_column in [false, true] {
                let [m, n, k] = [[37, 41, 19], [9, 24, 129]][repeat % 2];
                let (fa, fb, fd) = (format(a), format("i8"), format(d));
                let (x, y) = (jobs.codes(fa, 1, m * k, false), jobs.codes(fb, 1, k * n, false));
                let typical = 40.0 / (f64::from(k as u32).sqrt() * 5000.0);
                let scales = if per_column { n } else { 1 };
                let factors: Vec<f32> = (0..scales)
                    .map(|i| match i % 3 {
                        // Powers of two make ties.
                        0 if per_column => 2f32.powi(typical.log2() as i32),
                        _ => (typical * jobs.rng.random_range(0.5..2.0)) as f32,
                    })
                    .collect();
                let bias: Vec<i32> =
                    (0..n).map(|_| jobs.rng.random_range(-20_000..20_000)).collect();
                let wide: Vec<f64> = factors.iter().copied().map(f64::from).collect();
                let scale = if per_column { Per::Column(wide) } else { Per::Tensor(wide[0]) };
                let layer = Epilogue::new()
                    .bias(Per::Column(bias.clone()))
                    .scale(Requant::Onnx, scale)
                    .zero_point(zero);
                let bytes = |codes: &[u32]| codes.iter().map(|&c| c as u8).collect::<Vec<u8>>();
                let (xs, ys, mut out) = (bytes(&x), bytes(&y), vec![0; m * n]);
                let left = DynView::new(&xs, Order::Row, m, k, k, fa).unwrap();
                let right = DynView::new(&ys, Order::Row, k, n, n, fb).unwrap();
                let to = DynViewMut::new(&mut out, Order::Row, m, n, n, fd).unwrap();
                let event =
                    card.gemm_epilogue_dyn(&GemmOptions::default(), &layer, left, right, to);
                event.unwrap().wait().unwrap();
                let codes: Vec<u32> = out.iter().map(|&c| c.into()).collect();
                let job = json!({
                    "kind": "onnx", "suite": "card, QGemm", "judge": "onnxruntime", "pair": format!("{a},i8"),
                    "modes": ["half-even"], "op": "QGemm", "a": a, "b": "i8", "d": d, "m": m, "n": n, "k": k,
                    "scales": scales, "zero": zero,
                });
                let bits: Vec<u32> = factors.iter().map(|f| f.to_bits()).collect();
                let words: Vec<u32> = bias.iter().map(|&b| b as u32).collect();
                jobs.add(job, &[&x, &y, &bits, &words, &codes]);
            }
        }
    }
}
