//! What joins a product on cards built for it: a mask, a matrix to add to, the pruning of zeros.

use super::mask::Mask;
use super::run::Block;
use super::{Csr, SparseValue};
use crate::Error;
use crate::device::Inner;
use mattock_spec::command::{JoinedProduct, SpgemmCommand};
use mattock_spec::regs::join::STEPS;
use std::ops::Range;
use std::sync::Arc;

/// What joins a product; all of C's shape.
#[derive(Clone, Copy, Debug)]
pub(super) struct Joins<'j, T> {
    /// Which entries are wanted; its values are 0 or not.
    pub(super) mask: Option<Mask<'j, i32>>,
    /// What the products are added to.
    pub(super) addend: Option<&'j Csr<T>>,
    /// Entries that are zero are left out.
    pub(super) prune: bool,
}

impl<T> Joins<'_, T> {
    /// Nothing.
    pub(super) const NONE: Self = Joins { mask: None, addend: None, prune: false };

    /// Elements that come among the products of a row.
    pub(super) fn elements(&self, row: usize) -> u64 {
        let mask = self.mask.map_or(0, |mask| mask.matrix.row_nnz(row));
        mask as u64 + self.addend.map_or(0, |addend| addend.row_nnz(row)) as u64
    }

    /// The most entries a row of so many products in `cols` columns can have.
    pub(super) fn most(&self, row: usize, products: u64, cols: u64) -> u64 {
        let added = self.addend.map_or(0, |addend| addend.row_nnz(row) as u64);
        let most = products.saturating_add(added).min(cols);
        match self.mask {
            Some(mask) if !mask.complement => most.min(mask.matrix.row_nnz(row) as u64),
            _ => most,
        }
    }
}

/// What joins a block of rows, in card memory.
pub(super) struct JoinBlocks {
    steps: u32,
    mask: Option<Block>,
    addend: Option<Block>,
}

impl JoinBlocks {
    pub(super) const NONE: JoinBlocks = JoinBlocks { steps: 0, mask: None, addend: None };

    /// Copies the rows.
    pub(super) fn new<T: SparseValue>(
        inner: &Arc<Inner>,
        joins: &Joins<'_, T>,
        rows: &Range<usize>,
    ) -> Result<JoinBlocks, Error> {
        let mut steps = STEPS::PRUNE.put(u32::from(joins.prune));
        let place = |mask: &Mask<'_, i32>| {
            // Without values the card reads the columns again, which its cache has.
            let block = match mask.by_value {
                true => Block::structure(inner, mask.matrix, rows.clone())?,
                false => Block::pattern(inner, mask.matrix, rows.clone())?,
            };
            if mask.by_value {
                block.set_values(&mask.matrix.values()[block.entries.clone()])?;
            }
            Ok::<_, Error>(block)
        };
        if let Some(mask) = &joins.mask {
            steps |= STEPS::MASK.put(1)
                | STEPS::COMPLEMENT.put(u32::from(mask.complement))
                | STEPS::BY_VALUE.put(u32::from(mask.by_value));
        }
        let mask = joins.mask.as_ref().map(place).transpose()?;
        let addend = joins.addend.map(|addend| {
            let block = Block::structure(inner, addend, rows.clone())?;
            block.set_values(&addend.values()[block.entries.clone()])?;
            Ok::<_, Error>(block)
        });
        let addend = addend.transpose()?;
        steps |= STEPS::ACCUMULATE.put(u32::from(addend.is_some()));
        Ok(JoinBlocks { steps, mask, addend })
    }

    /// The command for a product that these join, if there are any.
    pub(super) fn command(&self, product: SpgemmCommand) -> Option<JoinedProduct> {
        // The sizes were checked: entries are 32 bits.
        let entries = |block: &Option<Block>| block.as_ref().map_or(0, |b| b.entries.len() as u32);
        let place =
            |block: &Option<Block>| block.as_ref().map(Block::addresses).unwrap_or_default();
        let mut mask = place(&self.mask);
        if STEPS::BY_VALUE.get(self.steps) == 0 {
            mask.values = mask.columns;
        }
        (self.steps != 0).then(|| JoinedProduct {
            product,
            steps: self.steps,
            nnz_mask: entries(&self.mask),
            nnz_addend: entries(&self.addend),
            mask,
            addend: place(&self.addend),
        })
    }

    /// Card memory the command reads.
    pub(super) fn ranges(&self) -> Vec<Range<u64>> {
        self.mask.iter().chain(&self.addend).flat_map(Block::ranges).collect()
    }
}
