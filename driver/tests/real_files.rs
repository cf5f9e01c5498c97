//! The readers on real matrices of the collections that users take theirs from.
//!
//! The folder is given by `MATTOCK_MATRICES`; without it, only the committed ones are read.

use std::path::{Path, PathBuf};

use mattock::io::{Field, Format, LoadedMatrix, ReadOptions, read_matrix};

/// Name, rows (= columns), entries after expansion, format, field.
#[rustfmt::skip]
const FILES: [(&str, usize, usize, Format, Field); 21] = [
    ("NotreDame_www.mtx.gz",     325_729, 929_849, Format::MatrixMarket, Field::Pattern),
    ("email-Enron.txt.gz",        36_692, 367_662, Format::EdgeList,     Field::Pattern),
    ("ca-CondMat.mtx.gz",         21_363, 182_572, Format::MatrixMarket, Field::Pattern),
    ("wiki-Vote.txt.gz",           8_298, 103_689, Format::EdgeList,     Field::Pattern),
    ("p2p-Gnutella31.txt.gz",     62_586, 147_892, Format::EdgeList,     Field::Pattern),
    ("facebook_combined.txt.gz",   4_039, 176_468, Format::EdgeList,     Field::Pattern),
    ("tech-WHOIS.mtx.gz",          7_476, 113_886, Format::MatrixMarket, Field::Pattern),
    ("astro-ph.graph.gz",         16_706, 242_502, Format::Metis,        Field::Pattern),
    ("memplus.mtx.gz",            17_758, 126_150, Format::MatrixMarket, Field::Real),
    ("bayer10.mtx.gz",            13_436,  94_926, Format::MatrixMarket, Field::Real),
    ("orani678.mtx.gz",            2_529,  90_158, Format::MatrixMarket, Field::Real),
    ("bcsstk16.triplet.gz",        4_884, 290_378, Format::Triplet,      Field::Real),
    ("bcsstk13.mtx.gz",            2_003,  83_883, Format::MatrixMarket, Field::Real),
    ("wing.graph.gz",             62_032, 243_088, Format::Metis,        Field::Pattern),
    ("dnn_n1024-l1.mtx.gz",        1_024,  32_768, Format::MatrixMarket, Field::Real),
    ("bcspwr10.mtx.gz",            5_300,  21_842, Format::MatrixMarket, Field::Pattern),
    ("cryg2500.mtx.gz",            2_500,  12_349, Format::MatrixMarket, Field::Real),
    ("ca-GrQc.mtx.gz",             4_158,  26_844, Format::MatrixMarket, Field::Pattern),
    ("mcca.mtx.gz",                  180,   2_659, Format::MatrixMarket, Field::Real),
    ("west0067.mtx.gz",               67,     294, Format::MatrixMarket, Field::Real),
    ("karate.mtx.gz",                 34,     156, Format::MatrixMarket, Field::Pattern),
];

const COMMITTED: [&str; 3] = ["karate.mtx.gz", "bcspwr10.mtx.gz", "ca-GrQc.mtx.gz"];

fn check(folder: &Path, (name, rows, nnz, format, field): (&str, usize, usize, Format, Field)) {
    let file = read_matrix(folder.join(name), &ReadOptions::default())
        .unwrap_or_else(|error| panic!("{error}"));
    let LoadedMatrix { matrix, .. } = &file;
    assert_eq!((matrix.rows(), matrix.cols(), matrix.nnz()), (rows, rows, nnz), "{name}");
    assert_eq!((file.format, file.field), (format, field), "{name}");
    assert!(matrix.to_f32().is_ok(), "{name}");
    let one_triangle = matrix.entries().all(|(row, col, _)| row < col as usize);
    assert!(!one_triangle, "{name}: a graph given once is mirrored");
    if file.mirrored {
        assert_eq!(matrix.transpose().unwrap(), *matrix, "{name} is symmetric");
    }
}

#[test]
fn committed_matrices() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testbench/data/matrices");
    for file in FILES.into_iter().filter(|(name, ..)| COMMITTED.contains(name)) {
        check(&folder, file);
    }
}

#[test]
fn the_whole_collection() {
    let Some(folder) = std::env::var_os("MATTOCK_MATRICES").map(PathBuf::from) else {
        eprintln!("MATTOCK_MATRICES is not set: only the committed matrices were read");
        return;
    };
    for file in FILES {
        check(&folder, file);
    }
}
