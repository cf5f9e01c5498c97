//! `mattock bind` and `mattock unbind`: a PCI card is given to user space, and back to its driver.

use clap::Args;
use pcie_mmap::{Address, bind};
use serde::Serialize;

use crate::error::Failure;
use crate::output::Output;

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Address of the card, such as 0000:03:00.0
    #[arg(value_name = "ADDRESS")]
    address: String,
}

/// What `--json` prints; the keys are stable.
#[derive(Serialize)]
struct Report {
    address: String,
    from: Option<String>,
    to: Option<String>,
}

/// Reads the address of a PCI device.
///
/// # Errors
/// It is none.
pub(crate) fn address(asked: &str, text: &str) -> Result<Address, Failure> {
    text.parse().map_err(|_| {
        Failure::argument(asked, "ADDRESS", format!("{text:?}"))
            .allowed("domain:bus:device.function in hexadecimal, such as 0000:03:00.0")
            .next("list the devices with `lspci -D`, or candidates with `mattock doctor pci`")
            .usage()
    })
}

pub(crate) fn run(options: &Options, give: bool, output: Output) -> Result<(), Failure> {
    let name = if give { "bind" } else { "unbind" };
    let address = address(name, &options.address)?;
    let moved = if give { bind::bind(address) } else { bind::unbind(address) };
    let moved = moved.map_err(|error| {
        let next = match error {
            pcie_mmap::Error::Permission { .. } => "run it as root, once",
            _ => "see `mattock doctor pci`",
        };
        Failure::new(name, error).next(next)
    })?;
    let report = Report { address: address.to_string(), from: moved.from, to: moved.to };
    output.result(&report, || {
        let driver = |name: &Option<String>| name.clone().unwrap_or_else(|| "no driver".into());
        format!("{}: from {} to {}\n", report.address, driver(&report.from), driver(&report.to))
    });
    Ok(())
}
