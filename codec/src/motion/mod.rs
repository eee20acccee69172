//! Prediction along the motion (bitstream versions 3 and 4): what moves is taken from where it was in the picture that the latents before drew.
//!
//! The latents of such a layer are coefficients of blocks of a picture, so a receiver can draw that picture, cut a block out of it anywhere and see what coefficients the block has there: that is the reference of
//! a position that moves. Encoder and decoder do so in integers, and end up with the same to the last bit.

use std::sync::Arc;

use crate::Shape;
use crate::entropy::FrameCoder;

mod canvas;
mod soften;
mod transform;
mod vectors;

pub use canvas::Canvas;
pub use transform::{BLOCK, Error, PLANES, Transform};
pub(crate) use vectors::Vectors;

/// Steps of a vector that make a pixel.
pub const PER_PIXEL: i32 = 4;

/// Where a block comes from: so many quarters of a pixel to the right and down. Zeros: it does not move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vector {
    /// To the right.
    pub x: i16,
    /// Down.
    pub y: i16,
}

impl Vector {
    /// Largest component.
    pub const MAX: i16 = 255;

    /// Whether it points anywhere.
    pub fn moves(self) -> bool {
        self != Self::default()
    }
}

/// The canvas of one layer, as encoder and decoder keep it beside the coder of its symbols.
#[derive(Clone, Debug)]
pub(crate) struct Motion {
    transform: Arc<Transform>,
    canvas: Canvas,
    values: Vec<i32>,
}

impl Motion {
    /// Nothing is drawn yet.
    pub fn new(transform: Arc<Transform>) -> Self {
        Self {
            canvas: Canvas::new(transform.clone(), Shape::default()),
            transform,
            values: Vec::new(),
        }
    }

    /// Coefficients of a block.
    pub fn channels(&self) -> usize {
        self.transform.channels()
    }

    /// Begins a group.
    pub fn start(&mut self, shape: Shape) {
        self.canvas = Canvas::new(self.transform.clone(), shape);
    }

    /// What has been drawn.
    pub fn canvas(&self) -> &Canvas {
        &self.canvas
    }

    /// Gives the positions that move their references.
    pub fn displace(&mut self, vectors: &[Vector], coder: &mut FrameCoder, qindex: u8) {
        for (position, &vector) in vectors.iter().enumerate().filter(|(_, vector)| vector.moves()) {
            self.canvas.predict(position, vector, &mut self.values);
            coder.displace(position, &self.values, qindex);
        }
    }

    /// Draws what a frame has changed.
    pub fn draw(&mut self, vectors: &[Vector], coder: &FrameCoder, qindex: u8) {
        for (position, vector) in vectors.iter().enumerate() {
            if vector.moves() || coder.has_changed(position) {
                self.canvas.draw(position, coder.values(position, qindex), qindex);
            }
        }
    }
}
