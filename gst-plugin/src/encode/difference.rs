//! How much a prepared frame differs from the last one that was coded: the measure of `skip-threshold`.

/// Side of a block in pixels. A person far away fills about one block.
const BLOCK: usize = 32;
const CHANNELS: usize = 3;

/// The last coded frame.
#[derive(Debug, Default)]
pub struct Difference {
    reference: Vec<u8>,
    width: usize,
}

impl Difference {
    /// The largest mean absolute difference of any block, in levels; infinite when there is nothing to compare with.
    /// `x` is interleaved RGB, `width` pixels wide.
    pub fn to_reference(&self, x: &[u8], width: usize) -> f64 {
        if width == 0 || self.width != width || self.reference.len() != x.len() {
            return f64::INFINITY;
        }
        let row = width * CHANNELS;
        let mut largest: f64 = 0.0;
        let bands = x.chunks(row * BLOCK).zip(self.reference.chunks(row * BLOCK));
        let mut sums = vec![0u32; width.div_ceil(BLOCK)];
        for (now, before) in bands {
            sums.fill(0);
            for (now, before) in now.chunks(row).zip(before.chunks(row)) {
                let blocks = now.chunks(BLOCK * CHANNELS).zip(before.chunks(BLOCK * CHANNELS));
                for (sum, (now, before)) in sums.iter_mut().zip(blocks) {
                    *sum += now
                        .iter()
                        .zip(before)
                        .map(|(a, b)| u32::from(a.abs_diff(*b)))
                        .sum::<u32>();
                }
            }
            let rows = now.len() / row;
            for (index, sum) in sums.iter().enumerate() {
                let columns = BLOCK.min(width - index * BLOCK);
                largest = largest.max(f64::from(*sum) / (rows * columns * CHANNELS).max(1) as f64);
            }
        }
        largest
    }

    /// Remembers a frame that was coded.
    pub fn remember(&mut self, x: &[u8], width: usize) {
        self.reference.clear();
        self.reference.extend_from_slice(x);
        self.width = width;
    }

    /// Forgets: the next frame is different, whatever it is.
    pub fn clear(&mut self) {
        self.width = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_block_counts() {
        let (width, height) = (80, 40);
        let mut x = vec![100u8; width * height * CHANNELS];
        let mut difference = Difference::default();
        assert_eq!(difference.to_reference(&x, width), f64::INFINITY);
        difference.remember(&x, width);
        assert_eq!(difference.to_reference(&x, width), 0.0);
        // One channel of one pixel in the last block, which is 16 wide and 8 high.
        let last = x.len() - 1;
        x[last] = 100 + 128;
        assert_eq!(difference.to_reference(&x, width), 128.0 / (16.0 * 8.0 * 3.0));
        assert_eq!(difference.to_reference(&x, width / 2), f64::INFINITY);
        difference.clear();
        assert_eq!(difference.to_reference(&x, width), f64::INFINITY);
    }
}
