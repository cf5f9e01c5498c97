//! One scale, and codes to the nearest.

use super::weights::range;

/// How the values of a group become codes: `code = clamp(round(value / scale) + zero)`, the quotient in binary32, to nearest even.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Grid {
    pub(super) scale: f32,
    pub(super) zero: i8,
    low: f32,
    high: f32,
}

impl Grid {
    /// Codes on both sides of zero alike: the largest magnitude becomes the largest code.
    pub(super) fn symmetric(values: impl Iterator<Item = f32>, bits: u32) -> Grid {
        let high = range(bits).1 as f32;
        let most = values.fold(0.0f32, |most, value| most.max(value.abs()));
        Grid { scale: positive(most / high), zero: 0, low: -high, high }
    }

    /// All codes from the smallest value (or 0) to the largest (or 0).
    pub(super) fn with_zero_point(values: impl Iterator<Item = f32>, bits: u32) -> Grid {
        let (low, high) = range(bits);
        let ends = values.fold((0.0f32, 0.0f32), |(a, b), value| (a.min(value), b.max(value)));
        // The distance of two binary32 numbers may be none.
        let span = f64::from(ends.1) - f64::from(ends.0);
        let scale = positive((span / f64::from(high - low)) as f32);
        let (low, high) = (low as f32, high as f32);
        let zero = ((-ends.0 / scale).round_ties_even() + low).clamp(low, high) as i8;
        Grid { scale, zero, low, high }
    }

    pub(super) fn code(&self, value: f32) -> i8 {
        let code = (value / self.scale).round_ties_even() + f32::from(self.zero);
        code.clamp(self.low, self.high) as i8
    }

    pub(super) fn value(&self, code: i8) -> f32 {
        (i32::from(code) - i32::from(self.zero)) as f32 * self.scale
    }
}

/// A scale; of values that are all (nearly) zero it is 1, so that their codes are 0.
pub(super) fn positive(scale: f32) -> f32 {
    if scale > 0.0 { scale } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_become_ends_and_ties_go_to_even() {
        let values = [-3.5f32, 0.25, 7.0, 1.5, 2.5];
        let grid = Grid::symmetric(values.into_iter(), 4);
        assert_eq!(grid.scale, 1.0);
        assert_eq!(values.map(|v| grid.code(v)), [-4, 0, 7, 2, 2]);
        assert_eq!(grid.code(-1e9), -7);
        let grid = Grid::with_zero_point([-2.0f32, 13.0].into_iter(), 4);
        assert_eq!((grid.scale, grid.zero), (1.0, -6));
        assert_eq!([-2.0, 0.0, 13.0].map(|v| grid.code(v)), [-8, -6, 7]);
        assert_eq!(grid.value(grid.code(0.0)), 0.0);
    }

    #[test]
    fn the_smallest_and_the_largest_numbers() {
        let nothing = Grid::symmetric([0.0f32, -0.0].into_iter(), 8);
        assert_eq!((nothing.scale, nothing.code(0.0)), (1.0, 0));
        let least = Grid::symmetric([f32::from_bits(1)].into_iter(), 8);
        assert_eq!((least.scale, least.code(f32::from_bits(1))), (1.0, 0));
        let all = [f32::MIN, f32::MAX];
        for bits in 2..=8 {
            let grid = Grid::with_zero_point(all.into_iter(), bits);
            let (low, high) = range(bits);
            assert!(grid.scale.is_finite());
            assert!(all.iter().all(|&v| (low..=high).contains(&grid.code(v).into())));
            assert_eq!(grid.value(grid.code(0.0)), 0.0);
        }
        let only_positive = Grid::with_zero_point([3.0f32, 15.0].into_iter(), 4);
        assert_eq!((only_positive.zero, only_positive.code(15.0)), (-8, 7));
    }
}
