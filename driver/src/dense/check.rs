//! What a product is refused for before anything starts.

use super::arg;
use super::product::{Product, Shape};
use crate::Error;
use crate::buffer::CardMemory;
use crate::device::Inner;
use crate::element::Scalar;
use crate::view::Layout;
use mattock_spec::regs::GemmCaps;

impl Product<'_> {
    /// Shapes, types, depth, scalars, epilogue, and where matrices in card memory lie.
    ///
    /// # Errors
    /// [`Error::InvalidArg`] with the position of the argument; [`Error::Unsupported`] with what the card has.
    pub(super) fn check(&self, inner: &Inner, caps: &GemmCaps) -> Result<Shape, Error> {
        self.check_aligned(inner, caps, [caps.align; 3])
    }

    /// [`check`](Self::check), with other multiples for the addresses and lines of A, B and C in card memory.
    pub(super) fn check_aligned(
        &self,
        inner: &Inner,
        caps: &GemmCaps,
        align: [u32; 3],
    ) -> Result<Shape, Error> {
        let Product { a, b, c, .. } = self;
        let bad = |index, what: String| Err(Error::invalid_arg(index, what));
        let ((m, k), (b_rows, n)) = (a.shape(), b.shape());
        if b_rows != k {
            return bad(arg::B, format!("it has {b_rows} rows, A has {k} columns"));
        }
        if (c.rows, c.cols) != (m, n) {
            let (rows, cols) = (c.rows, c.cols);
            let what = format!("it is {rows} x {cols}, the product is {m} x {n}");
            return bad(self.d_index(), what);
        }
        let dim = |index, value: usize| {
            let above = |_| Error::invalid_arg(index, format!("{value} is above {}", u32::MAX));
            u32::try_from(value).map_err(above)
        };
        let (m, n, k) = (dim(arg::A, m)?, dim(arg::B, n)?, dim(arg::A, k)?);
        let tuple = (a.format(), b.format(), c.format);
        let Some(position) = caps.tuples.position(tuple.0, tuple.1, tuple.2) else {
            let tuples: Vec<String> = caps.tuples.iter().map(|t| t.to_string()).collect();
            let asked = format!("{},{},{}", tuple.0, tuple.1, tuple.2);
            return Err(Error::Unsupported { asked, have: tuples.join(" ") });
        };
        let deepest = caps.tuples.get(position).and_then(|tuple| tuple.depth_limit());
        if let Some(most) = deepest.filter(|&most| u64::from(k) > most && !self.alpha.is_zero()) {
            let asked = format!("k = {k} of {},{},{}", tuple.0, tuple.1, tuple.2);
            let have = format!("sums that are exact up to k = {most}; cut k and add the parts");
            return Err(Error::Unsupported { asked, have });
        }
        self.check_scalars()?;
        self.check_epilogue(inner)?;
        for (index, layout, memory, align) in [
            (arg::A, &a.layout, a.place.on_card(), align[0]),
            (arg::B, &b.layout, b.place.on_card(), align[1]),
            (self.d_index(), c, self.c_on_card, align[2]),
        ] {
            if let Some(memory) = memory {
                check_on_card(index, layout, memory, inner, align)?;
            }
        }
        if let Some(c_memory) = self.c_on_card {
            let bytes = |layout: &Layout, memory: &CardMemory| {
                let span = layout.span();
                memory.address() + span.start as u64..memory.address() + span.end as u64
            };
            let c_bytes = bytes(c, c_memory);
            for (name, view) in [("A", a), ("B", b)] {
                let Some(memory) = view.place.on_card() else { continue };
                let other = bytes(&view.layout, memory);
                if other.start < c_bytes.end && c_bytes.start < other.end {
                    return bad(self.d_index(), format!("its memory overlaps that of {name}"));
                }
            }
        }
        Ok(Shape { m, n, k, tuple: position as u8 })
    }

    fn check_scalars(&self) -> Result<(), Error> {
        let format = self.c.format;
        for (index, scalar) in [(arg::ALPHA, self.alpha), (arg::BETA, self.beta)] {
            let whole = matches!(scalar, Scalar::I32(_));
            if whole != format.is_integer() {
                let kind = if whole { "i32" } else { "f32" };
                let what = format!("it is an {kind}, which does not go with results of {format}");
                return Err(Error::invalid_arg(index, what));
            }
        }
        Ok(())
    }

    /// Checks the epilogue, and that a narrow result is the product itself.
    fn check_epilogue(&self, inner: &Inner) -> Result<(), Error> {
        let Some(epilogue) = self.effective_epilogue() else { return Ok(()) };
        if !self.a.format().is_integer() {
            let asked = format!("an epilogue of {} sums", self.c.format);
            return Err(Error::Unsupported { asked, have: "epilogues of integer sums".into() });
        }
        if !self.is_plain() {
            let asked = format!("alpha and beta with results of {}", self.c.format);
            let have = "alpha = 1 and beta = 0 there, or results of i32".into();
            return Err(Error::Unsupported { asked, have });
        }
        epilogue.check(inner.shared.caps.epilogue.as_ref(), (self.c.rows, self.c.cols))
    }
}

/// A matrix in a buffer must lie as the card can address it.
fn check_on_card(
    index: usize,
    layout: &Layout,
    memory: &CardMemory,
    inner: &Inner,
    align: u32,
) -> Result<(), Error> {
    let bad = |what: String| Err(Error::invalid_arg(index, what));
    if !memory.is_of(inner) {
        return bad("its buffer belongs to another card".into());
    }
    if layout.is_empty() {
        return Ok(());
    }
    let layout = layout.in_fewest_lines();
    let start = memory.address() + layout.start() as u64;
    if !start.is_multiple_of(align.into()) {
        return bad(format!("it begins at {start:#x}, the card wants multiples of {align} bytes"));
    }
    let (lines, stride) = (layout.lines().0, layout.ld_bytes());
    if lines > 1 && !stride.is_multiple_of(align as usize) {
        let what = format!("its lines are {stride} bytes apart");
        return bad(format!("{what}, the card wants multiples of {align}"));
    }
    if lines > 1 && u32::try_from(stride).is_err() {
        return bad(format!(
            "its lines are {stride} bytes apart, at most {} are allowed",
            u32::MAX
        ));
    }
    Ok(())
}
