//! Bundles: groups of flat ports under one prefix.
//!
//! A bundle exists only while building. [`Stream`] is a valid/ready channel; [`AxiLite`] and [`Axi4`] are
//! five such channels with the names of the AXI specification (Arm IHI 0022): prefix `s_axil` makes ports
//! `s_axil_awaddr`, `s_axil_awvalid`, ... Instances are joined by prefix, whatever the bundle:
//! [`connect`] between two instances, [`expose`] to ports of the module around.

mod axi;
mod stream;

pub use axi::{
    Axi4, Axi4Config, Axi4Master, Axi4Slave, AxiLite, AxiLiteConfig, AxiLiteMaster, AxiLiteSlave,
};
pub use stream::{Stream, StreamIn, StreamOut};

use crate::ir::Direction;
use crate::{Builder, Instance};

/// Joins all ports of `a` that start with `prefix_a` to those of `b` with the same rest behind `prefix_b`:
/// outputs of each to inputs of the other. A port without a partner is an error of that port: an input
/// stays undriven; an output of `a` without an input on `b` is reported as a missing port.
#[track_caller]
pub fn connect<'m>(a: Instance<'m>, prefix_a: &str, b: Instance<'m>, prefix_b: &str) {
    for (from, from_prefix, to, to_prefix) in
        [(a, prefix_a, b, prefix_b), (b, prefix_b, a, prefix_a)]
    {
        for (name, direction, _) in from.ports() {
            if direction == Direction::Output
                && let Some(rest) = name.strip_prefix(from_prefix)
            {
                to.set(&format!("{to_prefix}{rest}"), from.get(&name));
            }
        }
    }
}

/// Makes a port of the module being built for every port of `inst` that starts with `prefix`, named
/// `new_prefix` and the same rest, and joins the two.
#[track_caller]
pub fn expose<'m>(m: &'m Builder, inst: Instance<'m>, prefix: &str, new_prefix: &str) {
    for (name, direction, ty) in inst.ports() {
        let Some(rest) = name.strip_prefix(prefix) else { continue };
        let outer = format!("{new_prefix}{rest}");
        match direction {
            Direction::Input => {
                inst.set(&name, m.input(&outer, ty));
            }
            Direction::Output => m.output(&outer, inst.get(&name)),
        }
    }
}
