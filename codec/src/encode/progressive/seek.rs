//! Finding where a block has moved from: the encoder's side of prediction along the motion.
//!
//! A block of the picture of now is compared with the receiver's canvas, in luma: at the vectors that are cheap, on a coarse grid where none of these is good, and then in ever smaller steps around the best.

use super::felt::Felt;
use crate::motion::{BLOCK, Canvas, PER_PIXEL, Vector};

/// Farthest step of the coarse grid, in pixels on each axis, and its spacing.
const REACH: i32 = 28;
const SPACING: i32 = 4;
/// Sum of squared differences below which no better match is looked for far away: four grey levels.
const GOOD: u32 = 4 * 4 * (BLOCK * BLOCK) as u32;
/// Steps around a vector.
const AROUND: [(i32, i32); 8] = [
    (-1, 0),
    (1, 0),
    (0, -1),
    (0, 1),
    (-1, -1),
    (1, 1),
    (-1, 1),
    (1, -1),
];

/// Pictures that blocks are looked for in.
#[derive(Clone, Debug, Default)]
pub struct Seeker {
    width: usize,
    height: usize,
    luma: Vec<u8>,
    drawn: Vec<u8>,
}

/// The best vector so far: its squared differences, and what they and its bits count.
struct Best {
    vector: Vector,
    error: u32,
    cost: f32,
}

impl Seeker {
    /// Begins with a frame: its luma, of the canvas's size.
    pub fn look(&mut self, canvas: &Canvas, luma: &[u8]) {
        (self.width, self.height) = canvas.size();
        self.luma.clear();
        self.luma.extend_from_slice(luma);
        self.luma.resize(self.width * self.height, 0);
        self.drawn.clear();
        let (red, rest) = canvas.samples().split_at(self.luma.len());
        let (green, blue) = rest.split_at(self.luma.len());
        let grey = |((&r, &g), &b): ((&u8, &u8), &u8)| {
            ((u16::from(r) + 2 * u16::from(g) + u16::from(b) + 2) >> 2) as u8
        };
        self.drawn.extend(red.iter().zip(green).zip(blue).map(grey));
    }

    /// Energy of a block beside its brightness: its squared differences from its mean.
    pub fn energy(&self, position: usize) -> f32 {
        let (x, y) = self.corner(position);
        let (mut sum, mut squares) = (0u32, 0u32);
        for row in 0..BLOCK {
            for &sample in &self.luma[(y + row) * self.width + x..][..BLOCK] {
                sum += u32::from(sample);
                squares += u32::from(sample) * u32::from(sample);
            }
        }
        let samples = (BLOCK * BLOCK) as f32;
        (squares as f32 - sum as f32 * sum as f32 / samples).max(0.0)
    }

    /// Where a position comes from at the least sum of squared differences, as `felt`, and `price`: not at all, one of the candidates, or what lies near the best of them or on a coarse grid.
    pub fn seek(
        &self,
        position: usize,
        candidates: &[Vector],
        felt: Felt,
        price: impl Fn(Vector) -> f32,
    ) -> Vector {
        let block = self.corner(position);
        let mut best = Best {
            vector: Vector::default(),
            error: u32::MAX,
            cost: f32::INFINITY,
        };
        let offer = |vector: Vector, best: &mut Best| {
            if vector == best.vector && best.error != u32::MAX {
                return;
            }
            let price = price(vector);
            if price >= best.cost {
                return;
            }
            let limit = felt.below(best.cost - price) as u32;
            if let Some(error) = self.difference(block, vector, limit) {
                let cost = felt.of(error as f32) + price;
                *best = Best { vector, error, cost };
            }
        };
        offer(Vector::default(), &mut best);
        for &vector in candidates {
            offer(vector, &mut best);
        }
        if best.error > GOOD
            && let Some(vector) = self.far(block)
        {
            offer(vector, &mut best);
        }
        for step in [8, 4, 2, 1] {
            // At most two moves a size: then the next smaller one gets there, too.
            for _ in 0..2 {
                let before = best.cost;
                for vector in around(best.vector, step) {
                    offer(vector, &mut best);
                }
                if best.cost == before {
                    break;
                }
            }
        }
        best.vector
    }

    /// The best match on the coarse grid and near it, whatever it costs.
    fn far(&self, block: (usize, usize)) -> Option<Vector> {
        let (mut least, mut best) = (u32::MAX, None);
        for y in (-REACH..=REACH).step_by(SPACING as usize) {
            for x in (-REACH..=REACH).step_by(SPACING as usize) {
                if let Some(sum) = self.coarse(block, (x, y), least) {
                    (least, best) = (sum, Some(quarter(x * PER_PIXEL, y * PER_PIXEL)));
                }
            }
        }
        let mut best = best?;
        let mut least = self.difference(block, best, u32::MAX)?;
        for step in [8, 4] {
            for vector in around(best, step) {
                if let Some(error) = self.difference(block, vector, least) {
                    (least, best) = (error, vector);
                }
            }
        }
        Some(best)
    }

    fn corner(&self, position: usize) -> (usize, usize) {
        let columns = self.width / BLOCK;
        (position % columns * BLOCK, position / columns * BLOCK)
    }

    /// Sum of squared differences to the canvas where the vector points, bilinear between pixels, if it is less than `limit`; none where that is outside.
    fn difference(&self, (x, y): (usize, usize), vector: Vector, limit: u32) -> Option<u32> {
        let (along, down) = (i32::from(vector.x), i32::from(vector.y));
        let at_x = x as i32 + along.div_euclid(PER_PIXEL);
        let at_y = y as i32 + down.div_euclid(PER_PIXEL);
        let (part_x, part_y) = (
            along.rem_euclid(PER_PIXEL) as u32,
            down.rem_euclid(PER_PIXEL) as u32,
        );
        let (right, below) = (usize::from(part_x > 0), usize::from(part_y > 0));
        let inside = |at: i32, more: usize, len: usize| at >= 0 && at as usize + BLOCK + more <= len;
        if !inside(at_x, right, self.width) || !inside(at_y, below, self.height) {
            return None;
        }
        let (at_x, at_y) = (at_x as usize, at_y as usize);
        let square = |a: u8, b: u16| {
            let off = u32::from(u16::from(a).abs_diff(b));
            off * off
        };
        let mut sum = 0;
        for row in 0..BLOCK {
            if sum >= limit {
                return None;
            }
            let mine = &self.luma[(y + row) * self.width + x..][..BLOCK];
            let upper = &self.drawn[(at_y + row) * self.width + at_x..];
            let lower = &self.drawn[(at_y + row + below) * self.width + at_x..];
            if part_x == 0 && part_y == 0 {
                sum += mine
                    .iter()
                    .zip(upper)
                    .map(|(&a, &b)| square(a, b.into()))
                    .sum::<u32>();
                continue;
            }
            let weights = [
                (4 - part_x) * (4 - part_y),
                part_x * (4 - part_y),
                (4 - part_x) * part_y,
                part_x * part_y,
            ]
            .map(|weight| weight as u16);
            let (upper, lower) = (&upper[..BLOCK + right], &lower[..BLOCK + right]);
            let (upper_right, lower_right) = (&upper[right..], &lower[right..]);
            for column in 0..BLOCK {
                let seen = weights[0] * u16::from(upper[column])
                    + weights[1] * u16::from(upper_right[column])
                    + weights[2] * u16::from(lower[column])
                    + weights[3] * u16::from(lower_right[column]);
                sum += square(mine[column], (seen + 8) >> 4);
            }
        }
        (sum < limit).then_some(sum)
    }

    /// The same by every second row, at whole pixels.
    fn coarse(&self, (x, y): (usize, usize), (along, down): (i32, i32), limit: u32) -> Option<u32> {
        let (at_x, at_y) = (x as i32 + along, y as i32 + down);
        let inside = |at: i32, len: usize| at >= 0 && at as usize + BLOCK <= len;
        if !inside(at_x, self.width) || !inside(at_y, self.height) {
            return None;
        }
        let (at_x, at_y) = (at_x as usize, at_y as usize);
        let mut sum = 0;
        for row in (0..BLOCK).step_by(2) {
            if sum >= limit {
                return None;
            }
            let mine = &self.luma[(y + row) * self.width + x..][..BLOCK];
            let theirs = &self.drawn[(at_y + row) * self.width + at_x..][..BLOCK];
            sum += mine
                .iter()
                .zip(theirs)
                .map(|(&a, &b)| u32::from(a.abs_diff(b)))
                .sum::<u32>();
        }
        (sum < limit).then_some(sum)
    }
}

/// The vectors a step around one.
fn around(Vector { x, y }: Vector, step: i32) -> impl Iterator<Item = Vector> {
    AROUND
        .into_iter()
        .map(move |(dx, dy)| quarter(i32::from(x) + dx * step, i32::from(y) + dy * step))
}

/// A vector of so many quarters of a pixel, as far as that is legal.
fn quarter(x: i32, y: i32) -> Vector {
    let legal = |along: i32| along.clamp(-i32::from(Vector::MAX), Vector::MAX.into()) as i16;
    Vector {
        x: legal(x),
        y: legal(y),
    }
}
