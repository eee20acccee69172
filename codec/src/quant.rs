//! Quantiser steps: `step = 2^((qindex - 32) / 8)`, and the exact integer change of scale between two of them.

/// Coarsest quantiser index.
pub const QINDEX_MAX: u8 = 63;

/// `2^(k / 8)` in Q30, rounded; the only constants that encoder and decoder must share.
const EIGHTHS_Q30: [u64; 8] = [
    1_073_741_824,
    1_170_923_762,
    1_276_901_417,
    1_392_470_869,
    1_518_500_250,
    1_655_936_265,
    1_805_811_301,
    1_969_251_188,
];

/// Width of a quantiser cell at `qindex`; values above [`QINDEX_MAX`] count as [`QINDEX_MAX`].
pub fn step(qindex: u8) -> f32 {
    let eighths = i32::from(qindex.min(QINDEX_MAX)) - 32;
    let fraction = EIGHTHS_Q30[eighths.rem_euclid(8) as usize] as f64 / f64::from(1 << 30);
    (fraction * 2f64.powi(eighths.div_euclid(8))) as f32
}

/// Width of a quantiser cell in 1/65536, rounded: what values of bitstream versions 3 and 4 are made of.
fn step_q16(qindex: u8) -> i32 {
    let eighths = i32::from(qindex.min(QINDEX_MAX)) - 32;
    // Octaves lie in -4..=3, so the shift stays within 11..=18 and the step below 2^20.
    let shift = 14 - eighths.div_euclid(8);
    ((EIGHTHS_Q30[eighths.rem_euclid(8) as usize] + (1 << (shift - 1))) >> shift) as i32
}

/// What a symbol stands for, in 1/256. Within ±2047 a product cannot overflow.
pub(crate) fn value_q8(q: i16, qindex: u8) -> i32 {
    (i32::from(q) * step_q16(qindex) + 128) >> 8
}

/// The symbol within ±2047 that stands for the value nearest to one in 1/256, halves away from zero.
pub(crate) fn symbol_q8(value: i32, qindex: u8) -> i16 {
    let step = i64::from(step_q16(qindex));
    let magnitude = (i64::from(value.unsigned_abs()) * 512 + step) / (2 * step);
    let magnitude = magnitude.min(crate::Latents::MAX.into()) as i16;
    if value < 0 { -magnitude } else { magnitude }
}

/// Writes what symbols stand for: together with their rests, which are in 1/256, or, where there are none, `q * step(qindex)`.
pub(crate) fn values(q: &[i16], rests: &[i32], qindex: u8, out: &mut Vec<f32>) {
    out.resize(q.len(), 0.0);
    if rests.is_empty() {
        return dequantize(q, qindex, out);
    }
    for ((out, &q), rest) in out.iter_mut().zip(q).zip(rests) {
        *out = (value_q8(q, qindex) + rest) as f32 / 256.0;
    }
}

/// Writes `q * step(qindex)` for as many values as both slices have.
pub fn dequantize(q: &[i16], qindex: u8, out: &mut [f32]) {
    let step = step(qindex);
    for (out, &q) in out.iter_mut().zip(q) {
        *out = f32::from(q) * step;
    }
}

/// Exact change of scale of a symbol from one `qindex` to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rescale {
    factor: u64,
    shift: u32,
}

impl Rescale {
    pub fn new(from: u8, to: u8) -> Self {
        let eighths = i32::from(from.min(QINDEX_MAX)) - i32::from(to.min(QINDEX_MAX));
        // Octaves lie in -8..=7, so the shift stays within 23..=38 and the product within 2^11 * 2^31.
        let shift = 30 - eighths.div_euclid(8);
        Self {
            factor: EIGHTHS_Q30[eighths.rem_euclid(8) as usize],
            shift: shift as u32,
        }
    }

    /// Nearest symbol on the new scale, halves away from zero, within ±2047.
    pub fn apply(self, q: i16) -> i16 {
        let magnitude = u64::from(q.unsigned_abs());
        let scaled = (magnitude * self.factor + (1 << (self.shift - 1))) >> self.shift;
        let scaled = scaled.min(crate::Latents::MAX as u64) as i16;
        if q < 0 { -scaled } else { scaled }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_follow_the_formula() {
        for qindex in 0..=QINDEX_MAX {
            let wanted = 2f64.powf((f64::from(qindex) - 32.0) / 8.0);
            assert!((f64::from(step(qindex)) / wanted - 1.0).abs() < 1e-6, "{qindex}");
        }
        assert_eq!(step(32), 1.0);
        assert_eq!(step(200), step(63));
    }

    #[test]
    fn rescaling_is_the_nearest_symbol() {
        for from in 0..=QINDEX_MAX {
            for to in 0..=QINDEX_MAX {
                let rescale = Rescale::new(from, to);
                for q in [-2047i16, -700, -13, -1, 0, 1, 2, 5, 90, 2047] {
                    let exact = f64::from(q) * 2f64.powf(f64::from(i16::from(from) - i16::from(to)) / 8.0);
                    let exact = exact.clamp(-2047.0, 2047.0);
                    assert!(
                        (f64::from(rescale.apply(q)) - exact).abs() <= 0.5 + 1e-4,
                        "{q} {from} {to}"
                    );
                }
                assert_eq!(rescale.apply(-77), -rescale.apply(77));
            }
        }
    }
}
