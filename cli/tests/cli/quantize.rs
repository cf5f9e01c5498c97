//! Weights in few bits: made, multiplied, refused.

use crate::Session;

/// A matrix as numpy.save writes it.
fn npy(rows: usize, cols: usize, value: impl Fn(usize) -> f32) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {cols}), }}");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend((0..rows * cols).flat_map(|i| value(i).to_le_bytes()));
    bytes
}

fn wave(i: usize) -> f32 {
    (i as f32 * 0.7).sin() * if i.is_multiple_of(13) { 5.0 } else { 1.0 }
}

const RUN: &str = "gemm --config card.toml --simulator interpreter --json --quantized w.npz";
const CARD: &str = "name = \"c\"\nhost = \"axi\"\ncontrol = \"host\"\n[gemm]\nrows = 2\ncols = 4\n\
                    tuples = [\"i8,i8,i32\", \"i8,i4,i32\"]\n";

#[test]
fn quantised_weights_are_multiplied_and_checked() {
    let session = Session::new();
    session.write("w.npy", npy(20, 6, wave));
    session.write("x.npy", npy(9, 20, |i| wave(3 * i + 1)));
    session.write("card.toml", CARD);
    for (settings, rest) in [
        ("--method rtn --bits 3 --awq --activations x.npy", "--m 5"),
        ("--method groups --group 8 --zero-point", "--activations x.npy"),
        ("--method outliers --outlier-share 0.1 --activations x.npy", "--m 3 --outliers-on host"),
        ("--method outliers --outlier-threshold 4", "--m 0 --outliers-on host"),
        ("--method columns --wide-share 0.5 --bits 2 --wide-bits 6", "--m 3 --seed 7"),
    ] {
        let made = session.json(&format!("quantize w.npy {settings} --out w.npz --json"));
        assert_eq!((&made["k"], &made["n"]), (&20.into(), &6.into()), "{made}");
        let errors = ["max_error", "rms_error"].map(|key| made[key].as_f64().unwrap());
        assert!(errors[1] > 0.0 && errors[1] <= errors[0] && errors[0] < 3.0, "{made}");
        let bits = made["bits_per_weight"].as_f64().unwrap();
        let held = session.json(&format!("{RUN} {rest}"));
        assert_eq!(held["mismatches"], 0, "{settings}: {held}");
        assert_eq!(held["bits_per_weight"].as_f64(), Some(bits));
        let calibrated = settings.contains("x.npy");
        assert_eq!(made["output_error"].is_number(), calibrated, "{settings}: {made}");
    }
}

#[test]
fn what_cannot_be_quantised_or_multiplied_is_told() {
    let session = Session::new();
    session.write("w.npy", npy(6, 4, wave));
    session.write("nan.npy", npy(2, 2, |i| if i == 3 { f32::NAN } else { 1.0 }));
    session.write("cut.npy", &npy(6, 4, wave)[..150]);
    session.write("x.npy", npy(3, 5, wave));
    session.write("noise.npz", "PK and nothing more");
    session.write("card.toml", CARD);
    let mut text = String::new();
    for line in [
        "quantize w.npy --out q.npz",
        "quantize w.npy --method gptq --out q.npz",
        "quantize nowhere.npy --method rtn --out q.npz",
        "quantize cut.npy --method rtn --out q.npz",
        "quantize noise.npz --method rtn --out q.npz",
        "quantize nan.npy --method rtn --out q.npz",
        "quantize card.toml --method rtn --out q.npz",
        "quantize w.npy --array a --method rtn --out q.npz",
        "quantize w.npy --method rtn --bits 9 --out q.npz",
        "quantize w.npy --method groups --group 0 --out q.npz",
        "quantize w.npy --method rtn --outlier-share 0.1 --out q.npz",
        "quantize w.npy --method outliers --outlier-share 1.5 --out q.npz",
        "quantize w.npy --method outliers --outlier-share 0.1 --outlier-threshold 6 --out q.npz",
        "quantize w.npy --method columns --bits 8 --out q.npz",
        "quantize w.npy --method columns --wide-share -1 --out q.npz",
        "quantize w.npy --method rtn --awq --out q.npz",
        "quantize w.npy --method rtn --activations x.npy --out q.npz",
    ] {
        text += &session.transcript(line);
    }
    assert!(!session.names().contains(&"q.npz".to_owned()));
    text += &session.transcript("quantize w.npy --method outliers --outlier-share 0.2 --out q.npz");
    let whole = std::fs::read(session.path().join("q.npz")).unwrap();
    session.write("short.npz", &whole[..whole.len() / 2]);
    for line in [
        "gemm --config card.toml --quantized w.npy",
        "gemm --config card.toml --quantized short.npz",
        "gemm --config card.toml --quantized q.npz --k 6",
        "gemm --config card.toml --quantized q.npz --bias",
        "gemm --config card.toml --outliers-on host",
        "gemm --config card.toml --simulator interpreter --quantized q.npz",
        "gemm --config card.toml --simulator interpreter --quantized q.npz --outliers-on gpu",
        "gemm --config card.toml --simulator interpreter --quantized q.npz --activations x.npy --outliers-on host",
        "gemm --config sparse4 --quantized q.npz",
        "gemm --config floats --simulator interpreter --quantized q.npz --outliers-on host",
        "bench quantize --config tiny --outliers-on nowhere",
    ] {
        text += &session.transcript(line);
    }
    insta::assert_snapshot!(text);
}
