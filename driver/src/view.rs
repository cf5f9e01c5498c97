//! Views: matrices that lie in host slices or in card memory.

use crate::Error;
use crate::buffer::{CardMemory, DmaBuf};
use crate::element::Element;
use mattock_spec::Format;
use std::marker::PhantomData;
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
    fn check(&self, available: usize) -> Result<(), Error> {
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

/// A matrix to be read, its format known at run time.
#[derive(Clone, Copy, Debug)]
pub struct DynView<'a> {
    pub(crate) layout: Layout,
    pub(crate) place: Place<'a>,
}

/// A matrix to be written, its format known at run time.
#[derive(Debug)]
pub struct DynViewMut<'a> {
    pub(crate) layout: Layout,
    pub(crate) place: PlaceMut<'a>,
}

/// A matrix to be read.
#[derive(Clone, Copy, Debug)]
pub struct View<'a, T> {
    pub(crate) view: DynView<'a>,
    element: PhantomData<T>,
}

/// A matrix to be written.
#[derive(Debug)]
pub struct ViewMut<'a, T> {
    pub(crate) view: DynViewMut<'a>,
    element: PhantomData<T>,
}

impl<'a> DynView<'a> {
    /// A `rows` x `cols` matrix of `format` in host memory, `ld` elements from line to line.
    ///
    /// # Errors
    /// [`Error::InvalidArg`]: the memory is too small, lines overlap, or packed lines do not begin on bytes.
    pub fn new(
        data: &'a [u8],
        order: Order,
        rows: usize,
        cols: usize,
        ld: usize,
        format: Format,
    ) -> Result<Self, Error> {
        let layout = Layout { format, order, rows, cols, ld, offset: 0 };
        layout.check(available(data.len(), format))?;
        Ok(DynView { layout, place: Place::Host(data) })
    }

    /// The same in card memory, from byte `start` of `buffer` on.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn on_card<T: Element>(
        buffer: &'a DmaBuf<T>,
        order: Order,
        rows: usize,
        cols: usize,
        ld: usize,
        format: Format,
        start: usize,
    ) -> Result<Self, Error> {
        let memory = buffer.memory();
        let layout = card_layout(memory, order, (rows, cols), ld, format, start)?;
        Ok(DynView { layout, place: Place::Card(memory) })
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        (self.layout.rows, self.layout.cols)
    }

    /// The number format of the elements.
    pub fn format(&self) -> Format {
        self.layout.format
    }

    /// The transposed matrix, in the same memory.
    pub fn t(self) -> Self {
        DynView { layout: self.layout.transposed(), ..self }
    }

    pub(crate) fn part(self, rows: Range<usize>, cols: Range<usize>) -> Self {
        DynView { layout: self.layout.part(rows, cols), ..self }
    }
}

impl<'a> DynViewMut<'a> {
    /// A `rows` x `cols` matrix of `format` in host memory, `ld` elements from line to line.
    ///
    /// # Errors
    /// As [`DynView::new`].
    pub fn new(
        data: &'a mut [u8],
        order: Order,
        rows: usize,
        cols: usize,
        ld: usize,
        format: Format,
    ) -> Result<Self, Error> {
        let layout = Layout { format, order, rows, cols, ld, offset: 0 };
        layout.check(available(data.len(), format))?;
        Ok(DynViewMut { layout, place: PlaceMut::Host(data) })
    }

    /// The same in card memory, from byte `start` of `buffer` on.
    ///
    /// # Errors
    /// As [`DynView::new`].
    pub fn on_card<T: Element>(
        buffer: &'a mut DmaBuf<T>,
        order: Order,
        rows: usize,
        cols: usize,
        ld: usize,
        format: Format,
        start: usize,
    ) -> Result<Self, Error> {
        Self::on_shared_card(buffer, order, rows, cols, ld, format, start)
    }

    /// The same for programs that share buffers and keep the order of their calls themselves, such as those in C.
    ///
    /// # Errors
    /// As [`DynView::new`].
    pub fn on_shared_card<T: Element>(
        buffer: &'a DmaBuf<T>,
        order: Order,
        rows: usize,
        cols: usize,
        ld: usize,
        format: Format,
        start: usize,
    ) -> Result<Self, Error> {
        let memory = buffer.memory();
        let layout = card_layout(memory, order, (rows, cols), ld, format, start)?;
        Ok(DynViewMut { layout, place: PlaceMut::Card(memory) })
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        (self.layout.rows, self.layout.cols)
    }

    /// The transposed matrix, in the same memory.
    pub fn t(self) -> Self {
        DynViewMut { layout: self.layout.transposed(), ..self }
    }

    /// The same matrix to be read.
    pub fn as_view(&self) -> DynView<'_> {
        let place = match &self.place {
            PlaceMut::Host(bytes) => Place::Host(bytes),
            PlaceMut::Card(memory) => Place::Card(memory),
        };
        DynView { layout: self.layout, place }
    }

    /// The same view for a shorter time.
    pub fn reborrow(&mut self) -> DynViewMut<'_> {
        DynViewMut { layout: self.layout, place: self.place.reborrow() }
    }
}

impl<'a, T: Element> View<'a, T> {
    /// A `rows` x `cols` matrix in a slice, `ld` elements from line to line.
    ///
    /// # Errors
    /// [`Error::InvalidArg`]: the slice is too short, lines overlap, or packed lines do not begin on bytes.
    pub fn new(
        data: &'a [T::Unit],
        order: Order,
        rows: usize,
        cols: usize,
        ld: usize,
    ) -> Result<Self, Error> {
        let bytes = bytemuck::cast_slice(data);
        DynView::new(bytes, order, rows, cols, ld, T::FORMAT).map(Self::typed)
    }

    /// A matrix that fills a slice row after row.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn rows(data: &'a [T::Unit], rows: usize, cols: usize) -> Result<Self, Error> {
        Self::new(data, Order::Row, rows, cols, packed_ld::<T>(cols))
    }

    /// A matrix that fills a slice column after column.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn columns(data: &'a [T::Unit], rows: usize, cols: usize) -> Result<Self, Error> {
        Self::new(data, Order::Column, rows, cols, packed_ld::<T>(rows))
    }

    pub(crate) fn typed(view: DynView<'a>) -> Self {
        View { view, element: PhantomData }
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        self.view.shape()
    }

    /// The transposed matrix, in the same memory.
    pub fn t(self) -> Self {
        Self::typed(self.view.t())
    }
}

impl<'a, T: Element> ViewMut<'a, T> {
    /// A `rows` x `cols` matrix in a slice, `ld` elements from line to line.
    ///
    /// # Errors
    /// As [`View::new`].
    pub fn new(
        data: &'a mut [T::Unit],
        order: Order,
        rows: usize,
        cols: usize,
        ld: usize,
    ) -> Result<Self, Error> {
        let bytes = bytemuck::cast_slice_mut(data);
        DynViewMut::new(bytes, order, rows, cols, ld, T::FORMAT).map(Self::typed)
    }

    /// A matrix that fills a slice row after row.
    ///
    /// # Errors
    /// As [`View::new`].
    pub fn rows(data: &'a mut [T::Unit], rows: usize, cols: usize) -> Result<Self, Error> {
        Self::new(data, Order::Row, rows, cols, packed_ld::<T>(cols))
    }

    /// A matrix that fills a slice column after column.
    ///
    /// # Errors
    /// As [`View::new`].
    pub fn columns(data: &'a mut [T::Unit], rows: usize, cols: usize) -> Result<Self, Error> {
        Self::new(data, Order::Column, rows, cols, packed_ld::<T>(rows))
    }

    pub(crate) fn typed(view: DynViewMut<'a>) -> Self {
        ViewMut { view, element: PhantomData }
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        self.view.shape()
    }

    /// The transposed matrix, in the same memory.
    pub fn t(self) -> Self {
        Self::typed(self.view.t())
    }
}

impl<'a, T: Element> From<View<'a, T>> for DynView<'a> {
    fn from(view: View<'a, T>) -> Self {
        view.view
    }
}

impl<'a, T: Element> TryFrom<DynView<'a>> for View<'a, T> {
    type Error = Error;

    /// # Errors
    /// [`Error::InvalidArg`] with index 1 when the elements are of another format.
    fn try_from(view: DynView<'a>) -> Result<Self, Error> {
        of_format::<T>(view.layout.format)?;
        Ok(Self::typed(view))
    }
}

impl<'a, T: Element> TryFrom<DynViewMut<'a>> for ViewMut<'a, T> {
    type Error = Error;

    /// # Errors
    /// As for [`View`].
    fn try_from(view: DynViewMut<'a>) -> Result<Self, Error> {
        of_format::<T>(view.layout.format)?;
        Ok(Self::typed(view))
    }
}

fn of_format<T: Element>(format: Format) -> Result<(), Error> {
    if format == T::FORMAT {
        return Ok(());
    }
    Err(Error::invalid_arg(1, format!("it has elements of {format}, they must be {}", T::FORMAT)))
}

impl<'a, T: Element> From<ViewMut<'a, T>> for DynViewMut<'a> {
    fn from(view: ViewMut<'a, T>) -> Self {
        view.view
    }
}

/// Elements of dense lines that begin on bytes.
pub(crate) fn packed_ld<T: Element>(len: usize) -> usize {
    len.checked_next_multiple_of(T::PER_UNIT).unwrap_or(len)
}

/// Whole elements in so many bytes.
pub(crate) fn available(bytes: usize, format: Format) -> usize {
    (bytes as u128 * 8 / u128::from(format.storage_bits())).try_into().unwrap_or(usize::MAX)
}

fn card_layout(
    memory: &CardMemory,
    order: Order,
    (rows, cols): (usize, usize),
    ld: usize,
    format: Format,
    start: usize,
) -> Result<Layout, Error> {
    const ARG_START: usize = 7;
    let there = memory.bytes() as usize;
    if start > there {
        let what = format!("it is {start}, the buffer has {there} bytes");
        return Err(Error::invalid_arg(ARG_START, what));
    }
    let offset = available(start, format);
    if bytes(offset, format) != start {
        let what = format!("it is {start}, which is not a whole number of {format} elements");
        return Err(Error::invalid_arg(ARG_START, what));
    }
    let layout = Layout { format, order, rows, cols, ld, offset };
    layout.check(available(there, format))?;
    Ok(layout)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::I4;

    #[test]
    fn wrong_views_are_refused() {
        let wrong = |rows, cols, ld| {
            View::<i8>::new(&[0; 10], Order::Row, rows, cols, ld).unwrap_err().to_string()
        };
        let packed = View::<I4>::new(&[0; 10], Order::Column, 3, 2, 3).unwrap_err().to_string();
        let text =
            [wrong(2, 4, 3), wrong(3, 3, 4), wrong(usize::MAX, 2, 9), wrong(1, 11, 0), packed];
        insta::assert_snapshot!(text.join("\n"));
    }

    #[test]
    fn parts_and_transposes_lie_where_they_should() {
        let data: Vec<i8> = (0..40).collect();
        let view = View::<i8>::new(&data, Order::Row, 4, 7, 10).unwrap();
        assert_eq!(view.view.layout.span(), 0..37);
        let part = view.view.part(1..3, 2..6);
        assert_eq!((part.layout.line(1), part.shape()), (22..26, (2, 4)));
        let turned = view.t().view.part(2..6, 1..3);
        assert_eq!((turned.layout.line(1), turned.shape()), (22..26, (4, 2)));
        assert_eq!(View::<i8>::rows(&data, 0, 50).unwrap().view.layout.span(), 0..0);
        let four = View::<I4>::rows(&[0; 8], 4, 3).unwrap();
        assert_eq!((four.view.layout.ld, four.view.layout.line(3)), (4, 6..8));
    }
}
