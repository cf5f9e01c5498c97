//! Operands in memory.

use rand::Rng;
use rand::rngs::StdRng;

/// How an operand lies in memory.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) addr: u64,
    pub(super) stride: usize,
    pub(super) col_major: bool,
    pub(super) int4: bool,
}

impl Layout {
    /// Any layout, any byte alignment, near `region`.
    pub(super) fn random(region: u64, rows: usize, cols: usize, rng: &mut StdRng) -> Layout {
        let (col_major, int4) = (rng.random(), rng.random());
        let length = if col_major { rows } else { cols };
        let bytes = if int4 { length.div_ceil(2) } else { length };
        let slack = if rng.random() { 0 } else { rng.random_range(0..20) };
        Layout { addr: region + rng.random_range(0..70), stride: bytes + slack, col_major, int4 }
    }
}

/// Random elements in range, the most negative one often.
pub(super) fn random_elements(count: usize, int4: bool, rng: &mut StdRng) -> Vec<i8> {
    let least = if int4 { -8 } else { i8::MIN };
    (0..count)
        .map(|_| if rng.random_bool(0.1) { least } else { rng.random_range(least..=!least) })
        .collect()
}

/// Writes a rows x cols matrix, given row by row.
pub(super) fn place(bytes: &mut [u8], layout: &Layout, elements: &[i8], rows: usize, cols: usize) {
    for i in 0..rows {
        for j in 0..cols {
            let (line, x) = if layout.col_major { (j, i) } else { (i, j) };
            let at = layout.addr as usize + line * layout.stride;
            let value = elements[i * cols + j] as u8;
            if layout.int4 {
                let (byte, shift) = (&mut bytes[at + x / 2], 4 * (x % 2));
                *byte = (*byte & !(0xf << shift)) | (value & 0xf) << shift;
            } else {
                bytes[at + x] = value;
            }
        }
    }
}
