//! `mattock export`: a card packaged for other flows.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use fpga_boards::export::{fusesoc, ipxact, package_ip, project};
use mattock_spec::regs::BAR0_BYTES;
use serde::Serialize;

use crate::board::find;
use crate::card::CardOptions;
use crate::error::Failure;
use crate::files::write_folder;
use crate::output::Output;
use crate::synth::hand_over;

const ASKED: &str = "export";

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    card: CardOptions,
    /// What to write
    #[arg(long, value_enum)]
    format: Format,
    /// Board of a Vivado project
    #[arg(long, value_name = "BOARD", required_if_eq("format", "vivado"))]
    board: Option<String>,
    /// Folder to write; what it held is replaced
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// FuseSoC: a `.core` file
    Fusesoc,
    /// IP-XACT: an IEEE 1685-2014 component
    Ipxact,
    /// Vivado: a script that makes an IP
    VivadoIp,
    /// Vivado: a project for --board, with PCIe bridge or serial port
    Vivado,
}

#[derive(Serialize)]
struct Report {
    out: String,
    top: String,
    files: Vec<String>,
}

pub(crate) fn run(options: &Options, output: Output) -> Result<(), Failure> {
    let board = options.board.as_deref().map(|name| find(ASKED, "--board", name)).transpose()?;
    let chosen = options.card.choose(ASKED)?;
    let (design, _) = hand_over(&chosen, None, output)?;
    let mut files = design.files.clone();
    match (options.format, board) {
        (Format::Fusesoc, _) => files.push(fusesoc(&design)),
        (Format::Ipxact, _) => {
            let component = ipxact(&design, BAR0_BYTES);
            files.push(component.map_err(|error| Failure::file(ASKED, &options.out, &error))?);
        }
        (Format::VivadoIp, _) => files.push(package_ip(&design)),
        (Format::Vivado, Some(board)) => {
            files = project(board, &design, BAR0_BYTES).map_err(|error| {
                Failure::new(ASKED, error)
                    .next("choose another board or card; see `mattock boards`")
            })?;
        }
        (Format::Vivado, None) => {
            return Err(Failure::new(ASKED, "`--board` is missing").usage());
        }
    }
    refuse_foreign(&options.out)?;
    write_folder(ASKED, &options.out, &files)?;
    let report = Report {
        out: options.out.display().to_string(),
        top: design.top.clone(),
        files: files.into_iter().map(|(name, _)| name).collect(),
    };
    output.result(&report, || {
        format!("wrote {} files in {}; top module {}\n", report.files.len(), report.out, report.top)
    });
    Ok(())
}

/// A folder with other things in it than an export writes is not replaced.
fn refuse_foreign(folder: &std::path::Path) -> Result<(), Failure> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    let ours = ["v", "tcl", "xdc", "core", "xml"];
    let foreign = entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| !path.extension().is_some_and(|end| ours.iter().any(|known| end == *known)));
    match foreign {
        None => Ok(()),
        Some(path) => Err(Failure::argument(
            ASKED,
            "--out",
            format!("{}, which holds {}", folder.display(), path.display()),
        )
        .allowed("a folder that is new, empty, or made by `mattock export`")
        .next("choose another folder, or move the file away")),
    }
}
