//! `mattock doctor pci`: every link between a process and a PCI card, in order, up to the first broken one.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use mattock::selftest::{Outcome, SelfCheck};
use mattock::{Device, Error};
use pcie_mmap::bind::VFIO_PCI;
use pcie_mmap::{Address, checks};
use serde::Serialize;

use crate::bind::address;
use crate::error::Failure;
use crate::output::Output;
use crate::selftest::Line;

/// Class of processing accelerators, as the kernel shows it without the interface.
const ACCELERATOR: u32 = 0x12_00;

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Address of the card, such as 0000:03:00.0 [default: the candidates of this machine]
    #[arg(value_name = "ADDRESS")]
    address: Option<String>,
}

/// What `--json` prints for each card; the keys are stable.
#[derive(Serialize)]
struct Report {
    address: Option<String>,
    ok: bool,
    /// The first link that does not hold.
    broken: Option<&'static str>,
    links: Vec<Line>,
}

pub(crate) fn run(options: &Options, output: Output) -> Result<ExitCode, Failure> {
    let found = match &options.address {
        Some(text) => Some(address("doctor pci", text)?),
        None => candidate()?,
    };
    let links = found.map_or_else(|| vec![no_card()], links);
    let broken = links.iter().find(|link| link.verdict == "FAILED").map(|link| link.name);
    let ok = broken.is_none();
    let report = Report { address: found.map(|found| found.to_string()), ok, broken, links };
    output.result(&report, || {
        let text: String = report.links.iter().map(Line::text).collect();
        let end = match (report.broken, found) {
            (Some(link), _) => format!("\nthe first broken link is: {link}\n"),
            (None, Some(address)) => format!("\npci:{address} can be used\n"),
            (None, None) => String::new(),
        };
        text + &end
    });
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The one device that may be a card: bound to `vfio-pci`, or an accelerator.
fn candidate() -> Result<Option<Address>, Failure> {
    let bound = |address: &Address| address.driver().as_deref() == Some(VFIO_PCI);
    let accelerator =
        |address: &Address| address.number("class").is_some_and(|class| class >> 8 == ACCELERATOR);
    let all = Address::all();
    let found: Vec<Address> = all.into_iter().filter(|a| bound(a) || accelerator(a)).collect();
    match found[..] {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        _ => {
            let names: Vec<String> = found.iter().map(ToString::to_string).collect();
            Err(Failure::new("doctor pci", "several devices may be the card")
                .allowed(names.join(", "))
                .next("name one of them"))
        }
    }
}

fn line(name: &'static str, outcome: Outcome) -> Line {
    Line::of(&SelfCheck { name, outcome, time: Duration::ZERO })
}

fn no_card() -> Line {
    let what = "no device is bound to vfio-pci and none is an accelerator: is the card in its slot \
                and configured? name its address, from `lspci -D`, when it is";
    line("bus", Outcome::Failed(what.into()))
}

fn links(address: Address) -> Vec<Line> {
    let mut lines = vec![];
    for check in checks(address) {
        let outcome = match check.result {
            Ok(seen) => Outcome::Passed(seen),
            Err(error) => Outcome::Failed(error.to_string()),
        };
        lines.push(line(check.name, outcome));
    }
    if lines.iter().any(|line| line.verdict == "FAILED") {
        return lines;
    }
    let card = match Device::open(&format!("pci:{address}")) {
        Ok(card) => card,
        Err(error) => {
            let name = match &error {
                Error::DeviceLost { .. } | Error::IdMismatch { .. } => "magic",
                Error::VersionMismatch { .. } => "version",
                Error::Capability(_) => "capabilities",
                Error::Busy { .. } => "owner",
                _ => "bar",
            };
            lines.push(line(name, Outcome::Failed(error.to_string())));
            return lines;
        }
    };
    let caps = card.capabilities();
    let engines = [("gemm", caps.gemm.is_some()), ("spgemm", caps.spgemm.is_some())];
    let engines = engines.iter().filter(|(_, there)| *there).map(|(name, _)| *name);
    let seen = format!(
        "register map 0.{}, {}",
        caps.version_minor,
        engines.collect::<Vec<_>>().join(" and ")
    );
    lines.push(line("bar", Outcome::Passed("registers are mapped".into())));
    lines.push(line("magic", Outcome::Passed("a card of ours".into())));
    lines.push(line("version", Outcome::Passed(seen)));
    // The self-test's identity check has been made.
    card.selftest(|check| {
        if check.name != "identity" {
            lines.push(Line::of(check));
        }
    });
    lines
}
