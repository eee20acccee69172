//! Softening of the borders of blocks in a picture that is shown: where two blocks of plain ground meet at a step that their quantiser left, the step becomes a slope.
//!
//! The decision is that of a deblocking filter (List, Joch, Lainema, Bjontegaard, Karczewicz, "Adaptive deblocking filter", IEEE TCSVT 2003): a border is no edge of the scene if its step is small for the quantiser and both its
//! sides are plain. For the eye only: what is predicted from is the canvas as it was drawn. (In the loop it made no picture nearer to its source, and moved blocks blurred.)

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
    let mut border = |limits: [Option<&u16>; 2], corner: usize, across: usize, along: usize| {
        let [Some(&a), Some(&b)] = limits else { return };
        let limit = (i32::from(a) + i32::from(b)) / 2;
        for line in (0..BLOCK).step_by(LINES) {
            let from = corner + line * along;
            // The last byte that is looked at.
            let end = from + (ACROSS - 1) * across + (LINES - 1) * along + RGB;
            if let Some(part) = picture.get_mut(from..end)
                && limit > 0
            {
                soften_lines(part, across, along, limit);
            }
        }
    };
    for y in 0..rows {
        for x in 1..columns {
            let (at, corner) = (y * columns + x, y * BLOCK * stride + (x * BLOCK - REACH) * RGB);
            border([limits.get(at - 1), limits.get(at)], corner, RGB, stride);
        }
    }
    for y in 1..rows {
        for x in 0..columns {
            let (at, corner) = (y * columns + x, (y * BLOCK - REACH) * stride + x * BLOCK * RGB);
            border([limits.get(at - columns), limits.get(at)], corner, stride, RGB);
        }
    }
}

/// Softens the middle of a few lines, which begin every `along` bytes and have a pixel every `across`.
fn soften_lines(part: &mut [u8], across: usize, along: usize, limit: i32) {
    let pixel = |part: &[u8], line: usize, x: usize| {
        let at = line * along + x * across;
        [0, 1, 2].map(|plane| i32::from(part[at + plane]))
    };
    // Luma in quarters, added up over four lines: 1/16 grey level.
    let (mut step, mut activity) = (0, 0);
    for line in 0..LINES {
        let [far_p, mid_p, next_p, p, q, next_q, mid_q, far_q] = [1, 4, 6, 7, 8, 9, 11, 14].map(|x| {
            let [red, green, blue] = pixel(part, line, x);
            red + 2 * green + blue
        });
        step += (q + next_q - p - next_p).abs();
        activity += (p - mid_p).abs() + (mid_p - far_p).abs() + (q - mid_q).abs() + (mid_q - far_q).abs();
    }
    // All of it up to half the limit, nothing from the limit on.
    let share = |of: i32, limit: i32| (32 * (limit - of) / limit.max(1)).clamp(0, 16);
    let share = share(step / 2, limit) * share(activity, limit * PLAIN.0 / PLAIN.1);
    if share == 0 {
        return;
    }
    for line in 0..LINES {
        let [next_p, p, q, next_q] = [6, 7, 8, 9].map(|x| pixel(part, line, x));
        for plane in 0..RGB {
            let twice = q[plane] + next_q[plane] - p[plane] - next_p[plane];
            for away in 0..REACH {
                // Half the step at the border, nothing at the middle of the block.
                let off = (twice * share * (15 - 2 * away as i32) + (1 << 13)) >> 14;
                for (x, off) in [(REACH - 1 - away, off), (REACH + away, -off)] {
                    let sample = &mut part[line * along + x * across + plane];
                    *sample = (i32::from(*sample) + off).clamp(0, 255) as u8;
                }
            }
        }
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
