//! Operands on their way to the card, results on their way back.

use super::combine::Combine;
use crate::Error;
use crate::buffer::CardMemory;
use crate::device::Inner;
use crate::view::{DynView, Layout, Order, Place, PlaceMut, per_byte};
use std::sync::Arc;

/// Bytes that are laid out or picked apart at once: they stay in a cache.
pub(super) const PIECE: usize = 1 << 18;
/// Lines that are written to at once when a matrix is turned.
const STRIP: usize = 256;

/// How a matrix lies in card memory for one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Staged {
    pub(super) address: u64,
    /// Bytes from line to line.
    pub(super) stride: u32,
    pub(super) column_major: bool,
}

/// How a matrix of host memory will lie in card memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Image {
    /// The same matrix; of single elements in a line each, the other way round.
    layout: Layout,
    /// Elements are far apart in host memory and close together on the card.
    gathered: bool,
    stride: usize,
    /// Of all lines.
    pub(super) bytes: u64,
}

impl Image {
    /// Every line begins at a multiple of `align`; the host's distance between lines is kept where it is one.
    pub(super) fn new(layout: Layout, align: u32) -> Result<Image, Error> {
        let layout = layout.in_fewest_lines();
        let (lines, len) = layout.lines();
        let align = align as usize;
        let gathered = len == 1 && lines > 1 && layout.format.storage_bits().is_multiple_of(8);
        let layout =
            if gathered { Layout { order: layout.order.other(), ..layout } } else { layout };
        let (lines, line_bytes) = (layout.lines().0, layout.line_bytes());
        let aligned = line_bytes.checked_next_multiple_of(align).unwrap_or(usize::MAX);
        let kept = !gathered && lines > 1 && layout.ld_bytes().is_multiple_of(align);
        let stride =
            if kept && layout.ld_bytes() / 2 <= aligned { layout.ld_bytes() } else { aligned };
        let bytes = (lines as u64).saturating_mul(stride as u64);
        if u32::try_from(stride).is_err() {
            return Err(Error::OutOfMemory { need: bytes, have: u32::MAX.into() });
        }
        Ok(Image { layout, gathered, stride, bytes })
    }

    /// The order it has on the card.
    pub(super) fn order(&self) -> Order {
        self.layout.order
    }

    pub(super) fn at(&self, memory: &CardMemory) -> Staged {
        Staged {
            address: memory.address(),
            stride: self.stride as u32,
            column_major: self.layout.order == Order::Column,
        }
    }

    /// Bytes of a line in host memory when elements are gathered: the line is all of them.
    fn element(&self) -> (usize, usize) {
        (self.layout.format.storage_bits() as usize / 8, self.layout.ld_bytes())
    }

    /// Copies the matrix to the card.
    pub(super) fn send(&self, host: &[u8], memory: &CardMemory) -> Result<(), Error> {
        let layout = &self.layout;
        if layout.is_empty() {
            return Ok(());
        }
        if self.gathered {
            let (size, apart) = self.element();
            let from = host[layout.start()..].chunks(apart).take(layout.lines().1);
            let image: Vec<u8> = from.flat_map(|element| &element[..size]).copied().collect();
            return memory.write(0, &image);
        }
        let (lines, line_bytes) = (layout.lines().0, layout.line_bytes());
        if lines == 1 || self.stride == layout.ld_bytes() {
            return memory.write(0, &host[layout.span()]);
        }
        let at_once = (PIECE / self.stride).max(1);
        let mut image = Vec::with_capacity(at_once.min(lines) * self.stride);
        for first in (0..lines).step_by(at_once) {
            image.clear();
            for i in first..lines.min(first + at_once) {
                image.extend_from_slice(&host[layout.line(i)]);
                image.resize(image.len() + self.stride - line_bytes, 0);
            }
            memory.write(first as u64 * self.stride as u64, &image)?;
        }
        Ok(())
    }
}

/// In which order a matrix comes to the card when nothing is changed, and whether the other is possible too.
pub(super) fn order(layout: &Layout, on_card: bool, align: u32) -> Result<(Order, bool), Error> {
    if on_card {
        return Ok((layout.in_fewest_lines().order, false));
    }
    let image = Image::new(*layout, align)?;
    // A vector is a vector in either order; turning it would change nothing but where its elements are.
    let (lines, len) = layout.lines();
    Ok((image.layout.order, lines > 1 && len > 1))
}

/// A matrix dense in its other order.
pub(super) fn other_order(layout: &Layout) -> Layout {
    let lines = layout.lines().0.next_multiple_of(per_byte(layout.format));
    Layout { order: layout.order.other(), ld: lines, offset: 0, ..*layout }
}

/// The bytes of a matrix in its other order, see [`other_order`].
fn turned(from: &[u8], layout: &Layout) -> Vec<u8> {
    let to = other_order(layout);
    let bits = layout.format.storage_bits() as usize;
    let mut out = vec![0; to.span().len()];
    let ((lines, len), apart) = (layout.lines(), to.ld_bytes());
    let size = (bits / 8).max(1);
    let mask = if bits < 8 { (1u8 << bits) - 1 } else { u8::MAX };
    // A strip of lines of the result is written at a time, which a cache holds.
    for strip in (0..len).step_by(STRIP) {
        let columns = strip..len.min(strip + STRIP);
        for line in 0..lines {
            let from = &from[layout.line(line)];
            let place = line * bits / 8;
            match bits {
                8 => columns.clone().for_each(|i| out[i * apart + place] = from[i]),
                16.. => columns.clone().for_each(|i| {
                    let at = i * apart + place;
                    out[at..at + size].copy_from_slice(&from[i * size..][..size]);
                }),
                _ => columns.clone().for_each(|i| {
                    let code = from[i * bits / 8] >> (i * bits % 8) & mask;
                    out[i * apart + place] |= code << (line * bits % 8);
                }),
            }
        }
    }
    out
}

/// An operand where the card finds it: where it lies, or a copy, in the order that was chosen.
pub(super) fn operand(
    inner: &Arc<Inner>,
    view: &DynView<'_>,
    order: Order,
    align: u32,
    keep: &mut Vec<CardMemory>,
) -> Result<Staged, Error> {
    let host = match view.place {
        Place::Card(memory) => return Ok(in_place(&view.layout, memory)),
        Place::Host(host) => host,
    };
    let mut image = Image::new(view.layout, align)?;
    let other;
    let mut host = host;
    if image.layout.order != order {
        other = turned(host, &view.layout);
        image = Image::new(other_order(&view.layout), align)?;
        host = &other;
    }
    let memory = inner.memory(image.bytes.max(1))?;
    image.send(host, &memory)?;
    let staged = image.at(&memory);
    keep.push(memory);
    Ok(staged)
}

/// A matrix in a buffer, whose alignment was checked.
pub(super) fn in_place(layout: &Layout, memory: &CardMemory) -> Staged {
    let layout = layout.in_fewest_lines();
    Staged {
        address: memory.address() + layout.span().start as u64,
        // With a single line the card looks at no stride.
        stride: if layout.lines().0 > 1 { layout.ld_bytes() as u32 } else { 0 },
        column_major: layout.order == Order::Column,
    }
}

/// A product in card memory that is to become, or be combined with, a matrix.
#[derive(Debug)]
pub(super) struct Fetch {
    pub(super) image: Image,
    pub(super) memory: CardMemory,
    pub(super) combine: Combine,
    /// Which of the event's places C is in.
    pub(super) target: usize,
    /// How C lies there, when the product comes in the other order.
    pub(super) turned: Option<Layout>,
}

impl Fetch {
    /// Brings the product to C. Gives the number of elements the host computed.
    pub(super) fn run(&self, c: &mut PlaceMut<'_>) -> Result<u64, Error> {
        let layout = self.image.layout;
        if layout.is_empty() {
            return Ok(0);
        }
        let plain = self.combine.is_plain();
        if let Some(c_layout) = &self.turned {
            let mut product = vec![0; layout.span().len()];
            let mut place = PlaceMut::Host(&mut product);
            self.lines(&mut place, true)?;
            let product = turned(&product, &layout);
            let dense = other_order(&layout);
            for i in 0..c_layout.lines().0 {
                self.put(c, c_layout.line(i), &product[dense.line(i)], plain)?;
            }
        } else if self.image.gathered {
            self.scatter(c, plain)?;
        } else if let (true, PlaceMut::Host(host), Some(span)) = (plain, &mut *c, self.dense()) {
            self.memory.read(0, &mut host[span])?;
        } else {
            self.lines(c, plain)?;
        }
        Ok(if plain { 0 } else { layout.rows as u64 * layout.cols as u64 })
    }

    /// The bytes of C, when they and the product lie without gaps.
    fn dense(&self) -> Option<std::ops::Range<usize>> {
        let Image { layout, stride, .. } = &self.image;
        let dense = layout.lines().0 == 1
            || (*stride == layout.line_bytes() && layout.ld_bytes() == *stride);
        dense.then(|| layout.span())
    }

    fn lines(&self, c: &mut PlaceMut<'_>, plain: bool) -> Result<(), Error> {
        let Image { layout, stride, .. } = self.image;
        let (lines, line_bytes) = (layout.lines().0, layout.line_bytes());
        let at_once = (PIECE / stride).max(1);
        let mut image = vec![0; at_once.min(lines) * stride];
        for first in (0..lines).step_by(at_once) {
            let count = at_once.min(lines - first);
            let image = &mut image[..(count - 1) * stride + line_bytes];
            self.memory.read(first as u64 * stride as u64, image)?;
            for (i, product) in image.chunks(stride).enumerate() {
                let product = &product[..line_bytes];
                let to = layout.line(first + i);
                self.put(c, to, product, plain)?;
            }
        }
        Ok(())
    }

    fn scatter(&self, c: &mut PlaceMut<'_>, plain: bool) -> Result<(), Error> {
        let (size, apart) = self.image.element();
        let (start, count) = (self.image.layout.start(), self.image.layout.lines().1);
        let mut image = vec![0; count * size];
        self.memory.read(0, &mut image)?;
        for (i, product) in image.chunks_exact(size).enumerate() {
            let at = start + i * apart;
            self.put(c, at..at + size, product, plain)?;
        }
        Ok(())
    }

    fn put(
        &self,
        c: &mut PlaceMut<'_>,
        to: std::ops::Range<usize>,
        product: &[u8],
        plain: bool,
    ) -> Result<(), Error> {
        match c {
            PlaceMut::Host(host) if plain => {
                host[to].copy_from_slice(product);
                Ok(())
            }
            c => self.combine.put(c, to, product),
        }
    }
}
