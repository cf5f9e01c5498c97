//! What the page tells of the card, its area and its clock.

use std::path::Path;

use fpga_boards::Board;
use fpga_boards::fit::{clock_rate, estimate};
use fpga_boards::report::Area;
use mattock_spec::CardConfig;
use mattock_spec::config::{Control, GemmConfig, HostPort};
use rtl_gen::Design;
use serde::{Deserialize, Serialize};

use crate::estimate::{counted, demand};
use crate::gemm;
use crate::output::grouped;

/// Most lines of the table of modules.
const MODULES: usize = 30;

#[derive(Serialize)]
pub(super) struct Card {
    name: String,
    host: &'static str,
    control: &'static str,
    clock_mhz: u32,
    array: &'static str,
    pe: &'static str,
    types: String,
    rows: u32,
    cols: u32,
    tile_rows: u32,
    depth: u32,
    peak: u32,
    a_kib: u32,
    b_kib: u32,
    result_kib: u32,
    bus_bytes: u32,
    memory: String,
    sparse: Option<String>,
    digest: String,
    toml: String,
}

pub(super) fn card(config: &CardConfig, engine: &GemmConfig) -> Card {
    let types: Vec<String> = engine.tuples.iter().map(ToString::to_string).collect();
    Card {
        name: config.name.clone(),
        host: match config.host {
            HostPort::Axi => "AXI (PCIe)",
            HostPort::Uart => "serial",
        },
        control: match config.control {
            Control::Host => "host driver",
            Control::Riscv => "RISC-V on the card",
        },
        clock_mhz: config.clock_mhz,
        array: engine.array.name(),
        pe: engine.pe.resolve(&engine.tuples).info().map_or("", |info| info.name),
        types: types.join(" "),
        rows: engine.rows,
        cols: engine.cols,
        tile_rows: engine.tile_rows(),
        depth: engine.depth(),
        peak: engine.rows * engine.cols,
        a_kib: engine.a_kib,
        b_kib: engine.b_kib,
        result_kib: engine.result_kib,
        bus_bytes: config.memory.bus_bytes,
        memory: match config.memory.kib {
            0 => "host memory".into(),
            kib => format!("{kib} KiB on the card"),
        },
        sparse: config.spgemm.as_ref().map(|sparse| {
            let (lanes, banks) = (sparse.lanes, sparse.banks);
            format!("{} cluster(s) of {lanes} lanes and {banks} banks", sparse.clusters)
        }),
        digest: format!("{:#018x}", config.digest()),
        toml: config.to_toml(),
    }
}

#[derive(Default, Serialize)]
pub(super) struct AreaTable {
    source: String,
    rows: Vec<AreaRow>,
}

#[derive(Serialize)]
struct AreaRow {
    name: String,
    count: String,
    lut: String,
    ff: String,
    dsp: u64,
    bram: u64,
    percent: String,
}

impl AreaRow {
    fn new(name: &str, count: String, area: &Area, all: u64) -> Self {
        let percent = 100.0 * area.lut as f64 / all.max(1) as f64;
        Self {
            name: name.to_owned(),
            count,
            lut: grouped(area.lut),
            ff: grouped(area.ff),
            dsp: area.dsp,
            bram: area.bram + area.spram,
            percent: format!("{:.1}", percent.clamp(0.0, 100.0)),
        }
    }
}

#[derive(Default, Serialize)]
pub(super) struct TimingTable {
    source: String,
    clocks: Vec<ClockRow>,
}

#[derive(Serialize)]
struct ClockRow {
    name: String,
    fmax: String,
    asked: String,
    from: Option<String>,
    to: Option<String>,
    logic: String,
    routing: String,
}

/// `result.json` of a build.
#[derive(Deserialize)]
struct Built {
    clocks: Vec<BuiltClock>,
    modules: Vec<BuiltModule>,
}

#[derive(Deserialize)]
struct BuiltClock {
    name: String,
    fmax_mhz: f64,
    asked_mhz: f64,
    critical_path: Option<BuiltPath>,
}

#[derive(Deserialize)]
struct BuiltPath {
    from: String,
    to: String,
    logic_ns: f64,
    routing_ns: f64,
}

#[derive(Deserialize)]
struct BuiltModule {
    path: String,
    area: Area,
}

/// Area and timing: of the build whose `result.json` is there, or else foretold.
pub(super) fn build(
    result: &Path,
    board: &Board,
    config: &CardConfig,
    design: &Design,
) -> (AreaTable, TimingTable) {
    let text = std::fs::read_to_string(result).ok();
    match text.and_then(|text| serde_json::from_str::<Built>(&text).ok()) {
        Some(built) => of_build(&built, result),
        None => foretold(board, config, design),
    }
}

fn of_build(built: &Built, result: &Path) -> (AreaTable, TimingTable) {
    let all = built.modules.first().map_or(0, |module| module.area.lut);
    let depth = |path: &str| path.matches('.').count();
    let shown = built.modules.iter().filter(|m| depth(&m.path) < 3 && m.area.lut * 200 >= all);
    let rows = shown.take(MODULES).map(|module| {
        let name = if module.path.is_empty() { "all" } else { &module.path };
        AreaRow::new(name, "1".into(), &module.area, all)
    });
    let clocks = built.clocks.iter().map(|clock| {
        let path = clock.critical_path.as_ref();
        let ns =
            |of: fn(&BuiltPath) -> f64| path.map_or(String::new(), |p| format!("{:.2}", of(p)));
        ClockRow {
            name: clock.name.clone(),
            fmax: format!("{:.1}", clock.fmax_mhz),
            asked: format!("{:.1}", clock.asked_mhz),
            from: path.map(|path| path.from.clone()),
            to: path.map(|path| path.to.clone()),
            logic: ns(|path| path.logic_ns),
            routing: ns(|path| path.routing_ns),
        }
    });
    let source = format!("As yosys and nextpnr report it, from {}.", result.display());
    (
        AreaTable { rows: rows.collect(), source: source.clone() },
        TimingTable { clocks: clocks.collect(), source },
    )
}

fn foretold(board: &Board, config: &CardConfig, design: &Design) -> (AreaTable, TimingTable) {
    let whole = demand(design);
    let all = estimate(board, &whole);
    let mut modules: Vec<(&str, u64, Area)> = design
        .census_by_module()
        .into_iter()
        .map(|(name, count, census)| (name, count, estimate(board, &counted(&census)).times(count)))
        .collect();
    modules.sort_by_key(|(_, _, area)| std::cmp::Reverse((area.lut, area.ff)));
    let mut rows = vec![AreaRow::new("all", String::new(), &all, all.lut)];
    rows.extend(
        modules
            .iter()
            .take(MODULES)
            .filter(|(_, _, area)| area.lut + area.ff > 0)
            .map(|(name, count, area)| AreaRow::new(name, count.to_string(), area, all.lut)),
    );
    let command = format!("mattock synth --config {} --board {}", config.name, board.id);
    let clocks = clock_rate(board, &whole).map(|mhz| ClockRow {
        name: "clk".into(),
        fmax: format!("about {mhz:.0}"),
        asked: config.clock_mhz.to_string(),
        from: None,
        to: None,
        logic: String::new(),
        routing: String::new(),
    });
    (
        AreaTable {
            source: format!(
                "Foretold for {} from the hardware description, each module without its children; `{command}` measures.",
                board.id
            ),
            rows,
        },
        TimingTable {
            source: format!(
                "Foretold: the longest path of the hardware description has {:.1} ns of logic and wires. `{command}` places the card and finds the slowest path.",
                whole.path_ns
            ),
            clocks: clocks.into_iter().collect(),
        },
    )
}

/// Bytes of the three matrices.
pub(super) fn least_bytes(
    options: &gemm::Options,
    engine: &GemmConfig,
    [m, n, k]: [u32; 3],
) -> u64 {
    let Ok(tuple) = options.tuple(engine) else { return 0 };
    let bytes = |rows: u32, cols: u32, bits: u32| {
        u64::from(rows) * (u64::from(cols) * u64::from(bits)).div_ceil(8)
    };
    bytes(m, k, tuple.a.storage_bits())
        + bytes(k, n, tuple.b.storage_bits())
        + bytes(m, n, tuple.d.storage_bits())
}
