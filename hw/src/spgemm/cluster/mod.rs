//! One cluster with its memory port: the whole engine, or one of several (`docs/spgemm.md`).

mod back;
mod control;
mod front;
mod join;
mod memory;
mod merge;
mod status;

use super::front::Values;
use control::{Command, Control};
use front::LOOKUPS;
use mattock_spec::config::{CardConfig, SpgemmConfig};
use rtl_gen::{Builder, Module, Sig, index_width, uint};
use status::Blocks;

/// Bits of a row slot: a window holds at most 256 rows.
const ROW_BITS: u32 = 8;

/// SpGEMM engine: `C = A * B` over a semiring in split CSR, in i32 or f32, one cluster.
///
/// Ports: those every engine of the card has (`start`, `flush`, `idle`, `done`, `error`, `error_info`, `read_beat`,
/// `write_beat`, `m_axi_*`), and the values of the SPGEMM register block by name: inputs `mode_value`, `mode_semiring`, `rows`,
/// `inner`, `cols`, `seed`, `nnz_a`, `nnz_b`, `c_capacity`, `a_ptr` to `c_val`, those of the JOIN block that belong to `config.joins`, `mode_ordered` with `config.ordered`; outputs `products`, `nnz_c`, `windows`, `spills`,
/// `restarts`, `hazard_stalls`, `cache_hits`, `cache_misses`.
///
/// Throughput: `lanes` products a cycle while memory, table and sorter keep up.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Table, lanes, cache.
    pub config: SpgemmConfig,
    /// Bytes of a bus beat: a line.
    pub bus_bytes: u32,
    /// Bits of a byte address.
    pub address_bits: u32,
    /// One of several, which [`Clusters`](super::Clusters) hands parts of a product. It has more ports:
    ///
    /// | port | dir | type | meaning |
    /// |---|---|---|---|
    /// | `clear`, `forget` | in | bit | pulses: a product begins, counters and what was learned start anew; it has ended, the cache is invalid |
    /// | `first_row`, `first_col`, `end_col` | in | uint(32) | with `rows` as its end: the part. `nnz_c` counts its entries |
    /// | `read_fault`, `read_fault_addr` | out | bits(2), uint(32) | of the [`AxiReadMaster`](crate::bus::AxiReadMaster), since `clear` |
    /// | `t_req_valid`, `t_req_ready`, `t_req_addr`, `t_rsp_valid`, `t_rsp_data` | | | one more reader of lines at the memory port |
    pub parted: bool,
}

impl Cluster {
    /// The cluster of a card, if it has one.
    pub fn of(card: &CardConfig) -> Option<Self> {
        let config = card.spgemm.clone()?;
        let (bus_bytes, address_bits) = (card.memory.bus_bytes, card.memory.address_bits);
        Some(Cluster { config, bus_bytes, address_bits, parted: false })
    }

    pub(super) fn line_words(&self) -> u32 {
        self.bus_bytes / 4
    }

    fn line_bits(&self) -> u32 {
        self.bus_bytes * 8
    }

    pub(super) fn offset_bits(&self) -> u32 {
        self.bus_bytes.trailing_zeros()
    }

    pub(super) fn addr_bits(&self) -> u32 {
        self.address_bits - self.offset_bits()
    }

    /// Whole lines are queued, of which short rows use a quarter.
    fn lane_slots(&self) -> u32 {
        (self.config.lane_queue * 4 / self.line_words()).max(16)
    }

    fn tag_bits(&self) -> u32 {
        index_width(self.lane_slots().max(LOOKUPS)) + 1
    }

    /// In order, lanes share the columns of large rows; one lane alone keeps the order by itself.
    fn shares(&self) -> bool {
        self.config.ordered && self.config.lanes > 1
    }

    fn values(&self) -> Values {
        Values::of(&self.config.values)
    }

    /// A line address from a byte address.
    fn base<'m>(&self, m: &'m Builder, name: &str) -> Sig<'m> {
        m.input(name, uint(self.address_bits)).shr_k(self.offset_bits())
    }
}

impl Module for Cluster {
    fn name(&self) -> String {
        "spgemm_cluster".into()
    }

    fn check(&self) -> Result<(), String> {
        if self.config.sorter_width > self.line_words() {
            let (sorter, line) = (self.config.sorter_width, self.line_words());
            return Err(format!(
                "sorter_width {sorter} is more than the {line} words of a memory line"
            ));
        }
        Ok(())
    }
    fn build(&self, m: &Builder) {
        m.doc("SpGEMM cluster: row-wise products merged by atomic hashing.");
        let command = Command::ports(m, self);
        let control = Control::new(m, self, &command);
        let front = self.front(m, &command, &control);
        let core = self.merge_core(m, &command, &control, &front);
        let writer = self.back(m, &command, &control, core);
        let memory = self.memory(m, &command, &control, &front, writer);
        let blocks = Blocks { control: &control, front: &front, core, writer, memory: &memory };
        self.status(m, &command, &blocks);
    }
}
