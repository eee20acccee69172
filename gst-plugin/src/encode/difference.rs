//! How much a prepared frame differs from the last one that was coded: the measure of `skip-threshold`.

use cis_inference::geometry::Geometry;
use cis_inference::picture::Layout;

/// Side of a block in pixels. A person far away fills about one block.
const BLOCK: usize = 32;
const CHANNELS: usize = 3;

/// How the rows of x lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    width: usize,
    height: usize,
    /// Pictures one after the other.
    planes: usize,
    /// Bytes of a pixel in one of them.
    pixel: usize,
}

impl Rows {
    /// Rows of x.
    pub fn new(geometry: &Geometry, layout: Layout) -> Self {
        let (planes, pixel) = match layout {
            Layout::Planar => (CHANNELS, 1),
            _ => (1, CHANNELS),
        };
        Self {
            width: geometry.x.0 as usize,
            height: geometry.x.1 as usize,
            planes,
            pixel,
        }
    }

    fn bytes(self) -> usize {
        self.width * self.height * CHANNELS
    }
}

/// The last coded frame.
#[derive(Debug, Default)]
pub struct Difference {
    reference: Vec<u8>,
    rows: Option<Rows>,
    /// Of the blocks side by side; kept from frame to frame.
    sums: Vec<u32>,
}

impl Difference {
    /// The largest mean absolute difference of any block, in levels; infinite when there is nothing to compare with.
    pub fn since_reference(&mut self, x: &[u8], rows: Rows) -> f64 {
        if self.rows != Some(rows) || x.len() != rows.bytes() || x.len() != self.reference.len() {
            return f64::INFINITY;
        }
        let row = rows.width * rows.pixel;
        let mut largest: f64 = 0.0;
        for top in (0..rows.height).step_by(BLOCK) {
            let height = BLOCK.min(rows.height - top);
            self.sums.clear();
            self.sums.resize(rows.width.div_ceil(BLOCK), 0);
            for plane in 0..rows.planes {
                let from = (plane * rows.height + top) * row;
                let band = from..from + height * row;
                if let (Some(now), Some(before)) = (x.get(band.clone()), self.reference.get(band)) {
                    let lines = now.chunks_exact(row).zip(before.chunks_exact(row));
                    lines.for_each(|(now, before)| add(&mut self.sums, now, before, BLOCK * rows.pixel));
                }
            }
            for (index, sum) in self.sums.iter().enumerate() {
                let width = BLOCK.min(rows.width - index * BLOCK);
                largest = largest.max(f64::from(*sum) / (height * width * CHANNELS) as f64);
            }
        }
        largest
    }

    /// Remembers a frame that was coded.
    pub fn remember(&mut self, x: &[u8], rows: Rows) {
        self.reference.clear();
        self.reference.extend_from_slice(x);
        self.rows = Some(rows);
    }

    /// Forgets: the next frame is different, whatever it is.
    pub fn clear(&mut self) {
        self.rows = None;
    }
}

/// Adds the differences of one row to the sums of its blocks.
fn add(sums: &mut [u32], now: &[u8], before: &[u8], block: usize) {
    let blocks = now.chunks(block).zip(before.chunks(block));
    for (sum, (now, before)) in sums.iter_mut().zip(blocks) {
        let differences = now.iter().zip(before).map(|(a, b)| u32::from(a.abs_diff(*b)));
        *sum += differences.sum::<u32>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(planes: usize) -> Rows {
        Rows {
            width: 80,
            height: 40,
            planes,
            pixel: CHANNELS / planes,
        }
    }

    #[test]
    fn the_worst_block_counts() {
        for planes in [1, 3] {
            let rows = rows(planes);
            let mut x = vec![100u8; rows.bytes()];
            let mut difference = Difference::default();
            assert_eq!(difference.since_reference(&x, rows), f64::INFINITY);
            difference.remember(&x, rows);
            assert_eq!(difference.since_reference(&x, rows), 0.0);
            // One channel of one pixel in the last block, which is 16 wide and 8 high.
            let last = x.len() - 1;
            x[last] = 100 + 128;
            assert_eq!(difference.since_reference(&x, rows), 128.0 / (16.0 * 8.0 * 3.0));
            // And another in the first, which is larger.
            x[0] = 100 + 129;
            assert_eq!(difference.since_reference(&x, rows), 128.0 / (16.0 * 8.0 * 3.0));
            difference.clear();
            assert_eq!(difference.since_reference(&x, rows), f64::INFINITY);
        }
    }

    #[test]
    fn channels_of_a_block_are_counted_together() {
        let rows = rows(3);
        let before = vec![100u8; rows.bytes()];
        let mut now = before.clone();
        for plane in 0..3 {
            now[plane * 80 * 40] = 132;
        }
        let mut difference = Difference::default();
        difference.remember(&before, rows);
        assert_eq!(difference.since_reference(&now, rows), 96.0 / (32.0 * 32.0 * 3.0));
    }

    #[test]
    fn another_size_or_layout_is_another_picture() {
        let x = vec![100u8; rows(1).bytes()];
        let mut difference = Difference::default();
        difference.remember(&x, rows(1));
        assert_eq!(difference.since_reference(&x, rows(3)), f64::INFINITY);
        assert_eq!(difference.since_reference(&x[1..], rows(1)), f64::INFINITY);
    }
}
