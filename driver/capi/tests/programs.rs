//! Programs in C, compiled with the system's compiler, and in Python, with the package as pip installs it, run against a
//! served card.

use mattock_testbench::serve::Served;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The folder of the library, which cargo does not build for a test of its own: no Rust program links it.
fn library() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let output = Command::new(env!("CARGO"))
            .args(["build", "-q", "--lib", "-p", "mattock-capi"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let test = std::env::current_exe().unwrap();
        let found = test.ancestors().skip(1).map(|folder| folder.with_file_name("debug"));
        let found = found.into_iter().find(|folder| folder.join("libmattock.so").exists());
        found.unwrap_or_else(|| panic!("no libmattock.so near {}", test.display()))
    };
    BUILT.get_or_init(build).clone()
}

/// Compiles one file with all warnings as errors.
fn compile(source: &str, folder: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = folder.join("program");
    let compiler = std::env::var_os("CC").unwrap_or("cc".into());
    let output = Command::new(&compiler)
        .args(["-std=c11", "-O1", "-Wall", "-Wextra", "-Wno-missing-field-initializers", "-Werror"])
        .arg(root.join(source))
        .arg("-I")
        .arg(root.join("include"))
        .arg("-L")
        .arg(library())
        .args(["-lmattock", "-lm", "-o"])
        .arg(&program)
        .output()
        .unwrap_or_else(|e| panic!("{compiler:?}: {e}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    program
}

/// What the program prints.
fn run(source: &str, url: Option<&str>, arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Command::new(compile(source, folder.path()));
    program.args(arguments).env("LD_LIBRARY_PATH", library()).env_remove("MATTOCK_CARD");
    if let Some(url) = url {
        program.env("MATTOCK_CARD", url);
    }
    let output = program.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let both = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{}: {both}", output.status);
    both
}

#[test]
fn the_example_of_the_documentation() {
    let served = Served::start("small", None);
    let text = run("examples/product.c", None, &[&served.url()]);
    insta::assert_snapshot!(text);
}

#[test]
fn every_call_and_its_wrong_arguments() {
    let served = Served::start("small", None);
    let text = run("tests/calls.c", None, &[&served.url()]);
    insta::assert_snapshot!(text);
}

#[test]
fn sums_in_order() {
    let served = Served::start("sparse4_ordered", None);
    assert_eq!(run("tests/order.c", None, &[&served.url()]), "in order\n");
    if let Some(text) = python("tests/order.py", &[&served.url()]) {
        assert_eq!(text, "True stalls\nTrue fast sums differ\nTrue begins with onto\n");
    }
}

#[test]
fn a_program_that_knows_cblas_only() {
    let served = Served::start("small", None);
    let text = run("tests/blas.c", Some(&served.url()), &[]);
    insta::assert_snapshot!(text);
}

/// What a Python program prints, with the package installed by pip from the repository's folder.
fn python(script: &str, arguments: &[&str]) -> Option<String> {
    let Ok(python) = mattock_toolbox::Toolbox::open().python() else {
        eprintln!("SKIPPED: no Python environment (`cargo xtask setup`)");
        return None;
    };
    static INSTALLED: OnceLock<tempfile::TempDir> = OnceLock::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../python");
    let site = INSTALLED.get_or_init(|| {
        // pip leaves traces in the folder it builds.
        let (copy, site) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(copy.path().join("mattock")).unwrap();
        for folder in ["", "mattock"] {
            for file in std::fs::read_dir(root.join(folder)).unwrap().map(|file| file.unwrap()) {
                if file.path().is_file() {
                    let to = copy.path().join(folder).join(file.file_name());
                    std::fs::copy(file.path(), to).unwrap();
                }
            }
        }
        let output = Command::new(&python)
            .args(["-m", "pip", "install", "-q", "--no-deps", "--disable-pip-version-check"])
            .arg("--target")
            .arg(site.path())
            .arg(copy.path())
            .env("MATTOCK_LIBRARY", library().join("libmattock.so"))
            .output()
            .unwrap();
        assert!(output.status.success(), "pip: {}", String::from_utf8_lossy(&output.stderr));
        site
    });
    let output = Command::new(&python)
        .arg(root.join(script))
        .args(arguments)
        .env("PYTHONPATH", site.path())
        .env_remove("MATTOCK_LIBRARY")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let both = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{}: {both}", output.status);
    Some(both)
}

fn data(name: &str) -> String {
    format!("{}/../../testbench/data/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_call_of_the_python_package() {
    let served = Served::start("small", None);
    if let Some(text) = python("tests/calls.py", &[&served.url()]) {
        insta::assert_snapshot!(text);
    }
}

/// The package repeats structures, constants and calls of the header: they are those of the header.
#[test]
fn the_python_package_is_that_of_the_header() {
    let header = format!("{}/include/mattock.h", env!("CARGO_MANIFEST_DIR"));
    if let Some(text) = python("tests/header.py", &[&header]) {
        assert!(text.contains("structures"), "{text}");
    }
}

#[test]
fn a_matrix_of_scipy_squared() {
    let served = Served::start("small", None);
    let (url, file) = (served.url(), data("matrices/karate.mtx.gz"));
    if let Some(text) = python("examples/square.py", &[&url, &file]) {
        assert!(
            text.contains("34 x 34, 698 entries") && text.contains("equal to SciPy's"),
            "{text}"
        );
    }
}

#[test]
fn digits_of_python() {
    let served = Served::start("small", None);
    let (url, folder) = (served.url(), data("digits"));
    if let Some(text) = python("examples/digits.py", &[&url, &folder]) {
        assert_eq!(text, "1787 of 1797 digits are right\n");
    }
}
