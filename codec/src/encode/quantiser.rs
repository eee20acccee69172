//! The quantiser: which integer would stand for a float latent if bits were free, and what a bit is worth.
//!
//! Only the encoder runs this, so floats are welcome: the decoder takes the integers as they come. Which of these symbols are coded and which
//! stay as they were is decided where bits have a price, in `entropy::choose`.

use super::{
    Config,
    rate::{Choice, SLICES},
};
use crate::{Latents, Shape, entropy::Worth, quant};

/// What a bit counts as at least before thrift makes it dearer, and at most after that.
const LEAST_THRIFTY: f32 = 0.03;
const MOST_THRIFTY: f32 = 0.45;

/// Distance in steps that tells movement from what the step before left.
const MOVED: f32 = 1.5;

/// How symbols are chosen.
#[derive(Clone, Copy, Debug)]
pub struct Quantiser {
    /// Cells per unit of the latents: `1 / step`.
    scale: f32,
    /// Distance from the kept symbol, in steps, beyond which it changes.
    reach: f32,
    /// Squared error, in steps squared, that a bit has to save.
    bit: f32,
    /// The part of the rows that changes freely, if not all do.
    slice: Option<u8>,
}

impl Quantiser {
    pub fn new(config: &Config, choice: Choice) -> Self {
        let bit = match choice.thrift {
            _ if choice.slice.is_some() => config.sticky,
            0 => config.sticky,
            thrift => (config.sticky.max(LEAST_THRIFTY) * (f32::from(thrift) / 2.0).exp2()).min(MOST_THRIFTY),
        };
        Self {
            scale: 1.0 / quant::step(choice.qindex),
            // Nothing nearer saves what two bits are worth, and next to no change is cheaper than that.
            reach: 0.5 + bit,
            bit,
            slice: choice.slice,
        }
    }

    /// What the entropy coder may trade error for; nothing if bits are free.
    pub fn worth(&self) -> Option<Worth> {
        (self.bit > 0.0).then_some(Worth {
            scale: self.scale,
            bit: self.bit,
        })
    }

    /// Chooses all symbols of a frame without a reference.
    pub fn intra(&self, latents: &[f32], symbols: &mut Vec<i16>) {
        symbols.clear();
        symbols.extend(latents.iter().map(|&y| {
            let scaled = y * self.scale;
            if scaled.abs() > self.reach {
                nearest(scaled)
            } else {
                0
            }
        }));
    }

    /// Chooses all symbols of a frame. `reference` are those that cost nothing.
    pub fn inter(&self, latents: &[f32], shape: Shape, reference: &[i16], symbols: &mut Vec<i16>) {
        symbols.clear();
        if let Some(slice) = self.slice {
            // What waits in the other slices has its turn there.
            let (width, height) = (usize::from(shape.width).max(1), usize::from(shape.height).max(1));
            symbols.extend(
                latents
                    .iter()
                    .zip(reference)
                    .enumerate()
                    .map(|(at, (&y, &kept))| {
                        let scaled = y * self.scale;
                        let row = at / width % height;
                        let free = row % usize::from(SLICES) == usize::from(slice);
                        let reach = if free { self.reach } else { MOVED };
                        if (scaled - f32::from(kept)).abs() > reach {
                            nearest(scaled)
                        } else {
                            kept
                        }
                    }),
            );
            return;
        }
        symbols.extend(latents.iter().zip(reference).map(|(&y, &kept)| {
            let scaled = y * self.scale;
            // A NaN compares false, and keeps what there is.
            if (scaled - f32::from(kept)).abs() > self.reach {
                nearest(scaled)
            } else {
                kept
            }
        }));
    }
}

/// Adding and taking away 1.5 * 2^23 rounds to the nearest integer, ties to even, where `round_ties_even` is a call on
/// processors that have no instruction for it.
const ROUNDING: f32 = 12_582_912.0;

/// The nearest symbol in range; a NaN becomes 0.
#[inline]
fn nearest(scaled: f32) -> i16 {
    let max = f32::from(Latents::MAX);
    (scaled.clamp(-max, max) + ROUNDING - ROUNDING) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: Shape = Shape {
        channels: 1,
        width: 4,
        height: 1,
    };

    const QUANTISER: Quantiser = Quantiser {
        scale: 2.0,
        reach: 0.5,
        bit: 0.0,
        slice: None,
    };

    #[test]
    fn nearest_within_range() {
        let mut out = Vec::new();
        let input = [
            0.0,
            0.24,
            0.26,
            -0.26,
            5000.0,
            -5000.0,
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
        ];
        QUANTISER.intra(&input, &mut out);
        assert_eq!(out, [0, 0, 1, -1, 2047, -2047, 0, 2047, -2047]);
    }

    #[test]
    fn a_symbol_changes_when_its_value_leaves_the_cell() {
        let mut out = Vec::new();
        QUANTISER.inter(&[1.74, 1.8, -0.3, f32::NAN], ROW, &[3, 3, 0, 7], &mut out);
        assert_eq!(out, [3, 4, -1, 7]);
    }
}
