//! From Verilog text to a loaded library.

use std::{
    fs,
    path::{Component, Path},
};

use crate::{
    cache::{self, Key, doing},
    error::BuildError,
    header,
    library::{Built, Library},
    port::{Port, check_declared},
    process,
    toolchain::Toolchain,
};

const SHIM: &str = include_str!("shim.cpp");
const WAIVERS: &str = "waivers.vlt";
const LOG: &str = "build.log";

/// Which coverage counters to build in. Their cost is large: see each variant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Coverage {
    /// None.
    #[default]
    Off,
    /// Lines, branches and `cover` statements; several times slower.
    Line,
    /// Also every bit of every signal; a hundred times slower, for small designs only.
    LineAndToggle,
}

/// What to build.
///
/// Verilator's warnings are errors, as it has them by default: waive the intended ones in `waivers`. The model runs on
/// one thread, with assertions on, and every variable that Verilog leaves undefined starts at a fixed value.
#[derive(Clone, Debug, Default)]
pub struct Build {
    /// Name of the top module.
    pub top: String,
    /// File name and Verilog text of each source, in order. Names are relative and appear in messages.
    pub sources: Vec<(String, String)>,
    /// Ports the caller relies on; each must exist with this direction and width. Others are allowed.
    pub ports: Vec<Port>,
    /// Build in FST traces ([`Model::trace_open`](crate::Model::trace_open)); nearly free until one is open.
    pub trace: bool,
    /// Build in coverage counters.
    pub coverage: Coverage,
    /// Text of a Verilator configuration file (`.vlt`) with lint waivers.
    pub waivers: Option<String>,
    /// Files written beside the sources for `` `include ``.
    pub extra_files: Vec<(String, Vec<u8>)>,
    /// Time unit and precision of sources that state none, such as `1ns/1ps`.
    pub timescale: Option<String>,
    /// Further arguments for Verilator, such as `-DSIM` or `-GWIDTH=8`.
    pub flags: Vec<String>,
}

impl Build {
    /// A build of module `top` from one file, with everything optional off.
    pub fn new(top: impl Into<String>, text: impl Into<String>) -> Self {
        let top = top.into();
        let file = format!("{top}.v");
        Self { top, sources: vec![(file, text.into())], ..Self::default() }
    }

    /// Compiles the model, or takes it from `cache`, and loads it.
    ///
    /// The first build takes seconds; with an unchanged description and unchanged tools the next ones take
    /// milliseconds. Several processes and threads may share the cache folder.
    ///
    /// # Errors
    /// [`BuildError`]; when a tool fails it has the first lines of the tool's message and the path of the log.
    pub fn build(&self, tools: &Toolchain, cache: impl AsRef<Path>) -> Result<Library, BuildError> {
        self.check()?;
        let name = format!("{}-{}", self.top, self.key(tools));
        let (library, from_cache) =
            cache::get_or_build(cache.as_ref(), &name, |work| self.compile(tools, work))?;
        let built = Built {
            top: &self.top,
            ports: &self.ports,
            trace: self.trace,
            coverage: self.coverage != Coverage::Off,
            from_cache,
        };
        Library::load(&library, &built)
    }

    /// Finds what would otherwise confuse a tool or write outside the work folder.
    fn check(&self) -> Result<(), BuildError> {
        let problem =
            |problem: String| Err(BuildError::Description { top: self.top.clone(), problem });
        let mut letters = self.top.chars();
        if !letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            || !letters.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$')
        {
            return problem("the top module's name is not a Verilog identifier".to_owned());
        }
        if self.sources.is_empty() {
            return problem("there is no source".to_owned());
        }
        let mut seen = Vec::new();
        let names = self.sources.iter().map(|(name, _)| name);
        for name in names.chain(self.extra_files.iter().map(|(name, _)| name)) {
            let path = Path::new(name);
            if name.is_empty()
                || name.starts_with(['-', '+'])
                || path.components().any(|part| !matches!(part, Component::Normal(_)))
            {
                return problem(format!("file name {name:?} is not a plain relative name"));
            }
            if name == WAIVERS || seen.contains(&name) {
                return problem(format!("file name {name:?} is used twice"));
            }
            seen.push(name);
        }
        if let Some(scale) = &self.timescale
            && !scale.chars().all(|c| c.is_ascii_alphanumeric() || c == '/')
        {
            return problem(format!("timescale {scale:?} is not of the form 1ns/1ps"));
        }
        Ok(())
    }

    /// Hash of all that decides the library. Declared ports only check it, so they are left out.
    fn key(&self, tools: &Toolchain) -> String {
        let mut key = Key::new();
        tools.fingerprint().iter().for_each(|part| key.add(part));
        key.add(SHIM);
        for flags in [self.verilator_flags(), self.compiler_flags(tools)] {
            key.add((flags.len() as u64).to_le_bytes());
            flags.iter().for_each(|flag| key.add(flag));
        }
        key.add(self.waivers.as_deref().unwrap_or_default());
        for (name, text) in &self.sources {
            key.add(name);
            key.add(text);
        }
        for (name, bytes) in &self.extra_files {
            key.add(name);
            key.add(bytes);
        }
        key.finish()
    }

    fn compile(&self, tools: &Toolchain, work: &Path) -> Result<(), BuildError> {
        let sources = work.join("src");
        let texts = self.sources.iter().map(|(name, text)| (name.as_str(), text.as_bytes()));
        let extras = self.extra_files.iter().map(|(name, bytes)| (name.as_str(), &bytes[..]));
        let waivers = self.waivers.iter().map(|text| (WAIVERS, text.as_bytes()));
        for (name, bytes) in texts.chain(extras).chain(waivers) {
            write(&sources.join(name), bytes)?;
        }
        self.verilate(tools, work, &sources)?;
        self.write_unit(work)?;
        self.compile_unit(tools, work)?;
        for folder in ["obj", "unit"] {
            let folder = work.join(folder);
            fs::remove_dir_all(&folder).map_err(doing("removing", &folder))?;
        }
        Ok(())
    }

    fn verilator_flags(&self) -> Vec<String> {
        let mut flags: Vec<String> = "--cc -O3 --x-assign fast --x-initial fast --assert \
                                      --no-timing -I. --prefix Vmodel -Mdir ../obj"
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        flags.extend(["--top-module".to_owned(), self.top.clone()]);
        if self.trace {
            flags.push("--trace-fst".to_owned());
        }
        if self.coverage != Coverage::Off {
            flags.extend(["--coverage-line".to_owned(), "--coverage-user".to_owned()]);
        }
        if self.coverage == Coverage::LineAndToggle {
            flags.push("--coverage-toggle".to_owned());
        }
        if let Some(scale) = &self.timescale {
            flags.extend(["--timescale".to_owned(), scale.clone()]);
        }
        flags.extend(self.flags.iter().cloned());
        flags
    }

    fn verilate(&self, tools: &Toolchain, work: &Path, sources: &Path) -> Result<(), BuildError> {
        let log = work.join(LOG);
        let mut command = tools.verilator_command();
        command.current_dir(sources).args(self.verilator_flags());
        command.args(self.waivers.iter().map(|_| WAIVERS));
        command.args(self.sources.iter().map(|(name, _)| name));
        let ran = process::run(&mut command, &log)?;
        if ran.success {
            return Ok(());
        }
        let message = process::message(&ran.text);
        Err(BuildError::Verilate { top: self.top.clone(), message, log })
    }

    /// Writes the shim and the two files it includes: the list of C++ files and the port table.
    fn write_unit(&self, work: &Path) -> Result<(), BuildError> {
        let obj = work.join("obj");
        let class = obj.join("Vmodel.h");
        let text = fs::read_to_string(&class).map_err(doing("reading", &class))?;
        let members = header::members(&text);
        let ports: Vec<Port> = members.iter().map(|member| member.port.clone()).collect();
        check_declared(&self.top, &self.ports, &ports)?; // before the slow step

        let makefile = obj.join("Vmodel_classes.mk");
        let text = fs::read_to_string(&makefile).map_err(doing("reading", &makefile))?;
        let mut files: Vec<String> = runtime_files(&text);
        let mut generated = Vec::new();
        for entry in fs::read_dir(&obj).map_err(doing("reading", &obj))? {
            let name = entry.map_err(doing("reading", &obj))?.file_name();
            generated
                .extend(name.to_str().filter(|name| name.ends_with(".cpp")).map(str::to_owned));
        }
        generated.sort();
        files.append(&mut generated);
        let includes: String = files.iter().map(|file| format!("#include \"{file}\"\n")).collect();

        let unit = work.join("unit");
        write(&unit.join("shim.cpp"), SHIM.as_bytes())?;
        write(&unit.join("model_sources.inc"), includes.as_bytes())?;
        write(&unit.join("model_ports.inc"), header::port_table(&members).as_bytes())
    }

    fn compiler_flags(&self, tools: &Toolchain) -> Vec<String> {
        let coverage = u8::from(self.coverage != Coverage::Off);
        let trace = u8::from(self.trace);
        let mut flags: Vec<String> =
            "-std=gnu++17 -O1 -fPIC -shared -pthread -w -fvisibility=hidden \
             -DVL_TIME_CONTEXT -DVM_SC=0 -DVM_TRACE_VCD=0 -Iobj -Iunit"
                .split_whitespace()
                .map(str::to_owned)
                .collect();
        flags.push(format!("-DVM_COVERAGE={coverage}"));
        flags.push(format!("-DVM_TRACE={trace}"));
        flags.push(format!("-DVM_TRACE_FST={trace}"));
        if tools.needs_no_gnu_unique() {
            flags.push("-fno-gnu-unique".to_owned());
        }
        flags.push(format!("-I{}", tools.include_dir().display()));
        flags.push(format!("-I{}", tools.include_dir().join("vltstd").display()));
        flags
    }

    fn compile_unit(&self, tools: &Toolchain, work: &Path) -> Result<(), BuildError> {
        let log = work.join(LOG);
        let mut command = tools.compiler_command();
        command.current_dir(work).args(self.compiler_flags(tools));
        command.args(["unit/shim.cpp", "-o", cache::LIBRARY]);
        if self.trace {
            command.arg("-lz");
            // The FST writer of later Verilators is their own and leaves LZ4 to the system.
            if tools.include_dir().join("fstcpp").is_dir() {
                command.arg("-llz4");
            }
        }
        let ran = process::run(&mut command, &log)?;
        if ran.success {
            return Ok(());
        }
        let top = self.top.clone();
        if let Some((missing, package)) = missing_library(&ran.text) {
            return Err(BuildError::MissingLibrary { top, missing, package, log });
        }
        let message = process::message(&ran.text);
        Err(BuildError::Compile { top, message, log })
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(doing("creating", folder))?;
    }
    fs::write(path, bytes).map_err(doing("writing", path))
}

/// C++ files of Verilator's runtime that the model asks for, from its makefile fragment.
fn runtime_files(makefile: &str) -> Vec<String> {
    let mut files = Vec::new();
    let mut wanted = false;
    for line in makefile.lines() {
        if let Some((variable, _)) = line.split_once("+=") {
            wanted = variable.starts_with("VM_GLOBAL_");
        } else if wanted {
            let name = line.trim().trim_end_matches('\\').trim_end();
            if name.is_empty() {
                wanted = false;
            } else {
                files.push(format!("{name}.cpp"));
            }
        }
    }
    files
}

/// The header or library a failed compilation lacked, and the Debian package that has it.
fn missing_library(text: &str) -> Option<(String, &'static str)> {
    for (header, library, package) in
        [("zlib.h", "-lz", "zlib1g-dev"), ("lz4.h", "-llz4", "liblz4-dev")]
    {
        for line in text.lines() {
            let names = |what: &str| line.split([' ', '\'', ':']).any(|word| word == what);
            if (line.contains("No such file") || line.contains("file not found")) && names(header) {
                return Some((header.to_owned(), package));
            }
            if (line.contains("cannot find") || line.contains("unable to find")) && names(library) {
                return Some((library.to_owned(), package));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtime_files_come_from_both_global_lists() {
        let text = "VM_CLASSES_FAST += \\\n\tVmodel \\\n\n# x\nVM_GLOBAL_FAST += \\\n\tverilated \\\n\
                    \tverilated_fst_c \\\n\n# y\nVM_GLOBAL_SLOW += \\\n\tverilated_dpi \\\n\n";
        let files = runtime_files(text);
        assert_eq!(files, ["verilated.cpp", "verilated_fst_c.cpp", "verilated_dpi.cpp"]);
    }

    #[test]
    fn missing_libraries_are_recognised() {
        let cases = [
            ("a.cpp:18:10: fatal error: lz4.h: No such file or directory", "liblz4-dev"),
            ("a.c:5:10: fatal error: 'zlib.h' file not found", "zlib1g-dev"),
            ("/usr/bin/ld: cannot find -lz: No such file or directory", "zlib1g-dev"),
            ("/usr/bin/ld: cannot find -llz4: No such file or directory", "liblz4-dev"),
        ];
        for (line, package) in cases {
            assert_eq!(missing_library(line).map(|found| found.1), Some(package), "{line}");
        }
        assert_eq!(missing_library("x.h: No such file or directory"), None);
    }

    #[test]
    fn bad_descriptions_are_refused() {
        let good = Build::new("top", "module top; endmodule");
        assert!(good.check().is_ok());
        let file =
            |name: &str| Build { sources: vec![(name.into(), String::new())], ..good.clone() };
        let twice = Build { extra_files: vec![("top.v".into(), Vec::new())], ..good.clone() };
        let bad = [
            Build::new("2top", ""),
            Build { sources: Vec::new(), ..good.clone() },
            file("../top.v"),
            file("/etc/top.v"),
            file("-Wno-fatal"),
            file(""),
            twice,
            Build { timescale: Some("1ns; rm".into()), ..good.clone() },
        ];
        let errors: Vec<String> =
            bad.iter().map(|build| build.check().unwrap_err().to_string()).collect();
        insta::assert_snapshot!(errors.join("\n"));
    }
}
