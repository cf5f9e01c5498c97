//! Matrices as C describes them.

use crate::buffer::MattockBuffer;
use crate::status::{Fail, bad, named};
use crate::structure::{required, size, slice, slice_mut};
use driver::{DmaBuf, DynView, DynViewMut, Order};
use mattock_spec::Format;
use std::ffi::{c_char, c_void};
use std::ops::Range;
use std::sync::Arc;

/// Rows lie together; the value of CBLAS.
pub const MATTOCK_ROW_MAJOR: i32 = 101;
/// Columns lie together.
pub const MATTOCK_COL_MAJOR: i32 = 102;
/// As it lies.
pub const MATTOCK_NO_TRANS: i32 = 111;
/// Transposed.
pub const MATTOCK_TRANS: i32 = 112;

/// A dense matrix, in host memory or in a buffer.
///
/// Elements narrower than a byte lie packed, the first in the low bits; their lines begin on bytes.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct MattockMatrix {
    /// `sizeof(MattockMatrix)`.
    pub struct_size: u32,
    /// `MATTOCK_ROW_MAJOR` or `MATTOCK_COL_MAJOR`.
    pub order: i32,
    /// `MATTOCK_TRANS`: the call takes the transposed matrix. 0 or `MATTOCK_NO_TRANS`: as it lies.
    pub trans: i32,
    /// Format of the elements with zeros behind it: `"i8"`, `"u4"`, `"f32"`, `"e4m3"`, ...
    pub type_name: [c_char; 8],
    /// Rows as it lies, before it is transposed.
    pub rows: i64,
    /// Columns as it lies.
    pub cols: i64,
    /// Elements from the start of one row (column) to the next; 0: without gaps.
    pub ld: i64,
    /// The first element, in host memory; not looked at when there is a buffer. Only results are written.
    pub data: *mut c_void,
    /// The buffer it lies in, or null. Lines in buffers are multiples of the card's `gemm_align` apart.
    pub buffer: *const MattockBuffer,
    /// Bytes of the buffer before the first element.
    pub offset: u64,
}

/// A matrix whose description was checked.
pub(crate) struct Checked {
    position: (usize, &'static str),
    pub(crate) format: Format,
    order: Order,
    turned: bool,
    rows: usize,
    cols: usize,
    ld: usize,
    /// Of the memory from the first element to the last.
    bytes: usize,
    data: *mut u8,
    buffer: Option<Arc<DmaBuf<u8>>>,
    offset: usize,
}

/// Bytes of lines that are `ld` elements apart, the last without its gap.
fn extent(lines: usize, len: usize, ld: usize, format: Format) -> Option<usize> {
    if lines == 0 || len == 0 {
        return Some(0);
    }
    let elements = (lines as u128 - 1) * ld as u128 + len as u128;
    let bytes = elements.checked_mul(format.storage_bits().into())?.div_ceil(8);
    usize::try_from(bytes).ok()
}

impl Checked {
    /// # Safety
    /// `matrix` is null or a structure of its `struct_size` whose buffer is null or not freed.
    pub(crate) unsafe fn new(
        index: usize,
        name: &'static str,
        matrix: *const MattockMatrix,
    ) -> Result<Checked, Fail> {
        // SAFETY: by the contract.
        let matrix = unsafe { required(index, name, matrix)? };
        let order = match matrix.order {
            MATTOCK_ROW_MAJOR => Order::Row,
            MATTOCK_COL_MAJOR => Order::Column,
            other => return bad(index, name, format!("has order {other}, must be 101 or 102")),
        };
        let turned = match matrix.trans {
            0 | MATTOCK_NO_TRANS => false,
            MATTOCK_TRANS => true,
            other => return bad(index, name, format!("has trans {other}, must be 0, 111 or 112")),
        };
        let text = matrix.type_name.map(|c| c as u8);
        let end = text.iter().position(|&b| b == 0).unwrap_or(text.len());
        let text = String::from_utf8_lossy(&text[..end]);
        let Ok(format) = text.parse::<Format>() else {
            return bad(index, name, format!("has type_name {text:?}, must be one such as \"i8\""));
        };
        let field = |field, value| size(index, name, field, value);
        let (rows, cols) = (field("rows", matrix.rows)?, field("cols", matrix.cols)?);
        let (lines, len) = if order == Order::Row { (rows, cols) } else { (cols, rows) };
        let per_byte = (8 / format.storage_bits() as usize).max(1);
        let ld = match field("ld", matrix.ld)? {
            0 => len.checked_next_multiple_of(per_byte).unwrap_or(usize::MAX),
            ld => ld,
        };
        if lines > 1 && ld < len {
            return bad(index, name, format!("has ld {ld}, must be at least {len}"));
        }
        let Some(bytes) = extent(lines, len, ld, format) else {
            return bad(index, name, "passes the end of memory");
        };
        // SAFETY: by the contract.
        let buffer = unsafe { matrix.buffer.as_ref() }.map(|buffer| Arc::clone(&buffer.buffer));
        let offset = usize::try_from(matrix.offset).unwrap_or(usize::MAX);
        let (position, data) = ((index, name), matrix.data.cast());
        Ok(Checked { position, format, order, turned, rows, cols, ld, bytes, data, buffer, offset })
    }

    /// The batch's last matrix, `distance` elements further, belongs to it too.
    pub(crate) fn extend(&mut self, distance: usize) -> Result<(), Fail> {
        let bytes = extent(2, 1, distance, self.format).and_then(|b| b.checked_add(self.bytes));
        match bytes {
            _ if self.bytes == 0 => Ok(()),
            Some(bytes) => {
                self.bytes = bytes;
                Ok(())
            }
            None => bad(self.position.0, self.position.1, "passes the end of memory"),
        }
    }

    /// Rows and columns as the call takes them.
    pub(crate) fn shape(&self) -> (usize, usize) {
        if self.turned { (self.cols, self.rows) } else { (self.rows, self.cols) }
    }

    fn host(&self) -> Range<usize> {
        let start = if self.buffer.is_some() { 0 } else { self.data.addr() };
        start..start.saturating_add(if self.buffer.is_some() { 0 } else { self.bytes })
    }

    /// Refuses a result in the memory of an operand, which a reference to it would not bear.
    pub(crate) fn apart_from(&self, operands: [&Checked; 2]) -> Result<(), Fail> {
        let mine = self.host();
        for operand in operands {
            let other = operand.host();
            if other.start < mine.end && mine.start < other.end {
                let (index, name) = self.position;
                return bad(index, name, format!("overlaps {}", operand.position.1));
            }
        }
        Ok(())
    }

    /// Refuses results that lie in each other's memory, or in that of an operand of any product.
    pub(crate) fn all_apart(results: &[Checked], operands: [&[Checked]; 2]) -> Result<(), Fail> {
        let mut sorted: Vec<&Checked> =
            results.iter().filter(|result| !result.host().is_empty()).collect();
        sorted.sort_unstable_by_key(|result| result.host().start);
        if let Some(pair) = sorted.windows(2).find(|two| two[1].host().start < two[0].host().end) {
            let (index, name) = pair[0].position;
            return bad(index, name, "has matrices that overlap");
        }
        for operand in operands.into_iter().flatten().filter(|o| !o.host().is_empty()) {
            let host = operand.host();
            let next = sorted.partition_point(|result| result.host().end <= host.start);
            if let Some(result) = sorted.get(next).filter(|result| result.host().start < host.end) {
                let (index, name) = result.position;
                return bad(index, name, format!("overlaps {}", operand.position.1));
            }
        }
        Ok(())
    }

    /// The buffer, for whoever uses the view longer than the call lasts.
    pub(crate) fn keep(&self) -> Option<Arc<DmaBuf<u8>>> {
        self.buffer.clone()
    }

    /// # Safety
    /// The description's memory is there and nobody writes it as long as the view lives; whoever uses the view keeps
    /// the buffer.
    pub(crate) unsafe fn view<'a>(&self) -> Result<DynView<'a>, Fail> {
        let Checked { order, rows, cols, ld, format, position, .. } = *self;
        let view = match &self.buffer {
            Some(buffer) => {
                // SAFETY: the buffer is kept by the caller as long as the view lives.
                let buffer = unsafe { &*Arc::as_ptr(buffer) };
                DynView::on_card(buffer, order, rows, cols, ld, format, self.offset)
            }
            None => {
                // SAFETY: by the contract, as many bytes as the shape says.
                let data =
                    unsafe { slice(position.0, position.1, self.data.cast_const(), self.bytes)? };
                DynView::new(data, order, rows, cols, ld, format)
            }
        };
        let view = named(view, &[position; 7])?;
        Ok(if self.turned { view.t() } else { view })
    }

    /// # Safety
    /// As [`view`](Self::view), and nobody reads the memory either.
    pub(crate) unsafe fn view_mut<'a>(&self) -> Result<DynViewMut<'a>, Fail> {
        let Checked { order, rows, cols, ld, format, position, .. } = *self;
        let view = match &self.buffer {
            Some(buffer) => {
                // SAFETY: the buffer is kept by the caller as long as the view lives.
                let buffer = unsafe { &*Arc::as_ptr(buffer) };
                DynViewMut::on_shared_card(buffer, order, rows, cols, ld, format, self.offset)
            }
            None => {
                // SAFETY: by the contract, as many bytes as the shape says.
                let data = unsafe { slice_mut(position.0, position.1, self.data, self.bytes)? };
                DynViewMut::new(data, order, rows, cols, ld, format)
            }
        };
        let view = named(view, &[position; 7])?;
        Ok(if self.turned { view.t() } else { view })
    }
}
