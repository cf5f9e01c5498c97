//! Files that are wrong: each gives one clear error. The messages are part of the contract.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use mattock::io::{Format, ReadError, ReadOptions, read_matrix, read_matrix_from};

fn refuse(format: Option<Format>, bytes: impl AsRef<[u8]>) -> String {
    let options = ReadOptions { format, ..ReadOptions::default() };
    match read_matrix_from(bytes.as_ref(), &options) {
        Err(error) => error.to_string(),
        Ok(file) => panic!("accepted as {file:?}"),
    }
}

fn table(format: Format, cases: &[&str]) -> String {
    let rows = cases.iter().map(|case| {
        let shown: String = case.escape_debug().take(70).collect();
        format!("{shown}\n    {}\n", refuse(Some(format), case))
    });
    rows.collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut zip = GzEncoder::new(Vec::new(), Compression::best());
    zip.write_all(bytes).unwrap();
    zip.finish().unwrap()
}

#[test]
fn matrix_market() {
    let real = "%%MatrixMarket matrix coordinate real general\n";
    let body = |text: &str| format!("{real}{text}");
    let cases = [
        "%%MatrixMarket".into(),
        "not a banner\n1 1 0\n".into(),
        "%%MatrixMarket vector coordinate real general\n".into(),
        "%%MatrixMarket matrix array real general\n2 2\n1\n2\n3\n4\n".into(),
        "%%MatrixMarket matrix coordinate complex general\n".into(),
        "%%MatrixMarket matrix coordinate real hermitian\n".into(),
        "%%MatrixMarket matrix coordinate pattern skew-symmetric\n".into(),
        "%%MatrixMarket matrix coordinate real general extra\n".into(),
        body(""),
        body("2 2\n"),
        body("-2 2 1\n1 1 1\n"),
        body("2 2 1 1\n1 1 1\n"),
        body("99999999999999999999999 2 1\n1 1 1\n"),
        body("4000000000 4000000000 0\n"),
        body("2 2 18446744073709551615\n1 1 1\n"),
        body("2 2 18446744073709551616\n1 1 1\n"),
        body("2 2 3\n1 1 1\n2 2 1\n"),
        body("2 2 1\n1 1 1\n2 2 1\n"),
        body("2 2 1\n0 1 1\n"),
        body("2 2 1\n1 3 1\n"),
        body("2 2 1\n1 -1 1\n"),
        body("2 2 1\n1 1.5 1\n"),
        body("2 2 1\n1 1\n"),
        body("2 2 1\n1 1 1 1\n"),
        body("2 2 1\n1 1 one\n"),
        body("2 2 1\n1 1 nan\n"),
        body("2 2 1\n1 1 -inf\n"),
        body("2 2 1\n1 1 1e999\n"),
        body("2 2 2\n1 1 1e308\n1 1 1e308\n"),
        body("0 0 1\n1 1 1\n"),
        body("2 2 1\n1 1 \u{1b}[31mred and very long, far longer than anyone wants to see\n"),
        "%%MatrixMarket matrix coordinate integer general\n1 1 1\n1 1 1.5\n".into(),
        "%%MatrixMarket matrix coordinate integer general\n1 1 1\n1 1 9007199254740993\n".into(),
        "%%MatrixMarket matrix coordinate real symmetric\n2 3 0\n".into(),
        "%%MatrixMarket matrix coordinate real symmetric\n2 2 2\n2 1 1\n1 2 1\n".into(),
        "%%MatrixMarket matrix coordinate real skew-symmetric\n2 2 1\n1 1 1\n".into(),
    ];
    insta::assert_snapshot!(table(Format::MatrixMarket, &cases.each_ref().map(String::as_str)));
}

#[test]
fn edge_list() {
    insta::assert_snapshot!(table(
        Format::EdgeList,
        &[
            "0\n",
            "0 -1\n",
            "0 1 2 3\n",
            "0 1 2\n1 0\n",
            "0 1\n1 0\n1 0 3\n",
            "0 4294967295\n",
            "0 18446744073709551615\n",
            "a b\n",
            "0 1 NaN\n",
        ]
    ));
}

#[test]
fn metis() {
    insta::assert_snapshot!(table(
        Format::Metis,
        &[
            "% only a comment\n",
            "3\n",
            "2 1 2\n2\n1\n",
            "2 1 1\n2\n1\n",
            "2 1\n2\n",
            "2 1\n2\n1\n1\n",
            "2 2\n2\n1\n",
            "2 1\n3\n1\n",
            "2 1\n0\n1\n",
            "2 18446744073709551615\n2\n1\n",
            "99999999999 0\n",
            "0 0\n1\n",
        ]
    ));
}

#[test]
fn triplet() {
    insta::assert_snapshot!(table(
        Format::Triplet,
        &["0 0\n", "-1 0 1\n", "0 0 1 1\n", "0 99999999 1\n", "0 0 x\n", "0 0 1e308\n0 0 1e308\n",]
    ));
}

#[test]
fn files_that_are_no_text() {
    assert!(matches!(read_matrix_from(&b""[..], &ReadOptions::default()), Err(ReadError::Empty)));
    let text = gzip(b"%%MatrixMarket matrix coordinate pattern general\n2 2 1\n1 2\n");
    let mut flipped = text.clone();
    flipped[20] ^= 0xff;
    let report = [
        refuse(None, "\n \n\n"),
        refuse(None, "1 2 3\n"),
        refuse(None, [0xff, 0xfe, 0x00, 0x0a]),
        refuse(Some(Format::EdgeList), [0xff, 0xfe, 0x00, 0x0a]),
        refuse(None, &text[..text.len() / 2]),
        refuse(None, &text[..12]),
    ];
    insta::assert_snapshot!(report.join("\n"));
    assert!(read_matrix_from(&flipped[..], &ReadOptions::default()).is_err());
}

#[test]
fn a_small_file_cannot_unpack_to_an_endless_one() {
    let long_line = gzip(&vec![b'7'; 100 << 20]);
    assert!(long_line.len() < 1 << 20);
    insta::assert_snapshot!(
        refuse(Some(Format::EdgeList), &long_line),
        @"line 1: expected a line of at most 67108864 bytes, found a longer one"
    );
    let many_lines = gzip("0 1\n".repeat(1 << 18).as_bytes());
    let options = ReadOptions {
        format: Some(Format::EdgeList),
        max_bytes: 1 << 16,
        ..ReadOptions::default()
    };
    insta::assert_snapshot!(
        read_matrix_from(&many_lines[..], &options).unwrap_err(),
        @"line 16385: text length 65537 is over the limit of 65536; raise `max_bytes` to allow it"
    );
}

#[test]
fn limits_can_be_raised_and_lowered() {
    let text = "%%MatrixMarket matrix coordinate real general\n40 40 1\n1 1 nan\n";
    let options = ReadOptions { non_finite: true, max_dim: 40, ..ReadOptions::default() };
    let file = read_matrix_from(text.as_bytes(), &options).unwrap();
    assert!(file.matrix.values()[0].is_nan());
    let options = ReadOptions { max_dim: 39, ..options };
    assert!(matches!(
        read_matrix_from(text.as_bytes(), &options),
        Err(ReadError::TooLarge { line: 2, asked: 40, limit: 39, option: "max_dim", .. })
    ));
}

#[test]
fn the_path_is_part_of_the_error() {
    let missing = read_matrix("no/such/file.mtx", &ReadOptions::default()).unwrap_err();
    insta::assert_snapshot!(
        missing,
        @"cannot open no/such/file.mtx: No such file or directory (os error 2)"
    );
    assert!(read_matrix(".", &ReadOptions::default()).is_err());
}
