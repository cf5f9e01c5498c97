//! Where a key lives.

use super::table::Table;
use mattock_spec::config::HashKind;
use rtl_gen::{Builder, Sig, cat, uint};

/// Multiplies the row slot, so that one column lands elsewhere in each row.
pub const ROW_FACTOR: u32 = 0x0100_0193;

/// 2^32 divided by the golden ratio, odd (Fibonacci hashing: Knuth, TAOCP 3, section 6.4).
pub const HASH_FACTOR: u32 = 0x9e37_79b1;

/// Enabled cycles of the pipelined hash.
pub(super) const HASH_LATENCY: u32 = 4;

/// What is the same for all keys of a command.
#[derive(Clone, Copy, Debug)]
pub struct Spread<T> {
    /// Hash seed.
    pub seed: T,
    /// Zeros above the highest bit of a column, of 32: [`Table::place`] of [`HashKind::HighBits`] begins below them.
    pub lead: T,
}

impl Spread<u32> {
    /// Of matrices with so many columns.
    pub fn new(seed: u32, cols: u32) -> Self {
        Spread { seed, lead: cols.saturating_sub(1).leading_zeros().min(31) }
    }
}

impl Table {
    /// Bank and bucket of a key.
    ///
    /// - multiplicative: the top bits of `((col + row * ROW_FACTOR) ^ seed) * HASH_FACTOR mod 2^32`, bank bits first;
    /// - low bits: those of `(col + row * ROW_FACTOR) ^ seed`, the bank's lowest;
    /// - high bits: the top ones of `((col << lead) + row * ROW_FACTOR) ^ seed`, the bank's lowest.
    pub fn place(&self, spread: Spread<u32>, row: u32, col: u32) -> (u32, u32) {
        let Spread { seed, lead } = spread;
        let displaced = row.wrapping_mul(ROW_FACTOR);
        let (bank, bucket) = (self.bank_bits(), self.bucket_bits());
        let top = |word: u32| word >> (32 - bank - bucket);
        let interleaved =
            |index: u32| (index & (self.banks - 1), index >> bank & (self.buckets() - 1));
        match self.hash {
            HashKind::Multiplicative => {
                let index = top((col.wrapping_add(displaced) ^ seed).wrapping_mul(HASH_FACTOR));
                (index >> bucket, index & (self.buckets() - 1))
            }
            HashKind::LowBits => interleaved(col.wrapping_add(displaced) ^ seed),
            HashKind::HighBits => interleaved(top((col << lead).wrapping_add(displaced) ^ seed)),
        }
    }
}

/// [`Table::place`] in [`HASH_LATENCY`] stages that move with `enable`. Returns bank and bucket as numbers.
pub(super) fn hash<'m>(
    m: &'m Builder,
    table: &Table,
    enable: Sig<'m>,
    spread: Spread<Sig<'m>>,
    row: Sig<'m>,
    col: Sig<'m>,
) -> (Sig<'m>, Sig<'m>) {
    m.scope("hash", || match table.hash {
        HashKind::Multiplicative => multiplicative(m, table, enable, spread.seed, row, col),
        HashKind::LowBits => {
            let displaced = displacement(m, row);
            let sum = col.as_u().zext(32).add_wrap(displaced).as_bits();
            let places = sum.slice(table.bank_bits() + table.bucket_bits() - 1, 0);
            let seed = spread.seed.slice(places.width() - 1, 0);
            interleaved(m, table, enable, places ^ seed, HASH_LATENCY)
        }
        HashKind::HighBits => {
            let aligned =
                m.reg_when("aligned", enable, col.as_u().zext(32).shl(spread.lead.as_u()));
            let displaced = m.reg_when("displaced", enable, displacement(m, row));
            let mixed = aligned.add_wrap(displaced).as_bits() ^ spread.seed;
            let index = mixed.slice(31, 32 - table.bank_bits() - table.bucket_bits());
            interleaved(m, table, enable, index, HASH_LATENCY - 1)
        }
    })
}

fn displacement<'m>(m: &'m Builder, row: Sig<'m>) -> Sig<'m> {
    (row.as_u() * m.lit(uint(25), ROW_FACTOR as i128)).resize(32)
}

/// Consecutive places in consecutive banks, after so many stages.
fn interleaved<'m>(
    m: &'m Builder,
    table: &Table,
    enable: Sig<'m>,
    index: Sig<'m>,
    stages: u32,
) -> (Sig<'m>, Sig<'m>) {
    let index = (1..=stages).fold(index, |i, n| m.reg_when(&format!("index_{n}"), enable, i));
    let (bank, bucket) = (table.bank_bits(), table.bucket_bits());
    (index.slice(bank - 1, 0).as_u(), index.slice(bank + bucket - 1, bank).as_u())
}

/// Add, three 16 x 16 products, two sums.
fn multiplicative<'m>(
    m: &'m Builder,
    table: &Table,
    enable: Sig<'m>,
    seed: Sig<'m>,
    row: Sig<'m>,
    col: Sig<'m>,
) -> (Sig<'m>, Sig<'m>) {
    let reg = |name: &str, value| m.reg_when(name, enable, value);
    let sum = col.as_u().zext(32).add_wrap(displacement(m, row)).as_bits();
    let mixed = reg("mixed", sum ^ seed);

    let (low, high) = (mixed.lane(0, 16).as_u(), mixed.lane(1, 16).as_u());
    let factor_low = m.lit(uint(16), (HASH_FACTOR & 0xffff) as i128);
    let factor_high = m.lit(uint(16), (HASH_FACTOR >> 16) as i128);
    let outer = reg("outer", low * factor_low);
    let cross_a = reg("cross_a", (low * factor_high).trunc(16));
    let cross_b = reg("cross_b", (high * factor_low).trunc(16));

    let cross = reg("cross", cross_a.add_wrap(cross_b));
    let outer = reg("outer_2", outer);
    let top = reg("top", outer.lane(1, 16).as_u().add_wrap(cross));
    let low = reg("low", outer.lane(0, 16));

    let hash = cat(&[top, low]);
    let (bank, bucket) = (table.bank_bits(), table.bucket_bits());
    (hash.slice(31, 32 - bank).as_u(), hash.slice(31 - bank, 32 - bank - bucket).as_u())
}
