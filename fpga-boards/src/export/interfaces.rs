//! The buses of a design, found by the names of its ports.

use crate::{Design, Direction, Port};

/// A bus of a design.
#[derive(Debug)]
pub(super) struct Interface<'a> {
    /// Name: the prefix of its ports without the underscore.
    pub(super) name: String,
    /// Whether the design is the master.
    pub(super) master: bool,
    /// Its ports: name in the bus definition (`AWADDR`), and the port.
    pub(super) ports: Vec<(String, &'a Port)>,
    /// Width of an address.
    pub(super) address_bits: u32,
}

/// The AXI4-Lite slave and the AXI4 masters of a design.
pub(super) fn interfaces(design: &Design) -> Vec<Interface<'_>> {
    let mut prefixes = Vec::new();
    if design.has("s_axi_awaddr", Direction::Input) {
        prefixes.push(("s_axi_".to_owned(), false));
    }
    prefixes.extend(design.masters().into_iter().map(|prefix| (prefix, true)));
    let interface = |(prefix, master): (String, bool)| {
        let ports = design.ports.iter().filter_map(|port| {
            Some((port.name.strip_prefix(prefix.as_str())?.to_ascii_uppercase(), port))
        });
        Interface {
            name: prefix.trim_end_matches('_').to_owned(),
            master,
            ports: ports.collect(),
            address_bits: design.width(&format!("{prefix}awaddr")),
        }
    };
    prefixes.into_iter().map(interface).collect()
}
