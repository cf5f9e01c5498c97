//! Card memory that programs hold.

use crate::Error;
use crate::device::Inner;
use crate::element::Element;
use crate::view::{DynView, DynViewMut, Order, View, ViewMut, bytes};
use std::marker::PhantomData;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;

/// A piece of card memory; given back when it is dropped.
pub(crate) struct CardMemory {
    inner: Arc<Inner>,
    address: u64,
    bytes: u64,
}

impl std::fmt::Debug for CardMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes at {:#x}", self.bytes, self.address)
    }
}

impl CardMemory {
    pub(crate) fn new(inner: Arc<Inner>, address: u64, bytes: u64) -> Self {
        CardMemory { inner, address, bytes }
    }

    pub(crate) fn address(&self) -> u64 {
        self.address
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn range(&self) -> Range<u64> {
        self.address..self.address.saturating_add(self.bytes)
    }

    pub(crate) fn is_of(&self, inner: &Inner) -> bool {
        Arc::ptr_eq(&self.inner.shared, &inner.shared)
    }

    /// Copies into the memory from byte `start` on, which with the data's end lies inside it.
    pub(crate) fn write(&self, start: u64, data: &[u8]) -> Result<(), Error> {
        if data.is_empty() {
            return Ok(());
        }
        self.inner.shared.lock().transport().write(self.address + start, data)
    }

    /// Copies out of the memory.
    pub(crate) fn read(&self, start: u64, data: &mut [u8]) -> Result<(), Error> {
        if data.is_empty() {
            return Ok(());
        }
        self.inner.shared.lock().transport().read(self.address + start, data)
    }

    /// Waits until no call uses the memory.
    fn settle(&self) {
        self.inner.shared.settle(&self.range());
    }
}

impl Drop for CardMemory {
    fn drop(&mut self) {
        self.inner.release(self.address, self.bytes);
    }
}

/// `T`s in memory that the card reaches: operands and results that stay there from call to call.
///
/// The host reads and writes it by copies, in the order of its calls. Dropping it waits for the calls that use it.
#[derive(Debug)]
pub struct DmaBuf<T> {
    memory: CardMemory,
    units: usize,
    element: PhantomData<T>,
}

/// Positions of the arguments of [`DmaBuf::write`] and [`DmaBuf::read`].
const ARG_START: usize = 1;
const ARG_DATA: usize = 2;

impl<T: Element> DmaBuf<T> {
    pub(crate) fn new(inner: &Arc<Inner>, len: usize) -> Result<Self, Error> {
        let units = len.div_ceil(T::PER_UNIT);
        let bytes = (units as u64).checked_mul(size_of::<T::Unit>() as u64);
        let Some(bytes) = bytes.filter(|&bytes| usize::try_from(bytes).is_ok()) else {
            return Err(Error::OutOfMemory { need: u64::MAX, have: inner.available() });
        };
        Ok(DmaBuf { memory: inner.memory(bytes.max(1))?, units, element: PhantomData })
    }

    pub(crate) fn memory(&self) -> &CardMemory {
        &self.memory
    }

    /// Elements it has room for.
    pub fn len(&self) -> usize {
        self.units * T::PER_UNIT
    }

    /// Whether it has no room at all.
    pub fn is_empty(&self) -> bool {
        self.units == 0
    }

    /// Bus address of the first element; a multiple of 64.
    pub fn bus_address(&self) -> u64 {
        self.memory.address
    }

    /// Copies `data` to the card, from unit `start` on.
    ///
    /// # Errors
    /// [`Error::InvalidArg`] when it does not fit, and those of the transport.
    pub fn write(&mut self, start: usize, data: &[T::Unit]) -> Result<(), Error> {
        self.write_shared(start, data)
    }

    /// [`write`](Self::write) for programs that share buffers and keep the order of their calls themselves, such as
    /// those in C.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_shared(&self, start: usize, data: &[T::Unit]) -> Result<(), Error> {
        let start = self.place(start, data.len())?;
        self.memory.settle();
        self.memory.write(start, bytemuck::cast_slice(data))
    }

    /// Copies units of the card to `data`, from unit `start` on.
    ///
    /// # Errors
    /// [`Error::InvalidArg`] when there are not as many, and those of the transport.
    pub fn read(&self, start: usize, data: &mut [T::Unit]) -> Result<(), Error> {
        let start = self.place(start, data.len())?;
        self.memory.settle();
        self.memory.read(start, bytemuck::cast_slice_mut(data))
    }

    /// All of it.
    ///
    /// # Errors
    /// Those of the transport.
    pub fn to_vec(&self) -> Result<Vec<T::Unit>, Error> {
        let mut data = vec![bytemuck::Zeroable::zeroed(); self.units];
        self.read(0, &mut data)?;
        Ok(data)
    }

    /// Where its memory lies in this process, after the calls that use it have ended; `None` when the card's memory is
    /// elsewhere or lies here in several pieces. Valid until the buffer is dropped.
    ///
    /// Between the pointer's use and calls that use the buffer, the caller keeps the order himself: the card may read and
    /// write the memory during a call.
    pub fn host_ptr(&self) -> Option<NonNull<T::Unit>> {
        self.memory.settle();
        let (address, bytes) = (self.memory.address, self.memory.bytes);
        let pointer = self.memory.inner.shared.lock().transport().host_address(address, bytes)?;
        Some(pointer.cast())
    }

    fn place(&self, start: usize, len: usize) -> Result<u64, Error> {
        let there = self.units;
        if start > there {
            return Err(Error::invalid_arg(ARG_START, format!("it is {start}, there are {there}")));
        }
        if len > there - start {
            let what = format!("it has {len}, there is room for {}", there - start);
            return Err(Error::invalid_arg(ARG_DATA, what));
        }
        Ok((start * size_of::<T::Unit>()) as u64)
    }

    /// A matrix that begins with the first element; `ld` elements from line to line.
    ///
    /// The card wants lines at whole multiples of its alignment: a call refuses others.
    ///
    /// # Errors
    /// [`Error::InvalidArg`], as [`View::new`].
    pub fn view(
        &self,
        order: Order,
        rows: usize,
        cols: usize,
        ld: usize,
    ) -> Result<View<'_, T>, Error> {
        DynView::on_card(self, order, rows, cols, ld, T::FORMAT, 0).map(View::typed)
    }

    /// The same to be written.
    ///
    /// # Errors
    /// [`Error::InvalidArg`], as [`View::new`].
    pub fn view_mut(
        &mut self,
        order: Order,
        rows: usize,
        cols: usize,
        ld: usize,
    ) -> Result<ViewMut<'_, T>, Error> {
        DynViewMut::on_card(self, order, rows, cols, ld, T::FORMAT, 0).map(ViewMut::typed)
    }

    /// The smallest `ld` that keeps lines of `len` elements at multiples of 64 bytes, which every card takes.
    pub fn aligned_ld(len: usize) -> usize {
        let line = bytes(len, T::FORMAT).next_multiple_of(64);
        line * T::PER_UNIT / size_of::<T::Unit>()
    }
}
