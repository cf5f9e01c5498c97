//! Quantised weights as a file: a `.npz` that NumPy reads.
//!
//! | array | type, shape | what |
//! |---|---|---|
//! | `mattock` | uint32, 1 | version of this layout: 1 |
//! | `method` | uint8, bytes of its name | how they were made |
//! | `shape` | uint64, 2 | K, N |
//! | `group` | uint64, 1 | ordinary rows of a group |
//! | `widths` | uint8, N | bits of each column |
//! | `codes_B`, for each width B there is | uint8, ordinary rows x bytes of a line | the codes of the columns of B bits, in their order |
//! | `scales` | float32, groups x N | |
//! | `zeros`, optional | int8, groups x N | |
//! | `outliers`, optional | uint32 | rising rows |
//! | `outlier_weights` | float16, outliers x N | with `outliers` |
//! | `factors`, optional | float32, K | of the inputs |
//!
//! Codes of a line follow one another in B bits of two's complement, the first in the low bits of the first byte; a line begins on a byte and
//! its spare bits are zero.

use super::npy::{Npy, Stored};
use super::weights::{BITS, Method, QuantizedWeights, WeightArrays};
use super::{QuantError, matrix, npz};
use crate::Error;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

const VERSION: u32 = 1;

impl QuantizedWeights {
    /// Reads a file that [`to_bytes`](Self::to_bytes) has made, or any program that keeps to the layout. Nothing in it is trusted.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be opened, [`Error::QuantFile`] with the array at fault.
    pub fn read(path: &Path) -> Result<QuantizedWeights, Error> {
        let file = matrix::open(path)?;
        let wrong = |source| Error::QuantFile { path: path.into(), source };
        Self::read_from(BufReader::new(file)).map_err(wrong)
    }

    /// The same from anything that can be read.
    ///
    /// # Errors
    /// [`QuantError`].
    pub fn read_from(file: impl Read + Seek) -> Result<QuantizedWeights, QuantError> {
        Arrays(npz::read(file)?).weights()
    }

    /// The weights as a file.
    ///
    /// # Errors
    /// [`QuantError::Io`] when memory does not suffice.
    pub fn to_bytes(&self) -> Result<Vec<u8>, QuantError> {
        let WeightArrays { method, shape, group, widths, codes, scales, zeros, .. } = self.arrays();
        let WeightArrays { outliers, outlier_weights, factors, .. } = self.arrays();
        let (k, n) = *shape;
        let (ordinary, groups) = (self.ordinary(), self.groups());
        let mut arrays = vec![
            ("mattock", Npy::of(&[1], &[VERSION])),
            ("method", Npy::of(&[method.name().len()], method.name().as_bytes())),
            ("shape", Npy::of(&[2], &[k as u64, n as u64])),
            ("group", Npy::of(&[1], &[*group as u64])),
            ("widths", Npy::of(&[n], widths)),
        ];
        for (bits, name) in BITS.zip(CODES) {
            let columns = columns_of(widths, bits);
            if !columns.is_empty() {
                let lines = codes.chunks(n).map(|row| columns.iter().map(|&col| row[col]));
                let packed: Vec<u8> = lines.flat_map(|line| pack(line, bits)).collect();
                let line = line_bytes(columns.len(), bits);
                arrays.push((name, Npy::of(&[ordinary, line], &packed)));
            }
        }
        arrays.push(("scales", Npy::of(&[groups, n], scales)));
        if !zeros.is_empty() {
            arrays.push(("zeros", Npy::of(&[groups, n], zeros)));
        }
        if !outliers.is_empty() {
            arrays.push(("outliers", Npy::of(&[outliers.len()], outliers)));
            arrays.push(("outlier_weights", Npy::of(&[outliers.len(), n], outlier_weights)));
        }
        if !factors.is_empty() {
            arrays.push(("factors", Npy::of(&[k], factors)));
        }
        npz::bytes(&arrays)
    }
}

/// Names of the arrays of codes, for widths from 2 up.
const CODES: [&str; 7] =
    ["codes_2", "codes_3", "codes_4", "codes_5", "codes_6", "codes_7", "codes_8"];

fn columns_of(widths: &[u8], bits: u32) -> Vec<usize> {
    (0..widths.len()).filter(|&col| u32::from(widths[col]) == bits).collect()
}

fn line_bytes(codes: usize, bits: u32) -> usize {
    (codes * bits as usize).div_ceil(8)
}

/// Codes of so many bits one after the other, the first in the low bits.
pub(super) fn pack(codes: impl ExactSizeIterator<Item = i8>, bits: u32) -> Vec<u8> {
    let mut line = vec![0; line_bytes(codes.len(), bits)];
    let mask = (1u16 << bits) - 1;
    for (i, code) in codes.enumerate() {
        let at = i * bits as usize;
        let word = (code as u8 as u16 & mask) << (at % 8);
        line[at / 8] |= word as u8;
        if let Some(next) = line.get_mut(at / 8 + 1) {
            *next |= (word >> 8) as u8;
        }
    }
    line
}

/// The codes of a line; `None` when bits are set behind them.
fn unpack(line: &[u8], count: usize, bits: u32) -> Option<Vec<i8>> {
    let word = |at: usize| {
        let high = line.get(at / 8 + 1).copied().unwrap_or(0);
        u16::from_le_bytes([line[at / 8], high]) >> (at % 8)
    };
    let spare = 8 - bits;
    let codes = (0..count).map(|i| ((word(i * bits as usize) << spare) as u8 as i8) >> spare);
    let codes: Vec<i8> = codes.collect();
    (pack(codes.iter().copied(), bits) == line).then_some(codes)
}

/// The arrays of a file that have not been looked at.
struct Arrays(Vec<(String, Npy)>);

impl Arrays {
    fn take(&mut self, name: &str) -> Option<Npy> {
        let at = self.0.iter().position(|(have, _)| have == name)?;
        Some(self.0.remove(at).1)
    }

    fn need(&mut self, name: &str) -> Result<Npy, QuantError> {
        if let Some(array) = self.take(name) {
            return Ok(array);
        }
        let names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        let fault = format!("no array `{name}`, which quantised weights of Mattock have");
        Err(QuantError::Name { fault, have: names.join(", ") })
    }

    /// An array of one dimension, of `count` elements where that is given.
    fn line<T: Stored>(&mut self, name: &str, count: Option<usize>) -> Result<Vec<T>, QuantError> {
        let array = self.need(name)?;
        let fits = match (&array.shape[..], count) {
            ([_], None) => true,
            ([found], Some(count)) => *found == count,
            _ => false,
        };
        if !fits {
            let right = count.map_or("of one dimension".into(), |count| count.to_string());
            return Err(QuantError::array(name, array.dimensions(), right));
        }
        array.values(name)
    }

    fn one<T: Stored + Copy>(&mut self, name: &str) -> Result<T, QuantError> {
        Ok(self.line(name, Some(1))?[0])
    }

    fn table<T: Stored>(
        &mut self,
        name: &str,
        rows: usize,
        cols: usize,
    ) -> Result<Vec<T>, QuantError> {
        let array = self.need(name)?;
        if array.shape != [rows, cols] {
            let right = format!("{rows} x {cols}");
            return Err(QuantError::array(name, array.dimensions(), right));
        }
        array.values(name)
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(have, _)| have == name)
    }

    fn weights(mut self) -> Result<QuantizedWeights, QuantError> {
        let version: u32 = self.one("mattock")?;
        if version != VERSION {
            let fault = format!("its version is {version}");
            return Err(QuantError::array("mattock", fault, format!("{VERSION}")));
        }
        let method = self.method()?;
        let size = |name: &str, value: u64| {
            let right = || QuantError::array(name, format!("{value} is in it"), "less");
            usize::try_from(value).map_err(|_| right())
        };
        let shape = self.line::<u64>("shape", Some(2))?;
        let (k, n) = (size("shape", shape[0])?, size("shape", shape[1])?);
        let group = size("group", self.one("group")?)?;
        let widths: Vec<u8> = self.line("widths", Some(n))?;
        let outliers: Vec<u32> =
            if self.has("outliers") { self.line("outliers", None)? } else { vec![] };
        let outlier_weights = match outliers.len() {
            0 => vec![],
            count => self.table("outlier_weights", count, n)?,
        };
        let Some(ordinary) = k.checked_sub(outliers.len()) else {
            let fault = format!("it has {} rows", outliers.len());
            return Err(QuantError::array("outliers", fault, format!("less than {k}")));
        };
        let groups = ordinary.div_ceil(group.max(1));
        let codes = self.codes(&widths, ordinary)?;
        let scales = self.table("scales", groups, n)?;
        let zeros = if self.has("zeros") { self.table("zeros", groups, n)? } else { vec![] };
        let factors = if self.has("factors") { self.line("factors", Some(k))? } else { vec![] };
        if let Some((name, _)) = self.0.first() {
            return Err(QuantError::array(name, "nobody knows it", "left out"));
        }
        QuantizedWeights::new(WeightArrays {
            method,
            shape: (k, n),
            group,
            widths,
            codes,
            scales,
            zeros,
            outliers,
            outlier_weights,
            factors,
        })
    }

    fn method(&mut self) -> Result<Method, QuantError> {
        let name: Vec<u8> = self.line("method", None)?;
        let found = Method::ALL.into_iter().find(|method| method.name().as_bytes() == name);
        found.ok_or_else(|| {
            let fault = format!("it is {:?}", String::from_utf8_lossy(&name));
            QuantError::array("method", fault, Method::ALL.map(Method::name).join(", "))
        })
    }

    /// The codes of all columns, row after row.
    fn codes(&mut self, widths: &[u8], rows: usize) -> Result<Vec<i8>, QuantError> {
        let n = widths.len();
        let mut codes = vec![];
        for (bits, name) in BITS.zip(CODES) {
            let columns = columns_of(widths, bits);
            if columns.is_empty() {
                continue;
            }
            let line = line_bytes(columns.len(), bits);
            let packed: Vec<u8> = self.table(name, rows, line)?;
            // Memory for codes is taken when those of one width are there.
            codes.resize(rows * n, 0);
            for (line, row) in packed.chunks(line).zip(codes.chunks_mut(n)) {
                let unpacked = unpack(line, columns.len(), bits).ok_or_else(|| {
                    QuantError::array(name, "bits behind the last code of a line are set", "0")
                })?;
                columns.iter().zip(unpacked).for_each(|(&col, code)| row[col] = code);
            }
        }
        Ok(codes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;
    use std::io::Cursor;

    fn weights() -> QuantizedWeights {
        QuantizedWeights::new(WeightArrays {
            method: Method::Columns,
            shape: (4, 3),
            group: 2,
            widths: vec![4, 3, 8],
            codes: vec![7, -4, -128, -8, 3, 127, 1, 2, 3],
            scales: vec![0.5, 1.0, 2.0, 4.0, 1.5, 0.25],
            zeros: vec![1, 0, -1, 2, -4, 100],
            outliers: vec![1],
            outlier_weights: [9.0, -9.0, 0.5].map(f16::from_f32).to_vec(),
            factors: vec![1.0, 1.0, 2.0, 1.0],
        })
        .unwrap()
    }

    fn read(bytes: &[u8]) -> Result<QuantizedWeights, QuantError> {
        QuantizedWeights::read_from(Cursor::new(bytes))
    }

    #[test]
    fn weights_come_back() {
        let weights = weights();
        assert_eq!(read(&weights.to_bytes().unwrap()).unwrap(), weights);
    }

    #[test]
    fn codes_lie_in_the_low_bits_first() {
        assert_eq!(pack([1i8, -1, 7, -8, 3].into_iter(), 4), [0xf1, 0x87, 0x03]);
        assert_eq!(pack([1i8, -1, 3, -4].into_iter(), 3), [0b11_111_001, 0b1000]);
        for bits in BITS {
            let codes: Vec<i8> = (-9..8).map(|i: i8| (i << (8 - bits)) >> (8 - bits)).collect();
            let line = pack(codes.iter().copied(), bits);
            assert_eq!(unpack(&line, codes.len(), bits).unwrap(), codes, "{bits}");
        }
        assert_eq!(unpack(&[0x10], 1, 4), None);
    }

    /// Every array left out, added, of a wrong type or shape; every cut.
    #[test]
    fn files_that_lie_are_refused() {
        let good = npz::read(Cursor::new(weights().to_bytes().unwrap())).unwrap();
        let refuse = |name: &str, array: Option<Npy>| {
            let mut arrays: Vec<(&str, Npy)> = good
                .iter()
                .filter(|(have, _)| have != name)
                .map(|(have, array)| (have.as_str(), array.clone()))
                .collect();
            arrays.extend(array.map(|array| (name, array)));
            read(&npz::bytes(&arrays).unwrap()).unwrap_err().to_string()
        };
        let mut text: Vec<String> = ["mattock", "method", "codes_4", "scales", "outlier_weights"]
            .map(|name| refuse(name, None))
            .to_vec();
        text.extend([
            refuse("mattock", Some(Npy::of(&[1], &[2u32]))),
            refuse("method", Some(Npy::of(&[4], b"gptq"))),
            refuse("shape", Some(Npy::of(&[2], &[u64::MAX, u64::MAX]))),
            refuse("shape", Some(Npy::of(&[2], &[5u64, 3]))),
            refuse("group", Some(Npy::of(&[1], &[0u64]))),
            refuse("group", Some(Npy::of(&[1], &[1u64]))),
            refuse("widths", Some(Npy::of(&[3], &[4u8, 3, 9]))),
            refuse("widths", Some(Npy::of(&[3], &[3u8, 3, 3]))),
            refuse("codes_4", Some(Npy::of(&[3, 1], &[0x17u8, 0, 0]))),
            refuse("codes_4", Some(Npy::of(&[3], &[0x7u8, 0, 0]))),
            refuse("codes_4", Some(Npy::of(&[3, 1], &[0i8; 3]))),
            refuse("codes_5", Some(Npy::of(&[3, 1], &[0u8; 3]))),
            refuse("scales", Some(Npy::of(&[2, 3], &[0f64; 6]))),
            refuse("outliers", Some(Npy::of(&[1], &[4u32]))),
            refuse("outliers", Some(Npy::of(&[5], &[0u32; 5]))),
            refuse("outliers", None),
        ]);
        insta::assert_snapshot!(text.join("\n"));
        let whole = weights().to_bytes().unwrap();
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
        }
    }
}
