//! The luma of x, at the size of the enhancement layer's pictures: where its blocks are looked for.

use cis_codec::motion::BLOCK;
use cis_inference::geometry::Geometry;
use cis_inference::picture::Layout;

/// Luma of one picture after the other.
pub struct Luma {
    layout: Layout,
    /// Pixels of x that make one of the picture, on each axis.
    shrink: usize,
    pixels: Vec<u8>,
}

impl Luma {
    /// Of x in this layout, for a layer with this many pixels of x a position.
    pub fn new(layout: Layout, stride: u32) -> Self {
        Self {
            layout,
            shrink: (stride as usize / BLOCK).max(1),
            pixels: Vec::new(),
        }
    }

    /// The last picture, row by row.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Takes a picture. What is left out where x is larger is for a search, which does not mind.
    pub fn look(&mut self, x: &[u8], geometry: &Geometry) {
        let (width, height) = (geometry.x.0 as usize, geometry.x.1 as usize);
        let plane = width * height;
        let grey = |[r, g, b]: [u8; 3]| ((u16::from(r) + 2 * u16::from(g) + u16::from(b) + 2) >> 2) as u8;
        self.pixels.clear();
        for y in (0..height).step_by(self.shrink) {
            let row = y * width..(y + 1) * width;
            match self.layout {
                Layout::Planar => {
                    let [r, g, b] = [0, 1, 2].map(|p| {
                        x.get(p * plane + row.start..p * plane + row.end)
                            .unwrap_or_default()
                    });
                    let pixels = r.iter().zip(g).zip(b).step_by(self.shrink);
                    self.pixels.extend(pixels.map(|((&r, &g), &b)| grey([r, g, b])));
                }
                // Interleaved.
                _ => {
                    let pixels = x.get(3 * row.start..3 * row.end).unwrap_or_default();
                    let (pixels, _) = pixels.as_chunks::<3>();
                    self.pixels
                        .extend(pixels.iter().step_by(self.shrink).map(|&pixel| grey(pixel)));
                }
            }
        }
    }
}
