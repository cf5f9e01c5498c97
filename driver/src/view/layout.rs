//! How a matrix lies in memory, and in which.

use crate::Error;
use crate::buffer::CardMemory;
use mattock_spec::Format;
use std::ops::Range;

/// In which direction neighbours in memory lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// A row lies together.
    Row,
    /// A column lies together.
    Column,
}

impl Order {
    /// The other one: that of the transposed matrix in the same memory.
    pub fn other(self) -> Order {
        match self {
            Order::Row => Order::Column,
            Order::Column => Order::Row,
        }
    }
}

/// Positions of the arguments of every constructor of a view, for [`Error::InvalidArg`].
const ARG_DATA: usize = 1;
const ARG_LD: usize = 5;

/// How a `rows` x `cols` matrix lies in memory: `ld` elements from the start of one line to the next, where a line
/// is a row or, in column order, a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) format: Format,
    pub(crate) order: Order,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) ld: usize,
    /// Elements before the first.
    pub(crate) offset: usize,
}

impl Layout {
    /// Number of lines and elements in each.
    pub(crate) fn lines(&self) -> (usize, usize) {
        match self.order {
            Order::Row => (self.rows, self.cols),
            Order::Column => (self.cols, self.rows),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows == 0 || self.cols == 0
    }

    /// Bytes of one line.
    pub(crate) fn line_bytes(&self) -> usize {
        bytes(self.lines().1, self.format)
    }

    /// Bytes from one line to the next; without meaning when there is only one.
    pub(crate) fn ld_bytes(&self) -> usize {
        bytes(self.ld, self.format)
    }

    /// The first byte.
    pub(crate) fn start(&self) -> usize {
        bytes(self.offset, self.format)
    }

    /// The bytes from the first element to the last; lines and `ld` were checked.
    pub(crate) fn span(&self) -> Range<usize> {
        let start = self.start();
        if self.is_empty() {
            return start..start;
        }
        start..start + (self.lines().0 - 1) * self.ld_bytes() + self.line_bytes()
    }

    /// The bytes of line `i` within the memory.
    pub(crate) fn line(&self, i: usize) -> Range<usize> {
        let start = self.start() + i * self.ld_bytes();
        start..start + self.line_bytes()
    }

    /// Checks that the matrix lies inside memory of `available` elements.
    pub(super) fn check(&self, available: usize) -> Result<(), Error> {
        if self.is_empty() {
            return Ok(());
        }
        let (lines, len) = self.lines();
        let bad = |index, what: String| Err(Error::invalid_arg(index, what));
        let per_byte = per_byte(self.format);
        if lines > 1 && self.ld < len {
            return bad(ARG_LD, format!("ld is {}, it must be at least {len}", self.ld));
        }
        if lines > 1 && !self.ld.is_multiple_of(per_byte) {
            let what = format!("ld is {}, it must be a multiple of {per_byte}", self.ld);
            return bad(
                ARG_LD,
                format!("{what} for {}, so that lines begin on bytes", self.format),
            );
        }
        let end = (lines - 1).checked_mul(self.ld).and_then(|n| n.checked_add(len));
        let Some(end) = end.and_then(|n| n.checked_add(self.offset)) else {
            return bad(ARG_LD, format!("{lines} lines of ld {} have no end", self.ld));
        };
        if end > available {
            return bad(ARG_DATA, format!("it has {available} elements, {end} are needed"));
        }
        Ok(())
    }

    /// The same bytes with as few lines as can be: a dense vector is one line, whatever its order.
    pub(crate) fn in_fewest_lines(self) -> Layout {
        let (lines, len) = self.lines();
        if len == 1 && lines > 1 && self.ld == 1 {
            return Layout { order: self.order.other(), ld: lines, ..self };
        }
        self
    }

    /// The matrix `stride` elements further, in memory of `available` elements.
    pub(crate) fn moved(self, elements: usize, available: usize) -> Option<Layout> {
        let offset = self.offset.checked_add(elements)?;
        let moved = Layout { offset, ..self };
        let on_byte = offset.is_multiple_of(per_byte(self.format));
        (on_byte && moved.check(available).is_ok()).then_some(moved)
    }

    pub(crate) fn transposed(self) -> Layout {
        let Layout { rows, cols, order, .. } = self;
        Layout { rows: cols, cols: rows, order: order.other(), ..self }
    }

    /// The part of these rows and columns, which must begin on a byte.
    pub(crate) fn part(self, rows: Range<usize>, cols: Range<usize>) -> Layout {
        let (line, at) = match self.order {
            Order::Row => (rows.start, cols.start),
            Order::Column => (cols.start, rows.start),
        };
        let offset = self.offset + line * self.ld + at;
        debug_assert!(offset.is_multiple_of(per_byte(self.format)));
        Layout { rows: rows.len(), cols: cols.len(), offset, ..self }
    }
}

/// Elements in a byte, 1 for wide ones.
pub(crate) fn per_byte(format: Format) -> usize {
    (8 / format.storage_bits() as usize).max(1)
}

/// Bytes of `elements`, whole ones.
pub(crate) fn bytes(elements: usize, format: Format) -> usize {
    // Every caller has the elements in memory, or has checked them against memory.
    (elements as u128 * u128::from(format.storage_bits())).div_ceil(8) as usize
}

/// Where the elements of an operand are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    Host(&'a [u8]),
    Card(&'a CardMemory),
}

/// Where the elements of a result are.
#[derive(Debug)]
pub(crate) enum PlaceMut<'a> {
    Host(&'a mut [u8]),
    Card(&'a CardMemory),
}

impl<'a> Place<'a> {
    pub(crate) fn on_card(&self) -> Option<&'a CardMemory> {
        match self {
            Place::Host(_) => None,
            Place::Card(memory) => Some(memory),
        }
    }

    /// Bytes there are.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Place::Host(bytes) => bytes.len(),
            Place::Card(memory) => memory.bytes() as usize,
        }
    }
}

impl<'a> PlaceMut<'a> {
    pub(crate) fn on_card(&self) -> Option<&'a CardMemory> {
        match self {
            PlaceMut::Host(_) => None,
            PlaceMut::Card(memory) => Some(memory),
        }
    }

    /// Bytes there are.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            PlaceMut::Host(bytes) => bytes.len(),
            PlaceMut::Card(memory) => memory.bytes() as usize,
        }
    }

    pub(crate) fn reborrow(&mut self) -> PlaceMut<'_> {
        match self {
            PlaceMut::Host(bytes) => PlaceMut::Host(bytes),
            PlaceMut::Card(memory) => PlaceMut::Card(memory),
        }
    }
}

/// Whole elements in so many bytes.
pub(crate) fn available(bytes: usize, format: Format) -> usize {
    (bytes as u128 * 8 / u128::from(format.storage_bits())).try_into().unwrap_or(usize::MAX)
}
