//! What an error of something that moves amounts to, for an eye that does not compare pixels.
//!
//! From the features alone the restoration draws something plausible in the place of a block of which nothing is known. A block that is nearly as wrong as no block
//! is no better than that, however much of its squared error is taken away: only what is right enough to be told for what it is counts.

/// Part of a block's energy above which an error is as bad as nothing at all. Of .3, .4, .6, .8 and 1: with less a moving camera loses (VGG distance of the dashcam at 40 kbit/s .060 with .4, .058 with .6), with more
/// walkers do (opencv_vtest .039 instead of .038).
const AS_NOTHING: f32 = 0.6;

/// The block that an error is an error of.
#[derive(Clone, Copy, Debug)]
pub struct Felt {
    energy: f32,
}

impl Felt {
    /// Of a block with so much energy beside its brightness, which says nothing of what is there.
    pub fn new(energy: f32) -> Self {
        Self { energy }
    }

    /// A squared error as it counts: what is between much of the block's energy and all of it is the same; what is more than that disturbs.
    pub fn of(self, error: f32) -> f32 {
        error.min(self.flat()) + (error - self.energy).max(0.0)
    }

    /// Below which an error counts as less than so much.
    pub fn below(self, counts: f32) -> f32 {
        match counts <= self.flat() {
            true => counts,
            false => counts + self.energy - self.flat(),
        }
    }

    fn flat(self) -> f32 {
        AS_NOTHING * self.energy
    }
}

/// Energy of a block of these coefficients, the first of which is its brightness.
pub fn energy(coefficients: &[f32]) -> f32 {
    coefficients.iter().skip(1).map(|value| value * value).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_counts_below_a_part_of_the_energy_and_above_all_of_it() {
        let felt = Felt::new(energy(&[50.0, 6.0, -8.0]));
        for (error, counts) in [
            (0.0, 0.0),
            (30.0, 30.0),
            (60.0, 60.0),
            (80.0, 60.0),
            (100.0, 60.0),
            (130.0, 90.0),
        ] {
            let found = felt.of(error);
            assert!((found - counts).abs() < 1e-3, "{error}: {found}");
        }
    }

    #[test]
    fn what_counts_as_less_lies_below_one_error() {
        let felt = Felt::new(100.0);
        for counts in [0.5, 30.0, 59.5, 60.5, 90.0] {
            let limit = felt.below(counts);
            let around = (felt.of(limit - 0.1), felt.of(limit + 0.1));
            assert!(around.0 < counts && counts < around.1, "{counts}: {limit}");
        }
    }

    #[test]
    fn of_a_block_without_any_detail_all_error_counts() {
        assert_eq!(Felt::new(0.0).of(7.0), 7.0);
        assert_eq!(Felt::new(0.0).below(7.0), 7.0);
    }
}
