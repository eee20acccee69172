//! Softening of the borders of blocks in a picture that is shown: where two blocks of plain ground meet at a step that their quantiser left, the step becomes a slope.
//!
//! The decision is that of a deblocking filter (List, Joch, Lainema, Bjontegaard, Karczewicz, "Adaptive deblocking filter", IEEE TCSVT 2003): a border is no edge of the scene if its step is small for the quantiser and both its
//! sides are plain. For the eye only: what is predicted from is the canvas as it was drawn. (In the loop it made no picture nearer to its source.)

use super::transform::BLOCK;
use crate::quant;

/// Bytes of a pixel.
const RGB: usize = 3;
/// Lines across a border that are decided on together.
const LINES: usize = 4;
/// Pixels on each side of a border that a slope takes up.
const REACH: usize = BLOCK / 2;
/// Pixels of a line across a border.
const ACROSS: usize = 2 * REACH;
/// Steps of the quantiser from which on a step in the picture is an edge, and the part of that from which on activity is no plain ground. A moving camera's VGG distance at 40 kbit/s is .062 without, .058 with this, .057 with all of it;
/// but AlexNet features take borders for the texture that is not there (the crowd's .152 without, .158 with this, .166 with all of it).
const STEPS: f32 = 4.0;
const PLAIN: (i32, i32) = (1, 2);
/// Grey levels of a quantiser step of a block's brightness: a unit of the layer is 64 of them, spread over the block's 768 samples.
const LEVELS: f32 = 64.0 / 27.713;

/// From which step on, in 1/16 grey level, the border of a block that was quantised so is an edge.
pub fn limit(qindex: u8) -> u16 {
    // At most 16 * 16 * 4 * 2.4.
    (16.0 * STEPS * LEVELS * quant::step(qindex)) as u16
}

/// Softens the borders between `columns` x `rows` blocks of a picture in RGB with rows of `stride` bytes, first the upright ones, then the level ones. `limits` are one for each block; what is outside the picture is passed over.
pub fn soften(picture: &mut [u8], stride: usize, (columns, rows): (usize, usize), limits: &[u16]) {
    let limit = |a: usize, b: usize| {
        let both = limits.get(a).zip(limits.get(b));
        both.map_or(0, |(&a, &b)| (i32::from(a) + i32::from(b)) / 2)
    };
    for y in 0..rows {
        for x in 1..columns {
            let (at, corner) = (y * columns + x, y * BLOCK * stride + (x * BLOCK - REACH) * RGB);
            let limit = limit(at - 1, at);
            if limit == 0 {
                continue;
            }
            for line in (0..BLOCK).step_by(LINES) {
                upright(picture, corner + line * stride, stride, limit);
            }
        }
    }
    for y in 1..rows {
        for x in 0..columns {
            let (at, corner) = (y * columns + x, (y * BLOCK - REACH) * stride + x * BLOCK * RGB);
            let limit = limit(at - columns, at);
            if limit == 0 {
                continue;
            }
            for line in (0..BLOCK).step_by(LINES) {
                level(picture, corner + line * RGB, stride, limit);
            }
        }
    }
}

/// Lines that are rows.
fn upright(picture: &mut [u8], corner: usize, stride: usize, limit: i32) {
    let all = || (corner..).step_by(stride.max(1)).take(LINES);
    let mut given = Given::default();
    for at in all() {
        let Some(row) = picture
            .get(at..)
            .and_then(<[u8]>::first_chunk::<{ ACROSS * RGB }>)
        else {
            return;
        };
        given.add(DECIDING.map(|x| luma([row[RGB * x], row[RGB * x + 1], row[RGB * x + 2]])));
    }
    let share = given.share(limit);
    if share == 0 {
        return;
    }
    for at in all() {
        let Some(row) = picture
            .get_mut(at..)
            .and_then(<[u8]>::first_chunk_mut::<{ ACROSS * RGB }>)
        else {
            return;
        };
        let step = |plane: usize| {
            let [next_p, p, q, next_q] = [6, 7, 8, 9].map(|x| i32::from(row[RGB * x + plane]));
            share * (q + next_q - p - next_p)
        };
        let steps = [0, 1, 2].map(step);
        for (pixel, weight) in row.as_chunks_mut::<RGB>().0.iter_mut().zip(WEIGHTS) {
            slope(pixel, &steps, weight);
        }
    }
}

/// Lines that are columns.
fn level(picture: &mut [u8], corner: usize, stride: usize, limit: i32) {
    let mut rows = [[0; LINES]; DECIDING.len()];
    for (lumas, x) in rows.iter_mut().zip(DECIDING) {
        let Some(row) = picture
            .get(corner + x * stride..)
            .and_then(<[u8]>::first_chunk::<{ LINES * RGB }>)
        else {
            return;
        };
        *lumas = [0, 1, 2, 3].map(|line| luma([row[RGB * line], row[RGB * line + 1], row[RGB * line + 2]]));
    }
    let mut given = Given::default();
    for line in 0..LINES {
        given.add(rows.map(|row| row[line]));
    }
    let share = given.share(limit);
    if share == 0 {
        return;
    }
    let pixels = |picture: &[u8], x: usize| {
        let row = picture
            .get(corner + x * stride..)
            .and_then(<[u8]>::first_chunk::<{ LINES * RGB }>);
        row.map_or([0; LINES * RGB], |row| row.map(i32::from))
    };
    let [next_p, p, q, next_q] = [6, 7, 8, 9].map(|x| pixels(picture, x));
    let steps: [i32; LINES * RGB] =
        std::array::from_fn(|at| share * (q[at] + next_q[at] - p[at] - next_p[at]));
    for (x, weight) in WEIGHTS.into_iter().enumerate() {
        let row = picture.get_mut(corner + x * stride..);
        if let Some(row) = row.and_then(<[u8]>::first_chunk_mut::<{ LINES * RGB }>) {
            slope(row, &steps, weight);
        }
    }
}

/// Pixels across a border by which it is decided: three, and the last one, on each side.
const DECIDING: [usize; 8] = [1, 4, 6, 7, 8, 9, 11, 14];

/// Part of a step, in 1/32, that is added to each pixel across a border: half of it there, nothing at the middle of a block.
const WEIGHTS: [i32; ACROSS] = [1, 3, 5, 7, 9, 11, 13, 15, -15, -13, -11, -9, -7, -5, -3, -1];

/// In quarters of a grey level.
#[inline(always)]
fn luma([red, green, blue]: [u8; RGB]) -> i32 {
    i32::from(red) + 2 * i32::from(green) + i32::from(blue)
}

/// What some lines across a border are like: sums of quarters over four lines, in 1/16 grey level.
#[derive(Default)]
struct Given {
    /// Twice the step.
    steps: i32,
    activity: i32,
}

impl Given {
    #[inline(always)]
    fn add(&mut self, [far_p, mid_p, next_p, p, q, next_q, mid_q, far_q]: [i32; DECIDING.len()]) {
        self.steps += (q + next_q - p - next_p).abs();
        self.activity +=
            (p - mid_p).abs() + (mid_p - far_p).abs() + (q - mid_q).abs() + (mid_q - far_q).abs();
    }

    /// How much of the step becomes a slope, in 1/256: all of it up to half of both limits, nothing from one of them on.
    #[inline(always)]
    fn share(&self, limit: i32) -> i32 {
        let share = |of: i32, limit: i32| (32 * (limit - of) / limit.max(1)).clamp(0, 16);
        share(self.steps / 2, limit) * share(self.activity, limit * PLAIN.0 / PLAIN.1)
    }
}

/// Adds a part of steps, which are doubled and in 1/256.
#[inline(always)]
fn slope<const N: usize>(samples: &mut [u8; N], steps: &[i32; N], weight: i32) {
    for (sample, step) in samples.iter_mut().zip(steps) {
        let off = (step * weight + (1 << 13)) >> 14;
        *sample = (i32::from(*sample) + off).clamp(0, 255) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: (usize, usize) = (3, 2);
    const STRIDE: usize = 3 * BLOCK * RGB + 5;

    /// A picture with this grey in each block, darker towards the right by `texture` every second column.
    fn picture(greys: [u8; 6], texture: u8) -> Vec<u8> {
        let mut picture = vec![0; 2 * BLOCK * STRIDE];
        for (at, sample) in picture.iter_mut().enumerate() {
            let (x, y) = (at % STRIDE / RGB, at / STRIDE);
            if x < 3 * BLOCK {
                *sample = greys[y / BLOCK * 3 + x / BLOCK] - texture * (x / 3 % 2) as u8;
            }
        }
        picture
    }

    fn row(picture: &[u8], y: usize) -> Vec<u8> {
        picture[y * STRIDE..][..3 * BLOCK * RGB]
            .iter()
            .step_by(RGB)
            .copied()
            .collect()
    }

    #[test]
    fn a_small_step_between_plain_blocks_becomes_a_slope() {
        let mut shown = picture([100, 106, 106, 100, 106, 106], 0);
        soften(&mut shown, STRIDE, SIZE, &[limit(38); 6]);
        let row = row(&shown, 5);
        assert!(row.is_sorted(), "{row:?}");
        assert!(row.windows(2).all(|pair| pair[1] - pair[0] <= 1), "{row:?}");
        assert_eq!((row[0], row[2 * BLOCK]), (100, 106));
    }

    #[test]
    fn level_borders_are_softened_like_upright_ones() {
        let mut shown = picture([100, 100, 100, 106, 106, 106], 0);
        soften(&mut shown, STRIDE, SIZE, &[limit(38); 6]);
        let column: Vec<u8> = (0..2 * BLOCK).map(|y| row(&shown, y)[20]).collect();
        assert!(column.is_sorted(), "{column:?}");
        assert!(column.windows(2).all(|pair| pair[1] - pair[0] <= 1), "{column:?}");
    }

    #[test]
    fn edges_of_the_scene_texture_and_fine_blocks_stay() {
        for (greys, texture, qindex) in [
            ([100, 160, 160, 100, 160, 160], 0, 38),
            ([100, 106, 106, 100, 106, 106], 12, 38),
            ([100, 106, 106, 100, 106, 106], 0, 8),
        ] {
            let before = picture(greys, texture);
            let mut shown = before.clone();
            soften(&mut shown, STRIDE, SIZE, &[limit(qindex); 6]);
            assert!(shown == before, "{greys:?} {texture} {qindex}");
        }
    }

    #[test]
    fn nothing_beyond_the_picture_is_touched() {
        let mut short = picture([100, 106, 106, 100, 106, 106], 0);
        short.truncate(20 * STRIDE + 7);
        soften(&mut short, STRIDE, SIZE, &[limit(63); 6]);
        soften(&mut short, 0, SIZE, &[limit(63); 6]);
        soften(&mut [], STRIDE, (90, 90), &[limit(63)]);
    }
}
