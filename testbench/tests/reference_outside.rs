//! The reference models against an outside library (`sprs`): nobody marks his own homework.
//!
//! With `MATTOCK_MATRICES` naming the folder of the real matrices, all 21 are squared as well.

use std::path::PathBuf;

use mattock::Csr;
use mattock::io::{ReadOptions, read_matrix};
use mattock::sparse::Triplets;
use mattock_testbench::reference::{Layout, SpgemmBound, compare_exact, gemm, spgemm};
use mattock_testbench::rmat::Rmat;
use mattock_testbench::stats::{MatrixStats, ProductStats};
use mattock_testbench::{MATRICES, matrix_path};
use proptest::prelude::*;
use sprs::CsMatI;

fn to_sprs<T: Clone>(m: &Csr<T>) -> CsMatI<T, usize> {
    let row_ptr = m.row_ptr().iter().map(|&p| p as usize).collect();
    let col_idx = m.col_idx().iter().map(|&c| c as usize).collect();
    CsMatI::new((m.rows(), m.cols()), row_ptr, col_idx, m.values().to_vec())
}

fn from_sprs<T: Clone>(m: &CsMatI<T, usize>) -> Csr<T> {
    assert!(m.is_csr());
    let row_ptr = m.proper_indptr().iter().map(|&p| p as u64).collect();
    let col_idx = m.indices().iter().map(|&c| c as u32).collect();
    Csr::new(m.rows(), m.cols(), row_ptr, col_idx, m.data().to_vec()).unwrap()
}

/// Values that repeat with no relation to rows: whole, small, of both signs, zero among them.
fn whole<T>(m: &Csr<T>) -> Csr<i32> {
    let mut next = 0u32;
    m.map(|_| {
        next = next.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (next >> 28) as i32 - 8
    })
}

fn real<T>(m: &Csr<T>) -> Csr<f32> {
    let mut next = 1u32;
    m.map(|_| {
        next = next.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (next >> 8) as f32 / (1 << 23) as f32 - 1.0
    })
}

fn check_product<A, B>(a: &Csr<A>, b: &Csr<B>) {
    let (ai, bi) = (whole(a), whole(b));
    let outside = from_sprs(&(&to_sprs(&ai) * &to_sprs(&bi)));
    let ours = spgemm(&ai, &bi).unwrap();
    let comparison = compare_exact(&outside, &ours);
    assert_eq!(comparison.mismatches(), 0, "{comparison:?}");
    assert_eq!(comparison.compared, ours.nnz() as u64);

    check_real_product(&real(a), &real(b));
}

/// An fp32 product in whatever order the outside library adds.
fn check_real_product(a: &Csr<f32>, b: &Csr<f32>) {
    let outside = from_sprs(&(&to_sprs(a) * &to_sprs(b)));
    let comparison = SpgemmBound::new(a, b).unwrap().check(&outside);
    assert_eq!(comparison.mismatches(), 0, "{comparison:?}");
}

fn pattern(rows: usize, cols: usize) -> impl Strategy<Value = Csr<()>> {
    prop::collection::vec((0..rows as u32, 0..cols as u32), 0..80).prop_map(move |entries| {
        let mut triplets = Triplets::new();
        for (row, col) in entries {
            triplets.push(row, col, ());
        }
        triplets.into_csr(rows, cols, |(), ()| ()).unwrap()
    })
}

fn factors() -> impl Strategy<Value = (Csr<()>, Csr<()>)> {
    (1usize..20, 1usize..20, 1usize..20).prop_flat_map(|(m, k, n)| (pattern(m, k), pattern(k, n)))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sparse_products((a, b) in factors()) {
        check_product(&a, &b);
    }

    #[test]
    fn dense_products(
        (m, n, k) in (1usize..12, 1usize..12, 1usize..12),
        a in prop::collection::vec(any::<i8>(), 144),
        b in prop::collection::vec(-8i8..8, 144),
    ) {
        let dense = |values: &[i8], rows: usize, cols: usize| {
            let wide: Vec<i32> = values[..rows * cols].iter().map(|&v| v.into()).collect();
            let columns = (0..rows).flat_map(|_| 0..cols).collect::<Vec<usize>>();
            let starts = (0..=rows).map(|row| row * cols).collect::<Vec<usize>>();
            CsMatI::new((rows, cols), starts, columns, wide)
        };
        let outside = &dense(&a, m, k) * &dense(&b, k, n);
        let mut d = vec![0; m * n];
        let (la, lb) = (Layout::row_major(m, k), Layout::row_major(k, n));
        gemm((&a, la), (&b, lb), (&mut d, Layout::row_major(m, n))).unwrap();
        prop_assert_eq!(outside.data(), &d[..]);
    }
}

#[test]
fn rmat_products() {
    let (a, b) = (Rmat::new(10, 8, 3).generate(), Rmat::new(10, 8, 4).generate());
    check_product(&a, &a);
    check_product(&a, &b);
}

#[test]
fn committed_matrices_squared() {
    for name in MATRICES {
        let a = read_matrix(matrix_path(name), &ReadOptions::default()).unwrap().matrix;
        check_product(&a, &a);
    }
}

/// The bound is tight enough to see one product lost in any row of a real matrix.
#[test]
fn a_lost_product_is_seen() {
    let a = read_matrix(matrix_path("ca-GrQc"), &ReadOptions::default()).unwrap().matrix;
    let a = a.to_f32().unwrap();
    let bound = SpgemmBound::new(&a, &a).unwrap();
    let mut got = bound.reference().to_f32().unwrap();
    assert_eq!(bound.check(&got).mismatches(), 0);
    for value in got.values_mut().iter_mut().step_by(100) {
        *value -= 1.0;
    }
    let changed = got.nnz().div_ceil(100) as u64;
    assert_eq!(bound.check(&got).wrong, changed);
}

/// File, entries of the longest row, multiply-adds of A*A, entries of A*A, as scipy 1.17.1 counts
/// them for the pattern A (all ones, 64-bit integers): sum and size of `A @ A`.
#[rustfmt::skip]
const SQUARES: [(&str, usize, u64, usize); 21] = [
    ("NotreDame_www.mtx.gz",        60,  9_582_632,  4_115_488),
    ("email-Enron.txt.gz",       1_383, 51_501_448, 30_492_154),
    ("ca-CondMat.mtx.gz",          279,  4_102_404,  2_348_875),
    ("wiki-Vote.txt.gz",           893,  4_542_805,  1_831_112),
    ("p2p-Gnutella31.txt.gz",       78,    538_318,    537_601),
    ("facebook_combined.txt.gz", 1_045, 18_806_166,  2_896_485),
    ("tech-WHOIS.mtx.gz",        1_079, 15_449_344,  4_585_094),
    ("astro-ph.graph.gz",          360, 10_893_416,  3_576_032),
    ("memplus.mtx.gz",             574,  9_518_740,  5_121_784),
    ("bayer10.mtx.gz",              27,    663_922,    413_731),
    ("orani678.mtx.gz",          1_110,  5_018_905,    763_543),
    ("bcsstk16.triplet.gz",         81, 18_728_606,  1_038_782),
    ("bcsstk13.mtx.gz",             95,  4_554_541,    396_773),
    ("wing.graph.gz",                4,    957_396,    714_200),
    ("dnn_n1024-l1.mtx.gz",         32,  1_048_576,     49_152),
    ("bcspwr10.mtx.gz",             14,    101_038,     60_498),
    ("cryg2500.mtx.gz",              5,     61_146,     31_650),
    ("ca-GrQc.mtx.gz",              81,    482_682,    155_074),
    ("mcca.mtx.gz",                 60,     68_605,      8_415),
    ("west0067.mtx.gz",              6,      1_283,      1_061),
    ("karate.mtx.gz",               17,      1_212,        698),
];

#[test]
fn the_whole_collection_squared() {
    let Some(folder) = std::env::var_os("MATTOCK_MATRICES").map(PathBuf::from) else {
        eprintln!("MATTOCK_MATRICES is not set: only the committed matrices were squared");
        return;
    };
    for (name, max_row, products, nnz) in SQUARES {
        let a = read_matrix(folder.join(name), &ReadOptions::default()).unwrap().matrix;
        assert_eq!(MatrixStats::of(&a).max_row, max_row, "{name}");
        assert_eq!(ProductStats::of(&a, &a).unwrap().products, products, "{name}");
        let square = spgemm(&a.pattern(1i32), &a.pattern(1i32)).unwrap();
        assert_eq!(square.nnz(), nnz, "{name}");
        let sum: u64 = square.values().iter().map(|&v| v as u64).sum();
        assert_eq!(sum, products, "{name}: the ones of A*A add up to its multiply-adds");
        check_product(&a, &a);
        let values = a.to_f32().unwrap();
        check_real_product(&values, &values);
    }
}
