//! `mattock serve`: a simulated card as a PCI device of other processes, at a vfio-user socket.
//!
//! ```text
//! $ mattock serve --config small --socket card.sock &
//! $ mattock gemm --card vfio-user:card.sock
//! ```
//!
//! With `--pty` a serial card at a pseudo-terminal: see [`serve_pty`].

use std::path::PathBuf;

use clap::Args;
use mattock_spec::config::HostPort;
use mattock_testbench::serve::{LAYOUT, ServeError, serve};
use mattock_testbench::sim::{MemoryOptions, SimCard};
use pcie_mmap::vfio_user::Server;
use serde::Serialize;

use crate::card::CardOptions;
use crate::design::elaborate;
use crate::error::Failure;
use crate::output::Output;
use crate::serve_pty;
use crate::simulation::{MemoryArgs, SimulatorKind, simulator};

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    card: CardOptions,
    /// Where drivers and virtual machines find the card
    #[arg(long, value_name = "PATH", required_unless_present = "pty")]
    socket: Option<PathBuf>,
    /// Make a serial card a serial device instead: a pseudo-terminal, the line bit by bit
    #[arg(long, conflicts_with_all = ["socket", "once", "latency"])]
    pty: bool,
    /// End when the first client has left
    #[arg(long)]
    once: bool,
    /// Record every signal in this FST file
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    #[command(flatten)]
    memory: MemoryArgs,
    /// What simulates the card
    #[arg(long, value_enum, default_value = "verilator")]
    simulator: SimulatorKind,
}

/// What `--json` prints when clients may come; the keys are stable.
#[derive(Serialize)]
struct Report {
    config: String,
    card: String,
    simulator: &'static str,
}

pub(crate) fn run(options: &Options, output: Output) -> Result<(), Failure> {
    let chosen = options.card.choose("serve")?;
    let Some(socket) = &options.socket else {
        return serve_pty::run(&chosen, options.simulator, options.trace.as_deref(), output);
    };
    if chosen.config.host != HostPort::Axi {
        return Err(Failure::argument("serve", "host", "\"uart\", a serial card")
            .allowed("a card with `host = \"axi\"`, such as small")
            .next("choose another card"));
    }
    let design = elaborate(&chosen, output)?;
    let model = simulator(&design, options.simulator, options.trace.as_deref(), output)?;
    let server = Server::bind(socket, LAYOUT)
        .map_err(|error| Failure::new("serve", error).next("choose another `--socket`"))?;
    // So that waveforms are whole and the socket is removed.
    let stop = server.stopper();
    ctrlc::set_handler(move || stop.stop()).map_err(|error| Failure::new("serve", error))?;
    let card = format!("vfio-user:{}", socket.display());
    let report =
        Report { config: chosen.origin.clone(), card, simulator: options.simulator.name() };
    serve(server, options.once, |memory| {
        let memory_options = options.memory.options(MemoryOptions::default());
        let name = format!("sim:{}", chosen.origin);
        let card = SimCard::with_host(model, &name, &memory_options, Box::new(memory));
        output.result(&report, || {
            format!("sim:{} ({}) is at {}\n", report.config, report.simulator, report.card)
        });
        Ok(card)
    })
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        Failure::new("serve", error)
    }
}
