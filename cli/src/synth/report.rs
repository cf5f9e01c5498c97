//! What a build came to: the stable keys, all details, one screen of text.

use std::path::Path;

use fpga_boards::report::{Area, ModuleArea, TimedClock};
use fpga_boards::{Board, Build, Built};
use serde::Serialize;

use crate::card::Chosen;
use crate::output::{grouped, table};

/// The keys that scripts rely on.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Keys {
    config: String,
    board: &'static str,
    lut: u64,
    ff: u64,
    dsp: u64,
    bram: u64,
    lut_percent: f64,
    fmax_mhz: f64,
    gmacs: f64,
    bitstream: String,
    seconds: f64,
}

/// A finished build.
pub(super) struct Report {
    keys: Keys,
    pub(super) clock_mhz: f64,
    pub(super) macs: u32,
    pub(super) has: Option<Area>,
}

#[derive(Serialize)]
struct Details<'a> {
    #[serde(flatten)]
    keys: &'a Keys,
    clock_mhz: f64,
    macs_per_cycle: u32,
    cached: bool,
    clocks: &'a [TimedClock],
    modules: &'a [ModuleArea],
    utilisation: &'a std::collections::BTreeMap<String, (u64, u64)>,
}

impl Report {
    pub(super) fn new(
        chosen: &Chosen,
        board: &'static Board,
        build: &Build,
        built: &Built,
        macs: u32,
    ) -> Self {
        // The place and route tool knows what it placed: tables, and those used up by carry or RAM.
        let combinational = ["TRELLIS_COMB", "ICESTORM_LC", "LUT4"];
        let placed = combinational.iter().find_map(|kind| built.timing.utilisation.get(*kind));
        let area = built.modules[0].area;
        let resources = board.resources.as_ref();
        let (lut, there) =
            placed.copied().unwrap_or((area.lut, resources.map_or(0, |resources| resources.lut)));
        let clock_mhz = build.clock_mhz();
        let round =
            |value: f64, digits: i32| (value * 10f64.powi(digits)).round() / 10f64.powi(digits);
        let keys = Keys {
            config: chosen.config.name.clone(),
            board: board.id,
            lut,
            ff: area.ff,
            dsp: area.dsp,
            bram: area.bram + area.spram,
            lut_percent: round(100.0 * lut as f64 / there.max(1) as f64, 1),
            fmax_mhz: round(built.timing.tightest().fmax_mhz, 2),
            gmacs: round(f64::from(macs) * clock_mhz / 1e3, 3),
            bitstream: built.bitstream.display().to_string(),
            seconds: round(built.seconds, 1),
        };
        let has = resources.map(|r| Area {
            lut: r.lut,
            ff: r.ff,
            dsp: r.dsp,
            bram: r.bram,
            spram: r.spram,
        });
        Self { keys, clock_mhz, macs, has }
    }

    pub(super) fn keys(&self) -> Keys {
        self.keys.clone()
    }

    /// `result.json`.
    pub(super) fn details(&self, built: &Built) -> String {
        let details = Details {
            keys: &self.keys,
            clock_mhz: self.clock_mhz,
            macs_per_cycle: self.macs,
            cached: built.cached,
            clocks: &built.timing.clocks,
            modules: &built.modules,
            utilisation: &built.timing.utilisation,
        };
        // Numbers and strings always serialise.
        serde_json::to_string(&details).unwrap_or_default() + "\n"
    }

    /// What is used of what is there, resource by resource.
    pub(super) fn rows(&self) -> Vec<(&'static str, u64, Option<u64>)> {
        let there = |count: fn(&Area) -> u64| self.has.as_ref().map(count);
        vec![
            ("LUT", self.keys.lut, there(|a| a.lut)),
            ("FF", self.keys.ff, there(|a| a.ff)),
            ("DSP", self.keys.dsp, there(|a| a.dsp)),
            ("RAM", self.keys.bram, there(|a| a.bram + a.spram)),
        ]
    }

    pub(super) fn title(&self) -> String {
        format!("{} on {}", self.keys.config, self.keys.board)
    }

    pub(super) fn speed(&self) -> String {
        format!(
            "{:.2} MHz (reaches {:.1}), {} multiply-adds a cycle, {:.2} GMAC/s at most",
            self.clock_mhz, self.keys.fmax_mhz, self.macs, self.keys.gmacs
        )
    }

    /// One screen.
    pub(super) fn text(&self, built: &Built, out: &Path) -> String {
        let done = if built.cached { "found done" } else { "done" };
        let mut text = format!("{}: {done} in {} s\n\n", self.title(), self.keys.seconds);
        let mut used = vec![["", "used", "of", "%"].map(str::to_owned).to_vec()];
        for (name, count, there) in self.rows() {
            let percent = there.map(|there| 100.0 * count as f64 / there.max(1) as f64);
            used.push(vec![
                name.into(),
                grouped(count),
                there.map_or("-".into(), grouped),
                percent.map_or("-".into(), |percent| format!("{percent:.1}")),
            ]);
        }
        text += &table(&used, &[1, 2, 3]);
        text += "\n";
        let mut areas = vec![["module", "LUT", "FF", "DSP", "RAM"].map(str::to_owned).to_vec()];
        areas.extend(shown(&built.modules).map(|ModuleArea { path, area }| {
            let numbers = [area.lut, area.ff, area.dsp, area.bram + area.spram].map(grouped);
            std::iter::once(path.clone()).chain(numbers).collect()
        }));
        text += &table(&areas, &[1, 2, 3, 4]);
        text += "\n";
        for clock in &built.timing.clocks {
            let TimedClock { name, fmax_mhz, asked_mhz, .. } = clock;
            text += &format!("clock {name}: {fmax_mhz:.1} MHz, asked {asked_mhz:.1}\n");
            if let Some(path) = &clock.critical_path {
                text += &format!(
                    "  slowest from {}\n            to {}\n  {:.1} ns in cells, {:.1} ns in wires\n",
                    path.from, path.to, path.logic_ns, path.routing_ns
                );
            }
        }
        text += &format!("\n{}\n", self.speed());
        text += &format!("bitstream  {}\n", self.keys.bitstream);
        text += &format!("report     {}\n", out.join("report.html").display());
        text += &format!("logs       {}\n", out.join("work/*.log").display());
        text
    }
}

/// The largest instances, in the order of their paths, few enough for a screen.
pub(super) fn shown(modules: &[ModuleArea]) -> impl Iterator<Item = &ModuleArea> {
    let weight = |module: &ModuleArea| module.area.lut + module.area.ff;
    let mut weights: Vec<u64> =
        modules.iter().filter(|module| !module.path.is_empty()).map(weight).collect();
    weights.sort_unstable_by(|a, b| b.cmp(a));
    let least = weights.get(19).copied().unwrap_or(0);
    modules.iter().filter(move |module| !module.path.is_empty() && weight(module) >= least.max(1))
}
