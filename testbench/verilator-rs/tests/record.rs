//! Traces and coverage files.

mod common;

use std::fs;

use common::{cache, toolchains};
use verilator_rs::{Build, BuildError, Coverage, Library, RecordError, Toolchain};

fn counter() -> Build {
    let text =
        "module counter(input wire clk, input wire up, output reg [99:0] n, output reg [63:0] now);
  initial n = 0;
  always @(posedge clk) now = $time;
  always @(posedge clk) begin
    if (up) n <= n + 100'd1;
    else n <= n - 100'd1;
  end
  always @(posedge clk) reached: cover (n == 3);
endmodule
";
    Build {
        sources: vec![("counter.sv".into(), text.into())],
        timescale: Some("1ns/1ps".into()),
        ..Build::new("counter", "")
    }
}

/// Counts up for `clocks` clocks, dumping at both edges from `from` on.
fn run(library: &Library, clocks: u64, path: &std::path::Path) -> Result<(), RecordError> {
    let mut model = library.instance().unwrap();
    let (clk, up) = (model.port("clk").unwrap(), model.port("up").unwrap());
    model.set_u64(up, 1).unwrap();
    model.trace_open(path)?;
    for time in 0..2 * clocks {
        model.set_u64(clk, time % 2).unwrap();
        model.eval();
        model.trace_dump(1000 * time)?;
    }
    model.trace_close();
    Ok(())
}

/// The library with traces, or `None` where the tools say that they lack LZ4; zlib is always there.
fn with_trace(tools: &Toolchain) -> Option<Library> {
    match (Build { trace: true, ..counter() }).build(tools, cache()) {
        Ok(library) => Some(library),
        Err(BuildError::MissingLibrary { missing, package, .. }) => {
            assert_eq!((missing.as_str(), package), ("lz4.h", "liblz4-dev"));
            println!("no trace with {}: lz4.h is not installed", tools.verilator);
            None
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn traces_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut tried = 0;
    for library in toolchains().iter().filter_map(with_trace) {
        tried += 1;
        let (short, long) = (folder.path().join("short.fst"), folder.path().join("long.fst"));
        run(&library, 4, &short).unwrap();
        run(&library, 4000, &long).unwrap();
        let (short, long) = (fs::read(&short).unwrap(), fs::read(&long).unwrap());
        // The first block of an FST file is its header: type 0, length 329, start and end time, big-endian.
        let time =
            |file: &[u8], at: usize| u64::from_be_bytes(file[at..at + 8].try_into().unwrap());
        assert_eq!((long[0], time(&long, 1)), (0, 329), "not an FST file");
        assert_eq!((time(&short, 17), time(&long, 17)), (7000, 7_999_000), "end times");
        assert!(long.len() > short.len() + 500, "{} and {} bytes", short.len(), long.len());
    }
    assert!(tried > 0, "no toolchain could trace");
}

#[test]
fn a_model_can_be_traced_again_and_dropped_while_open() {
    let folder = tempfile::tempdir().unwrap();
    for library in toolchains().iter().filter_map(with_trace) {
        let mut model = library.instance().unwrap();
        let clk = model.port("clk").unwrap();
        for part in 0..3_u64 {
            let path = folder.path().join(format!("{part}.fst"));
            model.trace_open(&path).unwrap(); // closes the one before
            for time in 0..10 {
                model.set_u64(clk, time % 2).unwrap();
                model.eval();
                model.trace_dump(time).unwrap();
            }
        }
        drop(model);
        for part in 0..3 {
            let file = fs::read(folder.path().join(format!("{part}.fst"))).unwrap();
            assert_eq!(file[0], 0, "trace {part} was not completed");
        }
    }
}

#[test]
fn time_reaches_the_model() {
    for tools in toolchains() {
        let mut model = counter().build(&tools, cache()).unwrap().instance().unwrap();
        let (clk, now) = (model.port("clk").unwrap(), model.port("now").unwrap());
        for (time, level) in [(1000, 1), (7000, 0), (9000, 1)] {
            model.set_time(time);
            model.set_u64(clk, level).unwrap();
            model.eval();
        }
        assert_eq!(model.get_u64(now).unwrap(), 9, "ns, from a precision of ps");
    }
}

#[test]
fn wrong_uses_of_a_trace_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let here = |text: String| text.replace(&folder.path().display().to_string(), "[folder]");
    for tools in toolchains() {
        let mut plain = counter().build(&tools, cache()).unwrap().instance().unwrap();
        let mut errors = vec![
            plain.trace_open(folder.path().join("x.fst")),
            plain.trace_dump(0),
            plain.coverage_write(folder.path().join("x.dat")),
        ];
        let Some(library) = with_trace(&tools) else { continue };
        let mut model = library.instance().unwrap();
        errors.push(model.trace_open(folder.path().join("none/x.fst")));
        errors.push(model.trace_open(folder.path().join("x\0.fst")));
        errors.push(model.trace_dump(0));
        model.trace_open(folder.path().join("x.fst")).unwrap();
        model.trace_dump(5).unwrap();
        errors.push(model.trace_dump(5));
        let text: Vec<String> = errors
            .into_iter()
            .map(|error| here(error.unwrap_err().to_string()).replace('\0', "\\0"))
            .collect();
        insta::assert_snapshot!("wrong_traces", text.join("\n"));
    }
}

#[test]
fn coverage_counts_what_ran() {
    let folder = tempfile::tempdir().unwrap();
    for tools in toolchains() {
        for coverage in [Coverage::Line, Coverage::LineAndToggle] {
            let library = Build { coverage, ..counter() }.build(&tools, cache()).unwrap();
            let write = |clocks: u64| {
                let mut model = library.instance().unwrap();
                let (clk, up) = (model.port("clk").unwrap(), model.port("up").unwrap());
                model.set_u64(up, 1).unwrap();
                for time in 0..2 * clocks {
                    model.set_u64(clk, time % 2).unwrap();
                    model.eval();
                }
                let path = folder.path().join(format!("{clocks}.dat"));
                model.coverage_write(&path).unwrap();
                fs::read_to_string(path).unwrap()
            };
            let text = write(7);
            let hits = |text: &str, kind: &str, line: u32| -> Vec<u64> {
                let of_line = format!("\u{1}l\u{2}{line}\u{1}");
                text.lines()
                    .filter(|point| point.contains(&of_line) && point.contains(kind))
                    .filter_map(|point| point.rsplit(' ').next()?.parse().ok())
                    .collect()
            };
            assert!(text.starts_with("# SystemC::Coverage-3"), "{text}");
            assert!(
                hits(&text, "v_branch", 5) == [7, 0],
                "`if` ran 7 times, `else` never:\n{text}"
            );
            assert_eq!(hits(&text, "v_user", 8), [1], "`reached` was hit once:\n{text}");
            assert_eq!(text.contains("toggle"), coverage == Coverage::LineAndToggle);
            assert!(hits(&write(2), "v_branch", 5) == [2, 0], "each instance has its own counters");
        }
    }
}
