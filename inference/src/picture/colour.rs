//! YUV to RGB in fixed point, for rows of the small size.

use super::{Colorimetry, Matrix};

/// Fraction bits of the coefficients.
const SHIFT: u32 = 14;
/// Fraction bits of the sums: luma and chroma together stay within 16 bits, or saturate where the result is clamped anyway.
pub(super) const SUM: u32 = 6;

/// YUV to RGB in fixed point.
#[derive(Clone, Copy)]
pub(super) struct Coefficients {
    /// Black, less one half for rounding, [`SUM`] fraction bits.
    base: i16,
    luma: u32,
    red_v: i32,
    green_u: i32,
    green_v: i32,
    blue_u: i32,
}

impl Coefficients {
    pub fn new(colorimetry: Colorimetry) -> Self {
        let (kr, kb) = match colorimetry.matrix {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
            Matrix::Bt2020 => (0.2627, 0.0593),
        };
        let kg = 1.0 - kr - kb;
        let (black, luma, chroma) = if colorimetry.full_range {
            (0.0, 1.0, 1.0)
        } else {
            (16.0, 255.0 / 219.0, 255.0 / 224.0)
        };
        let fixed = |v: f64| (v * f64::from(1 << SHIFT)).round() as i32;
        Self {
            base: ((black * luma - 0.5) * f64::from(1 << SUM)).round() as i16,
            luma: fixed(luma).unsigned_abs(),
            red_v: fixed(2.0 * (1.0 - kr) * chroma),
            green_u: fixed(-2.0 * kb * (1.0 - kb) / kg * chroma),
            green_v: fixed(-2.0 * kr * (1.0 - kr) / kg * chroma),
            blue_u: fixed(2.0 * (1.0 - kb) * chroma),
        }
    }

    /// What chroma adds to red, green and blue.
    #[inline(always)]
    pub fn terms(self, u: u8, v: u8) -> [i16; 3] {
        let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
        let term = |sum: i32| (sum >> (SHIFT - SUM)) as i16;
        [
            term(v * self.red_v),
            term(u * self.green_u + v * self.green_v),
            term(u * self.blue_u),
        ]
    }

    #[inline(always)]
    pub fn luma(self, y: u8) -> i16 {
        // y * luma with `SUM` fraction bits, written as the high half of a 16-bit product.
        let scaled = (u32::from(u16::from(y) << 8) * self.luma) >> (8 + SHIFT - SUM);
        scaled as i16 - self.base
    }
}
