//! Whether a part has room for a design, and how fast it may be clocked, told before any tool has run.
//!
//! The caller counts what its design is made of ([`Demand`]); this file knows what each of those takes on
//! a family. Multipliers and RAM blocks come out nearly as the tools count them; tables, flip-flops and clock rate are
//! estimates, whose coefficients are fitted to synthesised cards ([`cost`], `docs/boards.md`).

pub mod cost;

use cost::Table;
use serde::{Deserialize, Serialize};

use crate::report::Area;
use crate::{Board, Family};

/// What a design is made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Demand {
    /// Bits of registers.
    pub flip_flops: u64,
    /// Bits of logic by kind of operation, in the order of [`cost::Table::operations`].
    pub operations: Vec<f64>,
    /// The longest path by [`cost::DELAYS`], in nanoseconds.
    pub path_ns: f64,
    /// Memories.
    pub memories: Vec<MemoryDemand>,
    /// Products: widths of the factors, the wider first, and how many.
    pub products: Vec<(u32, u32, u64)>,
}

/// A memory, and how many there are of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryDemand {
    /// Words.
    pub depth: u32,
    /// Bits a word.
    pub width: u32,
    /// Block RAM; else LUT RAM.
    pub block: bool,
    /// Read ports.
    pub reads: u32,
    /// How many.
    pub count: u64,
}

/// The verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit {
    /// There is room.
    Fits,
    /// A resource is within a tenth of what the part has: only the tools can tell.
    Tight {
        /// The resource.
        resource: &'static str,
        /// Estimated need.
        needed: u64,
        /// What the part has.
        there: u64,
    },
    /// There is not.
    Full {
        /// The resource.
        resource: &'static str,
        /// Estimated need.
        needed: u64,
        /// What the part has.
        there: u64,
    },
}

/// Tables of a family for one of ECP5.
fn factor(family: Family) -> f64 {
    match family {
        Family::Ecp5 => 1.0,
        Family::Ice40 => 0.86,
        Family::Gowin => 0.85,
        // Six inputs take in more than four.
        _ => 0.6,
    }
}

/// What a design takes on a board.
pub fn estimate(board: &Board, demand: &Demand) -> Area {
    estimate_on(board.fpga.family, Table::get(), demand)
}

/// The clock rate a design should reach on a board, in MHz. Known for ECP5 only, in speed grade 6.
pub fn clock_rate(board: &Board, demand: &Demand) -> Option<f64> {
    (board.fpga.family == Family::Ecp5).then(|| Table::get().mhz(demand.path_ns))
}

/// What a design takes of a family, by the coefficients of a table.
pub fn estimate_on(family: Family, costs: &Table, demand: &Demand) -> Area {
    let flip_flops = demand.flip_flops as f64 * costs.flip_flops;
    let mut area = Area { ff: flip_flops.round() as u64, ..Area::default() };
    let mut tables = costs.tables(demand);
    for memory in &demand.memories {
        let MemoryDemand { depth, width, block, reads, count } = *memory;
        let copies = count * u64::from(reads.max(1));
        let blocks_each = blocks(family, depth, width);
        // The flow puts a card's own memory into SPRAM: what would take half of the RAM blocks.
        if block && family == Family::Ice40 && blocks_each >= 16 && area.spram < 4 {
            area.spram +=
                copies * u64::from(depth.div_ceil(16_384)) * u64::from(width.div_ceil(16));
        } else if block {
            area.bram += copies * blocks_each;
        } else if family == Family::Ice40 {
            // No LUT RAM; the tools take the register of the address into a block RAM.
            area.bram += copies * blocks_each;
        } else {
            let slices = copies * u64::from(depth.div_ceil(16)) * u64::from(width.div_ceil(4));
            area.lut += slices * if family == Family::Ecp5 { 6 } else { 4 };
            tables +=
                copies as f64 * f64::from(width) * f64::from(depth.div_ceil(16) - 1) * cost::WORD;
        }
    }
    // A factor of one bit is a choice.
    for &(wide, narrow, count) in demand.products.iter().filter(|(_, narrow, _)| *narrow > 1) {
        let (a, b) = multiplier(family);
        let whole = u64::from(wide.div_ceil(a)) * u64::from(narrow.div_ceil(b));
        area.dsp += count * whole;
    }
    area.lut += (tables * factor(family)).round() as u64;
    area
}

/// Judges a need against what the part has; a board whose part is not known fits everything.
pub fn judge(board: &Board, needed: &Area) -> Fit {
    let Some(has) = board.resources.as_ref() else { return Fit::Fits };
    let needs = [
        ("LUT", needed.lut, has.lut),
        ("flip-flop", needed.ff, has.ff),
        ("DSP", needed.dsp, has.dsp),
        ("RAM block", needed.bram, has.bram),
        ("SPRAM", needed.spram, has.spram),
    ];
    let full = needs.iter().find(|(_, needed, there)| *needed * 10 > there * 11);
    if let Some(&(resource, needed, there)) = full {
        return Fit::Full { resource, needed, there };
    }
    let tight = needs.iter().find(|(_, needed, there)| *needed * 10 > there * 9);
    tight.map_or(Fit::Fits, |&(resource, needed, there)| Fit::Tight { resource, needed, there })
}

/// RAM blocks of a memory with one write and one read port, in the shape that takes fewest.
fn blocks(family: Family, depth: u32, width: u32) -> u64 {
    let shapes: &[(u32, u32)] = match family {
        Family::Ice40 => &[(256, 16), (512, 8), (1024, 4), (2048, 2)],
        Family::Ecp5 | Family::Gowin => {
            &[(512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16_384, 1)]
        }
        _ => &[(512, 72), (1024, 36), (2048, 18), (4096, 9), (8192, 4), (16_384, 2), (32_768, 1)],
    };
    let count = |&(d, w): &(u32, u32)| u64::from(depth.div_ceil(d)) * u64::from(width.div_ceil(w));
    shapes.iter().map(count).min().unwrap_or(0)
}

/// Widths of the factors that one multiplier block takes, signed.
fn multiplier(family: Family) -> (u32, u32) {
    match family {
        Family::Ice40 => (16, 16),
        Family::XilinxUs | Family::XilinxUsp => (27, 18),
        Family::Xilinx7 => (25, 18),
        Family::Ecp5 | Family::Gowin | Family::Other => (18, 18),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board;

    fn demand() -> Demand {
        let memory = |depth, width, block| MemoryDemand { depth, width, block, reads: 1, count: 2 };
        Demand {
            flip_flops: 1000,
            operations: vec![2000.0],
            path_ns: 8.0,
            memories: vec![memory(2048, 8, true), memory(64, 32, false)],
            products: vec![(8, 8, 8), (32, 32, 1)],
        }
    }

    #[test]
    fn families_differ_in_what_a_memory_takes() {
        let on = |id: &str| estimate(board(id).unwrap(), &demand());
        let ecp5 = on("ulx3s_85f");
        assert_eq!(
            (ecp5.bram, ecp5.dsp, ecp5.ff),
            (2, 12, (1000.0 * Table::get().flip_flops).round() as u64)
        );
        let ice40 = on("icebreaker");
        assert_eq!((ice40.bram, ice40.ff), (8 + 4, ecp5.ff));
        assert!(ice40.lut < ecp5.lut);
    }

    #[test]
    fn what_overflows_is_named() {
        let icebreaker = board("icebreaker").unwrap();
        let fit = |area: Area| judge(icebreaker, &area);
        assert_eq!(fit(Area::default()), Fit::Fits);
        let dsp = Area { dsp: 9, ..Area::default() };
        assert_eq!(fit(dsp), Fit::Full { resource: "DSP", needed: 9, there: 8 });
        let lut = Area { lut: 5500, ..Area::default() };
        assert_eq!(fit(lut), Fit::Tight { resource: "LUT", needed: 5500, there: 5280 });
    }
}
