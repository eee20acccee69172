//! The two passes of scaling, a row at a time: rows of the source are merged into one ([`Down`]), which is then scaled
//! across ([`Across`]). Each source sample is read once, and everything between the source and x is a few rows long.
//!
//! Integers only, and the same ones with and without AVX2.

use super::taps::{Taps, triangle};
use super::vectorised;

/// Merges rows of a plane.
pub(super) struct Down(Vec<Taps>);

impl Down {
    /// To `to` rows from the first `used` of `from`.
    pub fn new(from: u32, used: f64, to: u32) -> Self {
        Self(triangle(from, used, to, u16::MAX).collect())
    }

    /// The first `length` bytes of target row `index`. `to` keeps what it holds behind them.
    pub fn row(&self, index: usize, data: &[u8], stride: usize, length: usize, to: &mut [u8]) {
        let (Some(taps), Some(to)) = (self.0.get(index), to.get_mut(..length)) else {
            return;
        };
        let data = data.get(taps.start * stride..).unwrap_or_default();
        vectorised::merge(data, stride, &taps.weights, to);
    }
}

/// Target samples that one step of the vectorised pass makes, half of them in each half of a register.
const GROUP: usize = 8;
const WINDOW: usize = 16;
/// Fraction bits of the weights.
pub(super) const SHIFT: u32 = 14;

/// Scales rows.
pub(super) struct Across {
    /// Weights a target sample, even.
    per: usize,
    starts: Vec<u32>,
    weights: Vec<i16>,
    /// For the vectorised pass; `None` when a window of 16 samples does not hold those of half a group.
    windows: Option<Windows>,
    /// Samples that a row must have, rubbish behind its end included.
    reach: usize,
}

/// What the vectorised pass needs to know.
pub(super) struct Windows {
    groups: Vec<Group>,
    /// For each group and each pair of samples: the weights of the eight target samples.
    weights: Vec<[i16; 2 * GROUP]>,
    pairs: usize,
    reach: usize,
}

/// Eight target samples.
pub(super) struct Group {
    /// First sample of both halves.
    pub at: [u32; 2],
    /// Brings the first pair of samples of each target sample from the window into 16-bit lanes.
    pub shuffle: [u8; 2 * WINDOW],
}

impl Across {
    /// To `to` samples from the first `used` of `from`; each target sample is written `times` times, `total` at most.
    pub fn new(from: u32, used: f64, to: u32, times: usize, total: u32) -> Self {
        let taps: Vec<Taps> = triangle(from, used, to, 1 << SHIFT).collect();
        let per = taps.iter().map(|taps| taps.weights.len()).max().unwrap_or(1);
        let per = per.next_multiple_of(2);
        let repeated = taps.iter().flat_map(|taps| std::iter::repeat_n(taps, times));
        let (mut starts, mut weights) = (Vec::new(), Vec::new());
        for taps in repeated.take(total as usize) {
            starts.push(u32::try_from(taps.start).unwrap_or(u32::MAX));
            // At most 1 << 14.
            weights.extend(taps.weights.iter().map(|&w| i16::try_from(w).unwrap_or(i16::MAX)));
            weights.resize(starts.len() * per, 0);
        }
        // Whole groups: the last sample again, of no weight.
        let last = starts.last().copied().unwrap_or(0);
        starts.resize(starts.len().next_multiple_of(GROUP), last);
        weights.resize(starts.len() * per, 0);
        let reach = last as usize + per + WINDOW;
        Self {
            per,
            windows: Windows::new(&starts, &weights, per, reach),
            reach,
            starts,
            weights,
        }
    }

    /// Bytes that source rows must have; what lies behind the picture does not matter.
    pub fn source_length(&self) -> usize {
        self.reach
    }

    /// Bytes of target rows, which are whole groups.
    pub fn target_length(&self) -> usize {
        self.starts.len()
    }

    /// Scales a row of [`Self::source_length`] into one of [`Self::target_length`].
    pub fn row(&self, from: &[u8], to: &mut [u8]) {
        let (Some(from), Some(to)) = (from.get(..self.reach), to.get_mut(..self.starts.len())) else {
            return;
        };
        if let Some(windows) = &self.windows
            && vectorised::across(windows, from, to)
        {
            return;
        }
        let weights = self.weights.chunks_exact(self.per);
        for ((to, &start), weights) in to.iter_mut().zip(&self.starts).zip(weights) {
            let samples = from.get(start as usize..).unwrap_or_default();
            let sum: i32 = samples
                .iter()
                .zip(weights)
                .map(|(&s, &w)| i32::from(s) * i32::from(w))
                .sum();
            *to = ((sum + (1 << (SHIFT - 1))) >> SHIFT) as u8;
        }
    }
}

impl Windows {
    fn new(starts: &[u32], weights: &[i16], per: usize, reach: usize) -> Option<Self> {
        let mut windows = Self {
            groups: Vec::with_capacity(starts.len() / GROUP),
            weights: Vec::with_capacity(starts.len() * per / (2 * GROUP)),
            pairs: per / 2,
            reach,
        };
        let chunks = starts.chunks_exact(GROUP).zip(weights.chunks_exact(GROUP * per));
        for (starts, weights) in chunks {
            let group = Group::new(starts)?;
            if group.at.iter().any(|&at| at as usize + per - 2 + WINDOW > reach) {
                return None;
            }
            windows.groups.push(group);
            for pair in (0..per).step_by(2) {
                let mut lanes = [0; 2 * GROUP];
                for (lanes, weights) in lanes.chunks_exact_mut(2).zip(weights.chunks_exact(per)) {
                    lanes.copy_from_slice(weights.get(pair..pair + 2).unwrap_or(&[0, 0]));
                }
                windows.weights.push(lanes);
            }
        }
        Some(windows)
    }

    /// Each group with its weights.
    #[inline(always)]
    pub fn groups(&self) -> impl Iterator<Item = (&Group, &[[i16; 2 * GROUP]])> {
        self.groups.iter().zip(self.weights.chunks_exact(self.pairs))
    }

    /// Pairs of samples that make one target sample.
    pub fn pairs(&self) -> usize {
        self.pairs
    }

    /// Length of a row: a window at either place of a group lies inside it, also when moved by all pairs but one.
    pub fn reach(&self) -> usize {
        self.reach
    }
}

impl Group {
    fn new(starts: &[u32]) -> Option<Self> {
        let (low, high) = starts.split_at(GROUP / 2);
        let at = [*low.first()?, *high.first()?];
        // 0x80 makes a zero: the high byte of a 16-bit lane.
        let mut shuffle = [0x80; 2 * WINDOW];
        for (index, (&start, lane)) in starts.iter().zip(shuffle.chunks_exact_mut(4)).enumerate() {
            let offset = start - at[index / (GROUP / 2)];
            if offset as usize + 2 > WINDOW {
                return None;
            }
            lane[0] = offset as u8;
            lane[2] = offset as u8 + 1;
        }
        Some(Self { at, shuffle })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(length: usize) -> Vec<u8> {
        (0..length).map(|i| (i * 7919 % 251 + i / 3) as u8).collect()
    }

    #[test]
    fn vectorised_and_plain_give_the_same_bytes() {
        for (from, to, times) in [
            (1280, 832, 1),
            (640, 416, 2),
            (640, 832, 1),
            (99, 64, 1),
            (3840, 832, 1),
            (832, 832, 1),
        ] {
            let mut across = Across::new(from, f64::from(from), to, times, to * times as u32);
            let row = noise(across.source_length());
            let mut found = vec![0; across.target_length()];
            across.row(&row, &mut found);
            assert!(across.windows.take().is_some(), "{from} -> {to}");
            let mut plain = vec![0; across.target_length()];
            across.row(&row, &mut plain);
            assert_eq!(found, plain, "{from} -> {to}");
        }
    }

    #[test]
    fn rows_merge_into_their_weighted_sum() {
        // Longer and shorter than the blocks of the vectorised pass.
        for length in [1, 63, 64, 200] {
            let (stride, from, to) = (length + 5, 50, 33);
            let plane = noise(stride * (from - 1) + length);
            let down = Down::new(from as u32, 50.0, to);
            let mut row = vec![7; length + 1];
            for (index, taps) in triangle(from as u32, 50.0, to, u16::MAX).enumerate() {
                down.row(index, &plane, stride, length, &mut row);
                for (column, &found) in row[..length].iter().enumerate() {
                    let sample = |k: usize| f64::from(plane[(taps.start + k) * stride + column]);
                    let weighted = taps
                        .weights
                        .iter()
                        .enumerate()
                        .map(|(k, &w)| f64::from(w) * sample(k));
                    let exact = weighted.sum::<f64>() / 65535.0;
                    assert!(
                        (f64::from(found) - exact).abs() < 0.52,
                        "{length} {index} {column}: {found}, {exact}"
                    );
                }
            }
            assert_eq!(row[length], 7);
        }
    }

    #[test]
    fn a_plane_of_one_value_keeps_it() {
        for value in [0, 1, 127, 254, 255] {
            for (from, to) in [(720, 468), (4320, 439), (100, 468), (8192, 64)] {
                let down = Down::new(from, f64::from(from), to);
                let across = Across::new(from, f64::from(from), to, 1, to);
                let plane = vec![value; from as usize * 70];
                let mut merged = vec![0; across.source_length()];
                let mut scaled = vec![0; across.target_length()];
                for index in 0..to as usize {
                    down.row(index, &plane, 70, 70, &mut merged);
                    assert!(
                        merged[..70].iter().all(|&v| v == value),
                        "{value}: {from} -> {to}"
                    );
                }
                merged.fill(value);
                across.row(&merged, &mut scaled);
                assert!(
                    scaled[..to as usize].iter().all(|&v| v == value),
                    "{value}: {from} -> {to}"
                );
            }
        }
    }
}
