//! Lines and fields of a text file that nobody vouches for.

use std::io::{BufRead, BufReader, Cursor, Read};

use flate2::read::MultiGzDecoder;

use super::ReadError;

/// Longest line that is taken; only METIS lines, one per vertex, come near.
const LONGEST_LINE: u64 = 64 << 20;

/// Reads lines, gunzipping on the way, within a budget of bytes.
pub(super) struct Lines<'r> {
    reader: Box<dyn BufRead + 'r>,
    buffer: Vec<u8>,
    number: u64,
    budget: u64,
    max_bytes: u64,
    again: bool,
}

/// One line without its end, and its number from 1.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) number: u64,
    pub(super) bytes: &'a [u8],
}

impl<'r> Lines<'r> {
    /// Takes `reader` as plain text, or as gzip when it starts with the two bytes of gzip.
    /// After `max_bytes` of text reading ends with an error, so that a small file cannot unpack
    /// to an endless one.
    pub(super) fn new(mut reader: impl Read + 'r, max_bytes: u64) -> Result<Self, ReadError> {
        let mut magic = Vec::new();
        let io = |source| ReadError::Io { line: 0, source };
        reader.by_ref().take(2).read_to_end(&mut magic).map_err(io)?;
        let zipped = magic == [0x1f, 0x8b];
        let whole = Cursor::new(magic).chain(reader);
        let reader: Box<dyn BufRead + 'r> = if zipped {
            Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(whole)))
        } else {
            Box::new(BufReader::with_capacity(1 << 16, whole))
        };
        let buffer = Vec::new();
        Ok(Self { reader, buffer, number: 0, budget: max_bytes, max_bytes, again: false })
    }

    /// The next line, or `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, ReadError> {
        Ok(if self.advance()? { Some(self.line()) } else { None })
    }

    /// The next line that is neither blank nor a comment starting with one of `marks`.
    pub(super) fn next_data(&mut self, marks: &[u8]) -> Result<Option<Line<'_>>, ReadError> {
        while self.advance()? {
            let line = self.line();
            if !line.is_blank() && !line.is_comment(marks) {
                return Ok(Some(self.line()));
            }
        }
        Ok(None)
    }

    /// Fills the buffer with the next line; false at the end.
    fn advance(&mut self) -> Result<bool, ReadError> {
        if std::mem::take(&mut self.again) {
            return Ok(true);
        }
        self.buffer.clear();
        let allowed = self.budget.min(LONGEST_LINE);
        let read = (&mut self.reader)
            .take(allowed + 1)
            .read_until(b'\n', &mut self.buffer)
            .map_err(|source| ReadError::Io { line: self.number, source })?
            as u64;
        if read == 0 {
            return Ok(false);
        }
        self.number += 1;
        if read > allowed {
            return Err(self.too_large(allowed));
        }
        self.budget -= read;
        Ok(true)
    }

    fn line(&self) -> Line<'_> {
        Line { number: self.number, bytes: self.buffer.trim_ascii_end() }
    }

    /// Makes the last line come once more.
    pub(super) fn unread(&mut self) {
        self.again = self.number > 0;
    }

    /// The error for a file that ends although `expected` should come.
    pub(super) fn truncated(&self, expected: impl Into<String>) -> ReadError {
        ReadError::Truncated { line: self.number, expected: expected.into() }
    }

    fn too_large(&self, allowed: u64) -> ReadError {
        if allowed == self.budget {
            let (what, option) = ("text length", "max_bytes");
            let limit = self.max_bytes;
            ReadError::TooLarge { line: self.number, what, asked: limit + 1, limit, option }
        } else {
            ReadError::Syntax {
                line: self.number,
                expected: format!("a line of at most {LONGEST_LINE} bytes"),
                found: "a longer one".into(),
            }
        }
    }
}

impl<'a> Line<'a> {
    pub(super) fn is_blank(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn is_comment(&self, marks: &[u8]) -> bool {
        self.bytes.trim_ascii_start().first().is_some_and(|first| marks.contains(first))
    }

    /// Fields between blanks.
    pub(super) fn fields(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        split(self.bytes, u8::is_ascii_whitespace)
    }

    /// Fields between blanks, or commas.
    pub(super) fn comma_fields(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        split(self.bytes, |byte| *byte == b',' || byte.is_ascii_whitespace())
    }

    /// An unsigned number in `range`.
    pub(super) fn unsigned(
        &self,
        field: Option<&[u8]>,
        what: &str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<u64, ReadError> {
        let number = field.and_then(ascii).and_then(|text| text.parse().ok());
        number.filter(|number| range.contains(number)).ok_or_else(|| {
            let expected = if range.is_empty() {
                format!("no entry, as the size leaves no room for {what}")
            } else if *range.end() == u64::MAX {
                format!("{what}, a whole number from {}", range.start())
            } else {
                format!("{what}, a whole number from {} to {}", range.start(), range.end())
            };
            self.syntax(expected, field)
        })
    }

    /// A real number; the Fortran exponent letter `D` is taken as `E`. A number beyond `f64` is
    /// refused, and NaN and infinities unless `non_finite`.
    pub(super) fn real(&self, field: Option<&[u8]>, non_finite: bool) -> Result<f64, ReadError> {
        let number: Option<f64> = field.and_then(ascii).and_then(|text| {
            let fortran = text.bytes().any(|b| b == b'd' || b == b'D');
            let plain = text.parse().ok();
            plain.or_else(|| fortran.then(|| text.replace(['d', 'D'], "e").parse().ok())?)
        });
        let named = |text: &[u8]| text.iter().any(|byte| matches!(byte, b'n' | b'N'));
        match number {
            Some(value) if value.is_finite() => Ok(value),
            Some(value) if non_finite && field.is_some_and(named) => Ok(value),
            _ if non_finite => Err(self.syntax("a real number within f64", field)),
            _ => Err(self.syntax("a finite real number within f64", field)),
        }
    }

    /// A whole number that `f64` holds exactly.
    pub(super) fn integer(&self, field: Option<&[u8]>) -> Result<f64, ReadError> {
        const EXACT: u64 = 1 << f64::MANTISSA_DIGITS;
        let number: Option<i64> = field.and_then(ascii).and_then(|text| text.parse().ok());
        match number {
            Some(value) if value.unsigned_abs() <= EXACT => Ok(value as f64),
            _ => Err(self.syntax("a whole number within +-2^53", field)),
        }
    }

    /// Refuses anything left on the line.
    pub(super) fn end<'f>(
        &self,
        mut fields: impl Iterator<Item = &'f [u8]>,
        after: &str,
    ) -> Result<(), ReadError> {
        match fields.next() {
            None => Ok(()),
            extra => Err(self.syntax(format!("the end of the line after {after}"), extra)),
        }
    }

    /// The error for a field that is not `expected`; `None` is the end of the line.
    pub(super) fn syntax(&self, expected: impl Into<String>, found: Option<&[u8]>) -> ReadError {
        let found = found.map_or_else(|| "the end of the line".into(), quote);
        ReadError::Syntax { line: self.number, expected: expected.into(), found }
    }
}

fn split(bytes: &[u8], blank: impl Fn(&u8) -> bool) -> impl Iterator<Item = &[u8]> {
    bytes.split(blank).filter(|field| !field.is_empty())
}

fn ascii(field: &[u8]) -> Option<&str> {
    std::str::from_utf8(field).ok()
}

/// Foreign text fit for a message: short, and without control characters.
fn quote(field: &[u8]) -> String {
    const SHOWN: usize = 40;
    let more = if field.len() > SHOWN { "..." } else { "" };
    format!("`{}`{more}", field[..field.len().min(SHOWN)].escape_ascii())
}
