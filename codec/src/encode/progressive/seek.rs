//! Finding where a block has moved from: the encoder's side of prediction along the motion.
//!
//! A block of the picture of now is compared with the receiver's canvas, in luma: at the vectors of its neighbours and of the frame before, on a coarse grid where none of these is good, and
//! then in ever smaller steps around the best. Which blocks are worth a vector is decided elsewhere, by what their coefficients then cost.

use crate::motion::{BLOCK, Canvas, PER_PIXEL, Vector};

/// Farthest step of the coarse grid, in pixels on each axis, and its spacing.
const REACH: i32 = 28;
const SPACING: i32 = 4;
/// Mean difference, in grey levels, below which no better match is looked for far away.
const GOOD: u32 = 3;
/// Sum of differences that a vector other than its neighbours' has to save, for its bits.
const VECTOR: u32 = 16 * BLOCK as u32;

/// Pictures that blocks are looked for in.
#[derive(Clone, Debug, Default)]
pub struct Seeker {
    width: usize,
    height: usize,
    luma: Vec<u8>,
    drawn: Vec<u8>,
    now: Vec<Vector>,
    before: Vec<Vector>,
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
        let positions = (self.width / BLOCK) * (self.height / BLOCK);
        std::mem::swap(&mut self.now, &mut self.before);
        self.before.resize(positions, Vector::default());
        self.now.clear();
        self.now.resize(positions, Vector::default());
    }

    /// Where a position seems to come from, and whether a neighbour or what was there before does, too. Positions are to be asked for row by row.
    pub fn seek(&mut self, position: usize) -> (Vector, bool) {
        let columns = self.width / BLOCK;
        let block = (position % columns * BLOCK, position / columns * BLOCK);
        let near = |back: usize| {
            position
                .checked_sub(back)
                .map_or(Vector::default(), |at| self.now[at])
        };
        let next = |at: usize| self.before.get(at).copied().unwrap_or_default();
        let candidates = [
            Vector::default(),
            near(1),
            near(columns),
            near(columns - 1),
            next(position),
            next(position + 1),
            next(position + columns),
        ];
        let mut best = (u32::MAX, Vector::default());
        for vector in candidates {
            self.offer(block, vector, 0, &mut best);
        }
        if best.0 > GOOD * (BLOCK * BLOCK) as u32 {
            let mut far = (u32::MAX, Vector::default());
            for y in (-REACH..=REACH).step_by(SPACING as usize) {
                for x in (-REACH..=REACH).step_by(SPACING as usize) {
                    if let Some(sum) = self.coarse(block, (x, y), far.0) {
                        far = (sum, quarter(x * PER_PIXEL, y * PER_PIXEL));
                    }
                }
            }
            self.offer(block, far.1, VECTOR, &mut best);
        }
        for step in [8, 4, 2, 1] {
            // At most two moves a size: then the next smaller one gets there, too.
            for _ in 0..2 {
                let Vector { x, y } = best.1;
                let before = best.0;
                for (dx, dy) in [
                    (-1, 0),
                    (1, 0),
                    (0, -1),
                    (0, 1),
                    (-1, -1),
                    (1, 1),
                    (-1, 1),
                    (1, -1),
                ] {
                    let vector = quarter(i32::from(x) + dx * step, i32::from(y) + dy * step);
                    self.offer(block, vector, VECTOR, &mut best);
                }
                if best.0 == before {
                    break;
                }
            }
        }
        self.now[position] = best.1;
        (best.1, candidates.contains(&best.1))
    }

    fn offer(&self, block: (usize, usize), vector: Vector, price: u32, best: &mut (u32, Vector)) {
        if vector == best.1 && best.0 != u32::MAX {
            return;
        }
        if let Some(sum) = self.difference(block, vector, best.0.saturating_sub(price)) {
            *best = (sum + price, vector);
        }
    }

    /// Sum of absolute differences to the canvas where the vector points, bilinear between pixels, if it is less than `limit`; none where that is outside.
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
                    .map(|(&a, &b)| u32::from(a.abs_diff(b)))
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
            let mut line = 0u16;
            for column in 0..BLOCK {
                let seen = weights[0] * u16::from(upper[column])
                    + weights[1] * u16::from(upper_right[column])
                    + weights[2] * u16::from(lower[column])
                    + weights[3] * u16::from(lower_right[column]);
                line += u16::from(mine[column]).abs_diff((seen + 8) >> 4);
            }
            sum += u32::from(line);
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

/// A vector of so many quarters of a pixel, as far as that is legal.
fn quarter(x: i32, y: i32) -> Vector {
    let legal = |along: i32| along.clamp(-i32::from(Vector::MAX), Vector::MAX.into()) as i16;
    Vector {
        x: legal(x),
        y: legal(y),
    }
}
