//! The motion of a frame: a vector for each position that moves, all of them chosen together.
//!
//! A vector that its neighbours have, too, takes a bit or two, one of its own five times as many; and only of a canvas that was moved along from frame to frame do true vectors tell what comes next. So vectors come first, for all
//! that moves, each at what it takes after those before it, and coefficients take what is left of the rate. (Chosen block by block, beside the coefficients, few were taken: at 20 bits each, on a canvas seconds old.)

use super::Seen;
use super::felt::Felt;
use super::seek::Seeker;
use super::still::Stillness;
use crate::motion::{Vector, Vectors};

/// Finds the vectors of a frame.
#[derive(Clone, Debug, Default)]
pub struct Field {
    seeker: Seeker,
    coder: Vectors,
    bits: f32,
}

impl Field {
    /// Nothing moves.
    pub fn clear(&mut self) {
        self.bits = 0.0;
        self.coder.begin();
    }

    /// Finds the vectors of what moves. `bit` tells what a bit has to save in a block of so much energy, in squared grey levels of luma both.
    pub fn find(&mut self, still: &Stillness, seen: &Seen<'_>, bit: impl Fn(f32) -> f32) {
        self.seeker.look(seen.canvas, seen.luma);
        self.coder.clone_from(seen.vectors);
        self.clear();
        for at in 0..self.coder.now().len() {
            let vector = match still.moves(at) {
                true => {
                    let energy = self.seeker.energy(at);
                    let (here, bit) = (self.coder.look(at), bit(energy));
                    let price = |vector| self.coder.price(&here, vector) * bit;
                    self.seeker.seek(at, here.candidates(), Felt::new(energy), price)
                }
                false => Vector::default(),
            };
            self.bits += self.coder.take(at, vector);
        }
        if !self.vectors().iter().any(|vector| vector.moves()) {
            self.bits = 0.0;
        }
    }

    /// The vectors, position by position.
    pub fn vectors(&self) -> &[Vector] {
        self.coder.now()
    }

    /// Bits that they take.
    pub fn bits(&self) -> f32 {
        self.bits
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::motion::Canvas;
    use crate::{Shape, Transform};

    const SHAPE: Shape = Shape {
        channels: 256,
        width: 12,
        height: 8,
    };

    /// A canvas with something else in every block, in squares of four pixels.
    fn canvas() -> Canvas {
        let mut canvas = Canvas::new(Arc::new(Transform::walsh(256)), SHAPE);
        let mut random = 1u32;
        for position in 0..SHAPE.positions() {
            let values = (0..256).map(|channel| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                match channel & 0b11_0011 {
                    0 => (random >> 20) as i32 - 2048,
                    _ => 0,
                }
            });
            canvas.draw(position, values, 40);
        }
        canvas
    }

    /// The luma of a canvas, moved by so many pixels to the right and down.
    fn moved(canvas: &Canvas, (right, down): (usize, usize)) -> Vec<u8> {
        let (width, height) = canvas.size();
        let sample = |at: usize| {
            let (x, y) = (at % width, at / width);
            let from = y.saturating_sub(down) * width + x.saturating_sub(right);
            let plane = |plane: usize| u32::from(canvas.samples()[plane * width * height + from]);
            ((plane(0) + 2 * plane(1) + plane(2) + 2) >> 2) as u8
        };
        (0..width * height).map(sample).collect()
    }

    fn found(shift: (usize, usize), bit: f32) -> (Vec<Vector>, f32) {
        let (canvas, mut vectors, mut still) = (canvas(), Vectors::default(), Stillness::default());
        vectors.start(SHAPE, crate::frame::MOVING);
        // What was never seen before moves.
        still.observe(&vec![0.0; SHAPE.len()], SHAPE, 40, 0.0);
        let luma = moved(&canvas, shift);
        let seen = Seen {
            canvas: &canvas,
            luma: &luma,
            vectors: &vectors,
        };
        let mut field = Field::default();
        field.find(&still, &seen, |_| bit);
        (field.vectors().to_vec(), field.bits())
    }

    #[test]
    fn a_picture_that_moves_as_a_whole_has_one_vector_that_takes_few_bits() {
        let (vectors, bits) = found((5, 3), 100.0);
        let (x, y) = (-5 * 4, -3 * 4);
        let right = vectors
            .iter()
            .filter(|&&vector| vector == Vector { x, y })
            .count();
        // All but what comes in from the left and from above.
        let inner = usize::from(SHAPE.width - 1) * usize::from(SHAPE.height - 1);
        assert!(right >= inner, "{right} of {inner}: {vectors:?}");
        // Those at the edges are taken from anywhere, at some 20 bits each; and counters are cold.
        assert!(bits < 8.0 * right as f32, "{bits} bits for {right}");
    }

    #[test]
    fn nothing_moves_that_stands_or_is_not_worth_its_bits() {
        for (shift, bit) in [((0, 0), 100.0), ((5, 3), 1e9)] {
            let (vectors, bits) = found(shift, bit);
            assert!(vectors.iter().all(|vector| !vector.moves()), "{vectors:?}");
            assert_eq!(bits, 0.0);
        }
    }
}
