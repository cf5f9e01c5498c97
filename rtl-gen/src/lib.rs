//! An embedded hardware description language: a typed intermediate representation with
//! build-time checks, a printer of readable Verilog-2005 and an interpreter on the same IR.
//!
//! All sizes are run-time integers, so a generator is ordinary Rust. A module is a plain
//! struct of parameters that implements [`Module`]; its `build` draws signals on a
//! [`Builder`]; [`Design::elaborate`] builds the tree, checks it and returns either a
//! [`Design`] or the list of [`BuildError`]s, each naming the module path, the signal and
//! the line of Rust that made it.
//!
//! ```
//! use rtl_gen::{Builder, Design, Module, sint, bit};
//!
//! /// `acc <= first ? a * b : acc + a * b`
//! #[derive(Debug)]
//! struct Mac { width: u32 }
//!
//! impl Module for Mac {
//!     fn name(&self) -> String { format!("mac_w{}", self.width) }
//!     fn build(&self, m: &Builder) {
//!         let (first, valid) = (m.input("first", bit()), m.input("valid", bit()));
//!         let (a, b) = (m.input("a", sint(self.width)), m.input("b", sint(self.width)));
//!         let product = (a * b).named("product").sext(32);
//!         let acc = m.reg_decl("acc", sint(32));
//!         acc.drive_when(valid, first.mux(product, acc.q().add_wrap(product)));
//!         m.output("sum", acc.q());
//!     }
//! }
//!
//! let design = Design::elaborate(&Mac { width: 8 })?;
//! assert!(design.verilog()[0].text.contains("acc <= "));
//! # Ok::<(), rtl_gen::BuildErrors>(())
//! ```
//!
//! The node list of [`ir::Op`] is frozen: anything else is a builder function.

mod builder;
pub mod bundle;
mod census;
mod check;
mod error;
mod fold;
pub mod ir;
mod library;
mod mem;
mod path;
mod sig;
pub mod sim;
mod types;
mod value;
mod verilog;

pub use builder::{Builder, Domain, Forward, Reg};
pub use census::{Census, MemoryKind};
pub use error::{BuildError, BuildErrors, ErrorKind};
pub use library::{BlackBox, BlackBoxModel, Design, Instance, Module};
pub use mem::{Collision, Mem, MemSpec, RamStyle};
pub use path::Delays;
pub use sig::{Sig, all, any, case, cat, mux, one_hot_mux};
pub use sim::Interpreter;
pub use types::{Type, bit, bits, index_width, sint, uint};
pub use value::Value;
pub use verilog::VerilogFile;
