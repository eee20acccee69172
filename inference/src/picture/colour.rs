//! Colour conversion into rows of RGB, all at the small size, in integers.
//!
//! Chroma comes at half the resolution of x on both axes, that is at the resolution of the squeezed image. Rows are made as
//! three planes and woven together in a step of its own: loops that the compiler vectorises. On x86-64 they are compiled
//! for AVX2 as well and chosen at run time. A general conversion crate takes minutes to build.

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

/// Rows in the making, kept from frame to frame.
#[derive(Default)]
pub(super) struct Scratch {
    /// What chroma adds to red, green and blue.
    terms: [Vec<i16>; 3],
    /// One row of red, green and blue.
    rgb: [Vec<u8>; 3],
}

/// Fraction bits of the coefficients.
const SHIFT: u32 = 14;
/// Fraction bits of the sums: luma and chroma together stay within 16 bits, or saturate where the result is clamped anyway.
const SUM: u32 = 6;

/// YUV to RGB in fixed point.
#[derive(Clone, Copy)]
struct Coefficients {
    /// Black, less one half for rounding, [`SUM`] fraction bits.
    base: i16,
    luma: u32,
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

    #[inline(always)]
    fn terms(self, (u, v): (u8, u8)) -> [i16; 3] {
        let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
        let term = |sum: i32| (sum >> (SHIFT - SUM)) as i16;
        [
            term(v * self.red_v),
            term(u * self.green_u + v * self.green_v),
            term(u * self.blue_u),
        ]
    }

    #[inline(always)]
    fn luma(self, y: u8) -> i16 {
        // y * luma with `SUM` fraction bits, written as the high half of a 16-bit product.
        let scaled = (u32::from(u16::from(y) << 8) * self.luma) >> (8 + SHIFT - SUM);
        scaled as i16 - self.base
    }
}

/// Luma of the target's size and planes of chroma of half of it (rounded up), without gaps.
pub(super) fn planar([y, u, v]: [&[u8]; 3], colorimetry: Colorimetry, to: Target<'_>, scratch: &mut Scratch) {
    let half = to.width.div_ceil(2) as usize;
    let rows = u.chunks_exact(half).zip(v.chunks_exact(half));
    let rows = rows.map(|(u, v)| u.iter().zip(v).map(|(&u, &v)| (u, v)));
    yuv(y, rows, colorimetry, to, scratch);
}

/// Luma of the target's size, without gaps.
pub(super) fn gray(y: &[u8], colorimetry: Colorimetry, to: Target<'_>, scratch: &mut Scratch) {
    let (half, rows) = (to.width.div_ceil(2) as usize, to.height.div_ceil(2) as usize);
    let rows = std::iter::repeat_n(std::iter::repeat_n((128, 128), half), rows);
    yuv(y, rows, colorimetry, to, scratch);
}

/// Pixels of 4 bytes, of the target's size, without gaps; `bgr`: blue first.
pub(super) fn packed(pixels: &[u8], bgr: bool, mut to: Target<'_>, scratch: &mut Scratch) {
    let width = to.width as usize;
    let planes = scratch.rgb(width);
    for (to, from) in to.rows().zip(pixels.chunks_exact(4 * width)) {
        vectorised::row_of_pixels::<4>(from, bgr, planes, to);
    }
}

/// Exchanges red and blue in place.
pub(super) fn swap(mut to: Target<'_>) {
    for row in to.rows() {
        vectorised::swap(row);
    }
}

/// Splits a row of interleaved chroma.
pub(super) fn split_uv(packed: &[u8], u: &mut [u8], v: &mut [u8]) {
    vectorised::split_pairs(packed, u, v);
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

impl Scratch {
    fn rgb(&mut self, width: usize) -> &mut [Vec<u8>; 3] {
        self.rgb.iter_mut().for_each(|plane| plane.resize(width, 0));
        &mut self.rgb
    }
}

/// Two rows of luma at a time with the row of chroma that they share.
fn yuv(
    y: &[u8],
    chroma: impl Iterator<Item = impl Iterator<Item = (u8, u8)>>,
    colorimetry: Colorimetry,
    to: Target<'_>,
    scratch: &mut Scratch,
) {
    let coefficients = Coefficients::new(colorimetry);
    let (width, stride) = (to.width as usize, to.stride);
    // Even, so that each value of chroma has its pair.
    scratch
        .terms
        .iter_mut()
        .for_each(|terms| terms.resize(width.next_multiple_of(2), 0));
    scratch.rgb(width);
    let Scratch { terms, rgb } = scratch;
    let pairs = to.data.chunks_mut(2 * stride).zip(y.chunks(2 * width));
    for ((to, y), chroma) in pairs.zip(chroma) {
        let [red, green, blue] = &mut *terms;
        let places = red
            .chunks_exact_mut(2)
            .zip(green.chunks_exact_mut(2))
            .zip(blue.chunks_exact_mut(2));
        for (((red, green), blue), chroma) in places.zip(chroma) {
            let [r, g, b] = coefficients.terms(chroma);
            red.fill(r);
            green.fill(g);
            blue.fill(b);
        }
        for (to, y) in to.chunks_mut(stride).zip(y.chunks_exact(width)) {
            if let Some(to) = to.get_mut(..3 * width) {
                vectorised::row_of_yuv(coefficients, y, terms, rgb, to);
            }
        }
    }
}

/// The loops that matter, in two builds.
mod vectorised {
    use super::{Coefficients, SUM};

    macro_rules! dispatched {
        ($(#[$about:meta])* $name:ident / $avx2:ident / $plain:ident $(<const $n:ident: usize>)? ($($arg:ident: $ty:ty),*)) => {
            $(#[$about])*
            pub(super) fn $name $(<const $n: usize>)? ($($arg: $ty),*) {
                #[cfg(target_arch = "x86_64")]
                if std::is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor has AVX2, the only thing that the function asks for.
                    return unsafe { $avx2 $(::<$n>)? ($($arg),*) };
                }
                $plain $(::<$n>)? ($($arg),*);
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn $avx2 $(<const $n: usize>)? ($($arg: $ty),*) {
                $plain $(::<$n>)? ($($arg),*);
            }
        };
    }

    dispatched!(
        /// Luma and what chroma adds to RGB.
        row_of_yuv / yuv_avx2 / yuv_plain
        (coefficients: Coefficients, y: &[u8], terms: &[Vec<i16>; 3], planes: &mut [Vec<u8>; 3], to: &mut [u8])
    );
    dispatched!(
        /// Pixels of `N` bytes to RGB.
        row_of_pixels / pixels_avx2 / pixels_plain<const N: usize>
        (from: &[u8], bgr: bool, planes: &mut [Vec<u8>; 3], to: &mut [u8])
    );
    dispatched!(
        /// Pairs of bytes to two planes.
        split_pairs / split_avx2 / split_plain (from: &[u8], first: &mut [u8], second: &mut [u8])
    );
    dispatched!(
        /// Red against blue.
        swap / swap_avx2 / swap_plain (row: &mut [u8])
    );

    #[inline(always)]
    fn yuv_plain(
        coefficients: Coefficients,
        y: &[u8],
        terms: &[Vec<i16>; 3],
        planes: &mut [Vec<u8>; 3],
        to: &mut [u8],
    ) {
        for (plane, terms) in planes.iter_mut().zip(terms) {
            for (to, (&y, &term)) in plane.iter_mut().zip(y.iter().zip(terms)) {
                let sum = coefficients.luma(y).saturating_add(term) >> SUM;
                *to = sum.clamp(0, 255) as u8;
            }
        }
        weave(planes, to);
    }

    #[inline(always)]
    fn pixels_plain<const N: usize>(from: &[u8], bgr: bool, planes: &mut [Vec<u8>; 3], to: &mut [u8]) {
        let (pixels, _) = from.as_chunks::<N>();
        for (channel, plane) in planes.iter_mut().enumerate() {
            let channel = if bgr { 2 - channel } else { channel };
            match channel {
                0 => pick::<N, 0>(pixels, plane),
                1 => pick::<N, 1>(pixels, plane),
                _ => pick::<N, 2>(pixels, plane),
            }
        }
        weave(planes, to);
    }

    #[inline(always)]
    fn pick<const N: usize, const AT: usize>(pixels: &[[u8; N]], plane: &mut [u8]) {
        for (to, pixel) in plane.iter_mut().zip(pixels) {
            *to = pixel[AT];
        }
    }

    #[inline(always)]
    fn weave([red, green, blue]: &[Vec<u8>; 3], to: &mut [u8]) {
        let (pixels, _) = to.as_chunks_mut::<3>();
        for (to, ((&r, &g), &b)) in pixels.iter_mut().zip(red.iter().zip(green).zip(blue)) {
            *to = [r, g, b];
        }
    }

    #[inline(always)]
    fn split_plain(from: &[u8], first: &mut [u8], second: &mut [u8]) {
        let (pairs, _) = from.as_chunks::<2>();
        for ((first, second), pair) in first.iter_mut().zip(second).zip(pairs) {
            (*first, *second) = (pair[0], pair[1]);
        }
    }

    #[inline(always)]
    fn swap_plain(row: &mut [u8]) {
        let (pixels, _) = row.as_chunks_mut::<3>();
        for pixel in pixels {
            *pixel = [pixel[2], pixel[1], pixel[0]];
        }
    }
}
