//! `cargo xtask firmware`: the program of a card's own processor, from its source to the committed image.
//!
//! Two compilers can make it: that of the workspace, when `rustup target add riscv32imc-unknown-none-elf` works, or
//! Debian's `rustc-web`, which compiles the core library from `rust-web-src` first. Different compilers make different
//! images, so the image's record tells which one made the committed one, and the check wants that one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mattock_firmware::image::{Image, MOST_BYTES, crc32, header};

use crate::error::Error;
use crate::process::{capture, run_logged, workspace};

const TARGET: &str = "riscv32imc-unknown-none-elf";
const IMAGE: &str = "firmware/image/card.img";
const RECORD: &str = "firmware/image/card.txt";
/// How long rustup may take to get a core library of a few megabytes.
const PATIENCE: Duration = Duration::from_secs(30);

/// What to do.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Compare with the committed image instead of replacing it; says so when no compiler can make it
    #[arg(long)]
    pub(crate) check: bool,
}

pub(crate) fn firmware(options: &Options) -> Result<(), Error> {
    let root = workspace();
    let committed = fs::read(root.join(IMAGE)).map_err(Error::file(Path::new(IMAGE)));
    let record = fs::read_to_string(root.join(RECORD)).unwrap_or_default();
    let work = root.join("target/firmware");
    fs::create_dir_all(&work).map_err(Error::file(&work))?;
    let Some(compiler) = Compiler::find(&work)? else {
        println!(
            "no compiler for {TARGET}: the committed image is used; get one with \
             `rustup target add {TARGET}` or `apt-get install rustc-web rust-web-src`"
        );
        // What can be checked without one: that the image is whole, and the one its record tells of.
        let image = committed?;
        let program = Image::parse(&image).map_err(|e| Error::format(IMAGE, e))?.program;
        return described(&record, program).map(drop);
    };
    let program = compiler.program(&root, &work)?;
    let image = [&header(&program)[..], &program].concat();
    Image::parse(&image).map_err(|e| Error::format(IMAGE, e))?;
    let fresh = describe(&program, &compiler.version);
    println!("{} of at most {MOST_BYTES} bytes by {}", program.len(), compiler.version);
    if !options.check {
        fs::write(root.join(IMAGE), image).map_err(Error::file(Path::new(IMAGE)))?;
        return fs::write(root.join(RECORD), fresh).map_err(Error::file(Path::new(RECORD)));
    }
    if committed? == image {
        return Ok(());
    }
    let by = described(&record, &program);
    match by {
        Ok(_) => {}
        Err(_) if !record.contains(&compiler.version) => {
            println!("the committed image is another compiler's: {}", record.trim());
            return Ok(());
        }
        Err(error) => return Err(error),
    }
    Err(Error::Other(format!("{IMAGE} is stale; run `cargo xtask firmware` and commit it")))
}

/// The record of an image: what made it, and its checksum.
fn describe(program: &[u8], version: &str) -> String {
    format!("{} bytes, CRC-32 {:08x}, by {version}\n", program.len(), crc32(program))
}

fn described(record: &str, program: &[u8]) -> Result<(), Error> {
    let start = describe(program, "");
    if record.starts_with(start.trim_end()) {
        return Ok(());
    }
    Err(Error::format(RECORD, format!("it does not tell of an image of {}", start.trim_end())))
}

/// Whether the workspace's compiler has a core library for the processor.
fn has_core() -> bool {
    let mut rustc = Command::new("rustc");
    capture(rustc.args(["--print", "target-libdir", "--target", TARGET]))
        .is_ok_and(|text| Path::new(text.trim()).is_dir())
}

/// Has rustup get that library; whether it did, in [`PATIENCE`].
fn add_target() -> bool {
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]).stdin(Stdio::null());
    let Ok(mut child) = rustup.stdout(Stdio::null()).stderr(Stdio::null()).spawn() else {
        return false;
    };
    println!("`rustup target add {TARGET}`, {} s at most", PATIENCE.as_secs());
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) => std::thread::sleep(Duration::from_millis(100)),
            Err(_) => break,
        }
    }
    // Without a network it would try for minutes.
    let _ = child.kill().and_then(|()| child.wait());
    false
}

/// A compiler with a core library for the processor.
struct Compiler {
    rustc: PathBuf,
    version: String,
    /// Where its core library was compiled to, when it came as source.
    core: Option<PathBuf>,
}

impl Compiler {
    fn find(work: &Path) -> Result<Option<Self>, Error> {
        if has_core() || (add_target() && has_core()) {
            let version = capture(Command::new("rustc").arg("--version"))?.trim().to_owned();
            return Ok(Some(Self { rustc: "rustc".into(), version, core: None }));
        }
        let Ok(files) = capture(Command::new("dpkg").args(["-L", "rustc-web"])) else {
            return Ok(None);
        };
        let Some(rustc) = files.lines().find(|line| line.ends_with("bin/rustc")) else {
            return Ok(None);
        };
        let root = capture(Command::new(rustc).args(["--print", "sysroot"]))?;
        let library = Path::new(root.trim()).join("lib/rustlib/src/rust/library/core/src/lib.rs");
        if !library.exists() {
            return Ok(None);
        }
        let version = capture(Command::new(rustc).arg("--version"))?.trim().to_owned();
        let mut compiler = Self { rustc: rustc.into(), version, core: None };
        compiler.core = Some(compiler.build_core(&library, work)?);
        Ok(Some(compiler))
    }

    /// Compiles the core library, once for each version of the compiler.
    fn build_core(&self, library: &Path, work: &Path) -> Result<PathBuf, Error> {
        let words: Vec<&str> = self.version.split_whitespace().take(2).collect();
        let folder = work.join(words.join("-"));
        if folder.join("done").exists() {
            return Ok(folder);
        }
        println!("compiling the core library for {TARGET}, once");
        fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
        let mut core = self.rustc(&folder);
        core.args(["--crate-name", "core", "--crate-type", "rlib", "--edition", "2024"]);
        core.args(["-Zforce-unstable-if-unmarked", "--cap-lints", "allow"]).arg(library);
        run_logged(&mut core, &folder.join("core.log"))?;
        // The compiler asks for this crate; what it usually has (memcpy, wide division), the program must not need.
        let empty = folder.join("builtins.rs");
        let text = "#![feature(compiler_builtins)]\n#![compiler_builtins]\n#![no_std]\n";
        fs::write(&empty, text).map_err(Error::file(&empty))?;
        let mut builtins = self.rustc(&folder);
        builtins.args(["--crate-name", "compiler_builtins", "--crate-type", "rlib"]);
        builtins.args(["--edition", "2024", "--cap-lints", "allow", "-Zunstable-options"]);
        builtins.arg("--extern").arg("noprelude:core=libcore.rlib").arg(&empty);
        run_logged(&mut builtins, &folder.join("builtins.log"))?;
        fs::write(folder.join("done"), "").map_err(Error::file(&folder))?;
        Ok(folder)
    }

    fn rustc(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.rustc);
        command.current_dir(folder).env("RUSTC_BOOTSTRAP", "1").args(["--target", TARGET]);
        let settings = ["opt-level=s", "panic=abort", "codegen-units=1", "target-feature=+relax"];
        command.args(settings.iter().flat_map(|s| ["-C", s]));
        command.args(["--out-dir", ".", "-L", "."]);
        command
    }

    /// Compiles and links the program; its bytes, a whole number of words.
    fn program(&self, root: &Path, work: &Path) -> Result<Vec<u8>, Error> {
        let folder = self.core.clone().unwrap_or_else(|| work.join("rustup"));
        fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
        let own = |file: &str, name: &str, kind: &str, needs: &[&str]| {
            let mut command = self.rustc(&folder);
            command.args(["--crate-name", name, "--crate-type", kind, "--edition", "2024"]);
            if self.core.is_some() {
                command.arg("-Zunstable-options");
                for library in ["core", "compiler_builtins"] {
                    command.args(["--extern", &format!("noprelude:{library}=lib{library}.rlib")]);
                }
            }
            for need in needs {
                command.args(["--extern", &format!("{need}=lib{need}.rlib")]);
            }
            // Paths must not find their way into the image.
            command.arg(format!("--remap-path-prefix={}=.", root.display()));
            command.arg(root.join(file));
            command
        };
        let (spec, logic) = ("mattock_spec", "mattock_firmware");
        let mut first = own("hw/spec/src/lib.rs", spec, "rlib", &[]);
        run_logged(&mut first, &folder.join("spec.log"))?;
        let mut second = own("firmware/src/lib.rs", logic, "rlib", &[spec]);
        run_logged(&mut second, &folder.join("logic.log"))?;
        let tools = linker_folder()?;
        let mut last = own("firmware/image/main.rs", "card", "bin", &[spec, logic]);
        last.arg("-Clto=fat").arg(format!("-Clinker={}", tools.join("rust-lld").display()));
        last.arg("-Clinker-flavor=ld.lld").arg("-Clink-arg=--gc-sections");
        last.arg(format!("-Clink-arg=-T{}", root.join("firmware/image/card.ld").display()));
        run_logged(&mut last, &folder.join("card.log"))?;
        let mut copy = Command::new(tools.join("rust-objcopy"));
        // Beside the workspace's compiler, whose libraries it uses.
        copy.current_dir(&folder).env("LD_LIBRARY_PATH", tools.join("../../.."));
        copy.args(["-O", "binary", "card", "card.bin"]);
        run_logged(&mut copy, &folder.join("copy.log"))?;
        let file = folder.join("card.bin");
        let mut program = fs::read(&file).map_err(Error::file(&file))?;
        program.resize(program.len().next_multiple_of(4), 0);
        if program.len() > MOST_BYTES {
            let detail = format!("{} bytes, at most {MOST_BYTES} are allowed", program.len());
            return Err(Error::format(file.display().to_string(), detail));
        }
        Ok(program)
    }
}

/// The folder of `rust-lld` and `rust-objcopy` in the workspace's toolchain.
fn linker_folder() -> Result<PathBuf, Error> {
    let root = capture(Command::new("rustc").args(["--print", "sysroot"]))?;
    let version = capture(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or_else(|| Error::format("rustc -vV", "it names no host"))?;
    Ok(Path::new(root.trim()).join("lib/rustlib").join(host).join("bin"))
}
