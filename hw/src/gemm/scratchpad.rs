//! Operand scratchpad: written along either dimension, read across rows.

use super::rotate::{rotate_down, rotate_up};
use rtl_gen::{Builder, MemSpec, Module, Sig, bit, bits, cat, uint};

/// Block RAM that holds panels of an operand and turns corners: a run of `lanes` elements may be
/// written along k (one row, rising k) or across rows (one k, rising rows), at any position, and
/// `rows` consecutive rows are read at one k.
///
/// Rows lie in groups of `lanes`; a group is `pitch` words deep (a multiple of `lanes`), element
/// (i, k) is in bank `(i + k) mod lanes` at word `group(i) * pitch + k`. A *line* is `lanes` words: the
/// unit of the addresses `wr_line*`.
///
/// | port | dir | type | meaning |
/// |---|---|---|---|
/// | `wr_valid` | in | bit | write the lanes of `wr_mask` |
/// | `wr_data`, `wr_mask` | in | bits | elements j = 0.. of a run, lane 0 in the low bits |
/// | `wr_along_k` | in | bit | the run goes along k, otherwise across rows |
/// | `wr_phase` | in | uint | position of lane 0 in the run's dimension, mod `lanes` |
/// | `wr_cross` | in | uint | position in the other dimension, mod `lanes` |
/// | `wr_line0`, `wr_line1` | in | uint | line of the elements before and after the run wraps a group of `lanes` |
/// | `rd_valid` | in | bit | read a window; otherwise `rd_data` becomes 0 |
/// | `rd_word0`, `rd_word1` | in | uint | word of group and k of the window's first row, and of the next group |
/// | `rd_phase` | in | uint | first row of the window, mod `lanes` |
/// | `rd_data` | out | bits(`rows` * `width`) | the window, first row in the low bits |
///
/// Writes are visible to reads [`WRITE_LATENCY`](Self::WRITE_LATENCY) cycles later, reads take
/// [`READ_LATENCY`](Self::READ_LATENCY) cycles; one of each per cycle. `rd_word1` and `rd_phase` exist
/// only where `rows` is no power of two (otherwise windows never straddle groups).
#[derive(Clone, Copy, Debug)]
pub struct Scratchpad {
    /// Rows of a window: PE rows (columns) of the array.
    pub rows: u32,
    /// Bits of an element.
    pub width: u32,
    /// Words of a bank; a power of two.
    pub depth: u32,
}

impl Scratchpad {
    /// Cycles after which a write may be read.
    pub const WRITE_LATENCY: u32 = 2;
    /// Cycles from `rd_valid` to `rd_data`.
    pub const READ_LATENCY: u32 = 3;

    /// Banks, and elements of a run: the window, rounded up to a power of two.
    pub const fn lanes_for(rows: u32) -> u32 {
        if rows <= 2 { 2 } else { rows.next_power_of_two() }
    }

    fn lanes(&self) -> u32 {
        Self::lanes_for(self.rows)
    }

    /// Whether windows may begin anywhere in a group.
    pub const fn straddles(rows: u32) -> bool {
        Self::lanes_for(rows) != rows
    }
}

impl Module for Scratchpad {
    fn name(&self) -> String {
        format!("scratchpad_r{}_w{}_d{}", self.rows, self.width, self.depth)
    }

    fn check(&self) -> Result<(), String> {
        let least = 2 * self.lanes();
        if !self.depth.is_power_of_two() || self.depth < least {
            let depth = self.depth;
            return Err(format!("scratchpad depth {depth} is no power of two from {least}"));
        }
        Ok(())
    }

    fn build(&self, m: &Builder) {
        m.doc("Operand scratchpad in diagonal banks: runs along k or across rows in, windows of rows out.");
        let lanes = self.lanes();
        let index = lanes.ilog2();
        let line = uint(self.depth.ilog2() - index);
        let wr_valid = m.input("wr_valid", bit());
        let wr_data = m.input("wr_data", bits(lanes * self.width));
        let wr_mask = m.input("wr_mask", bits(lanes));
        let wr_along_k = m.input("wr_along_k", bit());
        let wr_phase = m.input("wr_phase", uint(index));
        let wr_cross = m.input("wr_cross", uint(index));
        let (line0, line1) = (m.input("wr_line0", line), m.input("wr_line1", line));
        let rd_valid = m.input("rd_valid", bit());
        let word0 = m.input("rd_word0", uint(self.depth.ilog2()));

        // Lane 0 goes to bank phase + cross; bank b gets lane b - turn.
        let turn = wr_phase.add_wrap(wr_cross).named("wr_turn");
        let data = rotate_up(&wr_data.lanes(self.width), turn);
        let mask = rotate_up(&wr_mask.lanes(1), turn);

        // A window that begins inside a group reads its last rows from the next one.
        let next_group = Self::straddles(self.rows).then(|| {
            (m.input("rd_word1", uint(self.depth.ilog2())), m.input("rd_phase", uint(index)))
        });
        let k = word0.trunc(index);
        let rd_turn = match next_group {
            Some((_, phase)) => k.add_wrap(phase),
            None => k,
        };
        let banks: Vec<Sig> = (0..lanes)
            .map(|b| {
                let name = |what: &str| format!("{what}_{b}");
                let lane = m.lit(uint(index), b.into()).sub_wrap(turn);
                let position = (wr_phase + lane).named(&name("wr_position"));
                let low = wr_along_k.mux(position.trunc(index), wr_cross);
                let high = position.msb().mux(line1, line0);
                let address = m.reg(&name("wr_word"), cat(&[high, low]).as_u());
                let enable = m.reg(&name("wr_enable"), wr_valid & mask[b as usize]);
                let value = m.reg(&name("wr_value"), data[b as usize]);

                let word = match next_group {
                    Some((word1, phase)) => {
                        let row = m.lit(uint(index), b.into()).sub_wrap(rd_turn);
                        (phase + row).msb().mux(word1, word0)
                    }
                    None => word0,
                };
                let store = m.mem(&name("bank"), MemSpec::block(self.depth, self.width));
                store.write(address, value, enable);
                let read = store.read(&name("read"), word, rd_valid);
                m.reg(&name("read_q"), read)
            })
            .collect();

        let (valid_q, turn_q) = (m.delay("rd_valid", rd_valid, 2), m.delay("rd_turn", rd_turn, 2));
        let window = rotate_down(&banks, turn_q);
        let window: Vec<Sig> = (window.iter().take(self.rows as usize).rev())
            .map(|element| valid_q.gate(*element))
            .collect();
        m.output("rd_data", m.reg("window", cat(&window)));
    }
}
