//! Speed of this binding against a plain C++ harness, on a 16x16 int8 output-stationary array.
//!
//! `cargo bench -p verilator-rs` prints one JSON line for each Verilator found. Both sides drive the same Verilator
//! output, compiled at the same level, with the same stimulus; the harness is an ordinary executable. They run in
//! turns and are timed in CPU seconds, so that other work on the machine disturbs neither more than the other. Speeds
//! are medians over the turns, `ratio` is the median of the turns' own ratios. Unequal output hashes fail the run.
//! `MATTOCK_BENCH_CYCLES` sets the cycles of a turn.

use std::{env, error::Error, fs, path::Path, process::Command};

use verilator_rs::{Build, Model, Port, ToolSearch, Toolchain};

#[path = "../tests/common/array.rs"]
mod array;

const ROWS: usize = 16;
const COLS: usize = 16;
const TURNS: usize = 15;
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// CPU seconds this thread has used (Linux).
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: u64 = text.split(' ').next().unwrap_or_default().parse()?;
    Ok(nanoseconds as f64 * 1e-9)
}

/// One turn of the binding: CPU seconds and output hash. 48 of 64 cycles compute, 16 drain.
fn drive(model: &mut Model, cycles: u64) -> Result<(f64, u64), Box<dyn Error>> {
    let (clk, en) = (model.port("clk")?, model.port("en")?);
    let (clear, shift) = (model.port("clear")?, model.port("shift")?);
    let (a_in, b_in, acc_out) = (model.port("a_in")?, model.port("b_in")?, model.port("acc_out")?);
    let mut state = SEED;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 16) as u32
    };
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let (mut a, mut b, mut acc) = ([0; ROWS / 4], [0; COLS / 4], [0; COLS]);
    let start = cpu_seconds()?;
    for cycle in 0..cycles {
        let phase = cycle % 64;
        a.fill_with(&mut next);
        b.fill_with(&mut next);
        model.set_words(a_in, &a)?;
        model.set_words(b_in, &b)?;
        model.set_u64(en, u64::from(phase < 48))?;
        model.set_u64(clear, u64::from(phase == 0))?;
        model.set_u64(shift, u64::from(phase >= 48))?;
        model.set_u64(clk, 0)?;
        model.eval();
        model.set_u64(clk, 1)?;
        model.eval();
        if phase >= 48 {
            model.get_words(acc_out, &mut acc)?;
            hash = acc.iter().fold(hash, |h, &w| (h ^ u64::from(w)).wrapping_mul(0x100_0000_01b3));
        }
    }
    Ok((cpu_seconds()? - start, hash))
}

fn run(command: &mut Command) -> Result<String, Box<dyn Error>> {
    let output = command.output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("{command:?}: {said}").into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Compiles the plain harness in `folder`, as one unit at the level this crate uses.
fn harness(tools: &Toolchain, folder: &Path, verilog: &str) -> Result<Command, Box<dyn Error>> {
    let include = tools.include_dir();
    fs::write(folder.join("array.v"), verilog)?;
    let mut verilate = tools.verilator_command();
    let options = "--cc -O3 --x-assign fast --x-initial fast --assert --no-timing \
                   --prefix Vmodel -Mdir . --top-module array array.v";
    run(verilate.current_dir(folder).args(options.split_whitespace()))?;

    let mut sources = "#include \"verilated.cpp\"\n#include \"verilated_threads.cpp\"\n".to_owned();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".cpp") {
            sources += &format!("#include \"{name}\"\n");
        }
    }
    fs::write(folder.join("harness_sources.inc"), sources)?;
    let main = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/harness.cpp");
    let options = format!(
        "-std=gnu++17 -O1 -pthread -w -DVL_TIME_CONTEXT -DVM_SC=0 -DVM_COVERAGE=0 -DVM_TRACE=0 \
         -DVM_TRACE_FST=0 -DSEED={SEED}ull -DROWS={ROWS} -DCOLS={COLS} -I. -o harness"
    );
    let mut compile = tools.compiler_command();
    compile.current_dir(folder).args(options.split_whitespace()).arg(main);
    run(compile.arg("-I").arg(&include).arg("-I").arg(include.join("vltstd")))?;
    Ok(Command::new(folder.join("harness")))
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn measure(tools: &Toolchain, cycles: u64) -> Result<(), Box<dyn Error>> {
    let verilog = array::verilog(ROWS, COLS);
    let ports = vec![
        Port::input("a_in", 8 * ROWS as u32),
        Port::input("b_in", 8 * COLS as u32),
        Port::output("acc_out", 32 * COLS as u32),
    ];
    let build = Build { ports, ..Build::new("array", &verilog) };
    let library = build.build(tools, Path::new(env!("CARGO_TARGET_TMPDIR")).join("verilated"))?;
    let folder = tempfile::tempdir()?;
    let mut harness = harness(tools, folder.path(), &verilog)?;
    harness.arg(cycles.to_string());

    let (mut rust, mut cpp) = (Vec::new(), Vec::new());
    let mut hash = 0;
    for _ in 0..TURNS {
        let turn = drive(&mut library.instance()?, cycles)?;
        rust.push(turn.0);
        hash = turn.1;
        let line = run(&mut harness)?;
        let (seconds, other) = line.trim().split_once(' ').ok_or("no answer from the harness")?;
        cpp.push(seconds.parse()?);
        if format!("{hash:016x}") != other {
            return Err(format!("output hashes differ: {hash:016x} and {other}").into());
        }
    }
    let mut ratios: Vec<f64> =
        cpp.iter().zip(&rust).map(|(cpp, rust): (&f64, _)| cpp / rust).collect();
    let (rust, cpp) = (cycles as f64 / median(&mut rust), cycles as f64 / median(&mut cpp));
    println!(
        "{{\"bench\":\"binding\",\"array\":\"{ROWS}x{COLS}\",\"verilator\":\"{}\",\
         \"cycles\":{cycles},\"hash\":\"{hash:016x}\",\"rust_cycles_per_s\":{rust:.0},\
         \"cpp_cycles_per_s\":{cpp:.0},\"ratio\":{:.3}}}",
        tools.verilator.version,
        median(&mut ratios)
    );
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let cycles = match env::var("MATTOCK_BENCH_CYCLES") {
        Ok(text) => text.parse()?,
        Err(_) => 150_000,
    };
    let usual = ToolSearch::from_env();
    measure(&usual.find()?, cycles)?;
    let also = env::var_os("MATTOCK_VERILATOR_ALSO").unwrap_or_default();
    for path in env::split_paths(&also).filter(|path| !path.as_os_str().is_empty()) {
        measure(&ToolSearch { verilator: Some(path), ..usual.clone() }.find()?, cycles)?;
    }
    Ok(())
}
