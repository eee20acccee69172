//! A video frame as an `embedded-graphics` target: fills clipped rectangles in any 8-bit format.

use super::colour::Space;
use embedded_graphics::{
    Pixel, geometry::Point, pixelcolor::Rgb888, prelude::*, primitives::Rectangle as GfxRectangle,
};
use std::{convert::Infallible, ops::Range};

/// Where one component of a pixel lies.
#[derive(Clone, Copy, Debug, Default)]
struct Component {
    plane: usize,
    /// Byte of the first sample in its row.
    offset: usize,
    /// Bytes from a sample to the next.
    step: usize,
    /// Log2 of pixels a sample, across and down.
    sub: (u32, u32),
}

/// Where the components of a format lie, and in which colour space.
#[derive(Clone, Debug)]
pub struct Layout {
    components: Vec<Component>,
    space: Space,
    width: u32,
    height: u32,
}

impl Layout {
    /// The layout of a negotiated format.
    pub fn new(info: &gst_video::VideoInfo) -> Self {
        let format = info.format_info();
        let at = |values: &[u32], i: usize| values.get(i).copied().unwrap_or(0);
        let components = (0..format.n_components() as usize)
            .map(|i| Component {
                plane: at(format.plane(), i) as usize,
                offset: at(format.poffset(), i) as usize,
                step: format
                    .pixel_stride()
                    .get(i)
                    .map_or(1, |&step| step.max(1) as usize),
                sub: (at(format.w_sub(), i), at(format.h_sub(), i)),
            })
            .collect();
        Self {
            components,
            space: Space::of(info),
            width: info.width(),
            height: info.height(),
        }
    }
}

/// A mapped frame to draw on.
pub struct Canvas<'a> {
    layout: &'a Layout,
    planes: [&'a mut [u8]; 4],
    strides: [usize; 4],
}

impl<'a> Canvas<'a> {
    /// Wraps the planes of a frame of `layout`; `strides` in bytes.
    pub fn new(layout: &'a Layout, planes: [&'a mut [u8]; 4], strides: [usize; 4]) -> Self {
        Self {
            layout,
            planes,
            strides,
        }
    }

    /// Fills what of the area lies on the frame.
    fn fill(&mut self, columns: Range<usize>, rows: Range<usize>, colour: Rgb888) {
        if columns.is_empty() || rows.is_empty() {
            return;
        }
        let values = self.layout.space.components(colour);
        for (component, value) in self.layout.components.iter().zip(values) {
            let Component {
                plane,
                offset,
                step,
                sub,
            } = *component;
            let (Some(samples), Some(&stride)) = (self.planes.get_mut(plane), self.strides.get(plane)) else {
                continue;
            };
            let first = (columns.start >> sub.0) * step + offset;
            let last = ((columns.end - 1) >> sub.0) * step + offset;
            for row in rows.start >> sub.1..=(rows.end - 1) >> sub.1 {
                let span = samples.get_mut(row * stride + first..=row * stride + last);
                span.into_iter()
                    .flat_map(|span| span.iter_mut().step_by(step))
                    .for_each(|s| *s = value);
            }
        }
    }
}

/// The part of `start .. start + len` that lies in `0 .. end`.
fn clip(start: i32, len: u32, end: u32) -> Range<usize> {
    let (start, end) = (i64::from(start), i64::from(end));
    let stop = (start + i64::from(len)).clamp(0, end);
    start.clamp(0, end) as usize..stop as usize
}

impl OriginDimensions for Canvas<'_> {
    fn size(&self) -> Size {
        Size::new(self.layout.width, self.layout.height)
    }
}

impl DrawTarget for Canvas<'_> {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Self::Error>
    where
        I: IntoIterator<Item = Pixel<Self::Color>>,
    {
        for Pixel(at, colour) in pixels {
            self.fill_solid(&GfxRectangle::new(at, Size::new_equal(1)), colour)?;
        }
        Ok(())
    }

    fn fill_solid(&mut self, area: &GfxRectangle, colour: Self::Color) -> Result<(), Self::Error> {
        let columns = clip(area.top_left.x, area.size.width, self.layout.width);
        let rows = clip(area.top_left.y, area.size.height, self.layout.height);
        self.fill(columns, rows, colour);
        Ok(())
    }
}

/// Enlarges what is drawn by a whole factor around an origin: the fonts come in small sizes only.
pub struct Enlarged<'a, T> {
    /// Where to draw.
    pub target: &'a mut T,
    /// Pixel of the target on which (0, 0) falls.
    pub origin: Point,
    /// Target pixels a drawn pixel, on each axis.
    pub factor: u32,
}

impl<T: DrawTarget> Dimensions for Enlarged<'_, T> {
    fn bounding_box(&self) -> GfxRectangle {
        // Nothing here asks for the exact size; clipping is the target's business.
        self.target.bounding_box()
    }
}

impl<T: DrawTarget> DrawTarget for Enlarged<'_, T> {
    type Color = T::Color;
    type Error = T::Error;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Self::Error>
    where
        I: IntoIterator<Item = Pixel<Self::Color>>,
    {
        for Pixel(at, colour) in pixels {
            self.fill_solid(&GfxRectangle::new(at, Size::new_equal(1)), colour)?;
        }
        Ok(())
    }

    fn fill_solid(&mut self, area: &GfxRectangle, colour: Self::Color) -> Result<(), Self::Error> {
        let factor = self.factor as i32;
        let top_left = self.origin + area.top_left * factor;
        self.target
            .fill_solid(&GfxRectangle::new(top_left, area.size * self.factor), colour)
    }
}
