//! How much an error counts, for an eye that looks at the whole picture.
//!
//! Squared error alone gives all bits to what has most contrast. A small error is seen on plain ground and hidden where there is much else to see (masking, as the adaptive quantisation of video encoders has it); and where
//! little moves, that is what an operator looks at.

/// Energy of a block, in steps squared, at which an error counts as what it is, and what is added so that nothing is infinitely plain.
const USUAL: f32 = 30.0;
const PLAIN: f32 = 5.0;
/// How much the energy of a block hides, as exponents. With none, the ground around what moves is left unfinished (VGG distance of robs_mall at 24 kbit/s .090 instead of .070); what moves is told by its contrast, so
/// that less of it is hidden (with .4 the teacher's AP50 there is .30 instead of .56).
const HIDDEN_STILL: f32 = 0.5;
const HIDDEN_MOVING: f32 = 0.25;
/// Part of the positions below which what moves counts for more, how much more as an exponent, and the most that it may. Without, the teacher finds an eighth of the walkers of opencv_vtest at 24 kbit/s.
const FEW: f32 = 0.4;
const FEWER: f32 = 2.0;
const RARE_MAX: f32 = 20.0;

/// What errors of a frame count.
#[derive(Clone, Copy, Debug)]
pub struct Regard {
    rare: f32,
}

impl Regard {
    /// Of a frame in which such a part of the positions moves.
    pub fn new(moving: f64) -> Self {
        let fewer = FEW / (moving as f32).max(f32::EPSILON);
        Self {
            rare: fewer.powf(FEWER).clamp(1.0, RARE_MAX),
        }
    }

    /// Of a block with so much energy beside its brightness, in steps squared.
    pub fn of(self, energy: f32, moves: bool) -> f32 {
        let (hidden, rare) = match moves {
            true => (HIDDEN_MOVING, self.rare),
            false => (HIDDEN_STILL, 1.0),
        };
        rare * ((USUAL + PLAIN) / (energy + PLAIN)).powf(hidden)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_count_for_less_where_there_is_much_to_see() {
        let regard = Regard::new(0.5);
        for moves in [false, true] {
            assert_eq!(regard.of(USUAL, moves), 1.0);
            assert!(regard.of(0.0, moves) > 1.0 && regard.of(0.0, moves) < 5.0);
            assert!(regard.of(1000.0, moves) < 0.5);
        }
    }

    #[test]
    fn what_moves_counts_for_more_where_little_does() {
        let of = |moving| Regard::new(moving).of(USUAL, true);
        assert_eq!((of(1.0), of(0.4)), (1.0, 1.0));
        assert!((of(0.2) - 4.0).abs() < 1e-4, "{}", of(0.2));
        assert_eq!((of(0.01), of(0.0)), (RARE_MAX, RARE_MAX));
        assert_eq!(Regard::new(0.01).of(USUAL, false), 1.0);
    }
}
