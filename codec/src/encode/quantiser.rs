//! The sticky quantiser: which integer stands for a float latent.
//!
//! Only the encoder runs this, so floats are welcome: the decoder takes the integers as they come.

use crate::Latents;

/// How symbols are chosen.
#[derive(Clone, Copy, Debug)]
pub struct Quantiser {
    /// Cells per unit of the latents: `1 / step`.
    pub scale: f32,
    /// See [`super::Config::sticky`].
    pub sticky: f32,
    /// See [`super::Config::lambda`].
    pub lambda: f32,
}

/// Bits that a change of a symbol is taken to cost: where, which way and how far.
const CHANGE_BITS: f32 = 5.0;
/// Bits of every further unit of magnitude.
const UNIT_BITS: f32 = 1.5;

impl Quantiser {
    /// Chooses all symbols of a frame without a reference.
    pub fn intra(&self, latents: &[f32], out: &mut Vec<i16>) {
        out.clear();
        out.extend(latents.iter().map(|&y| self.choose(y * self.scale, 0)));
    }

    /// Chooses all symbols of a frame; `reference` are those that cost nothing.
    pub fn inter(&self, latents: &[f32], reference: &[i16], out: &mut Vec<i16>) {
        let reach = 0.5 + self.sticky;
        out.clear();
        out.extend(latents.iter().zip(reference).map(|(&y, &kept)| {
            let scaled = y * self.scale;
            // A NaN compares false, and keeps what there is.
            if (scaled - f32::from(kept)).abs() > reach { self.choose(scaled, kept) } else { kept }
        }));
    }

    /// The cheapest of the nearest symbol, its neighbour towards the reference, and the reference itself, by squared error in
    /// steps plus lambda times estimated bits.
    #[inline]
    fn choose(&self, scaled: f32, reference: i16) -> i16 {
        let max = f32::from(Latents::MAX);
        // The cast takes NaN to 0.
        let nearest = scaled.clamp(-max, max).round_ties_even() as i16;
        if self.lambda == 0.0 || nearest == reference {
            return nearest;
        }
        let cost = |symbol: i16| {
            let error = scaled - f32::from(symbol);
            let distance = f32::from((symbol - reference).abs());
            let bits = if symbol == reference { 0.0 } else { CHANGE_BITS + UNIT_BITS * (distance - 1.0) };
            error * error + self.lambda * bits
        };
        let nearer = nearest - (nearest - reference).signum();
        [nearer, reference].into_iter().fold(nearest, |best, symbol| if cost(symbol) < cost(best) { symbol } else { best })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantiser(sticky: f32, lambda: f32) -> Quantiser {
        Quantiser { scale: 2.0, sticky, lambda }
    }

    #[test]
    fn nearest_within_range() {
        let mut out = Vec::new();
        let input = [0.0, 0.24, 0.26, -0.26, 5000.0, -5000.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        quantiser(0.0, 0.0).intra(&input, &mut out);
        assert_eq!(out, [0, 0, 1, -1, 2047, -2047, 0, 2047, -2047]);
    }

    #[test]
    fn a_symbol_sticks_until_the_value_is_well_outside_its_cell() {
        let mut out = Vec::new();
        quantiser(0.25, 0.0).inter(&[1.85, 1.9, -0.3, f32::NAN], &[3, 3, 0, 7], &mut out);
        assert_eq!(out, [3, 4, 0, 7]);
    }

    #[test]
    fn lambda_prefers_what_is_cheap() {
        let mut out = Vec::new();
        quantiser(0.0, 0.05).intra(&[0.3, 0.45, 2.8], &mut out);
        assert_eq!(out, [0, 1, 6]);
        quantiser(0.0, 1.0).intra(&[0.3, 0.45, 2.8], &mut out);
        assert_eq!(out[..2], [0, 0]);
    }
}
