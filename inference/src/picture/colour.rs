//! Colour conversion into rows of RGB, all at the small size, in integers.
//!
//! Written so that the compiler vectorises the loops; on x86-64 the YUV ones are compiled for AVX2 as well and chosen at
//! run time. A general conversion crate would take longer to build than all the rest of this one.

use super::{Colorimetry, Matrix};

/// RGB rows to be written, `stride` bytes apart.
pub(super) struct Target<'a> {
    pub data: &'a mut [u8],
    pub stride: usize,
    pub width: u32,
    pub height: u32,
}

impl Target<'_> {
    fn rows(&mut self) -> impl Iterator<Item = &mut [u8]> {
        let row = 3 * self.width as usize;
        self.data
            .chunks_mut(self.stride)
            .take(self.height as usize)
            .filter_map(move |line| line.get_mut(..row))
    }
}

/// Fraction bits of the coefficients.
const SHIFT: u32 = 14;

/// YUV to RGB in fixed point.
#[derive(Clone, Copy)]
struct Coefficients {
    black: i32,
    luma: i32,
    red_v: i32,
    green_u: i32,
    green_v: i32,
    blue_u: i32,
}

impl Coefficients {
    fn new(colorimetry: Colorimetry) -> Self {
        let (kr, kb) = match colorimetry.matrix {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
            Matrix::Bt2020 => (0.2627, 0.0593),
        };
        let kg = 1.0 - kr - kb;
        let (black, luma, chroma) = if colorimetry.full_range {
            (0, 1.0, 1.0)
        } else {
            (16, 255.0 / 219.0, 255.0 / 224.0)
        };
        let fixed = |v: f64| (v * f64::from(1 << SHIFT)).round() as i32;
        Self {
            black,
            luma: fixed(luma),
            red_v: fixed(2.0 * (1.0 - kr) * chroma),
            green_u: fixed(2.0 * kb * (1.0 - kb) / kg * chroma),
            green_v: fixed(2.0 * kr * (1.0 - kr) / kg * chroma),
            blue_u: fixed(2.0 * (1.0 - kb) * chroma),
        }
    }

    #[inline(always)]
    fn rgb(self, y: u8, u: u8, v: u8) -> [u8; 3] {
        let y = (i32::from(y) - self.black) * self.luma + (1 << (SHIFT - 1));
        let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
        let byte = |sum: i32| (sum >> SHIFT).clamp(0, 255) as u8;
        [
            byte(y + v * self.red_v),
            byte(y - u * self.green_u - v * self.green_v),
            byte(y + u * self.blue_u),
        ]
    }
}

/// Planes Y, U, V of the target's size, without gaps.
pub(super) fn planar([y, u, v]: [&[u8]; 3], colorimetry: Colorimetry, mut to: Target<'_>) {
    let (coefficients, width) = (Coefficients::new(colorimetry), to.width as usize);
    let planes = y
        .chunks_exact(width)
        .zip(u.chunks_exact(width))
        .zip(v.chunks_exact(width));
    for (to, ((y, u), v)) in to.rows().zip(planes) {
        row(coefficients, y, u, v, to);
    }
}

/// Planes Y and interleaved UV of the target's size, without gaps. `u` and `v` are scratch.
pub(super) fn biplanar(
    [y, uv]: [&[u8]; 2],
    colorimetry: Colorimetry,
    mut to: Target<'_>,
    u: &mut Vec<u8>,
    v: &mut Vec<u8>,
) {
    let (coefficients, width) = (Coefficients::new(colorimetry), to.width as usize);
    u.resize(width, 0);
    v.resize(width, 0);
    let planes = y.chunks_exact(width).zip(uv.chunks_exact(2 * width));
    for (to, (y, uv)) in to.rows().zip(planes) {
        for ((u, v), pair) in u.iter_mut().zip(v.iter_mut()).zip(uv.chunks_exact(2)) {
            if let &[first, second] = pair {
                (*u, *v) = (first, second);
            }
        }
        row(coefficients, y, u, v, to);
    }
}

/// Luma of the target's size, without gaps.
pub(super) fn gray(y: &[u8], colorimetry: Colorimetry, mut to: Target<'_>) {
    let (coefficients, width) = (Coefficients::new(colorimetry), to.width as usize);
    for (to, y) in to.rows().zip(y.chunks_exact(width)) {
        for (to, &y) in to.chunks_exact_mut(3).zip(y) {
            to.copy_from_slice(&coefficients.rgb(y, 128, 128));
        }
    }
}

/// Pixels of 4 bytes, of the target's size, without gaps; `bgr`: blue first.
pub(super) fn packed(pixels: &[u8], bgr: bool, mut to: Target<'_>) {
    let width = to.width as usize;
    for (to, from) in to.rows().zip(pixels.chunks_exact(4 * width)) {
        for (to, from) in to.chunks_exact_mut(3).zip(from.chunks_exact(4)) {
            if let &[a, b, c, _] = from {
                to.copy_from_slice(&if bgr { [c, b, a] } else { [a, b, c] });
            }
        }
    }
}

/// Exchanges red and blue in place.
pub(super) fn swap(mut to: Target<'_>) {
    for row in to.rows() {
        for pixel in row.chunks_exact_mut(3) {
            pixel.reverse();
        }
    }
}

/// Splits a row of Y U Y V into luma and halved chroma.
pub(super) fn split_yuy2(packed: &[u8], y: &mut [u8], u: &mut [u8], v: &mut [u8]) {
    // An odd width leaves the last pair half used.
    for (y, pair) in y.iter_mut().zip(packed.chunks_exact(2)) {
        *y = pair.first().copied().unwrap_or_default();
    }
    for ((u, v), from) in u.iter_mut().zip(v).zip(packed.chunks_exact(4)) {
        if let &[_, first, _, second] = from {
            (*u, *v) = (first, second);
        }
    }
}

fn row(coefficients: Coefficients, y: &[u8], u: &[u8], v: &[u8], to: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, the only thing that `row_avx2` asks for.
        return unsafe { row_avx2(coefficients, y, u, v, to) };
    }
    row_plain(coefficients, y, u, v, to);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn row_avx2(coefficients: Coefficients, y: &[u8], u: &[u8], v: &[u8], to: &mut [u8]) {
    row_plain(coefficients, y, u, v, to);
}

#[inline(always)]
fn row_plain(coefficients: Coefficients, y: &[u8], u: &[u8], v: &[u8], to: &mut [u8]) {
    for (to, (&y, (&u, &v))) in to.chunks_exact_mut(3).zip(y.iter().zip(u.iter().zip(v))) {
        to.copy_from_slice(&coefficients.rgb(y, u, v));
    }
}
