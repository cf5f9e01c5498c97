//! The designs that are measured, and the fit.

use fpga_boards::fit::Demand;
use fpga_boards::fit::cost::{Sample, Table};
use fpga_boards::measure::Mapping;
use fpga_boards::report::Area;
use mattock_hw::gemm::Array;
use mattock_hw::pe::{PeShape, variant_of};
use mattock_spec::CardConfig;
use mattock_spec::config::{ArrayKind, Pe};
use mattock_toolbox::Toolbox;
use rtl_gen::Design;

use super::super::mapped::{self, Mapped};
use super::ASKED;
use crate::error::Failure;
use crate::estimate::{counted, demand};
use crate::output::Output;

/// A card: its configuration, and whether it calibrates.
struct Card {
    toml: &'static str,
    calibrates: bool,
}

/// The cards: small ones, which yosys maps in a minute or two.
const CARDS: &[Card] = &[
    Card { toml: include_str!("cards/rows4.toml"), calibrates: true },
    Card { toml: include_str!("cards/dsp8.toml"), calibrates: true },
    Card { toml: include_str!("cards/packed.toml"), calibrates: true },
    Card { toml: include_str!("cards/sparse1.toml"), calibrates: true },
    Card { toml: include_str!("../../../../hw/configs/tiny.toml"), calibrates: false },
    Card { toml: include_str!("cards/rows8.toml"), calibrates: false },
    Card { toml: include_str!("cards/tree4.toml"), calibrates: false },
];

/// Arrays of 4 x 4 multipliers, which are placed for their clock rate: the array, the PE, the rate asked for, whether it calibrates.
const ARRAYS: &[(ArrayKind, Pe, u32, bool)] = &[
    (ArrayKind::Systolic, Pe::Rows, 280, true),
    (ArrayKind::Broadcast, Pe::DigitSkip, 200, true),
    (ArrayKind::Tree, Pe::Lut, 250, true),
    (ArrayKind::Systolic, Pe::Dsp, 250, false),
    (ArrayKind::Cube, Pe::Rows, 250, false),
];

/// Measures every design, or takes it from the tool folder, and fits.
///
/// # Errors
/// A tool is missing or fails.
pub(super) fn table(output: Output) -> Result<Table, Failure> {
    let mut cards = vec![];
    let mut modules: Vec<(Demand, u64, f64)> = vec![];
    for card in CARDS {
        let config = CardConfig::from_toml(card.toml)
            .map_err(|error| Failure::config(&error, "cost", card.toml))?;
        let design = mattock_hw::card(&config).map_err(|error| Failure::new(ASKED, error))?;
        let measured = mapped::modules(&design, output)?;
        let mut area = Area::default();
        for (name, count, census) in design.census_by_module() {
            let own = measured.get(name).copied().unwrap_or_default();
            area += own.times(count);
            if card.calibrates {
                modules.push((counted(&census), count, own.lut as f64));
            }
        }
        let (name, demand) = (config.name.clone(), demand(&design));
        cards.push(Sample {
            name,
            calibrates: card.calibrates,
            demand,
            area: Some(area),
            mhz: None,
        });
    }
    for &(kind, pe, mhz, calibrates) in ARRAYS {
        let array = Array::of_side(kind, 4, variant_of(pe), PeShape::INT8);
        let design = Design::elaborate(&array).map_err(|error| Failure::new(ASKED, error))?;
        let mhz = Some(placed(&design, mhz, output)?);
        let (name, demand) = (design.top().name.clone(), demand(&design));
        cards.push(Sample { name, calibrates, demand, area: None, mhz });
    }
    let toolbox = Toolbox::open();
    let version = |tool| toolbox.find_named(tool).map_or("?".into(), |t| t.version.to_string());
    let mut table = Table {
        made_by: "mattock bench cost --calibrate fpga-boards/src/fit/ecp5.json".into(),
        tools: format!("yosys {}, nextpnr {}", version("yosys"), version("nextpnr-ecp5")),
        operations: rtl_gen::Census::OPERATIONS.map(String::from).to_vec(),
        cards,
        ..Table::get().clone()
    };
    table.fit(&modules);
    Ok(table)
}

fn placed(design: &Design, asked: u32, output: Output) -> Result<f64, Failure> {
    let mapped = Mapped::new(design, Mapping::Ecp5, output)?;
    mapped.area()?;
    mapped.mhz(asked, 1)
}
