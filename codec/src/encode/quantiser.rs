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
    /// Distance from the kept symbol, in steps, beyond which a value waits for its turn.
    reach: f32,
    /// Distance beyond which it has its turn at once.
    urgent: f32,
    /// Frames that it waits.
    patience: u8,
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
            urgent: config.urgent.max(0.5 + bit),
            patience: config.patience,
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
    pub fn intra(&self, latents: &[f32], symbols: &mut Vec<i16>, waiting: &mut Vec<u8>) {
        symbols.clear();
        symbols.extend(latents.iter().map(|&y| {
            let scaled = y * self.scale;
            if scaled.abs() > self.reach {
                nearest(scaled)
            } else {
                0
            }
        }));
        waiting.clear();
        waiting.resize(latents.len(), 0);
    }

    /// Chooses all symbols of a frame. `reference` are those that cost nothing; `waiting` counts for how many frames each value has
    /// been out of reach of its symbol.
    pub fn inter(
        &self,
        latents: &[f32],
        shape: Shape,
        reference: &[i16],
        symbols: &mut Vec<i16>,
        waiting: &mut [u8],
    ) {
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
        symbols.extend(
            latents
                .iter()
                .zip(reference)
                .zip(waiting)
                .map(|((&y, &kept), waiting)| {
                    let scaled = y * self.scale;
                    let distance = (scaled - f32::from(kept)).abs();
                    // A NaN compares false, and keeps what there is.
                    let outside = distance > self.reach;
                    *waiting = if outside { waiting.saturating_add(1) } else { 0 };
                    let change = distance > self.urgent || (outside && *waiting > self.patience);
                    *waiting = if change { 0 } else { *waiting };
                    if change { nearest(scaled) } else { kept }
                }),
        );
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

    fn quantiser(urgent: f32, patience: u8) -> Quantiser {
        Quantiser {
            scale: 2.0,
            reach: 0.5,
            urgent,
            patience,
            bit: 0.0,
            slice: None,
        }
    }

    #[test]
    fn nearest_within_range() {
        let (mut out, mut waiting) = (Vec::new(), Vec::new());
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
        quantiser(0.5, 0).intra(&input, &mut out, &mut waiting);
        assert_eq!(out, [0, 0, 1, -1, 2047, -2047, 0, 2047, -2047]);
        assert_eq!(waiting, [0; 9]);
    }

    #[test]
    fn a_symbol_changes_when_its_value_leaves_the_cell() {
        let mut out = Vec::new();
        quantiser(0.75, 0).inter(
            &[1.74, 1.8, -0.3, f32::NAN],
            ROW,
            &[3, 3, 0, 7],
            &mut out,
            &mut [0; 4],
        );
        assert_eq!(out, [3, 4, -1, 7]);
    }

    #[test]
    fn a_small_change_has_to_last_and_a_large_one_does_not() {
        let (mut out, mut waiting) = (Vec::new(), [0; 3]);
        let quantiser = quantiser(1.5, 2);
        let mut seen = Vec::new();
        // Out of reach for good, out of reach on and off, and far away.
        for values in [
            [0.45, 0.45, 0.8],
            [0.45, 0.1, 0.8],
            [0.45, 0.45, 0.8],
            [0.45, 0.1, 0.8],
        ] {
            let reference = seen.last().copied().unwrap_or([0; 3]);
            quantiser.inter(&values, ROW, &reference, &mut out, &mut waiting);
            seen.push([out[0], out[1], out[2]]);
        }
        assert_eq!(seen, [[0, 0, 2], [0, 0, 2], [1, 0, 2], [1, 0, 2]]);
    }
}
