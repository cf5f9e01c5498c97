//! Whatever the bytes, a reader answers; whatever the matrix, writing and reading give it back.
//!
//! More cases than the usual 2,000 of each: `PROPTEST_CASES=200000 cargo test --test any_input`.

use mattock::Csr;
use mattock::io::{Format, ReadOptions, Symmetrize, read_matrix_from, write_matrix_market_to};
use mattock::sparse::Triplets;
use proptest::prelude::*;

/// Small limits, so that an absurd size costs no memory.
fn options(format: Option<Format>, symmetrize: Symmetrize) -> ReadOptions {
    let limits = ReadOptions { max_dim: 1000, max_bytes: 4096, ..ReadOptions::default() };
    ReadOptions { format, symmetrize, non_finite: true, ..limits }
}

fn any_options() -> impl Strategy<Value = ReadOptions> {
    let format = prop::sample::select(vec![
        None,
        Some(Format::MatrixMarket),
        Some(Format::EdgeList),
        Some(Format::Metis),
        Some(Format::Triplet),
    ]);
    let symmetrize =
        prop::sample::select(vec![Symmetrize::Auto, Symmetrize::Always, Symmetrize::Never]);
    (format, symmetrize).prop_map(|(format, symmetrize)| options(format, symmetrize))
}

/// Text made of the words that matrix files are made of, so that readers are reached in depth.
fn near_miss() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "%%MatrixMarket matrix coordinate real general\n",
        "%%MatrixMarket matrix coordinate pattern symmetric\n",
        "%%MatrixMarket matrix coordinate integer skew-symmetric\n",
        "% comment\n",
        "# Undirected\n",
        "\n",
        "\r\n",
        " ",
        ",",
        "0",
        "1",
        "2",
        "3",
        "7",
        "-1",
        "1e308",
        "nan",
        "11",
        "1 1 1\n",
        "2 1\n",
        "2 2 2\n",
        "3 3 4\n",
        "4294967296",
        "99999999999999999999",
        "\u{fffd}",
        "\0",
    ]);
    prop::collection::vec(words, 0..40).prop_map(|words| words.concat().into_bytes())
}

fn any_matrix() -> impl Strategy<Value = Csr<f64>> {
    let value = prop_oneof![any::<f64>().prop_filter("finite", |v| v.is_finite()), Just(0.0)];
    (1usize..20, 1usize..20)
        .prop_flat_map(move |(rows, cols)| {
            let entry = (0..rows as u32, 0..cols as u32, value.clone());
            (Just((rows, cols)), prop::collection::vec(entry, 0..60))
        })
        .prop_map(|((rows, cols), entries)| {
            let mut triplets = Triplets::new();
            for (row, col, value) in entries {
                triplets.push(row, col, value);
            }
            triplets.into_csr(rows, cols, |first, _| *first).unwrap()
        })
}

fn check(bytes: &[u8], options: &ReadOptions) {
    if let Ok(file) = read_matrix_from(bytes, options) {
        // What is accepted is a valid matrix within the limits.
        let (rows, cols) = (file.matrix.rows(), file.matrix.cols());
        assert!(rows as u64 <= options.max_dim && cols as u64 <= options.max_dim);
        let (row_ptr, col_idx, values) = file.matrix.into_parts();
        Csr::new(rows, cols, row_ptr, col_idx, values).unwrap();
    }
}

fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases.max(2000), failure_persistence: None, ..usual }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300), options in any_options()) {
        check(&bytes, &options);
    }

    #[test]
    fn any_bytes_said_to_be_gzip(mut bytes in prop::collection::vec(any::<u8>(), 2..300)) {
        bytes[..2].copy_from_slice(&[0x1f, 0x8b]);
        check(&bytes, &options(Some(Format::EdgeList), Symmetrize::Auto));
    }

    #[test]
    fn near_misses(bytes in near_miss(), options in any_options()) {
        check(&bytes, &options);
    }

    #[test]
    fn written_then_read_is_the_same(matrix in any_matrix()) {
        let mut text = Vec::new();
        write_matrix_market_to(&mut text, &matrix).unwrap();
        let back = read_matrix_from(&text[..], &ReadOptions::default()).unwrap();
        prop_assert_eq!(&back.matrix, &matrix);
        let bits = |m: &Csr<f64>| m.values().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&back.matrix), bits(&matrix));
    }

    #[test]
    fn a_cut_file_is_refused_or_shorter(matrix in any_matrix(), part in 0.0..1.0f64) {
        let mut text = Vec::new();
        write_matrix_market_to(&mut text, &matrix).unwrap();
        let cut = &text[..(text.len() as f64 * part) as usize];
        if let Ok(file) = read_matrix_from(cut, &ReadOptions::default()) {
            // Only digits of the last value, or the size line of an empty matrix, can be lost.
            prop_assert!(file.matrix.nnz() <= matrix.nnz());
        }
    }

    #[test]
    fn transpose_twice_is_the_same(matrix in any_matrix()) {
        prop_assert_eq!(matrix.transpose().unwrap().transpose().unwrap(), matrix);
    }
}
