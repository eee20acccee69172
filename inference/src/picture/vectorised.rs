//! The loops that matter, in two builds: on x86-64 they are compiled for AVX2 as well and chosen at run time. Most are
//! plain loops that the compiler vectorises; scaling across needs its bytes gathered, which no compiler does by itself.

use super::colour::{Coefficients, SUM};
use super::scale::Windows;

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
    /// What chroma adds to red, green and blue.
    terms / terms_avx2 / terms_plain (coefficients: Coefficients, u: &[u8], v: &[u8], terms: &mut [Vec<i16>; 3])
);
dispatched!(
    /// Luma and what chroma adds to one colour.
    colour / colour_avx2 / colour_plain (coefficients: Coefficients, y: &[u8], terms: &[i16], to: &mut [u8])
);
dispatched!(
    /// Every `N`th byte from `at` on; `at` is less than 4.
    pick / pick_avx2 / pick_plain<const N: usize> (from: &[u8], at: usize, to: &mut [u8])
);
dispatched!(
    /// Three planes to pixels.
    weave / weave_avx2 / weave_plain (planes: &[Vec<u8>; 3], to: &mut [u8])
);

/// Weighted sum of the rows that begin every `stride` bytes; the weights add up to 65535.
pub(super) fn merge(data: &[u8], stride: usize, weights: &[u16], to: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    let done = if std::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, the only thing that the function asks for.
        unsafe { avx2::merge(data, stride, weights, to) }
    } else {
        0
    };
    #[cfg(not(target_arch = "x86_64"))]
    let done = 0;
    if let (Some(data), Some(to)) = (data.get(done..), to.get_mut(done..)) {
        merge_plain(data, stride, weights, to);
    }
}

/// Scales a row across. `false`: not on this processor, and nothing was done.
pub(super) fn across(windows: &Windows, from: &[u8], to: &mut [u8]) -> bool {
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, the only thing that the functions ask for.
        unsafe {
            // The usual numbers of samples as constants: the inner loop is then no loop.
            match windows.pairs() {
                1 => avx2::across::<1>(windows, from, to),
                2 => avx2::across::<2>(windows, from, to),
                3 => avx2::across::<3>(windows, from, to),
                _ => avx2::across::<0>(windows, from, to),
            }
        };
        return true;
    }
    let _ = (windows, from, to);
    false
}

/// What compilers do not find by themselves.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::super::scale::{SHIFT, Windows};

    /// Whole blocks of [`super::merge`]; returns how many bytes are done.
    #[target_feature(enable = "avx2")]
    pub fn merge(data: &[u8], stride: usize, weights: &[u16], to: &mut [u8]) -> usize {
        const BLOCK: usize = 64;
        let zero = _mm256_setzero_si256();
        let bias = _mm256_set1_epi16(super::bias(weights) as i16);
        let (blocks, _) = to.as_chunks_mut::<BLOCK>();
        for (index, block) in blocks.iter_mut().enumerate() {
            let mut sums = [bias; 4];
            for (row, &weight) in weights.iter().enumerate() {
                let samples = data.get(row * stride + index * BLOCK..);
                let Some(samples) = samples.and_then(|samples| samples.first_chunk::<BLOCK>()) else {
                    return index * BLOCK;
                };
                // SAFETY: two loads of 32 bytes from an array of 64.
                let (low, high) = unsafe {
                    let at = samples.as_ptr();
                    (
                        _mm256_loadu_si256(at.cast()),
                        _mm256_loadu_si256(at.add(32).cast()),
                    )
                };
                let weight = _mm256_set1_epi16(weight as i16);
                // Behind a zero byte a sample is 256 times itself; the high half of the product has 8 fraction bits.
                let words = [
                    _mm256_unpacklo_epi8(zero, low),
                    _mm256_unpackhi_epi8(zero, low),
                    _mm256_unpacklo_epi8(zero, high),
                    _mm256_unpackhi_epi8(zero, high),
                ];
                for (sum, words) in sums.iter_mut().zip(words) {
                    *sum = _mm256_add_epi16(*sum, _mm256_mulhi_epu16(words, weight));
                }
            }
            let [a, b, c, d] = sums.map(|sum| _mm256_srli_epi16::<8>(sum));
            // SAFETY: two stores of 32 bytes to an array of 64.
            unsafe {
                let at = block.as_mut_ptr();
                _mm256_storeu_si256(at.cast(), _mm256_packus_epi16(a, b));
                _mm256_storeu_si256(at.add(32).cast(), _mm256_packus_epi16(c, d));
            }
        }
        blocks.len() * BLOCK
    }

    /// A row, with `PAIRS` pairs of samples a target sample (0: as many as there are).
    #[target_feature(enable = "avx2")]
    pub fn across<const PAIRS: usize>(windows: &Windows, from: &[u8], to: &mut [u8]) {
        if from.len() < windows.reach() {
            return;
        }
        let half = _mm256_set1_epi32(1 << (SHIFT - 1));
        let (octets, _) = to.as_chunks_mut::<8>();
        for ((group, weights), to) in windows.groups().zip(octets) {
            let weights = weights.get(..PAIRS).filter(|_| PAIRS > 0).unwrap_or(weights);
            // SAFETY: a load of 32 bytes from an array of 32 bytes.
            let shuffle = unsafe { _mm256_loadu_si256(group.shuffle.as_ptr().cast()) };
            let [low, high] = group.at.map(|at| from.as_ptr().wrapping_add(at as usize));
            let mut sum = half;
            for (pair, weights) in weights.iter().enumerate() {
                // SAFETY: the windows lie within `reach` bytes of `from`, see `Windows::reach`; the weights are 32 bytes.
                let (low, high, weights) = unsafe {
                    (
                        _mm_loadu_si128(low.add(2 * pair).cast()),
                        _mm_loadu_si128(high.add(2 * pair).cast()),
                        _mm256_loadu_si256(weights.as_ptr().cast()),
                    )
                };
                let samples = _mm256_shuffle_epi8(_mm256_set_m128i(high, low), shuffle);
                sum = _mm256_add_epi32(sum, _mm256_madd_epi16(samples, weights));
            }
            let sum = _mm256_srai_epi32::<{ SHIFT as i32 }>(sum);
            let words = _mm_packs_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
            *to = _mm_cvtsi128_si64(_mm_packus_epi16(words, words)).to_le_bytes();
        }
    }
}

/// Half a level for rounding, and half of what the products of [`merge`] lose; less than a whole level, so that black stays
/// black and white does not overflow.
fn bias(weights: &[u16]) -> u16 {
    128 + weights.len().div_ceil(2).min(127) as u16
}

fn merge_plain(data: &[u8], stride: usize, weights: &[u16], to: &mut [u8]) {
    const BLOCK: usize = 64;
    for (index, block) in to.chunks_mut(BLOCK).enumerate() {
        let mut sums = [bias(weights); BLOCK];
        for (row, &weight) in weights.iter().enumerate() {
            let samples = data.get(row * stride + index * BLOCK..).unwrap_or_default();
            for (sum, &sample) in sums.iter_mut().zip(samples) {
                *sum = sum.wrapping_add((((u32::from(sample) << 8) * u32::from(weight)) >> 16) as u16);
            }
        }
        for (to, sum) in block.iter_mut().zip(sums) {
            *to = (sum >> 8) as u8;
        }
    }
}

#[inline(always)]
fn terms_plain(coefficients: Coefficients, u: &[u8], v: &[u8], [red, green, blue]: &mut [Vec<i16>; 3]) {
    let places = red.iter_mut().zip(green).zip(blue);
    for (((red, green), blue), (&u, &v)) in places.zip(u.iter().zip(v)) {
        [*red, *green, *blue] = coefficients.terms(u, v);
    }
}

#[inline(always)]
fn colour_plain(coefficients: Coefficients, y: &[u8], terms: &[i16], to: &mut [u8]) {
    for (to, (&y, &term)) in to.iter_mut().zip(y.iter().zip(terms)) {
        let sum = coefficients.luma(y).saturating_add(term) >> SUM;
        *to = sum.clamp(0, 255) as u8;
    }
}

#[inline(always)]
fn pick_plain<const N: usize>(from: &[u8], at: usize, to: &mut [u8]) {
    // The place is a constant inside the loops.
    match at {
        0 => pick_at::<N, 0>(from, to),
        1 => pick_at::<N, 1>(from, to),
        2 => pick_at::<N, 2>(from, to),
        _ => pick_at::<N, 3>(from, to),
    }
}

#[inline(always)]
fn pick_at<const N: usize, const AT: usize>(from: &[u8], to: &mut [u8]) {
    let (pixels, _) = from.as_chunks::<N>();
    for (to, pixel) in to.iter_mut().zip(pixels) {
        *to = pixel[AT % N];
    }
}

#[inline(always)]
fn weave_plain([red, green, blue]: &[Vec<u8>; 3], to: &mut [u8]) {
    let (pixels, _) = to.as_chunks_mut::<3>();
    for (to, ((&r, &g), &b)) in pixels.iter_mut().zip(red.iter().zip(green).zip(blue)) {
        *to = [r, g, b];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_gives_the_same_bytes_in_both_builds() {
        let plane: Vec<u8> = (0..4000).map(|i| (i * 7919 % 251) as u8).collect();
        for weights in [
            &[65535][..],
            &[1, 65534],
            &[20000, 25535, 20000],
            &[3277, 13107, 32767, 13107, 3277],
        ] {
            for length in [1, 64, 150, 300] {
                let (mut found, mut plain) = (vec![0; length], vec![0; length]);
                merge(&plane, 303, weights, &mut found);
                merge_plain(&plane, 303, weights, &mut plain);
                assert_eq!(found, plain, "{weights:?} {length}");
            }
        }
    }
}
