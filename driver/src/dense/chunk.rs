//! Products too large for card memory, cut into parts.

use super::GemmStats;
use super::product::{Call, Product, Shape};
use crate::Error;
use crate::view::{PlaceMut, per_byte};
use std::borrow::Cow;
use std::ops::Range;

/// Elements whose bytes are a multiple of every card's alignment, whatever their format.
const CARD_GRAIN: usize = 512;

impl Call<'_> {
    /// Computes a product, halving the longer side of C while a part does not fit.
    pub(super) fn in_parts(
        &self,
        product: Product<'_>,
        shape: Shape,
        target: &mut PlaceMut<'_>,
        stats: &mut GemmStats,
    ) -> Result<(), Error> {
        let whole = Product { target: 0, ..product.clone() };
        let event = self.start(vec![(whole, shape)], vec![target.reborrow()]);
        let error = match event.and_then(|event| event.wait()) {
            Ok(done) => {
                *stats += done;
                return Ok(());
            }
            // Too large, or more columns than an epilogue has parameters for.
            Err(error @ (Error::OutOfMemory { .. } | Error::Unsupported { .. })) => error,
            Err(error) => return Err(error),
        };
        let (rows, cols) = (product.c.rows, product.c.cols);
        let grain = product.grain();
        let by_rows = rows >= cols && rows > grain || cols <= grain;
        let long = if by_rows { rows } else { cols };
        if long <= grain {
            return Err(error);
        }
        let middle = (long / 2).next_multiple_of(grain).min((long - 1) / grain * grain);
        for range in [0..middle, middle..long] {
            let part = match by_rows {
                true => product.part(range, 0..cols),
                false => product.part(0..rows, range),
            };
            let shape = part.check(self.inner, self.caps)?;
            self.in_parts(part, shape, target, stats)?;
        }
        Ok(())
    }
}

impl Product<'_> {
    /// The part that gives these rows and columns of C.
    fn part(&self, rows: Range<usize>, cols: Range<usize>) -> Self {
        let k = self.a.shape().1;
        let epilogue = self.epilogue.as_ref().map(|e| Cow::Owned(e.part(&rows, &cols)));
        Product {
            epilogue,
            a: self.a.part(rows.clone(), 0..k),
            b: self.b.part(0..k, cols.clone()),
            c: self.c.part(rows, cols),
            ..self.clone()
        }
    }

    /// Parts begin at multiples of this: whole bytes in host memory, aligned addresses on the card.
    fn grain(&self) -> usize {
        let places = [self.a.place.on_card(), self.b.place.on_card(), self.c_on_card];
        if places.iter().any(Option::is_some) {
            return CARD_GRAIN;
        }
        let formats = [self.a.format(), self.b.format(), self.c.format];
        formats.into_iter().map(per_byte).max().unwrap_or(1)
    }
}
