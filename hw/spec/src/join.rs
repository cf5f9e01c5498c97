//! What may join a sparse product on a card: a mask, a matrix to accumulate into, and the pruning of zeros.

use crate::regs::Field;
use crate::regs::join::STEPS;

/// Something the sparse engine of a card can be built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum JoinStep {
    /// Entries leave where a mask has one, or where it has none.
    Mask = 0,
    /// The entries of another matrix are added to the products.
    Accumulate = 1,
    /// Entries that are zero do not leave.
    Prune = 2,
}

impl JoinStep {
    /// Every step by its name in a configuration, in the order of their numbers.
    pub const NAMES: &[(&str, JoinStep)] = &[
        ("mask", JoinStep::Mask),
        ("accumulate", JoinStep::Accumulate),
        ("prune", JoinStep::Prune),
    ];

    /// Name in configurations.
    pub fn name(self) -> &'static str {
        JoinStep::NAMES.iter().find(|(_, step)| *step == self).map_or("", |(name, _)| name)
    }

    /// The bits of `JOIN.STEPS` that need it.
    const fn fields(self) -> &'static [Field] {
        match self {
            JoinStep::Mask => &[STEPS::MASK, STEPS::COMPLEMENT, STEPS::BY_VALUE],
            JoinStep::Accumulate => &[STEPS::ACCUMULATE],
            JoinStep::Prune => &[STEPS::PRUNE],
        }
    }

    /// The bits of `JOIN.STEPS` that mean something to a card with these steps: bit n of `steps` set, it has number n.
    pub fn mask(steps: u32) -> u32 {
        let built = JoinStep::NAMES.iter().filter(|(_, step)| steps >> *step as u32 & 1 == 1);
        built.flat_map(|(_, step)| step.fields()).fold(0, |mask, field| mask | field.mask())
    }
}
