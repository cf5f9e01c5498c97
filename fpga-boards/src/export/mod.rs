//! A design packaged for other people's flows: each a list of files beside its Verilog.
//!
//! [`fusesoc()`]: a `.core` file. [`ipxact()`]: an IEEE 1685-2014 component. [`package_ip`]: a Tcl script
//! that makes a Vivado IP; [`project`]: for an AMD board a whole project around it.

mod fusesoc;
mod interfaces;
mod ipxact;
mod vivado;
mod xdc;

pub use fusesoc::fusesoc;
pub use ipxact::ipxact;
pub use vivado::{package_ip, project};

/// Vendor and library of the names we give.
const VENDOR: &str = "mattock";
const LIBRARY: &str = "cards";
const VERSION: &str = "0.1.0";

#[cfg(test)]
mod tests;
