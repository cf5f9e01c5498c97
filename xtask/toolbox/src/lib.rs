//! The outside tools of the project, in one table: what each is for, the oldest version that
//! works, where it is looked for and how to get it.
//!
//! [`Toolbox::find`] looks for a tool in this order and takes the first that is new enough:
//! 1. the tool's override variable (`MATTOCK_YOSYS=/opt/yosys/bin/yosys`), and then nothing else;
//! 2. the project's tool folder: `$MATTOCK_TOOLS`, or `.tools` in the checkout;
//! 3. `PATH`.
//!
//! `cargo xtask setup` fills the tool folder from this table, `mattock doctor` prints
//! [`Toolbox::report`].
//!
//! ```no_run
//! let toolbox = mattock_toolbox::Toolbox::open();
//! let mut yosys = toolbox.yosys()?;
//! yosys.args(["-p", "read_verilog top.v"]).status().unwrap();
//! # Ok::<(), mattock_toolbox::Missing>(())
//! ```

mod commands;
mod find;
mod probe;
mod report;
mod requirements;
mod table;
mod toolbox;
mod version;

pub use commands::{Verilator, Verilators};
pub use find::{Found, Missing, Source};
pub use report::{Row, Status};
pub use requirements::{REQUIREMENTS, SYNTH_REQUIREMENTS, pinned};
pub use table::{Get, Job, Probe, Program, TOOLS, Tool, tool};
pub use toolbox::Toolbox;
pub use version::Version;
