//! The headers are those of the sources.

use cbindgen::{Builder, Config, Language};
use std::path::Path;

const COMMAND: &str = "UPDATE_HEADERS=1 cargo test -p mattock-capi --test header";

/// Compares a header with its sources, or writes it when `UPDATE_HEADERS` is set.
fn check(name: &str, about: &str, sources: &[&str], after_includes: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = Config {
        language: Language::C,
        header: Some(format!("/* {about}\n * Written by `{COMMAND}`; the sources are Rust. */")),
        include_guard: Some(format!("{}_H", name.to_uppercase())),
        after_includes: (!after_includes.is_empty()).then(|| after_includes.to_owned()),
        cpp_compat: true,
        documentation: true,
        usize_is_size_t: true,
        style: cbindgen::Style::Both,
        line_length: 100,
        ..Config::default()
    };
    let mut builder = Builder::new().with_config(config);
    for source in sources {
        builder = builder.with_src(root.join("src").join(source));
    }
    let mut text = vec![];
    builder.generate().unwrap().write(&mut text);
    // Rustdoc's links and headings mean nothing in C.
    let text = String::from_utf8(text).unwrap().replace("[`", "`").replace("`]", "`");
    let text = text.replace(" * # Safety\n", " * The caller sees to it:\n");
    let path = root.join("include").join(format!("{name}.h"));
    if std::env::var_os("UPDATE_HEADERS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(there == text, "{} is not that of the sources: {COMMAND}", path.display());
}

#[test]
fn mattock_h_is_fresh() {
    let sources = [
        "status.rs",
        "card.rs",
        "buffer.rs",
        "matrix.rs",
        "event.rs",
        "gemm.rs",
        "sparse.rs",
        "algebra.rs",
        "quant.rs",
    ];
    check("mattock", "Dense and sparse products on Mattock matrix cards.", &sources, "");
}

#[test]
fn cblas_h_is_fresh() {
    let types = "\ntypedef enum CBLAS_ORDER { CblasRowMajor = 101, CblasColMajor = 102 } CBLAS_ORDER;\n\
        typedef enum CBLAS_TRANSPOSE { CblasNoTrans = 111, CblasTrans = 112, CblasConjTrans = 113 } \
        CBLAS_TRANSPOSE;\n#define CBLAS_LAYOUT CBLAS_ORDER";
    check("cblas", "CBLAS calls that Mattock matrix cards compute.", &["cblas.rs"], types);
}
