//! One array as NumPy stores it (`.npy`, formats 1.0 to 3.0: NEP 1).
//!
//! The reader is our own because the crate that reads such files does not hold for files that lie: `npyz` 0.9.1 takes the
//! memory that a header announces, multiplies the announced sizes without a check, and descends into nested headers
//! without an end. Here memory is taken for bytes that are there.

use super::QuantError;

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Headers are padded to whole multiples of this many bytes.
const ALIGN: usize = 64;

/// An array: its type in NumPy's words, its shape and its elements in C order, little-endian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Npy {
    pub(super) descr: String,
    pub(super) shape: Vec<usize>,
    pub(super) data: Vec<u8>,
}

/// An element as it lies in a file.
pub(super) trait Stored: Sized {
    /// NumPy's word for the type.
    const DESCR: &'static str;
    /// A person's word.
    const NAME: &'static str;
    fn of(bytes: &[u8]) -> Self;
    fn put(&self, to: &mut Vec<u8>);
}

macro_rules! stored {
    ($($type:ty: $descr:literal, $name:literal;)*) => { $(
        impl Stored for $type {
            const DESCR: &'static str = $descr;
            const NAME: &'static str = $name;
            fn of(bytes: &[u8]) -> Self {
                let mut array = [0; size_of::<$type>()];
                array.copy_from_slice(bytes);
                <$type>::from_le_bytes(array)
            }
            fn put(&self, to: &mut Vec<u8>) {
                to.extend(self.to_le_bytes());
            }
        }
    )* };
}

stored! {
    u8: "|u1", "uint8";
    i8: "|i1", "int8";
    u32: "<u4", "uint32";
    u64: "<u8", "uint64";
    half::f16: "<f2", "float16";
    f32: "<f4", "float32";
    f64: "<f8", "float64";
}

impl Npy {
    /// An array of these elements, in C order.
    pub(super) fn of<T: Stored>(shape: &[usize], values: &[T]) -> Npy {
        let mut data = Vec::with_capacity(size_of_val(values));
        values.iter().for_each(|value| value.put(&mut data));
        Npy { descr: T::DESCR.into(), shape: shape.into(), data }
    }

    /// The elements, when they are of this type.
    pub(super) fn values<T: Stored>(&self, name: &str) -> Result<Vec<T>, QuantError> {
        if self.descr != T::DESCR {
            let fault = format!("its elements are `{}`", self.descr);
            return Err(QuantError::array(name, fault, format!("{} (`{}`)", T::NAME, T::DESCR)));
        }
        Ok(self.data.chunks_exact(size_of::<T>()).map(T::of).collect())
    }

    /// Rows and columns.
    pub(super) fn matrix(&self, name: &str) -> Result<(usize, usize), QuantError> {
        match self.shape[..] {
            [rows, cols] => Ok((rows, cols)),
            _ => Err(QuantError::array(name, self.dimensions(), "a matrix: two dimensions")),
        }
    }

    pub(super) fn dimensions(&self) -> String {
        format!("its shape is {}", sizes(&self.shape))
    }

    /// The array that these bytes are.
    pub(super) fn parse(name: &str, bytes: &[u8]) -> Result<Npy, QuantError> {
        const RIGHT: &str = "an array as numpy.save writes it";
        let bad = |fault: &str| QuantError::array(name, fault, RIGHT);
        let (magic, rest) = bytes.split_at_checked(8).ok_or_else(|| bad("it has no header"))?;
        if !magic.starts_with(MAGIC) {
            return Err(bad("it does not begin as arrays do"));
        }
        let width = match magic[6] {
            1 => 2,
            2 | 3 => 4,
            other => return Err(bad(&format!("it is of version {other}, 1 to 3 are known"))),
        };
        let cut = || bad("its header is cut short");
        let (length, rest) = rest.split_at_checked(width).ok_or_else(cut)?;
        let length = length.iter().rev().fold(0, |sum, &byte| sum << 8 | usize::from(byte));
        let (header, data) = rest.split_at_checked(length).ok_or_else(cut)?;
        let header = std::str::from_utf8(header).ok().and_then(Header::parse);
        let Some(Header { descr, fortran, shape }) = header else {
            return Err(bad("its header makes no sense"));
        };
        let Some(size) = element_bytes(&descr) else {
            let fault = format!("its elements are `{descr}`");
            return Err(QuantError::array(name, fault, "little-endian numbers"));
        };
        let count = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
        let need = count.and_then(|count| count.checked_mul(size));
        if need != Some(data.len()) {
            let sizes = sizes(&shape);
            let fault = format!("{} bytes follow its header", data.len());
            let right = format!("{sizes} elements of {size} bytes; was it cut short?");
            return Err(QuantError::array(name, fault, right));
        }
        let data = match (fortran, &shape[..]) {
            (true, &[rows, cols]) => c_order(data, rows, cols, size),
            (true, [_, _, ..]) => return Err(bad("it is in Fortran order, of more than 2 sizes")),
            _ => data.to_vec(),
        };
        Ok(Npy { descr, shape, data })
    }

    /// The array as a file.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let sizes: String = self.shape.iter().map(|n| format!("{n}, ")).collect();
        let sizes =
            if self.shape.len() == 1 { sizes.trim_end() } else { sizes.trim_end_matches(", ") };
        let descr = &self.descr;
        let mut header =
            format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({sizes}), }}");
        let whole = (MAGIC.len() + 4 + header.len() + 1).next_multiple_of(ALIGN);
        let padding = whole - (MAGIC.len() + 4 + header.len() + 1);
        header.push_str(&" ".repeat(padding));
        header.push('\n');
        let mut bytes = MAGIC.to_vec();
        bytes.extend([1, 0]);
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(&self.data);
        bytes
    }
}

fn sizes(shape: &[usize]) -> String {
    shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(" x ")
}

/// Bytes of an element; `None` for what is no number of ours.
fn element_bytes(descr: &str) -> Option<usize> {
    let numbers = descr.strip_prefix('<').or_else(|| descr.strip_prefix('|'))?;
    let size = numbers.strip_prefix(['f', 'i', 'u'])?.parse().ok()?;
    (matches!(size, 1 | 2 | 4 | 8) && (size == 1) == descr.starts_with('|')).then_some(size)
}

/// A matrix that lies column after column, row after row.
fn c_order(data: &[u8], rows: usize, cols: usize, size: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len());
    for row in 0..rows {
        for col in 0..cols {
            out.extend(&data[(col * rows + row) * size..][..size]);
        }
    }
    out
}

struct Header {
    descr: String,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    /// The three keys of a header, as NumPy writes them, in any order.
    fn parse(text: &str) -> Option<Header> {
        let text = text.trim_end().strip_prefix('{')?.strip_suffix('}')?;
        let descr = after(text, "'descr'")?.strip_prefix('\'')?.split('\'').next()?.to_owned();
        let fortran = match after(text, "'fortran_order'")? {
            rest if rest.starts_with("True") => true,
            rest if rest.starts_with("False") => false,
            _ => return None,
        };
        let sizes = after(text, "'shape'")?.strip_prefix('(')?.split_once(')')?.0;
        let sizes = sizes.split(',').map(str::trim).filter(|size| !size.is_empty());
        let shape = sizes.map(|size| size.parse().ok()).collect::<Option<Vec<usize>>>()?;
        Some(Header { descr, fortran, shape })
    }
}

/// What stands behind `key` and its colon.
fn after<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    Some(text.split_once(key)?.1.trim_start().strip_prefix(':')?.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn arrays_come_back() {
        let array = Npy::of(&[2, 3], &[1.5f32, -2.0, 3.0, 0.0, -0.5, 9.0]);
        let bytes = array.bytes();
        assert_eq!(bytes.len() - array.data.len(), 128);
        assert_eq!(Npy::parse("a", &bytes).unwrap(), array);
        let line = Npy::of(&[3], &[1u32, 2, 3]);
        assert_eq!(Npy::parse("a", &line.bytes()).unwrap(), line);
        assert_eq!(line.values::<u32>("a").unwrap(), [1, 2, 3]);
    }

    #[test]
    fn fortran_order_is_turned() {
        let header = "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }\n";
        let array = Npy::parse("a", &file(header, &[1, 4, 2, 5, 3, 6])).unwrap();
        assert_eq!(array.data, [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn files_that_lie_are_refused() {
        let whole = Npy::of(&[2, 2], &[1.0f32; 4]).bytes();
        let head = |shape: &str, descr: &str| {
            file(&format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}"), &[0])
        };
        let refuse = |bytes: &[u8]| Npy::parse("w", bytes).unwrap_err().to_string();
        let text = [
            refuse(b""),
            refuse(b"PK\x03\x04 and more"),
            refuse(&whole[..9]),
            refuse(&whole[..60]),
            refuse(&whole[..whole.len() - 1]),
            refuse(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{"),
            refuse(b"\x93NUMPY\x09\x00\xff\xff\xff\xff{"),
            refuse(&head("(4294967296, 4294967296, 4294967296)", "<f4")),
            refuse(&head("(1,)", ">f4")),
            refuse(&head("(1,)", "|O")),
            refuse(&head("(-1,)", "|u1")),
            refuse(&head(&"(".repeat(60_000), "|u1")),
        ];
        insta::assert_snapshot!(text.join("\n"));
    }
}
