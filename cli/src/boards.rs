//! `mattock boards`: the boards, and what is known of each.

use clap::{Args, Subcommand};
use fpga_boards::{BOARDS, Board};
use serde::Serialize;

use crate::board::find;
use crate::error::Failure;
use crate::output::{Output, grouped, table};

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// All boards, one a line
    List,
    /// Everything about one board
    Show {
        /// Name of the board
        board: String,
    },
}

#[derive(Serialize)]
struct Row {
    id: &'static str,
    name: &'static str,
    part: &'static str,
    link: &'static str,
    clock_mhz: Option<f64>,
    lut: Option<u64>,
    dsp: Option<u64>,
    bram: Option<u64>,
    tools: &'static str,
    bitstream: bool,
}

#[derive(Serialize)]
struct List {
    boards: Vec<Row>,
}

#[derive(Serialize)]
struct Page {
    #[serde(flatten)]
    row: Row,
    note: Option<&'static str>,
    pins: Vec<(String, String)>,
    sources: &'static [String],
}

pub(crate) fn run(options: &Options, output: Output) -> Result<(), Failure> {
    match &options.what {
        None | Some(What::List) => {
            let list = List { boards: BOARDS.iter().map(row).collect() };
            output.result(&list, || page(&list.boards));
        }
        Some(What::Show { board }) => {
            let board = find("boards show", "BOARD", board)?;
            let page = Page {
                row: row(board),
                note: board.note.as_deref(),
                pins: board.pins(),
                sources: &board.sources,
            };
            output.result(&page, || show(board));
        }
    }
    Ok(())
}

fn row(board: &'static Board) -> Row {
    let resources = board.resources.as_ref();
    Row {
        id: board.id,
        name: &board.name,
        part: &board.fpga.part,
        link: link(board),
        clock_mhz: board.clocks.first().map(|clock| clock.mhz),
        lut: resources.map(|r| r.lut),
        dsp: resources.map(|r| r.dsp),
        bram: resources.map(|r| r.bram),
        tools: board.fpga.toolchain.name(),
        bitstream: board.fpga.toolchain.is_open(),
    }
}

/// How a host reaches a card on the board: PCIe where the part has it in silicon, else the serial port.
fn link(board: &Board) -> &'static str {
    match &board.pcie {
        Some(pcie) if pcie.hard_ip => "pcie",
        _ => "uart",
    }
}

fn page(rows: &[Row]) -> String {
    let head = ["board", "part", "link", "MHz", "LUT", "DSP", "RAM", "built by"];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    let number = |count: Option<u64>| count.map_or("-".into(), grouped);
    lines.extend(rows.iter().map(|row| {
        vec![
            row.id.into(),
            if row.part.is_empty() { "-" } else { row.part }.into(),
            row.link.into(),
            row.clock_mhz.map_or("-".into(), |mhz| mhz.to_string()),
            number(row.lut),
            number(row.dsp),
            number(row.bram),
            row.tools.into(),
        ]
    }));
    table(&lines, &[3, 4, 5, 6])
}

fn show(board: &'static Board) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |name: &str, text: String| rows.push(vec![name.to_owned(), text]);
    let fpga = &board.fpga;
    row("board", format!("{}, {}", board.id, board.name));
    row("part", if fpga.part.is_empty() { "not known".into() } else { fpga.part.clone() });
    let verdict =
        if fpga.toolchain.is_open() { "`mattock synth`" } else { "not run by this program" };
    row("built by", format!("{} ({verdict})", fpga.toolchain.name()));
    if let Some(r) = &board.resources {
        let count = format!(
            "{} LUT, {} FF, {} DSP, {} RAM blocks",
            grouped(r.lut),
            grouped(r.ff),
            r.dsp,
            r.bram
        );
        row("resources", count);
        row("", format!("from {}", r.source));
    }
    for clock in &board.clocks {
        row("clock", format!("{} {} MHz on {}", clock.name, clock.mhz, clock.pins.join(", ")));
    }
    if let Some(uart) = &board.uart {
        let note = uart.note.as_ref().map_or(String::new(), |note| format!("; {note}"));
        row("serial", format!("rx {}, tx {}{note}", uart.rx, uart.tx));
    }
    if let Some(pcie) = &board.pcie {
        let silicon = if pcie.hard_ip { "in silicon" } else { "transceivers only" };
        row("pcie", format!("{} lanes, generation {}, {silicon}", pcie.lanes, pcie.generation));
    }
    if let Some(memory) = &board.memory {
        let size = memory.mbytes.map_or(String::new(), |mbytes| format!(" {mbytes} MB"));
        row("memory", format!("{}{size}; not driven by our cards", memory.kind));
    }
    if let Some(note) = &board.note {
        row("note", note.clone());
    }
    for way in &board.program.otherwise {
        row("program", way.clone());
    }
    for source in &board.sources {
        row("source", source.clone());
    }
    table(&rows, &[])
}
