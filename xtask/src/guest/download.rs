//! QEMU, a kernel and busybox out of Debian's packages, without installing them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::process::{capture, run_logged};
use crate::progress::Progress;

/// The release that the packages are of. QEMU is its backport: it must have `vfio-user-pci`, so be 10.1 or newer.
const RELEASE: &str = "trixie";
/// Debian's signing keys; the package `debian-archive-keyring` brings them to other distributions.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// Programs and what they need.
const PROGRAMS: [&str; 3] = ["qemu-system-x86", "busybox-static", "zstd"];
/// The package that depends on the present kernel. It is made for virtual machines, so it is small.
const KERNEL: &str = "linux-image-cloud-amd64";
/// Modules, in the order in which they need each other; not every kernel has all as modules.
pub(super) const MODULES: [&str; 6] = [
    "virt/lib/irqbypass.ko.xz",
    "drivers/vfio/vfio.ko.xz",
    "drivers/vfio/vfio_virqfd.ko.xz",
    "drivers/vfio/vfio_iommu_type1.ko.xz",
    "drivers/vfio/pci/vfio-pci-core.ko.xz",
    "drivers/vfio/pci/vfio-pci.ko.xz",
];

/// The unpacked packages.
pub(super) struct Parts {
    /// Folder of everything below.
    pub(super) folder: PathBuf,
    /// Root of the programs and their libraries.
    root: PathBuf,
    /// Folder of the kernel's modules.
    pub(super) modules: PathBuf,
    /// The kernel, not compressed: QEMU starts it at once, where unpacking would take it 20 s.
    vmlinux: PathBuf,
}

/// The parts in `folder`, got when they are not there; or why they cannot be had.
pub(super) fn parts(folder: &Path) -> Result<Result<Parts, String>, Error> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Ok(Err("it is for Linux on x86-64".into()));
    }
    let ready = folder.join("ready");
    if !ready.exists() {
        if let Some(missing) = ["apt-get", "apt-cache", "dpkg-deb"].iter().find(|p| !there(p)) {
            return Ok(Err(format!("{missing} is not here, which gets Debian's packages")));
        }
        if !Path::new(KEYS).exists() {
            return Ok(Err("Debian's keys are not here: install debian-archive-keyring".into()));
        }
        let step =
            Progress::start("guest test: getting QEMU and a kernel from Debian (75 MB, once)");
        if let Err(error) = get(folder) {
            return Ok(Err(format!("QEMU and a kernel cannot be had: {error}")));
        }
        step.done();
    }
    let root = folder.join("root");
    let modules = fs::read_dir(root.join("usr/lib/modules")).map_err(Error::file(&root))?;
    let modules = modules.flatten().next().map(|entry| entry.path().join("kernel"));
    let modules = modules.ok_or_else(|| Error::Other("the kernel has no modules".into()))?;
    let (folder, vmlinux) = (folder.to_owned(), folder.join("vmlinux"));
    Ok(Ok(Parts { folder, root, modules, vmlinux }))
}

fn there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// Downloads and unpacks, and marks the folder as ready at the end.
fn get(folder: &Path) -> Result<(), Error> {
    let _ = fs::remove_dir_all(folder);
    let log = |name: &str| folder.join("log").join(name);
    for part in ["lists/partial", "cache/archives/partial", "none", "kernel", "root"] {
        let path = folder.join(part);
        fs::create_dir_all(&path).map_err(Error::file(&path))?;
    }
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).map_err(Error::file(&path))
    };
    let mirror = "http://deb.debian.org/debian";
    let source = |suite: &str| format!("deb [arch=amd64 signed-by={KEYS}] {mirror} {suite} main\n");
    write("sources.list", source(RELEASE) + &source(&format!("{RELEASE}-backports")))?;
    let backport = format!("release n={RELEASE}-backports");
    let pin = |packages: &str, number: u32| {
        format!("Package: {packages}\nPin: {backport}\nPin-Priority: {number}\n\n")
    };
    write("preferences", pin("qemu-* seabios ipxe-qemu", 900) + &pin("*", 100))?;
    // As on a machine where nothing is installed: so that every library comes along.
    write("status", String::new())?;
    let place = folder.display();
    write(
        "apt.conf",
        format!(
            "Dir::State \"{place}\";\nDir::State::Lists \"{place}/lists\";\n\
             Dir::State::status \"{place}/status\";\nDir::Cache \"{place}/cache\";\n\
             Dir::Etc::sourcelist \"{place}/sources.list\";\nDir::Etc::sourceparts \"{place}/none\";\n\
             Dir::Etc::preferences \"{place}/preferences\";\nDir::Etc::preferencesparts \"{place}/none\";\n\
             APT::Architecture \"amd64\";\nAPT::Architectures {{ \"amd64\"; }};\n\
             APT::Sandbox::User \"\";\nAcquire::Languages \"none\";\n"
        ),
    )?;
    let apt = |program: &str| {
        let mut command = Command::new(program);
        command.env("APT_CONFIG", folder.join("apt.conf")).current_dir(folder.join("kernel"));
        command
    };
    run_logged(apt("apt-get").arg("update"), &log("update"))?;
    let install = ["install", "--yes", "--download-only", "--no-install-recommends"];
    run_logged(apt("apt-get").args(install).args(PROGRAMS), &log("install"))?;
    let depends = capture(apt("apt-cache").args(["depends", "--important", KERNEL]))?;
    let kernel = depends.lines().find_map(|line| line.trim().strip_prefix("Depends: linux-image-"));
    let kernel = kernel.ok_or_else(|| Error::format(KERNEL, depends.trim()))?;
    run_logged(
        apt("apt-get").args(["download", &format!("linux-image-{kernel}")]),
        &log("kernel"),
    )?;
    for packages in ["cache/archives", "kernel"] {
        let packages = folder.join(packages);
        for entry in fs::read_dir(&packages).map_err(Error::file(&packages))?.flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "deb") {
                let mut unpack = Command::new("dpkg-deb");
                unpack.arg("-x").arg(entry.path()).arg(folder.join("root"));
                run_logged(&mut unpack, &log("unpack"))?;
            }
        }
        let _ = fs::remove_dir_all(&packages);
    }
    vmlinux(folder)?;
    write("ready", format!("linux-image-{kernel}\n"))
}

/// Takes the kernel out of the image that unpacks itself.
fn vmlinux(folder: &Path) -> Result<(), Error> {
    let boot = folder.join("root/boot");
    let images = fs::read_dir(&boot).map_err(Error::file(&boot))?.flatten().map(|e| e.path());
    let is_image = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-"))
    };
    let image = images.into_iter().find(is_image);
    let image = image.ok_or_else(|| Error::Other("the package has no kernel".into()))?;
    let bytes = fs::read(&image).map_err(Error::file(&image))?;
    let payload = payload(&bytes)
        .ok_or_else(|| Error::format(image.display().to_string(), "no zstd payload"))?;
    let packed = folder.join("vmlinux.zst");
    fs::write(&packed, payload).map_err(Error::file(&packed))?;
    let mut unpack = program(&folder.join("root"), "zstd");
    unpack
        .args(["--decompress", "--force", "--quiet", "-o"])
        .arg(folder.join("vmlinux"))
        .arg(&packed);
    run_logged(&mut unpack, &folder.join("log/vmlinux"))?;
    let _ = fs::remove_file(packed);
    Ok(())
}

/// The compressed kernel in a `bzImage`, by the fields of its set-up header (Linux, `x86/boot.rst`): sectors of set-up
/// code at 0x1f1, offset and length of the payload behind them at 0x248. Its last 4 bytes are its length unpacked.
fn payload(image: &[u8]) -> Option<&[u8]> {
    let word = |at: usize| {
        let bytes = image.get(at..at + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
    };
    let sectors = match image.get(0x1f1)? {
        0 => 4,
        sectors => usize::from(*sectors),
    };
    let start = (sectors + 1) * 512 + word(0x248)?;
    let payload = image.get(start..start.checked_add(word(0x24c)?)?)?;
    payload
        .starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
        .then(|| &payload[..payload.len().saturating_sub(4)])
}

/// A program of the unpacked packages with their own libraries.
fn program(root: &Path, name: &str) -> Command {
    let libraries = root.join("usr/lib/x86_64-linux-gnu");
    let mut command = Command::new(libraries.join("ld-linux-x86-64.so.2"));
    command.arg("--library-path").arg(&libraries).arg(root.join("usr/bin").join(name));
    command
}

impl Parts {
    /// Busybox needs no libraries.
    pub(super) fn busybox(&self) -> PathBuf {
        self.root.join("usr/bin/busybox")
    }

    /// A machine with an IOMMU, the card at `socket` and QEMU's `edu`.
    pub(super) fn machine(&self, socket: &Path, initrd: &Path) -> Command {
        let card = format!(
            r#"{{"driver":"vfio-user-pci","rombar":0,"socket":{{"type":"unix","path":"{}"}}}}"#,
            socket.display()
        );
        let mut qemu = program(&self.root, "qemu-system-x86_64");
        for folder in ["qemu", "seabios"] {
            qemu.arg("-L").arg(self.root.join("usr/share").join(folder));
        }
        // Never KVM: emulation is the same everywhere.
        qemu.args(["-accel", "tcg", "-cpu", "qemu64", "-m", "512"])
            .args(["-M", "q35,kernel-irqchip=split,memory-backend=memory"])
            .args(["-object", "memory-backend-memfd,id=memory,size=512M,share=on"])
            .args([
                "-nodefaults",
                "-no-user-config",
                "-display",
                "none",
                "-serial",
                "stdio",
                "-no-reboot",
            ])
            .args(["-device", "intel-iommu,intremap=on,caching-mode=on", "-device", "edu"])
            .args(["-device", &card])
            .arg("-kernel")
            .arg(&self.vmlinux)
            .arg("-initrd")
            .arg(initrd)
            // On a busy machine the kernel's test of its timer sees too few ticks and gives up.
            .args([
                "-append",
                "console=ttyS0 intel_iommu=on quiet panic=-1 no_timer_check rdinit=/init",
            ]);
        qemu
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_is_where_the_header_says() {
        let mut image = vec![0; 0x2000];
        image[0x1f1] = 3;
        image[0x248..0x24c].copy_from_slice(&0x100u32.to_le_bytes());
        image[0x24c..0x250].copy_from_slice(&20u32.to_le_bytes());
        assert_eq!(payload(&image), None, "not zstd");
        image[0x900..0x904].copy_from_slice(&[0x28, 0xb5, 0x2f, 0xfd]);
        assert_eq!(payload(&image).map(<[u8]>::len), Some(16));
        image[0x24c..0x250].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(payload(&image), None);
        assert_eq!(payload(&image[..100]), None);
    }
}
