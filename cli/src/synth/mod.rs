//! `mattock synth`: a card's bitstream for a board.
//!
//! Says first whether the card will fit, then generates, synthesises, places, routes and packs, each step
//! only when what it reads has changed. The folder of the build holds the bitstream (only when it is whole
//! and every clock reaches its rate), `card.toml`, `report.html`, `result.json`, and the files and logs of the tools in
//! `work/`.
//!
//! ```text
//! $ mattock synth --config tiny --board ulx3s_85f
//! ```

mod design;
mod html;
mod report;
mod room;

use std::path::PathBuf;

use clap::Args;
use fpga_boards::fit::Fit;
use fpga_boards::flow::Options as FlowOptions;
use fpga_boards::{Board, Build, BuildError, Toolchain};
use mattock_spec::config::{MemoryConfig, SdramConfig};
use mattock_toolbox::Toolbox;

use crate::board::{BoardOption, folder};
use crate::card::{CardOptions, Chosen};
use crate::error::Failure;
use crate::files::write_file;
use crate::output::{Output, table};
use crate::progress::Progress;
use report::Report;

pub(crate) use design::{hand_over, ports};

const ASKED: &str = "synth";

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    card: CardOptions,
    #[command(flatten)]
    board: BoardOption,
    /// Clock of the card in MHz, in place of the configuration's
    #[arg(long, value_name = "MHZ", value_parser = crate::arguments::whole::<u32>)]
    clock: Option<u32>,
    /// Put matrices into the board's SDRAM chip, in place of the card's own memory
    #[arg(long)]
    sdram: bool,
    /// Seed of the placer
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// Folder of the build [default: build/<card>-<board>]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Begin even if the card seems too large for the board
    #[arg(long)]
    force: bool,
    /// Write the files and say what would be run; run nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(options: &Options, output: Output) -> Result<(), Failure> {
    let board = options.board.find(ASKED)?;
    let mut chosen = with_clock(options.card.choose(ASKED)?, options.clock)?;
    if options.sdram {
        chosen = with_sdram(chosen, board)?;
    }
    if !board.fpga.toolchain.is_open() {
        return Err(no_flow(board, &chosen));
    }
    let room = room::Room::of(&chosen, board, output)?;
    if !output.quiet {
        eprintln!("{}", room.line());
    }
    if let (Fit::Full { .. }, false) = (&room.fit, options.force) {
        return Err(room.refusal(&chosen, output));
    }
    let (design, macs) = hand_over(&chosen, Some(board.fpga.family), output)?;
    let out = options.out.clone().unwrap_or_else(|| folder(&chosen.config.name, board));
    let flow = FlowOptions { seed: options.seed };
    let build = Build::plan(board, &design, flow, &out).map_err(|error| {
        Failure::new(ASKED, error).next("choose another board, clock or card; see `mattock boards`")
    })?;
    if options.dry_run {
        return dry_run(&build, &out, output);
    }
    let toolbox = Toolbox::open();
    let built = build.run(&toolbox, |step, done| {
        let what = format!("{} of {} for {}", step.what, chosen.config.name, board.id);
        (!done).then(|| Progress::start(output, what))
    });
    let built = built.map_err(|error| failure(&error, board, &chosen))?;
    let report = Report::new(&chosen, board, &build, &built, macs);
    // What the bitstream is, for simulating it.
    write_file(ASKED, &out.join("card.toml"), &chosen.config.to_toml())?;
    write_file(ASKED, &out.join("result.json"), &report.details(&built))?;
    write_file(ASKED, &out.join("report.html"), &html::page(&report, &built, board))?;
    output.result(&report.keys(), || report.text(&built, &out));
    Ok(())
}

/// The card at another clock: its registers tell the clock, and its serial port divides it.
fn with_clock(mut chosen: Chosen, clock: Option<u32>) -> Result<Chosen, Failure> {
    if let Some(clock) = clock {
        chosen.config.clock_mhz = clock;
        chosen.config.check().map_err(|error| Failure::config(&error, &chosen.origin, ""))?;
    }
    Ok(chosen)
}

/// The card with the board's chip as its memory.
fn with_sdram(mut chosen: Chosen, board: &Board) -> Result<Chosen, Failure> {
    let chip = board.sdram().map_err(|error| {
        let with = fpga_boards::BOARDS.iter().filter(|board| board.sdram().is_ok());
        let with: Vec<&str> = with.map(|board| board.id).collect();
        Failure::new(&format!("{ASKED} --sdram"), error)
            .allowed(with.join(", "))
            .next("leave `--sdram` out: matrices then lie in block RAM")
    })?;
    let fpga_boards::Chip { data_bits, row_bits, column_bits, masks } = chip;
    let chip = SdramConfig { data_bits, row_bits, column_bits, masks };
    let config = &mut chosen.config;
    config.memory = MemoryConfig::on_card(config.memory.bus_bytes, chip.kib());
    config.sdram = Some(chip);
    config.check().map_err(|error| Failure::config(&error, &chosen.origin, ""))?;
    Ok(chosen)
}

fn no_flow(board: &Board, chosen: &Chosen) -> Failure {
    let tools = board.fpga.toolchain.name();
    let value = format!("{:?}, which is built by {tools}", board.id);
    let next = if board.fpga.toolchain == Toolchain::Vivado {
        format!(
            "write a project for it with `mattock export --config {} --board {} --format vivado --out DIR`",
            chosen.origin, board.id
        )
    } else {
        format!("take the card's Verilog from `mattock gen --config {}`", chosen.origin)
    };
    let open = fpga_boards::BOARDS.iter().filter(|board| board.fpga.toolchain.is_open());
    let open: Vec<&str> = open.map(|board| board.id).collect();
    Failure::argument(ASKED, "--board", value).allowed(open.join(", ")).next(next)
}

fn failure(error: &BuildError, board: &Board, chosen: &Chosen) -> Failure {
    let next = match error {
        BuildError::Full { .. } => {
            "choose a smaller array or scratchpads, or a larger board".into()
        }
        BuildError::Slow { clock } => format!(
            "ask for at most {} MHz with `--clock`, or try another `--seed`",
            clock.fmax_mhz.floor()
        ),
        BuildError::Tool(missing) => missing.get().map_or(String::new(), |get| get.to_string()),
        BuildError::Failed { .. } | BuildError::Nothing { .. } => "read the log".into(),
        _ => format!("see `mattock boards show {}`", board.id),
    };
    Failure::new(&format!("{ASKED} {} for {}", chosen.config.name, board.id), error).next(next)
}

#[derive(serde::Serialize)]
struct DryRun {
    out: String,
    clock_mhz: f64,
    files: Vec<String>,
    commands: Vec<String>,
}

fn dry_run(build: &Build, out: &std::path::Path, output: Output) -> Result<(), Failure> {
    let work = out.join("work");
    std::fs::create_dir_all(&work).map_err(|error| Failure::file(ASKED, &work, &error))?;
    for (name, text) in build.files() {
        write_file(ASKED, &work.join(name), text)?;
    }
    let words = |word: &String| if word.contains(' ') { format!("'{word}'") } else { word.clone() };
    let command = |step: &fpga_boards::flow::Step| {
        let args: Vec<String> = step.args.iter().map(words).collect();
        format!("{} {}", step.tool, args.join(" "))
    };
    let dry = DryRun {
        out: work.display().to_string(),
        clock_mhz: build.clock_mhz(),
        files: build.files().iter().map(|(name, _)| name.clone()).collect(),
        commands: build.steps().iter().map(command).collect(),
    };
    output.result(&dry, || {
        let rows = build.steps().iter().zip(&dry.commands);
        let rows: Vec<Vec<String>> =
            rows.map(|(step, command)| vec![step.what.into(), command.clone()]).collect();
        format!("{} files in {}; to be run there:\n{}", dry.files.len(), dry.out, table(&rows, &[]))
    });
    Ok(())
}
