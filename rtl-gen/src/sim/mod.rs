//! Simulation: the interpreter of the IR, and the trait that every simulator of a design offers.
//!
//! [`Interpreter`] runs a checked [`crate::Design`] without a compile step. A bench written over
//! [`Simulator`] runs on it and on a Verilated model alike.
//!
//! ```
//! use rtl_gen::{Builder, Design, Interpreter, Module, bit, uint};
//!
//! #[derive(Debug)]
//! struct Counter;
//! impl Module for Counter {
//!     fn name(&self) -> String { "counter".into() }
//!     fn build(&self, m: &Builder) {
//!         let up = m.input("up", bit());
//!         let count = m.state("count", uint(8), 0);
//!         count.drive_when(up, count.q().inc());
//!         m.output("value", count.q());
//!     }
//! }
//!
//! let mut sim = Interpreter::new(&Design::elaborate(&Counter)?)?;
//! sim.set("rst", 1);
//! sim.tick();
//! sim.set("rst", 0);
//! sim.set("up", 1);
//! sim.tick();
//! sim.tick();
//! assert_eq!(sim.get("value"), 2);
//! assert_eq!(sim.peek("count").map(|v| v.to_u64()), Some(2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod emit;
mod flatten;
mod interpreter;
mod kernel;
mod lower;
mod memory;
mod probe;
mod registers;
mod schedule;
mod trace;
mod wide;

pub use interpreter::{Interpreter, Options, PortRef, Start};
pub use trace::{TraceError, TraceFormat, TraceOptions, TraceSignals};
pub(crate) use wide::evaluate;

use std::fmt;

/// A port of the top module: its index in the port list of [`crate::Design::top`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PortId(pub usize);

/// Why a design cannot be simulated.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// A black box brings no behaviour.
    #[error(
        "`{path}` is the black box `{module}`, which has no model: give it one, or simulate its Verilog"
    )]
    NoModel {
        /// Instance path.
        path: String,
        /// Verilog name of the box.
        module: String,
    },
    /// Logic that waits for itself.
    #[error("combinational loop through `{path}`")]
    Loop {
        /// Path of the module in which it was noticed.
        path: String,
    },
}

/// An assertion that did not hold at a clock edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssertionFailure {
    /// Path of the module, `top/fifo`.
    pub path: String,
    /// Label given to [`crate::Builder::assert`].
    pub label: String,
    /// Clock edges simulated before this one.
    pub cycle: u64,
}

impl fmt::Display for AssertionFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "assertion `{}.{}` failed at cycle {}", self.path, self.label, self.cycle)
    }
}

/// What a bench needs of a simulator of a design.
///
/// Values are bit patterns, least significant bit (or word) first; bits past the width of a port are dropped
/// when set and 0 when got.
pub trait Simulator {
    /// The top-level port of that name, clocks included.
    fn try_port(&self, name: &str) -> Option<PortId>;

    /// Width of a port in bits.
    fn width(&self, port: PortId) -> u32;

    /// Drives an input of at most 64 bits; of a wider one the low 64, the rest becomes 0.
    fn set(&mut self, port: PortId, value: u64);

    /// Drives an input of any width.
    fn set_words(&mut self, port: PortId, words: &[u32]);

    /// The low 64 bits of a port.
    fn get(&mut self, port: PortId) -> u64;

    /// All bits of a port; words past its width become 0.
    fn get_words(&mut self, port: PortId, words: &mut [u32]);

    /// Settles the combinational logic.
    fn eval(&mut self);

    /// One rising edge of all clocks together.
    fn tick(&mut self);

    /// The first assertion that failed, when one has.
    fn failure(&self) -> Option<AssertionFailure>;

    /// The top-level port of that name.
    ///
    /// # Panics
    /// When the design has no such port: a mistake of the bench.
    fn port(&self, name: &str) -> PortId {
        self.try_port(name).unwrap_or_else(|| panic!("the design has no port `{name}`"))
    }

    /// The value of a port of at most 64 bits, its top bit taken as the sign.
    fn get_i64(&mut self, port: PortId) -> i64 {
        let spare = 64 - self.width(port).min(64);
        ((self.get(port) << spare) as i64) >> spare
    }
}
