//! The picture that the latents before drew, and blocks cut out of it.

use std::sync::Arc;

use super::soften;
use super::transform::{BLOCK, PLANES, Transform, drawable};
use super::{PER_PIXEL, Vector};
use crate::Shape;

/// Weights in 1/64 of the four pixels around a place between two: at quarters of a pixel. Those of chroma in HEVC (ITU-T H.265, table 8-13).
const FILTERS: [[i32; 4]; 4] = [
    [0, 64, 0, 0],
    [-4, 54, 16, -2],
    [-4, 36, 36, -4],
    [-2, 16, 54, -4],
];
/// Pixels that a filter reads before the first one of a block, and as many more as it reads in all.
const BEFORE: isize = 1;
const AROUND: usize = 3;
const SIDE: usize = BLOCK + AROUND;

/// What one layer's receiver has on its canvas.
#[derive(Clone, Debug)]
pub struct Canvas {
    transform: Arc<Transform>,
    width: usize,
    height: usize,
    /// Plane by plane, row by row.
    samples: Vec<u8>,
    drawn: Vec<i16>,
    /// Block by block, from which step on a border is an edge; 0: nothing was drawn there.
    limits: Vec<u16>,
}

impl Canvas {
    /// A canvas of blocks at each position, all of them grey.
    pub fn new(transform: Arc<Transform>, shape: Shape) -> Self {
        let (width, height) = (
            usize::from(shape.width) * BLOCK,
            usize::from(shape.height) * BLOCK,
        );
        Self {
            transform,
            width,
            height,
            samples: vec![128; PLANES * width * height],
            drawn: Vec::new(),
            limits: vec![0; shape.positions()],
        }
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// The samples: three planes, each row by row.
    pub fn samples(&self) -> &[u8] {
        &self.samples
    }

    /// Softens the borders of blocks in a picture of what is on the canvas: RGB, in rows of `stride` bytes. For the eye; the canvas stays as it is.
    pub fn soften(&self, picture: &mut [u8], stride: usize) {
        let blocks = (self.width / BLOCK, self.height / BLOCK);
        soften::soften(picture, stride, blocks, &self.limits);
    }

    /// Draws the block of a position from its coefficients in 1/256, which were quantised at `qindex`.
    pub(crate) fn draw(&mut self, position: usize, values: impl Iterator<Item = i32>, qindex: u8) {
        if let Some(limit) = self.limits.get_mut(position) {
            *limit = soften::limit(qindex);
        }
        self.drawn.clear();
        self.drawn.extend(values.map(drawable));
        let mut block = [0; PLANES * BLOCK * BLOCK];
        self.transform.draw(&self.drawn, &mut block);
        let (x, y) = self.corner(position);
        for (row, from) in block.chunks_exact(BLOCK).enumerate() {
            let (plane, row) = (row / BLOCK, row % BLOCK);
            let start = (plane * self.height + y + row) * self.width + x;
            if let Some(to) = self.samples.get_mut(start..start + BLOCK) {
                to.copy_from_slice(from);
            }
        }
    }

    /// The coefficients, in 1/256, of the block that a position gets from where `vector` points. Beyond the edge the picture goes on as at the edge.
    pub fn predict(&self, position: usize, vector: Vector, values: &mut Vec<i32>) {
        let (x, y) = self.corner(position);
        let (at_x, part_x) = place(x, vector.x);
        let (at_y, part_y) = place(y, vector.y);
        let (across, down) = (FILTERS[part_x], FILTERS[part_y]);
        let mut block = [0; PLANES * BLOCK * BLOCK];
        let mut source = [[0i32; SIDE]; SIDE];
        for (plane, block) in block.chunks_exact_mut(BLOCK * BLOCK).enumerate() {
            for (row, source) in source.iter_mut().enumerate() {
                let y = inside(at_y + row as isize - BEFORE, self.height);
                let start = (plane * self.height + y) * self.width;
                let line = self.samples.get(start..start + self.width).unwrap_or_default();
                let first = at_x - BEFORE;
                let whole = usize::try_from(first)
                    .ok()
                    .and_then(|first| line.get(first..first + SIDE));
                match whole {
                    Some(whole) => source
                        .iter_mut()
                        .zip(whole)
                        .for_each(|(to, &from)| *to = from.into()),
                    None => {
                        for (column, to) in source.iter_mut().enumerate() {
                            let x = inside(first + column as isize, self.width);
                            *to = line.get(x).copied().unwrap_or_default().into();
                        }
                    }
                }
            }
            let mut lines = [[0i32; BLOCK]; SIDE];
            for (line, source) in lines.iter_mut().zip(&source) {
                for (x, to) in line.iter_mut().enumerate() {
                    *to = (0..4).map(|tap| across[tap] * source[x + tap]).sum();
                }
            }
            for (y, row) in block.chunks_exact_mut(BLOCK).enumerate() {
                for (x, to) in row.iter_mut().enumerate() {
                    let sum: i32 = (0..4).map(|tap| down[tap] * lines[y + tap][x]).sum();
                    *to = (((sum + 2048) >> 12).clamp(0, 255) - 128) as i16;
                }
            }
        }
        self.transform.look(&block, values);
    }

    fn corner(&self, position: usize) -> (usize, usize) {
        let columns = (self.width / BLOCK).max(1);
        (position % columns * BLOCK, position / columns * BLOCK)
    }
}

/// Whole pixels and quarters of where a vector points from `at`.
fn place(at: usize, along: i16) -> (isize, usize) {
    let along = i32::from(along);
    (
        at as isize + along.div_euclid(PER_PIXEL) as isize,
        along.rem_euclid(PER_PIXEL) as usize,
    )
}

fn inside(at: isize, len: usize) -> usize {
    at.clamp(0, len as isize - 1) as usize
}
