//! Where a key lives.

use super::table::Table;
use rtl_gen::{Builder, Sig, cat, uint};

/// Multiplies the row slot, so that one column lands elsewhere in each row.
pub const ROW_FACTOR: u32 = 0x0100_0193;

/// 2^32 divided by the golden ratio, odd (Fibonacci hashing: Knuth, TAOCP 3, section 6.4).
pub const HASH_FACTOR: u32 = 0x9e37_79b1;

/// Enabled cycles of the pipelined hash.
pub(super) const HASH_LATENCY: u32 = 4;

impl Table {
    /// Bank and bucket of a key: the top bits of
    /// `((col + row * ROW_FACTOR) ^ seed) * HASH_FACTOR mod 2^32`, bank bits first.
    pub fn place(&self, seed: u32, row: u32, col: u32) -> (u32, u32) {
        let mixed = col.wrapping_add(row.wrapping_mul(ROW_FACTOR)) ^ seed;
        let hash = mixed.wrapping_mul(HASH_FACTOR) as u64;
        let bank = hash >> (32 - self.bank_bits());
        let bucket = hash >> (32 - self.bank_bits() - self.bucket_bits());
        (bank as u32, bucket as u32 & (self.buckets() - 1))
    }
}

/// The hash of [`Table::place`] in four stages that move with `enable`: add, three 16 x 16 products, two
/// sums. Returns bank and bucket as numbers.
pub(super) fn hash<'m>(
    m: &'m Builder,
    table: &Table,
    enable: Sig<'m>,
    seed: Sig<'m>,
    row: Sig<'m>,
    col: Sig<'m>,
) -> (Sig<'m>, Sig<'m>) {
    m.scope("hash", || {
        let reg = |name: &str, value| m.reg_when(name, enable, value);
        let spread = (row.as_u() * m.lit(uint(25), ROW_FACTOR as i128)).resize(32);
        let sum = col.as_u().zext(32).add_wrap(spread).as_bits();
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
    })
}
