//! `mattock check`: is a configuration right, and what card is it?
//!
//! ```text
//! $ mattock check tiny
//! card        tiny, configuration digest 0x...
//! host        axi, control by the host
//! gemm        2 x 4 array, 8 multiply-adds a cycle
//! ```

use clap::Args;
use mattock_spec::CardConfig;
use mattock_spec::config::{Control, HostPort};
use mattock_spec::regs::{BAR0_BYTES, MAPS, capability_rom};
use serde::Serialize;

use crate::card::{CardOptions, Chosen};
use crate::error::Failure;
use crate::output::{Output, table};

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Reference card or TOML file; the same as --config
    #[arg(value_name = "NAME|PATH", conflicts_with_all = ["config", "card"])]
    target: Option<String>,
    #[command(flatten)]
    card: CardOptions,
}

#[derive(Serialize)]
struct Report {
    config: String,
    name: String,
    digest: String,
    host: &'static str,
    control: &'static str,
    clock_mhz: u32,
    bus_bytes: u32,
    address_bits: u32,
    /// Memory on the card; 0 when it is the host's.
    memory_kib: u32,
    baud: Option<u32>,
    gemm: Option<Gemm>,
    spgemm: Option<Spgemm>,
    bar0_bytes: u32,
    registers: usize,
    capability_words: usize,
    buildable: bool,
    not_built: Option<String>,
}

#[derive(Serialize)]
struct Gemm {
    rows: u32,
    cols: u32,
    array: &'static str,
    pe: &'static str,
    /// Rows of a tile of results; a PE sums `rows / tile_rows` products a cycle.
    tile_rows: u32,
    macs_per_cycle: u32,
    tuples: Vec<String>,
    acc_bits: u32,
    a_kib: u32,
    b_kib: u32,
    result_kib: u32,
    align: u32,
}

#[derive(Serialize)]
struct Spgemm {
    clusters: u32,
    lanes: u32,
    banks: u32,
    values: Vec<&'static str>,
    entries_per_half: u32,
    hash_kib: u32,
    cache_kib: u32,
    sorter_width: u32,
    align: u32,
}

pub(crate) fn run(options: &Options, output: Output) -> Result<(), Failure> {
    let chosen = match &options.target {
        Some(target) => Chosen::load(target, "NAME|PATH")?,
        None => options.card.choose("check")?,
    };
    let report = Report::of(&chosen);
    output.result(&report, || table(&report.rows(), &[]));
    Ok(())
}

impl Report {
    fn of(chosen: &Chosen) -> Self {
        let CardConfig { name, memory, gemm, spgemm, clock_mhz, .. } = &chosen.config;
        let not_built =
            chosen.config.check_buildable().err().map(|e| format!("`{}` is {}", e.key, e.value));
        Self {
            config: chosen.origin.clone(),
            name: name.clone(),
            digest: format!("{:#018x}", chosen.config.digest()),
            host: match chosen.config.host {
                HostPort::Axi => "axi",
                HostPort::Uart => "uart",
            },
            control: match chosen.config.control {
                Control::Host => "host",
                Control::Riscv => "riscv",
            },
            clock_mhz: *clock_mhz,
            bus_bytes: memory.bus_bytes,
            address_bits: memory.address_bits,
            memory_kib: memory.kib,
            baud: chosen.config.uart.as_ref().map(|uart| uart.baud),
            gemm: gemm.as_ref().map(|g| Gemm {
                rows: g.rows,
                cols: g.cols,
                array: g.array.name(),
                pe: g.pe.resolve(&g.tuples).info().map_or("auto", |info| info.name),
                tile_rows: g.tile_rows(),
                macs_per_cycle: g.rows * g.cols,
                tuples: g.tuples.iter().map(ToString::to_string).collect(),
                acc_bits: g.acc_bits,
                a_kib: g.a_kib,
                b_kib: g.b_kib,
                result_kib: g.result_kib,
                align: g.align,
            }),
            spgemm: spgemm.as_ref().map(|s| Spgemm {
                clusters: s.clusters,
                lanes: s.lanes,
                banks: s.banks,
                values: s.values.iter().map(|value| value.format().name()).collect(),
                entries_per_half: s.entries_per_half,
                // Two halves of entries, each a column index and a 32-bit value.
                hash_kib: (2 * u64::from(s.entries_per_half) * u64::from(s.index_bits + 32) / 8192)
                    as u32,
                cache_kib: s.cache_kib,
                sorter_width: s.sorter_width,
                align: s.align,
            }),
            bar0_bytes: BAR0_BYTES,
            registers: MAPS.iter().map(|map| map.regs.len()).sum(),
            capability_words: capability_rom(&chosen.config).len(),
            buildable: not_built.is_none(),
            not_built,
        }
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        let mut row = |name: &str, text: String| rows.push(vec![name.to_owned(), text]);
        row("card", format!("{}, configuration digest {}", self.name, self.digest));
        row("host", format!("{} port, commands run by: {}", self.host, self.control));
        if let Some(baud) = self.baud {
            row("", format!("{baud} bits a second, 8N1"));
        }
        row("clock", format!("{} MHz nominal", self.clock_mhz));
        let place = match self.memory_kib {
            0 => "the host's".to_owned(),
            kib => format!("{kib} KiB of block RAM on the card"),
        };
        let (bytes, bits) = (self.bus_bytes, self.address_bits);
        row("memory", format!("{place}: AXI4, {bytes} bytes wide, {bits} address bits"));
        if let Some(g) = &self.gemm {
            let macs = g.macs_per_cycle;
            row("gemm", format!("{} x {} array, {macs} multiply-adds a cycle", g.rows, g.cols));
            let tile = format!("tiles of {} x {}", g.tile_rows, g.cols);
            row("", format!("array {}, PE {}, {tile}", g.array, g.pe));
            row("", format!("types {}; accumulator {} bits", g.tuples.join(" "), g.acc_bits));
            row(
                "",
                format!(
                    "scratchpads A {} KiB, B {} KiB, results {} KiB",
                    g.a_kib, g.b_kib, g.result_kib
                ),
            );
            row("", format!("addresses and strides: multiples of {} bytes", g.align));
        }
        if let Some(s) = &self.spgemm {
            row(
                "spgemm",
                format!(
                    "{} cluster(s) of {} lanes and {} hash banks",
                    s.clusters, s.lanes, s.banks
                ),
            );
            row(
                "",
                format!(
                    "types {}; sorter takes {} entries a cycle",
                    s.values.join(" "),
                    s.sorter_width
                ),
            );
            row(
                "",
                format!(
                    "per cluster: hash table 2 x {} entries ({} KiB), B cache {} KiB",
                    s.entries_per_half, s.hash_kib, s.cache_kib
                ),
            );
            row("", format!("array addresses: multiples of {} bytes", s.align));
        }
        row(
            "registers",
            format!(
                "{} in {} bytes of BAR0, {} capability words",
                self.registers, self.bar0_bytes, self.capability_words
            ),
        );
        match &self.not_built {
            None => row("verdict", "ok".to_owned()),
            Some(what) => row("verdict", format!("valid, but {what}: not built by this version")),
        }
        rows
    }
}
