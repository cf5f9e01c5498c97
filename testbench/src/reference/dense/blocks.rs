//! Elements that share a scale, and code books.

use super::Number;
use mattock_spec::Format;

/// Shared scales along k. A line is a row of A or a column of B; its scales lie one after the other, `ceil(K / size)` per
/// line. The value of an element is the exact product of its own value and its scale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocks {
    /// OCP Microscaling 1.0: blocks of 32 (or another size), one E8M0 code each. Elements of `i8` weigh 2^-6 (MXINT8).
    Mx {
        /// Elements per block.
        size: usize,
        /// E8M0 codes.
        scales: Vec<u8>,
    },
    /// NVFP4: blocks of 16 elements of E2M1, one E4M3 code each; the tensor's own binary32 factor is alpha.
    Nvfp4 {
        /// E4M3 codes.
        scales: Vec<u8>,
    },
    /// Integers in groups: `(code - zero) * scale`, as AWQ and GPTQ store weights.
    Group {
        /// Elements per group.
        size: usize,
        /// Format of the scales.
        scale_format: Format,
        /// Codes of the scales.
        scales: Vec<u32>,
        /// Zero points; empty: all zero.
        zeros: Vec<i32>,
    },
}

/// The exponent of an E8M0 scale: powers of two from 2^-127 to 2^127. `None` is NaN (code 255); there is no zero.
pub fn e8m0(code: u8) -> Option<i32> {
    (code != 255).then(|| i32::from(code) - 127)
}

impl Blocks {
    /// Elements that share a scale.
    pub fn size(&self) -> usize {
        match self {
            Blocks::Mx { size, .. } | Blocks::Group { size, .. } => *size,
            Blocks::Nvfp4 { .. } => 16,
        }
    }

    /// The value of element `k` of `line`, lines being `depth` elements long. A NaN scale makes every element of its
    /// block NaN, zeros too.
    pub fn value(&self, format: Format, code: u32, line: usize, k: usize, depth: usize) -> Number {
        let block = line * depth.div_ceil(self.size()) + k / self.size();
        let element = Number::of(format, code);
        match self {
            Blocks::Mx { scales, .. } => {
                let implied = if format == Format::I8 { -6 } else { 0 };
                let scale =
                    e8m0(scales[block]).map_or(Number::Nan, |e| Number::scaled(1, e + implied));
                element.times(scale)
            }
            Blocks::Nvfp4 { scales } => {
                element.times(Number::of("e4m3".parse().expect("a format"), scales[block].into()))
            }
            Blocks::Group { scale_format, scales, zeros, .. } => {
                let zero = zeros.get(block).copied().unwrap_or(0);
                let mattock_spec::Value::Int(code) = format.decode(code) else {
                    return Number::Nan;
                };
                Number::scaled(code - i64::from(zero), 0)
                    .times(Number::of(*scale_format, scales[block]))
            }
        }
    }
}

/// A code book: an index of 4 or 8 bits names one of 16 or 256 codes of a format (NF4 and the like).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Palette {
    format: Format,
    entries: Vec<u32>,
}

/// A code book of the wrong length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a palette has 16 or 256 entries, not {0}")]
pub struct PaletteError(pub usize);

impl Palette {
    /// # Errors
    /// [`PaletteError`] unless there are 16 or 256 entries.
    pub fn new(format: Format, entries: Vec<u32>) -> Result<Palette, PaletteError> {
        match entries.len() {
            16 | 256 => Ok(Palette { format, entries }),
            other => Err(PaletteError(other)),
        }
    }

    /// Bits of an index.
    pub fn index_bits(&self) -> u32 {
        self.entries.len().ilog2()
    }

    /// The value an index names; higher bits are ignored.
    pub fn value(&self, index: u32) -> Number {
        Number::of(self.format, self.entries[index as usize & (self.entries.len() - 1)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_multiply_exactly_and_a_nan_scale_poisons_its_block() {
        let e2m1: Format = "e2m1".parse().unwrap();
        let mx = Blocks::Mx { size: 32, scales: vec![127 + 3, 255] };
        assert_eq!(mx.value(e2m1, 7, 0, 31, 64), Number::from(48.0)); // 6 * 2^3
        assert_eq!(mx.value(e2m1, 0, 0, 32, 64), Number::Nan);
        let int8 = Blocks::Mx { size: 32, scales: vec![127] };
        let value = int8.value(Format::I8, 0x60, 0, 0, 32);
        assert_eq!(value.times(Number::from(1.0)), Number::scaled(96, -6));
        let group = Blocks::Group {
            size: 2,
            scale_format: Format::F32,
            scales: vec![0x3f00_0000; 2],
            zeros: vec![0, 8],
        };
        assert_eq!(
            group.value(Format::uint(4), 15, 0, 2, 4),
            Number::scaled(7, 0).times(Number::from(0.5))
        );
    }

    #[test]
    fn palettes_have_16_or_256_entries() {
        assert_eq!(Palette::new(Format::I8, vec![0; 15]), Err(PaletteError(15)));
        let palette = Palette::new(Format::I8, (0..16).map(|i| 0xf0 + i).collect()).unwrap();
        assert_eq!((palette.index_bits(), palette.value(1)), (4, Number::scaled(-15, 0)));
    }
}
