//! The sparse engine of a card.

use super::gemm::fits_address_space;
use super::keys::{Allowed, Checked, Visitor, choice, choices, key, optional_choices};
use super::{ConfigError, MemoryConfig};
use crate::join::JoinStep;
use crate::regs::ValueType;
use crate::semiring::{SEMIRINGS, Semiring};

/// What of a key says in which bank and bucket of the hash table its entry lives.
///
/// Bit selections are the ones of SMASH (Kulkarni et al., arXiv 2105.14156, versions 1 and 2), with the rows of a window displaced from each
/// other by an odd factor; consecutive places are in consecutive banks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HashKind {
    /// The top bits of a product with 2^32 over the golden ratio: no regular pattern of columns piles up.
    #[default]
    Multiplicative,
    /// The lowest bits of the column. Columns a power of two apart pile up.
    LowBits,
    /// The highest bits of the column, of as many as the matrix has columns. Neighbours pile up.
    HighBits,
}

impl HashKind {
    const NAMES: &[(&str, HashKind)] = &[
        ("multiplicative", HashKind::Multiplicative),
        ("low-bits", HashKind::LowBits),
        ("high-bits", HashKind::HighBits),
    ];
}

/// Which lane takes a piece of a row of B.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dispatch {
    /// The one with the least work queued.
    #[default]
    Dynamic,
    /// That of its row of A: rows take turns, whatever their length (SMASH version 1).
    Static,
}

impl Dispatch {
    const NAMES: &[(&str, Dispatch)] =
        &[("dynamic", Dispatch::Dynamic), ("static", Dispatch::Static)];
}

/// Clusters of lanes, each with its hash banks, sorter and B cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpgemmConfig {
    /// Clusters, each with its own AXI master.
    pub clusters: u32,
    /// Multiply-add lanes per cluster.
    pub lanes: u32,
    /// Hash banks per cluster.
    pub banks: u32,
    /// Entries per bucket.
    pub ways: u32,
    /// Hash table entries per half, over all banks of a cluster.
    pub entries_per_half: u32,
    /// Where in the table a key lives.
    pub hash: HashKind,
    /// Which lane takes a piece of a row.
    pub dispatch: Dispatch,
    /// Windows in the table at once: 2, one filling while the other drains, or 1.
    pub open_windows: u32,
    /// Cycles of the floating-point adder.
    pub adder_latency: u32,
    /// Products a lane may choose among for a free bank.
    pub look_ahead: u32,
    /// (column, value) pairs queued per lane.
    pub lane_queue: u32,
    /// Cache lines being fetched at once.
    pub misses: u32,
    /// B cache per cluster in KiB.
    pub cache_kib: u32,
    /// Banks of the B cache.
    pub cache_banks: u32,
    /// Segments of B rows waiting for a lane.
    pub task_fifo: u32,
    /// Entries the sorter takes per cycle.
    pub sorter_width: u32,
    /// Value types a command chooses among.
    pub values: Vec<ValueType>,
    /// Semirings a command chooses among.
    pub semirings: Vec<Semiring>,
    /// What may join a product.
    pub joins: Vec<JoinStep>,
    /// Whether a command may ask that an entry's products are added by rising k.
    pub ordered: bool,
    /// Hash seed after reset.
    pub seed: u32,
    /// Bits of a column index.
    pub index_bits: u32,
    /// Rows one window may hold.
    pub row_slots: u32,
    /// Array addresses are multiples of this many bytes.
    pub align: u32,
}

impl Default for SpgemmConfig {
    fn default() -> Self {
        SpgemmConfig {
            clusters: 1,
            lanes: 4,
            banks: 16,
            ways: 4,
            entries_per_half: 4096,
            hash: HashKind::Multiplicative,
            dispatch: Dispatch::Dynamic,
            open_windows: 2,
            adder_latency: 6,
            look_ahead: 8,
            lane_queue: 256,
            misses: 64,
            cache_kib: 512,
            cache_banks: 8,
            task_fifo: 512,
            sorter_width: 4,
            values: vec![ValueType::I32, ValueType::F32],
            semirings: SEMIRINGS.to_vec(),
            joins: Vec::new(),
            ordered: false,
            seed: 0x9e37_79b1,
            index_bits: 32,
            row_slots: 256,
            align: 64,
        }
    }
}

impl SpgemmConfig {
    pub(super) fn visit(&mut self, v: &mut dyn Visitor) -> Checked {
        use Allowed::{PowerOfTwo, Range};
        let clusters = key("clusters", "Clusters, each with its own AXI master and cache");
        v.number(clusters, PowerOfTwo(1, 8), &mut self.clusters)?;
        v.number(
            key("lanes", "Multiply-add lanes per cluster"),
            PowerOfTwo(1, 16),
            &mut self.lanes,
        )?;
        v.number(key("banks", "Hash banks per cluster"), PowerOfTwo(1, 64), &mut self.banks)?;
        v.number(key("ways", "Entries per bucket"), PowerOfTwo(1, 8), &mut self.ways)?;
        let entries = key("entries_per_half", "Hash table entries per half, over all banks");
        v.number(entries, PowerOfTwo(16, 65_536), &mut self.entries_per_half)?;
        choice(
            v,
            key("hash", "Bits of a key that say where it lives"),
            HashKind::NAMES,
            &mut self.hash,
        )?;
        let dispatch =
            key("dispatch", "The lane of a piece of a row: the least loaded, or the row's");
        choice(v, dispatch, Dispatch::NAMES, &mut self.dispatch)?;
        let open =
            key("open_windows", "Windows in the table at once: one fills while one drains, or not");
        v.number(open, PowerOfTwo(1, 2), &mut self.open_windows)?;
        v.number(
            key("adder_latency", "Cycles of the floating-point adder"),
            Range(3, 8),
            &mut self.adder_latency,
        )?;
        let look_ahead = key("look_ahead", "Products a lane may choose among for a free bank");
        v.number(look_ahead, PowerOfTwo(2, 16), &mut self.look_ahead)?;
        let queue = key("lane_queue", "(column, value) pairs queued per lane");
        v.number(queue, PowerOfTwo(16, 4096), &mut self.lane_queue)?;
        v.number(
            key("misses", "Cache lines being fetched at once"),
            PowerOfTwo(1, 256),
            &mut self.misses,
        )?;
        v.number(
            key("cache_kib", "B cache per cluster in KiB"),
            PowerOfTwo(1, 16_384),
            &mut self.cache_kib,
        )?;
        v.number(
            key("cache_banks", "Banks of the B cache"),
            PowerOfTwo(1, 16),
            &mut self.cache_banks,
        )?;
        let tasks = key("task_fifo", "Segments of B rows waiting for a lane");
        v.number(tasks, PowerOfTwo(16, 4096), &mut self.task_fifo)?;
        let sorter = key("sorter_width", "Entries the sorter takes per cycle");
        v.number(sorter, PowerOfTwo(1, 16), &mut self.sorter_width)?;
        let types: Vec<_> = ValueType::ALL.iter().map(|t| (t.format().name(), *t)).collect();
        choices(v, key("values", "Value types a command chooses among"), &types, &mut self.values)?;
        let rings: Vec<(&str, Semiring)> = SEMIRINGS.iter().map(|s| (s.name(), *s)).collect();
        let semirings = key("semirings", "Semirings a command chooses among");
        choices(v, semirings, &rings, &mut self.semirings)?;
        let joins = key("joins", "What may join a product: masks, accumulation, pruning of zeros");
        optional_choices(v, joins, JoinStep::NAMES, &mut self.joins)?;
        let order = "Orders of sums a command may ask for, besides the fast one: by rising k";
        let mut orders: Vec<()> = self.ordered.then_some(()).into_iter().collect();
        optional_choices(v, key("determinism", order), &[("ordered", ())], &mut orders)?;
        self.ordered = !orders.is_empty();
        v.number(key("seed", "Hash seed after reset"), Range(0, u32::MAX), &mut self.seed)?;
        v.number(key("index_bits", "Bits of a column index"), Range(8, 32), &mut self.index_bits)?;
        v.number(
            key("row_slots", "Rows one window may hold"),
            PowerOfTwo(2, 1024),
            &mut self.row_slots,
        )?;
        let align = key("align", "Array addresses are multiples of this many bytes");
        v.number(align, PowerOfTwo(4, 64), &mut self.align)
    }

    pub(super) fn check_together(&self, memory: &MemoryConfig) -> Checked {
        let fail = |key: &str, value: u32, allowed: String, next: &str| {
            Err(ConfigError::new(format!("spgemm.{key}"), value, allowed, next))
        };
        if self.banks < self.lanes {
            return fail(
                "banks",
                self.banks,
                format!("at least `lanes`, {}", self.lanes),
                "raise `banks`",
            );
        }
        if self.sorter_width > self.banks {
            return fail(
                "sorter_width",
                self.sorter_width,
                format!("at most `banks`, {}: each of its streams is one of theirs", self.banks),
                "lower it or raise `banks`",
            );
        }
        let least = self.banks * self.ways * 2;
        if self.entries_per_half < least {
            return fail(
                "entries_per_half",
                self.entries_per_half,
                format!("at least two buckets in each bank, {least}"),
                "raise it, or lower `banks` or `ways`",
            );
        }
        let lines = self.cache_kib * 1024 / memory.bus_bytes;
        if self.misses > lines / 2 {
            return fail(
                "misses",
                self.misses,
                format!("at most half of the cache's {lines} lines"),
                "lower it or raise `cache_kib`",
            );
        }
        if lines < self.cache_banks * 8 {
            return fail(
                "cache_banks",
                self.cache_banks,
                format!("at most an eighth of the cache's {lines} lines"),
                "lower it or raise `cache_kib`",
            );
        }
        fits_address_space("spgemm.cache_kib", self.cache_kib, memory)
    }
}
