//! Sizes of a dense engine and the widths that follow from them.

use super::model::{chained_cycles, compute_cycles, cycle_bound};
use super::{Array, ChainArray, Epilogue, EpilogueLane, Scratchpad, TypedArray};
use crate::bus::beats_bits;
use crate::pe::{Chain, PE_VARIANTS, PeShape, PeVariant, variant_of};
use mattock_spec::config::{ArrayKind, CHAIN_INTERLEAVE, CardConfig, GemmConfig, Pe};
use mattock_spec::format::TupleList;
use mattock_spec::{EpilogueStep, Tuple};
use rtl_gen::{Module, Sig};

// What configurations and cards say.
const _: () = assert!(Chain::ROWS == CHAIN_INTERLEAVE);

/// Most bits of M, N and K.
pub const DIM_BITS: u32 = 24;

/// What a dense engine is built from.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    /// Rows of a tile of results, 1 to 256.
    pub rows: u32,
    /// Columns of it, 1 to 256.
    pub cols: u32,
    /// How the PEs are joined.
    pub kind: ArrayKind,
    /// Steps of k that a PE sums a cycle; a power of two.
    pub depth: u32,
    /// Which PE.
    pub pe: &'static PeVariant,
    /// Bytes of the A scratchpad, both halves; a power of two.
    pub a_bytes: u32,
    /// Bytes of the B scratchpad, both halves; a power of two.
    pub b_bytes: u32,
    /// Bytes of the result buffer; used up to a power of two of rows.
    pub result_bytes: u32,
    /// Bytes of a bus beat: 4, 8, 16, 32 or 64.
    pub bus_bytes: u32,
    /// Bits of a bus address, 16 to 64. Counters of what cannot be more than memory holds are as narrow.
    pub addr_bits: u32,
    /// Whether memory is on the card, a few cycles away; otherwise it may be 200.
    pub memory_on_card: bool,
    /// Bytes of it when it is block RAM, which the engine then uses without AXI.
    pub near: Option<u32>,
    /// Groups of rows the array can be cut into, each with its own steps of k: a power of two, 1 for none.
    pub k_split: u32,
    /// The types commands choose among; of use with the PE `fp`.
    pub tuples: TupleList,
    /// What each column does to integer sums on their way to memory, if anything.
    pub lane: Option<EpilogueLane>,
    /// Whether a command may be many products.
    pub batch: bool,
}

impl Geometry {
    /// An engine with the default PE, 16 KiB of each operand and a 64-byte bus.
    pub fn new(rows: u32, cols: u32) -> Self {
        let kib = 1024;
        let (a_bytes, b_bytes, result_bytes) = (16 * kib, 16 * kib, 16 * kib);
        let pe = &PE_VARIANTS[0];
        let tuples = TupleList::default();
        Geometry {
            rows,
            cols,
            kind: ArrayKind::Systolic,
            depth: 1,
            pe,
            a_bytes,
            b_bytes,
            result_bytes,
            bus_bytes: 64,
            addr_bits: 64,
            memory_on_card: false,
            near: None,
            k_split: 1,
            tuples,
            lane: None,
            batch: false,
        }
    }

    /// The engine a configuration describes.
    ///
    /// # Errors
    /// The first tuple that no array computes.
    pub fn of(config: &GemmConfig, card: &CardConfig) -> Result<Self, Tuple> {
        let memory = &card.memory;
        let mut tuples = TupleList::default();
        for tuple in &config.tuples {
            if !config.is_buildable(tuple) || !tuples.push(*tuple) {
                return Err(*tuple);
            }
        }
        Ok(Geometry {
            rows: config.tile_rows(),
            cols: config.cols,
            kind: config.array,
            depth: config.depth(),
            pe: variant_of(config.pe.resolve(&config.tuples)),
            a_bytes: config.a_kib * 1024,
            b_bytes: config.b_kib * 1024,
            result_bytes: config.result_kib * 1024,
            bus_bytes: memory.bus_bytes,
            addr_bits: memory.address_bits,
            memory_on_card: memory.kib > 0,
            near: (memory.kib > 0 && card.sdram.is_none()).then_some(memory.kib * 1024),
            k_split: config.k_split,
            tuples,
            lane: (!config.epilogue.is_empty()).then(|| {
                let has = |step| config.epilogue.contains(&step);
                EpilogueLane { leaky: has(EpilogueStep::Leaky), table: has(EpilogueStep::Table) }
            }),
            batch: config.batch,
        })
    }

    /// The array of a card that computes with more types than i8 and i4.
    pub(super) fn typed(&self) -> Option<TypedArray> {
        let Geometry { rows, cols, tuples, .. } = *self;
        (self.pe.pe == Pe::Fp).then_some(TypedArray { rows, cols, tuples })
    }

    /// The array of a card whose sums are chained.
    pub(super) fn chained(&self) -> Option<ChainArray> {
        let Geometry { rows, cols, tuples, .. } = *self;
        let width = self.element_bits();
        (self.pe.pe == Pe::FpChain).then_some(ChainArray { rows, cols, width, tuples })
    }

    /// Rows of a tile that a PE works on in turn, which is also the cycles of a step.
    pub fn interleave(&self) -> u32 {
        if self.pe.pe == Pe::FpChain { Chain::ROWS } else { 1 }
    }

    /// Bits of an element in the scratchpads.
    pub(super) fn element_bits(&self) -> u32 {
        let formats = self.tuples.iter().flat_map(|t| [t.a, t.b]);
        formats.map(|f| f.storage_bits()).max().unwrap_or(8).max(8)
    }

    /// Bits of an element in memory, by the number that commands have for it: from the smallest of the types, or a byte, to the
    /// largest.
    pub(crate) fn sizes(&self) -> Vec<u32> {
        let formats = self.tuples.iter().flat_map(|t| [t.a, t.b]);
        let least = formats.map(|f| f.storage_bits()).min().unwrap_or(4).min(8);
        [4, 8, 16, 32].into_iter().filter(|b| (least..=self.element_bits()).contains(b)).collect()
    }

    /// Log2 of the smallest elements in `bytes` bytes, a power of two.
    pub(super) fn units(&self, bytes: u32) -> u32 {
        (8 * bytes / self.sizes()[0]).ilog2()
    }

    /// That number.
    pub(crate) fn size_number(&self, bits: u32) -> u32 {
        self.sizes().iter().position(|size| *size == bits).unwrap_or(0) as u32
    }

    /// Bits of that number.
    pub(crate) fn size_bits(&self) -> u32 {
        bits_for(self.sizes().len() as u32 - 1)
    }

    /// Whether commands come a word at a time, from registers in RAM, to spare a second copy of them in flip-flops.
    pub fn takes_words(&self) -> bool {
        self.near.is_some() && self.is_plain() && self.lane.is_none()
    }

    /// The epilogue of all columns.
    pub(super) fn epilogue(&self) -> Option<Epilogue> {
        self.lane.map(|lane| Epilogue { geometry: *self, lane })
    }

    /// Cycles that an epilogue adds to a command.
    pub fn epilogue_latency(&self) -> u32 {
        self.epilogue().map_or(0, |epilogue| epilogue.latency())
    }

    /// Bytes of the smallest result.
    pub(super) fn least_result(&self) -> u32 {
        if self.lane.is_some() { 1 } else { 4 }
    }

    /// Whether a plain integer array does.
    pub(crate) fn is_plain(&self) -> bool {
        self.typed().is_none() && self.chained().is_none()
    }

    /// Cycles from the array's `first` to the old result of row 0, column 0.
    pub fn array_latency(&self) -> u32 {
        match (self.typed(), self.chained()) {
            (Some(typed), _) => typed.latency(),
            (_, Some(chained)) => chained.latency(),
            _ => self.array().latency(),
        }
    }

    /// Operand and accumulator widths of the PEs of a plain array.
    pub fn shape(&self) -> PeShape {
        let formats = self.tuples.iter().flat_map(|t| [t.a, t.b]);
        // Column-major results swap the operands: both sides are as wide as the wider.
        PeShape::int(formats.map(|f| f.storage_bits()).max().unwrap_or(8))
    }

    /// Part of a module name that tells geometries apart.
    pub(super) fn suffix(&self) -> String {
        let Geometry { rows, cols, a_bytes, b_bytes, result_bytes, bus_bytes, addr_bits, .. } =
            self;
        let pe = match self.element_bits() {
            _ if self.typed().is_some() => "typed".into(),
            8 => self.pe.name().replace('-', "_"),
            bits => format!("{}_{bits}", self.pe.name().replace('-', "_")),
        };
        let split = if self.k_split > 1 { format!("_s{}", self.k_split) } else { String::new() };
        let kind = match self.kind {
            ArrayKind::Systolic => String::new(),
            kind => format!("x{}_{}", self.depth, kind.name()),
        };
        let epilogue = self.lane.map_or(String::new(), |lane| {
            let step = |on: bool, letter| if on { letter } else { "" };
            format!("_e{}{}", step(lane.leaky, "l"), step(lane.table, "t"))
        });
        let near = match (self.near, self.memory_on_card) {
            (Some(bytes), _) => format!("_near{bytes}"),
            (None, true) => "_near".into(),
            (None, false) => String::new(),
        };
        let batch = if self.batch { "_batch" } else { "" };
        format!(
            "{rows}x{cols}{kind}_{pe}_a{a_bytes}_b{b_bytes}_r{result_bytes}_w{bus_bytes}_x{addr_bits}{near}{split}{epilogue}{batch}"
        )
    }

    pub(super) fn a_side(&self) -> Side {
        Side::new(self.rows, self.a_bytes, self.depth, self.element_bits())
    }

    pub(super) fn b_side(&self) -> Side {
        Side::new(self.cols, self.b_bytes, self.steps(), self.element_bits())
    }

    /// The A scratchpad.
    pub(super) fn a_pad(&self) -> Scratchpad {
        let depth = self.a_side().depth;
        let width = self.element_bits();
        Scratchpad { rows: self.rows, width, depth, deep: self.depth, split: self.k_split }
    }

    /// The B scratchpad: all steps of a cycle in one word.
    pub(super) fn b_pad(&self) -> Scratchpad {
        let depth = self.b_side().depth;
        let width = self.element_bits();
        Scratchpad { rows: self.cols, width, depth, deep: self.steps(), split: 1 }
    }

    /// The array.
    pub(super) fn array(&self) -> Array {
        let Geometry { rows, cols, kind, depth, pe, k_split, .. } = *self;
        Array { rows, cols, kind, depth, pe, shape: self.shape(), k_split }
    }

    /// Most steps of k a cycle: of groups of rows, or of deep PEs.
    pub(super) fn steps(&self) -> u32 {
        self.k_split.max(self.depth)
    }

    /// Whether the array says when it takes steps.
    pub(super) fn is_paced(&self) -> bool {
        self.array().is_paced()
    }

    /// Bits of log2 of the steps of a cycle.
    pub(super) fn split_bits(&self) -> u32 {
        bits_for(self.steps().ilog2())
    }

    /// Cycles by which the results of a column follow those of its left neighbour.
    pub(super) fn column_skew(&self) -> u32 {
        self.array().column_skew()
    }

    /// Exactly the cycles from the first operand entering the array to the last result leaving it, operands on chip; most of
    /// them where the pace depends on the data.
    pub fn compute_cycles(&self, [m, n, k]: [u64; 3]) -> u64 {
        let steps = k.div_ceil(self.depth.into()) * u64::from(self.array().pace());
        let (rows, cols) = (self.rows.into(), self.cols.into());
        if self.chained().is_some() {
            let (turn, latency) = (self.interleave().into(), self.array_latency().into());
            return chained_cycles([m, n, k], rows, cols, turn, latency);
        }
        let skewed = compute_cycles([m, n, steps], rows, cols, self.array_latency().into());
        skewed.saturating_sub((cols - 1) * u64::from(1 - self.column_skew()))
    }

    /// Most of them, by the cycle contract.
    pub fn cycle_bound(&self, [m, n, k]: [u64; 3]) -> u64 {
        let pace = self.array().pace() * self.interleave();
        let steps = k.div_ceil(self.depth.into()) * u64::from(pace);
        cycle_bound([m, n, steps], self.rows.into(), self.cols.into())
    }

    /// Runs and bursts in flight: on a wide bus runs are often a beat or two, and memory may be 200 cycles away.
    pub(super) fn in_flight(&self) -> u32 {
        match (self.memory_on_card, self.bus_bytes) {
            (true, _) => 16,
            (false, 64..) => 256,
            (false, _) => 64,
        }
    }

    /// Bits of M, N and K: a dimension is at most what memory holds, two elements a byte.
    pub(crate) fn dim_bits(&self) -> u32 {
        match self.near {
            Some(bytes) => bytes.ilog2() + self.packed() + 1,
            None => DIM_BITS.min(self.addr_bits + 1),
        }
    }

    /// Log2 of the smallest elements in a byte.
    fn packed(&self) -> u32 {
        self.units(1)
    }

    /// Bits of the distance of rows that count: addresses are taken modulo their range.
    pub(crate) fn stride_bits(&self) -> u32 {
        self.addr_bits.min(32)
    }

    /// Bits of the beats of a bus command.
    pub(crate) fn beats_bits(&self) -> u32 {
        let all = beats_bits(8 * self.bus_bytes, self.addr_bits);
        match self.takes_words() {
            // Runs of a block.
            true => all.min(self.span_bits() - self.units(self.bus_bytes)),
            false => all,
        }
    }

    /// Bits of a run of a block with the rest of its first beat, in the smallest elements.
    pub(super) fn span_bits(&self) -> u32 {
        let elements = self.block_bits() + self.sizes().len() as u32 + 1;
        elements.max(self.units(self.bus_bytes) + 1)
    }

    /// Whether tables count for more than cycles: the narrowest bus is for the smallest boards.
    pub(super) fn is_frugal(&self) -> bool {
        self.takes_words() && self.bus_bytes < 8
    }

    /// Bits of counters of cycles, bytes and products. Memory of 2^x bytes holds 2^x results at most, and rows of
    /// 2^(x+1) steps; each of their products takes 256 cycles at most, a load of both operands included. Beside the
    /// engine it holds 2^(x-2) results of four bytes, and steps of their size; a product takes 16 cycles at most: two
    /// beats read, each a third of the memory's time, and what a run costs.
    pub(crate) fn count_bits(&self) -> u32 {
        match self.near {
            Some(bytes) => 2 * bytes.ilog2() + self.packed() + self.least_result_pad() + 2,
            None => (2 * self.addr_bits + 9).min(64),
        }
    }

    /// Log2 of the smallest results in four bytes.
    fn least_result_pad(&self) -> u32 {
        (4 / self.least_result()).ilog2()
    }

    /// Steps before the end of a block's last use at which its half's next block is asked for: a memory latency.
    pub(super) fn read_ahead(&self) -> u32 {
        (self.in_flight() / self.interleave()).min((1 << self.block_bits()) - 1)
    }

    /// Columns of a block of B that does not stay on chip: a beat, or a tile where that is more.
    pub(super) fn streamed_cols(&self, bits: u32) -> u32 {
        let most = (self.b_side().half_steps() / self.cols).max(1);
        self.cols * (self.bus_bytes * 8 / bits / self.cols).clamp(1, most)
    }

    /// Most steps of k that fit a half of both scratchpads with one tile in each.
    pub fn max_k_block(&self) -> u32 {
        self.a_side().half_steps().min(self.b_side().half_steps())
    }

    /// Chunks of k are a multiple of this deep: whole lines of both scratchpads, and whole beats of either operand.
    pub fn chunk_step(&self) -> u32 {
        self.pitch_step().max(2 * self.bus_bytes).min(self.max_k_block())
    }

    /// Panels are a multiple of this deep: both scratchpads then keep lines whole.
    pub(super) fn pitch_step(&self) -> u32 {
        self.a_side().lanes.max(self.b_side().lanes)
    }

    /// Tiles that fit the result buffer.
    pub fn result_slots(&self) -> u32 {
        self.result_depth() / self.slot_rows()
    }

    /// Words of a result bank (one bank per column).
    pub(super) fn result_depth(&self) -> u32 {
        let words = self.result_bytes / 4 / self.cols.max(1);
        if words == 0 { 0 } else { 1 << words.ilog2() }
    }

    /// Words between tiles in a result bank.
    pub(super) fn slot_rows(&self) -> u32 {
        self.rows.next_power_of_two()
    }

    /// Bits of a block size: rows of an operand, or steps of k, in half a scratchpad.
    pub(super) fn block_bits(&self) -> u32 {
        self.a_side().half_steps().max(self.b_side().half_steps()).ilog2() + 1
    }

    /// Refuses what cannot be built; the text names the key, the value and what is allowed.
    pub(super) fn check(&self) -> Result<(), String> {
        for (key, n) in [("gemm.rows", self.rows), ("gemm.cols", self.cols)] {
            if !(1..=256).contains(&n) {
                return Err(format!("{key} is {n}; an array has 1 to 256"));
            }
        }
        if !self.bus_bytes.is_power_of_two() || !(4..=64).contains(&self.bus_bytes) {
            return Err(format!(
                "bus is {} bytes wide; 4, 8, 16, 32 or 64 are built",
                self.bus_bytes
            ));
        }
        if !(16..=64).contains(&self.addr_bits) {
            return Err(format!("addresses have {} bits; 16 to 64 are built", self.addr_bits));
        }
        if self.batch && (self.near.is_some() || self.bus_bytes < 8) {
            return Err("gemm.batch is true; it takes an AXI4 bus of at least 8 bytes".into());
        }
        for (key, side, bytes) in [
            ("gemm.a_kib", self.a_side(), self.a_bytes),
            ("gemm.b_kib", self.b_side(), self.b_bytes),
        ] {
            let least = 2 * self.pitch_step() * side.panel * self.element_bits() / 8;
            if !bytes.is_power_of_two() || bytes < least || side.half_steps() > 1 << 16 {
                return Err(format!(
                    "{key} is {bytes} bytes; a power of two from {least} is needed"
                ));
            }
        }
        match self.chained() {
            Some(chained) => chained.check()?,
            None if self.is_plain() => self.array().check()?,
            None => {}
        }
        if self.k_split > 1 && !self.is_plain() {
            let split = self.k_split;
            return Err(format!(
                "gemm.k_split is {split}; cards of other types than i8 and i4 take 1"
            ));
        }
        let split = self.k_split;
        let cuts = split.is_power_of_two() && split <= self.rows && self.rows.is_power_of_two();
        if split != 1 && !cuts {
            let rows = self.rows;
            return Err(format!(
                "gemm.k_split is {split} with {rows} rows; a power of two is needed that divides as many rows, a power of two"
            ));
        }
        if self.result_slots() < 2 {
            let least = 2 * self.slot_rows() * self.cols * 4;
            let bytes = self.result_bytes;
            return Err(format!("gemm.result_kib is {bytes} bytes; two tiles need {least}"));
        }
        Ok(())
    }
}

/// One operand's side of the engine: rows of A, or columns of B (called rows here: B is kept transposed).
#[derive(Clone, Copy, Debug)]
pub(super) struct Side {
    /// Rows of a window: PE rows or columns.
    pub(super) window: u32,
    /// Rows of a panel: the window, rounded up to a power of two.
    pub(super) panel: u32,
    /// Steps of k of a panel in one word of all banks.
    pub(super) deep: u32,
    /// Banks, and elements written at once: `panel * deep`.
    pub(super) lanes: u32,
    /// Words of a bank.
    pub(super) depth: u32,
}

impl Side {
    fn new(window: u32, bytes: u32, deep: u32, element_bits: u32) -> Self {
        let panel = Scratchpad::panel_for(window);
        let lanes = panel * deep;
        Side { window, panel, deep, lanes, depth: bytes / (lanes * element_bits / 8) }
    }

    /// Steps of k of one panel that fill a half.
    pub(super) fn half_steps(&self) -> u32 {
        self.depth / 2 * self.deep
    }

    /// Bits of a position within a group of lanes.
    pub(super) fn lane_bits(&self) -> u32 {
        self.lanes.ilog2()
    }

    /// Bits of a row within its panel.
    pub(super) fn panel_bits(&self) -> u32 {
        self.panel.ilog2()
    }

    /// Bits of the address of a step of a panel.
    pub(super) fn step_bits(&self) -> u32 {
        (self.depth * self.deep).ilog2()
    }

    /// Bits of a line address (a line is `panel` words).
    pub(super) fn line_bits(&self) -> u32 {
        self.depth.ilog2() - self.panel_bits()
    }
}

/// Bits that hold `value`, at least one.
pub(super) fn bits_for(value: u32) -> u32 {
    value.checked_ilog2().unwrap_or(0) + 1
}

/// The smaller of two unsigned numbers of any width, `width` bits wide (it must fit).
pub(super) fn min<'m>(a: Sig<'m>, b: Sig<'m>, width: u32) -> Sig<'m> {
    let wide = a.width().max(b.width());
    let (a_wide, b_wide) = (a.zext(wide), b.zext(wide));
    a_wide.lt(b_wide).mux(a.resize(width), b.resize(width))
}

/// What is left after a step of at most `step`.
#[derive(Clone, Copy)]
pub(super) struct Rest<'m> {
    /// `left - step`, of use unless `last`.
    pub(super) rest: Sig<'m>,
    /// The step is the last: `left <= step`.
    pub(super) last: Sig<'m>,
    /// The smaller of `left` and `step`, as wide as `step`.
    pub(super) now: Sig<'m>,
}

impl<'m> Rest<'m> {
    /// One subtraction tells all three. `step` may be narrower than `left`.
    pub(super) fn of(name: &str, left: Sig<'m>, step: Sig<'m>) -> Self {
        let wide = left.width() + 1;
        let difference = left.zext(wide).sub_wrap(step.zext(wide)).named(&format!("{name}_rest"));
        let rest = difference.trunc(left.width()).as_u();
        let last = (difference.msb() | rest.is(0)).named(&format!("last_{name}"));
        Rest { rest, last, now: last.mux(left.resize(step.width()), step) }
    }
}

/// `a <= b` for unsigned numbers of any widths.
pub(super) fn at_most<'m>(a: Sig<'m>, b: Sig<'m>) -> Sig<'m> {
    let (wide, narrow) = (a.width(), b.width());
    if wide <= narrow {
        return a.zext(narrow).le(b);
    }
    a.slice(wide - 1, narrow).as_u().is(0) & a.trunc(narrow).as_u().le(b)
}

/// `a - b` in the width of `a`; `b` may be narrower.
pub(super) fn minus<'m>(a: Sig<'m>, b: Sig<'m>) -> Sig<'m> {
    a.sub_wrap(b.resize(a.width()))
}

/// `a + b` in the width of `a`; `b` may be narrower or wider (its high bits do not matter then).
pub(super) fn plus<'m>(a: Sig<'m>, b: Sig<'m>) -> Sig<'m> {
    a.add_wrap(b.resize(a.width()))
}
