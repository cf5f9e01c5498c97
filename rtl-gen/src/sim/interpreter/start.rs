//! What state holds before its first value.

use crate::sim::flatten::Shape;

/// What registers and memories without a start value hold before they are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Start {
    /// Zeros, as FPGA bitstreams do.
    Zero,
    /// Seeded noise, so that logic which relies on a start value fails.
    #[default]
    Random,
}

/// Settings of an [`Interpreter`](super::Interpreter).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// First content of state without a start value.
    pub start: Start,
    /// Seed of the noise of [`Start::Random`] and of read collisions that are "don't care".
    pub seed: u64,
}

/// Source of start values and poison (SplitMix64, Steele, Lea and Flood, OOPSLA 2014).
#[derive(Debug)]
pub(in crate::sim) struct Fill {
    pub(super) start: Start,
    pub(super) state: u64,
}

impl Fill {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A start value.
    pub(in crate::sim) fn start(&mut self, words: &mut [u64], shape: Shape) {
        match self.start {
            Start::Zero => words.fill(0),
            Start::Random => self.poison(words, shape),
        }
    }

    /// A value nobody may rely on.
    pub(in crate::sim) fn poison(&mut self, words: &mut [u64], shape: Shape) {
        words.iter_mut().for_each(|w| *w = self.next());
        shape.canon(words);
    }
}
