//! Views: matrices that lie in host slices or in card memory.

mod layout;

pub use layout::Order;
pub(crate) use layout::{Layout, Place, PlaceMut, available, bytes, per_byte};

use crate::Error;
use crate::buffer::{CardMemory, DmaBuf};
use crate::element::Element;
use mattock_spec::Format;
use std::marker::PhantomData;
use std::ops::Range;

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
