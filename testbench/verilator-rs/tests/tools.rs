//! Finding the tools, what is said when one is missing or refuses, and the cache from outside.

mod common;

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Instant,
};

use common::toolchains;
use verilator_rs::{Build, BuildError, ToolSearch};

const INVERTER: &str = "module inverter(input wire a, output wire y); assign y = ~a; endmodule\n";

/// A program that prints `text` and ends with `code`.
fn program(folder: &Path, name: &str, text: &str, code: i32) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\necho '{text}' >&2\nexit {code}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn empty_search() -> ToolSearch {
    ToolSearch { path: OsString::from("/nowhere/bin:/nowhere/sbin"), ..ToolSearch::default() }
}

#[test]
fn missing_and_broken_tools_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let broken = program(folder.path(), "verilator", "verilator: libz is missing", 3);
    let silent = folder.path().join("c++");
    fs::write(&silent, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&silent, fs::Permissions::from_mode(0o755)).unwrap();
    let real = ToolSearch::from_env();
    let searches = [
        empty_search().or_verilator("/nowhere/venv/bin/verilator"),
        ToolSearch { verilator: Some("/nowhere/verilator".into()), ..real.clone() },
        ToolSearch { verilator: Some(broken), ..real.clone() },
        ToolSearch { verilator: Some("/bin/echo".into()), ..real.clone() },
        ToolSearch {
            compiler: None,
            verilator: real.verilator().ok().map(|v| v.path),
            ..empty_search()
        },
        ToolSearch { compiler: Some("no-such-c++ -m32".into()), ..real.clone() },
        ToolSearch { compiler: Some(silent.display().to_string()), ..real.clone() },
    ];
    let said: Vec<String> = searches
        .iter()
        .map(|search| search.find().map(|_| ()).unwrap_err().to_string())
        .map(|text| text.replace(&folder.path().display().to_string(), "[folder]"))
        .map(|text| {
            text.replace(
                &format!("({} folders)", std::env::split_paths(&real.path).count()),
                "(N folders)",
            )
        })
        .collect();
    insta::assert_snapshot!("missing_tools", said.join("\n\n"));
}

#[test]
fn tools_are_named_with_version_and_path() {
    for tools in toolchains() {
        let version = tools.verilator.version.strip_prefix("Verilator ").unwrap();
        assert!(version.starts_with("5."), "{version}");
        assert!(tools.verilator.path.is_absolute() && tools.verilator.path.is_file());
        assert!(!tools.compiler.version.is_empty());
        let line = tools.compiler.to_string();
        assert!(line.starts_with(&format!("{} (/", tools.compiler.name)), "{line}");
    }
}

#[test]
fn refusals_show_the_tools_own_words_and_the_log() {
    let cache = tempfile::tempdir().unwrap();
    for tools in toolchains() {
        let text = "module bad(input wire a, output wire y);\n  assign y = a +;\nendmodule\n";
        let error = Build::new("bad", text).build(&tools, cache.path()).unwrap_err();
        let shown = error.to_string();
        let BuildError::Verilate { message, log, .. } = error else { panic!("{error}") };
        assert!(message.starts_with("%Error: bad.v:2:"), "{message}");
        assert!(shown.contains(&log.display().to_string()), "{shown}");
        let log = fs::read_to_string(log).unwrap();
        assert!(log.starts_with("$ ") && log.contains("--top-module"), "{log}");
        assert!(log.contains(&message), "{log}");

        let text = INVERTER.replace("inverter", "narrow").replace("~a", "{a, a}");
        let error = Build::new("narrow", text).build(&tools, cache.path()).unwrap_err();
        let BuildError::Verilate { message, .. } = error else { panic!("{error}") };
        assert!(message.starts_with("%Warning-WIDTH"), "a warning stops the build: {message}");
    }
}

#[test]
fn a_waiver_lets_a_warning_pass() {
    for tools in toolchains() {
        let text = INVERTER.replace("inverter", "waived").replace("~a", "{a, a}");
        let waivers = "`verilator_config\nlint_off -rule WIDTH -file \"*waived.v\"\n".to_owned();
        let build = Build { waivers: Some(waivers), ..Build::new("waived", text) };
        build.build(&tools, common::cache()).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn included_files_and_flags_reach_verilator() {
    for tools in toolchains() {
        let build = Build {
            extra_files: vec![("defs/value.vh".into(), b"`define VALUE 8'd42\n".to_vec())],
            flags: vec!["-GADD=8'd1".into()],
            ..Build::new(
                "constant",
                "`include \"defs/value.vh\"\nmodule constant #(parameter [7:0] ADD = 0) (output wire [7:0] y);\n  \
                 assign y = `VALUE + ADD;\nendmodule\n",
            )
        };
        let library =
            build.build(&tools, common::cache()).unwrap_or_else(|error| panic!("{error}"));
        let mut model = library.instance().unwrap();
        model.eval();
        assert_eq!(model.get_u64(model.port("y").unwrap()).unwrap(), 43);
    }
}

#[test]
fn a_failing_compiler_is_quoted() {
    let folder = tempfile::tempdir().unwrap();
    // Answers `--version`, and then refuses to compile.
    let script = "#!/bin/sh\n[ \"$1\" = --version ] && { echo 'g++ (stub) 1.0'; exit 0; }\n\
                  echo 'In file included from x:' >&2; echo \"$STUB\" >&2; exit 1\n";
    for (said, expected) in [
        ("verilated.cpp:1:1: error: this compiler is too old", "Compile"),
        ("f.cpp:9:10: fatal error: lz4.h: No such file or directory", "MissingLibrary"),
    ] {
        let compiler = folder.path().join("g++");
        fs::write(&compiler, script.replace("$STUB", said)).unwrap();
        fs::set_permissions(&compiler, fs::Permissions::from_mode(0o755)).unwrap();
        let tools =
            ToolSearch { compiler: Some(compiler.display().to_string()), ..ToolSearch::from_env() };
        let cache = folder.path().join("cache");
        let error =
            Build::new("inverter", INVERTER).build(&tools.find().unwrap(), &cache).unwrap_err();
        let log = match &error {
            BuildError::Compile { log, .. } | BuildError::MissingLibrary { log, .. } => log,
            other => panic!("{other}"),
        };
        assert!(fs::read_to_string(log).unwrap().contains(said));
        let text = error.to_string().replace(&log.display().to_string(), "[log]");
        insta::assert_snapshot!(expected, text);
    }
}

#[test]
fn the_cache_is_quick_and_heals() {
    let tools = toolchains().remove(0); // the cache does not know one Verilator from another
    let cache = tempfile::tempdir().unwrap();
    let build = Build::new("inverter", INVERTER);
    let timed = || {
        let start = Instant::now();
        let library = build.build(&tools, cache.path()).unwrap();
        (library.from_cache(), start.elapsed())
    };
    let (hit, cold) = timed();
    assert!(!hit);
    let (hit, warm) = timed();
    assert!(hit && warm < cold / 10, "cold {cold:?}, warm {warm:?}");
    println!("{}: cold {cold:?}, warm {warm:?}", tools.verilator);

    let entries: Vec<PathBuf> = fs::read_dir(cache.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    let [entry] = &entries[..] else { panic!("{entries:?}") };
    let library = entry.join("model.so");
    let bytes = fs::read(&library).unwrap();
    fs::write(&library, &bytes[..bytes.len() / 2]).unwrap();
    assert!(!timed().0, "a truncated library was loaded");
    assert!(timed().0);

    let mut other = build.clone();
    other.sources[0].1 += "// changed\n";
    assert!(!other.build(&tools, cache.path()).unwrap().from_cache());
}

#[test]
fn a_cache_that_cannot_be_written_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error =
        Build::new("inverter", INVERTER).build(&toolchains()[0], file.join("cache")).unwrap_err();
    assert!(matches!(error, BuildError::Io { doing: "creating the cache folder", .. }), "{error}");
}
