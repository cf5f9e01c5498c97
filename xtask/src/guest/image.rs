//! What the guest finds when it starts: the programs under test, their libraries, busybox, kernel modules.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::download::{MODULES, Parts};
use crate::error::Error;
use crate::process::{capture, workspace};

const INIT: &str = include_str!("init.sh");
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/tmp:/bin/sh\n";
const GROUP: &str = "root:x:0:\nuser:x:1000:\n";

/// Packs the guest's files with these programs of ours; the path of the archive.
pub(super) fn initramfs(parts: &Parts, programs: &[PathBuf]) -> Result<PathBuf, Error> {
    let root = parts.folder.join("files");
    let _ = fs::remove_dir_all(&root);
    for folder in ["bin", "proc", "sys", "dev", "etc", "tmp", "modules", "data", "root"] {
        let path = root.join(folder);
        fs::create_dir_all(&path).map_err(Error::file(&path))?;
    }
    // An ordinary user must get through.
    for (folder, mode) in [("", 0o755), ("bin", 0o755), ("tmp", 0o1777)] {
        let path = root.join(folder);
        fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(Error::file(&path))?;
    }
    copy(&parts.busybox(), &root.join("bin/busybox"))?;
    for program in programs {
        let name = program.file_name().unwrap_or_default();
        let to = root.join("bin").join(name);
        copy(program, &to)?;
        // Half the size; without `strip` it is only slower.
        let _ = Command::new("strip").arg(&to).stderr(Stdio::null()).status();
        for library in libraries(program)? {
            copy(&library, &root.join(library.strip_prefix("/").unwrap_or(&library)))?;
        }
    }
    for module in MODULES {
        let from = parts.modules.join(module);
        if from.exists() {
            let name = Path::new(module).file_stem().unwrap_or_default();
            let to = root.join("modules").join(name);
            let file = File::create(&to).map_err(Error::file(&to))?;
            let mut unpack = Command::new(parts.busybox());
            unpack.args(["unxz", "-c"]).arg(&from).stdout(file);
            crate::process::run(&mut unpack)?;
        }
    }
    let matrix = workspace().join("testbench/data/matrices/karate.mtx.gz");
    copy(&matrix, &root.join("data/karate.mtx.gz"))?;
    for (name, text) in [("init", INIT), ("etc/passwd", PASSWD), ("etc/group", GROUP)] {
        let path = root.join(name);
        fs::write(&path, text).map_err(Error::file(&path))?;
    }
    let init = root.join("init");
    fs::set_permissions(&init, Permissions::from_mode(0o755)).map_err(Error::file(&init))?;
    pack(parts, &root)
}

fn pack(parts: &Parts, root: &Path) -> Result<PathBuf, Error> {
    let archive = parts.folder.join("initrd");
    let file = File::create(&archive).map_err(Error::file(&archive))?;
    let mut command = Command::new(parts.busybox());
    command.args(["sh", "-c", r#""$0" find . | "$0" cpio -o -H newc 2>/dev/null"#]);
    command.arg(parts.busybox()).current_dir(root).stdout(file);
    crate::process::run(&mut command)?;
    Ok(archive)
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(Error::file(folder))?;
    }
    fs::copy(from, to).map(drop).map_err(Error::file(from))
}

/// Shared libraries of a program, the loader among them: absolute paths in what `ldd` prints.
fn libraries(program: &Path) -> Result<Vec<PathBuf>, Error> {
    let text = capture(Command::new("ldd").arg(program))?;
    Ok(text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect())
}
