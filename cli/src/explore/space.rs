//! The configurations that are tried, and what each comes to.

use fpga_boards::fit::{Fit, clock_rate, estimate, judge};
use fpga_boards::pll::pll;
use fpga_boards::report::Area;
use fpga_boards::{Board, Resources};
use mattock::dense::Order;
use mattock::plan::{Memory, Plan, Problem};
use mattock_spec::CardConfig;
use mattock_spec::config::{
    ArrayKind, Control, GemmConfig, HostPort, MemoryConfig, PES, Pe, UartConfig,
};
use mattock_spec::format::TupleList;
use mattock_spec::regs::GemmCaps;

use super::workload::Workload;
use crate::estimate::demand;

/// Rows and columns of multipliers.
const SHAPES: &[(u32, u32)] =
    &[(2, 4), (4, 4), (4, 8), (8, 8), (8, 16), (16, 16), (16, 32), (32, 32)];
/// KiB of each buffer, and bytes of the bus: varied around the best.
const BUFFERS: &[u32] = &[4, 8, 16, 32, 64];
const BUSES: &[u32] = &[8, 16, 32, 64];
/// What arrays and PEs are compared with.
const MIDDLE: Knobs = Knobs { kib: 16, bus_bytes: 16 };
/// Clock of boards that no rate is foretold for, in MHz.
const PLAIN_MHZ: u32 = 50;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Knobs {
    kib: u32,
    bus_bytes: u32,
}

/// A dense array, with its PE.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    rows: u32,
    cols: u32,
    array: ArrayKind,
    pe: Pe,
}

/// A configuration and what is foretold of it.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) card: CardConfig,
    shape: Shape,
    pub(super) area: Area,
    /// The largest part of any resource of the board.
    pub(super) share: f64,
    pub(super) cycles: u64,
    pub(super) clock_mhz: u32,
    /// Of the whole workload.
    pub(super) microseconds: f64,
}

/// A board and a workload.
pub(super) struct Space<'a> {
    pub(super) board: &'a Board,
    pub(super) resources: &'a Resources,
    pub(super) workload: &'a Workload,
    /// Configurations estimated so far.
    pub(super) tried: usize,
}

impl Space<'_> {
    /// Arrays and PEs with buffers of middle size.
    fn shapes(&self) -> Vec<Shape> {
        let tuples = self.workload.tuples();
        let takes = |pe: Pe| {
            let info = pe.info();
            info.is_some_and(|info| tuples.iter().all(|t| info.takes(t)))
        };
        let mut shapes = vec![];
        for &(rows, cols) in SHAPES {
            for &(_, array) in ArrayKind::ALL {
                // Not for FPGAs; and one whose cycles depend on the data.
                let left_out = [Pe::CarrySave, Pe::DigitSkip];
                for info in PES.iter().filter(|info| info.arrays.contains(&array)) {
                    if takes(info.pe) && !left_out.contains(&info.pe) {
                        shapes.push(Shape { rows, cols, array, pe: info.pe });
                    }
                }
            }
        }
        shapes
    }

    /// The front and all that fits, searched in two steps: arrays and PEs first, then the buffers and buses of those on the front.
    pub(super) fn search(&mut self) -> Vec<Candidate> {
        let shapes = self.shapes();
        let mut fitting: Vec<Candidate> =
            shapes.iter().filter_map(|shape| self.candidate(*shape, MIDDLE)).collect();
        if fitting.is_empty() {
            // What is too large with middle buffers may fit with the smallest.
            let least = Knobs { kib: BUFFERS[0], bus_bytes: BUSES[0] };
            fitting = shapes.iter().filter_map(|shape| self.candidate(*shape, least)).collect();
        }
        let best: Vec<Shape> = front(&fitting).iter().map(|candidate| candidate.shape).collect();
        for shape in best {
            for &kib in BUFFERS {
                for &bus_bytes in BUSES {
                    let knobs = Knobs { kib, bus_bytes };
                    if knobs != MIDDLE {
                        fitting.extend(self.candidate(shape, knobs));
                    }
                }
            }
        }
        fitting
    }

    /// The card, if it can be built and fits.
    fn candidate(&mut self, shape: Shape, knobs: Knobs) -> Option<Candidate> {
        let mut card = self.card(shape, knobs)?;
        let design = mattock_hw::card(&card).ok()?;
        self.tried += 1;
        let demand = demand(&design);
        let area = estimate(self.board, &demand);
        if matches!(judge(self.board, &area), Fit::Full { .. }) {
            return None;
        }
        let foretold = clock_rate(self.board, &demand).map_or(PLAIN_MHZ, |mhz| mhz as u32);
        // Not every whole number of MHz can be made on the board.
        let open = self.board.fpga.toolchain.is_open();
        let made = |mhz: &u32| !open || pll(self.board, f64::from(*mhz)).is_ok();
        card.clock_mhz = (1..=foretold.min(1000)).rev().find(made)?;
        card.check_buildable().ok()?;
        let cycles = self.cycles(&card)?;
        let Resources { lut, ff, dsp, bram, .. } = *self.resources;
        let parts = [(area.lut, lut), (area.ff, ff), (area.dsp, dsp), (area.bram, bram)];
        let share = parts.iter().map(|(need, has)| *need as f64 / (*has).max(1) as f64);
        Some(Candidate {
            shape,
            area,
            share: share.fold(0.0, f64::max),
            cycles,
            clock_mhz: card.clock_mhz,
            microseconds: cycles as f64 / f64::from(card.clock_mhz),
            card,
        })
    }

    fn card(&self, shape: Shape, knobs: Knobs) -> Option<CardConfig> {
        let Shape { rows, cols, array, pe } = shape;
        let Knobs { kib, bus_bytes } = knobs;
        let serial = self.board.fpga.toolchain.is_open();
        // A serial card holds its matrices itself, with some room for the driver.
        let memory_kib = (self.workload.bytes() / 1024 + 8).next_power_of_two() as u32;
        let name = array.name();
        let word = pe.info().map_or("", |info| info.name).replace('-', "_");
        let gemm = GemmConfig {
            rows,
            cols,
            array,
            pe,
            tuples: self.workload.tuples(),
            a_kib: kib,
            b_kib: kib,
            result_kib: kib,
            align: bus_bytes,
            ..GemmConfig::default()
        };
        let card = CardConfig {
            name: format!("{name}_{word}_{rows}x{cols}_{kib}k_{bus_bytes}b"),
            host: if serial { HostPort::Uart } else { HostPort::Axi },
            control: Control::Host,
            memory: match serial {
                true => MemoryConfig::on_card(bus_bytes, memory_kib),
                false => MemoryConfig { bus_bytes, ..MemoryConfig::default() },
            },
            uart: serial.then(UartConfig::default),
            clock_mhz: PLAIN_MHZ,
            gemm: Some(gemm),
            ..CardConfig::reference("tiny").ok()?
        };
        card.check_buildable().ok().map(|()| card)
    }

    /// Cycles of the workload, as the driver plans it.
    fn cycles(&self, card: &CardConfig) -> Option<u64> {
        let gemm = card.gemm.as_ref()?;
        let mut tuples = TupleList::default();
        if !gemm.tuples.iter().all(|tuple| tuples.push(*tuple)) {
            return None;
        }
        let caps = GemmCaps {
            rows: gemm.tile_rows(),
            cols: gemm.cols,
            depth: gemm.depth(),
            interleave: gemm.interleave(),
            k_split: gemm.k_split,
            a_kib: gemm.a_kib,
            b_kib: gemm.b_kib,
            result_kib: gemm.result_kib,
            align: gemm.align,
            tuples,
        };
        let memory = Memory::new(card.memory.bus_bytes);
        let of = |(product, tuple): &(super::workload::Gemm, mattock_spec::Tuple)| {
            let (m, n, k) = (product.m, product.n, product.k);
            let bits = [tuple.a, tuple.b, tuple.d].map(|format| format.storage_bits());
            let problem = Problem { m, n, k, bits, parameters: 0, orders: [Order::Row; 3] };
            Plan::of(&problem, &caps, &memory).cycles * u64::from(product.count)
        };
        Some(self.workload.gemms.iter().map(of).sum())
    }
}

/// What nothing else beats in both area and time, the smallest first.
pub(super) fn front(candidates: &[Candidate]) -> Vec<&Candidate> {
    let mut sorted: Vec<&Candidate> = candidates.iter().collect();
    let key = |c: &Candidate| (c.share, c.microseconds);
    sorted.sort_by(|x, y| key(x).partial_cmp(&key(y)).unwrap_or(std::cmp::Ordering::Equal));
    let mut best = f64::INFINITY;
    sorted.retain(|candidate| {
        let better = candidate.microseconds < best;
        best = best.min(candidate.microseconds);
        better
    });
    sorted
}
