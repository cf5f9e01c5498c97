//! `mattock program`: gets a bitstream onto a board, with openFPGALoader.

use std::path::PathBuf;
use std::process::Command;

use clap::Args;
use mattock_toolbox::Toolbox;
use serde::Serialize;

use crate::board::{BoardOption, folder};
use crate::error::Failure;
use crate::output::Output;
use crate::progress::Progress;

const ASKED: &str = "program";

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    board: BoardOption,
    /// Bitstream [default: the one `mattock synth` made of --config]
    #[arg(value_name = "FILE", required_unless_present = "config")]
    bitstream: Option<PathBuf>,
    /// Card whose bitstream is in build/<card>-<board>
    #[arg(long, value_name = "NAME", conflicts_with = "bitstream")]
    config: Option<String>,
    /// Write it to the board's flash, to be there after the power was off
    #[arg(long)]
    flash: bool,
}

#[derive(Serialize)]
struct Report {
    board: &'static str,
    bitstream: String,
    command: String,
}

pub(crate) fn run(options: &Options, output: Output) -> Result<(), Failure> {
    let board = options.board.find(ASKED)?;
    let bitstream = match (&options.bitstream, &options.config) {
        (Some(path), _) => path.clone(),
        (None, config) => {
            let card = config.as_deref().unwrap_or_default();
            let folder = folder(card, board);
            let made = ["bit", "bin", "fs"].map(|end| folder.join(format!("{card}.{end}")));
            made.into_iter().find(|path| path.is_file()).ok_or_else(|| {
                Failure::new(ASKED, format!("there is no bitstream in {}", folder.display())).next(
                    format!("make it with `mattock synth --config {card} --board {}`", board.id),
                )
            })?
        }
    };
    if !bitstream.is_file() {
        return Err(Failure::new(ASKED, format!("there is no file {}", bitstream.display()))
            .next("give the bitstream that `mattock synth` made"));
    }
    let Some(words) = &board.program.openfpgaloader else {
        return Err(Failure::new(ASKED, format!("openFPGALoader does not know {}", board.id))
            .next(format!("use {}", board.program.otherwise.join(", or "))));
    };
    let flash = options.flash.then_some("--write-flash");
    let file = bitstream.display().to_string();
    let args: Vec<&str> =
        words.iter().map(String::as_str).chain(flash).chain([file.as_str()]).collect();
    let report = Report {
        board: board.id,
        bitstream: file.clone(),
        command: format!("openFPGALoader {}", args.join(" ")),
    };
    let found = Toolbox::open().find_named("openFPGALoader").map_err(|missing| {
        Failure::new(ASKED, missing)
            .next(format!("when it is there, this will run: {}", report.command))
    })?;
    let status = {
        let _progress = Progress::start(output, format!("loading {file} onto {}", board.id));
        Command::new(&found.path).args(&args).stdout(std::io::stderr()).status()
    };
    match status {
        Ok(status) if status.success() => {
            output.result(&report, || format!("{} is on {}\n", report.bitstream, report.board));
            Ok(())
        }
        Ok(status) => Err(Failure::new(ASKED, format!("`{}` failed ({status})", report.command))
            .next("is the board connected, and may you use its USB device?")),
        Err(error) => Err(Failure::file(ASKED, &found.path, &error)),
    }
}
