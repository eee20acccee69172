//! A source frame to x: scaled a row at a time (planes first, where that is cheaper), converted to RGB at the small size,
//! padded. One pass over the frame; nothing in between is longer than a few rows.

use super::colour::Coefficients;
use super::scale::{Across, Down};
use super::{Layout, PixelFormat, Plane, View, vectorised};
use crate::geometry::Geometry;
use crate::{Error, Result};

/// Makes x from frames. Keeps its buffers: a stream of one size and format allocates nothing after its first frame.
pub struct Preparer {
    pad: u8,
    layout: Layout,
    plan: Option<Plan>,
    rows: Rows,
    x: Vec<u8>,
}

/// How frames of one size and format are scaled.
struct Plan {
    geometry: Geometry,
    format: PixelFormat,
    luma: Scale,
    /// At the resolution of the squeezed image: each value is used for two pixels of x on each axis.
    chroma: Scale,
}

struct Scale {
    down: Down,
    across: Across,
}

/// Rows in the making.
#[derive(Default)]
struct Rows {
    /// Merged, still packed.
    packed: Vec<u8>,
    /// Merged, a channel each, of the source's width.
    wide: [Vec<u8>; 3],
    /// Scaled.
    small: [Vec<u8>; 3],
    /// What chroma adds to red, green and blue.
    terms: [Vec<i16>; 3],
    rgb: [Vec<u8>; 3],
}

impl Preparer {
    /// A preparer for a bundle's networks.
    pub fn new(manifest: &crate::bundle::Manifest) -> Self {
        Self {
            // Validation keeps `pad` within 0..=255.
            pad: u8::try_from(manifest.input.pad).unwrap_or(u8::MAX),
            layout: manifest.input.layout,
            plan: None,
            rows: Rows::default(),
            x: Vec::new(),
        }
    }

    /// x of `frame`: RGB in the bundle's [`Layout`], `geometry.x` pixels.
    ///
    /// Chroma is taken to lie between the luma samples (siting `jpeg`/centre) whatever the source says: half a source
    /// pixel at most, before a reduction.
    ///
    /// # Errors
    /// [`Error::Picture`] when the planes do not hold what the view promises, [`Error::OutOfRange`] when its size is not
    /// the geometry's.
    pub fn prepare(&mut self, frame: &View<'_>, geometry: &Geometry) -> Result<&[u8]> {
        if (frame.width, frame.height) != geometry.source {
            let legal = format!("{}x{}", geometry.source.0, geometry.source.1);
            return Err(Error::range(
                "frame size",
                format!("{}x{}", frame.width, frame.height),
                legal,
            ));
        }
        frame.validate()?;
        let stale = |plan: &Plan| plan.geometry != *geometry || plan.format != frame.format;
        if self.plan.as_ref().is_none_or(stale) {
            let plan = Plan::new(*geometry, frame.format);
            self.rows.resize(&plan);
            self.plan = Some(plan);
            self.x.clear();
            self.x.resize(geometry.x_bytes(), self.pad);
        }
        if let Some(plan) = &self.plan {
            let coefficients = Coefficients::new(frame.colorimetry);
            let mut target = Target {
                x: &mut self.x,
                layout: self.layout,
                size: geometry.x,
                width: geometry.content.0 as usize,
            };
            for row in 0..geometry.content.1 as usize {
                self.rows.fill(plan, row, frame.planes, coefficients, &mut target);
            }
        }
        Ok(&self.x)
    }
}

impl Plan {
    fn new(geometry: Geometry, format: PixelFormat) -> Self {
        let (from, to) = (geometry.source, geometry.content);
        let (w, h) = (f64::from(from.0), f64::from(from.1));
        // Half a column or row less than the plane has, when an odd side was halved.
        let (chroma_rows, used) = match format {
            PixelFormat::Yuy2 => (from.1, h),
            _ => (from.1.div_ceil(2), h / 2.0),
        };
        let half = to.0.div_ceil(2);
        Self {
            geometry,
            format,
            luma: Scale {
                down: Down::new(from.1, h, to.1),
                across: Across::new(from.0, w, to.0, 1, to.0),
            },
            chroma: Scale {
                down: Down::new(chroma_rows, used, to.1.div_ceil(2)),
                across: Across::new(from.0.div_ceil(2), w / 2.0, half, 2, to.0),
            },
        }
    }
}

impl Rows {
    fn resize(&mut self, plan: &Plan) {
        let (luma, chroma) = (&plan.luma.across, &plan.chroma.across);
        self.packed
            .resize(4 * plan.geometry.source.0.next_multiple_of(2) as usize, 0);
        let wide = luma.source_length().max(chroma.source_length());
        let small = luma.target_length().max(chroma.target_length());
        self.wide.iter_mut().for_each(|row| row.resize(wide, 0));
        self.small.iter_mut().for_each(|row| row.resize(small, 0));
        self.terms.iter_mut().for_each(|row| row.resize(small, 0));
        self.rgb.iter_mut().for_each(|row| row.resize(small, 0));
    }

    /// Makes one row of x.
    fn fill(
        &mut self,
        plan: &Plan,
        row: usize,
        planes: &[Plane<'_>],
        coefficients: Coefficients,
        target: &mut Target<'_>,
    ) {
        let Some(first) = planes.first() else {
            return;
        };
        match plan.format {
            PixelFormat::Rgb => self.pixels::<3>(plan, row, first, [0, 1, 2], target),
            PixelFormat::Bgr => self.pixels::<3>(plan, row, first, [2, 1, 0], target),
            PixelFormat::Rgbx | PixelFormat::Rgba => self.pixels::<4>(plan, row, first, [0, 1, 2], target),
            PixelFormat::Bgrx | PixelFormat::Bgra => self.pixels::<4>(plan, row, first, [2, 1, 0], target),
            PixelFormat::I420 | PixelFormat::Nv12 | PixelFormat::Yuy2 | PixelFormat::Gray8 => {
                // Two rows of luma share one of chroma. Grey leaves the terms at zero.
                if row.is_multiple_of(2) && plan.format != PixelFormat::Gray8 {
                    self.chroma(plan, row / 2, planes, coefficients);
                }
                self.luma(plan, row, first);
                let Self {
                    small, terms, rgb, ..
                } = self;
                target.row(row, rgb, |channel, to| {
                    vectorised::colour(coefficients, &small[0], &terms[channel], to);
                });
            }
        }
    }

    fn luma(&mut self, plan: &Plan, row: usize, from: &Plane<'_>) {
        let width = plan.geometry.source.0 as usize;
        let Self {
            packed,
            wide: [y, ..],
            small: [small, ..],
            ..
        } = self;
        let down = &plan.luma.down;
        if plan.format == PixelFormat::Yuy2 {
            down.row(row, from.data, from.stride, 2 * width.next_multiple_of(2), packed);
            vectorised::pick::<2>(packed, 0, y);
        } else {
            down.row(row, from.data, from.stride, width, y);
        }
        plan.luma.across.row(y, small);
    }

    fn chroma(&mut self, plan: &Plan, row: usize, planes: &[Plane<'_>], coefficients: Coefficients) {
        let width = plan.geometry.source.0.div_ceil(2) as usize;
        let Scale { down, across } = &plan.chroma;
        let Self {
            packed,
            wide: [_, u, v],
            small: [_, small_u, small_v],
            terms,
            ..
        } = self;
        match *planes {
            [_, from_u, from_v] => {
                down.row(row, from_u.data, from_u.stride, width, u);
                down.row(row, from_v.data, from_v.stride, width, v);
            }
            [_, from] => {
                down.row(row, from.data, from.stride, 2 * width, packed);
                vectorised::pick::<2>(packed, 0, u);
                vectorised::pick::<2>(packed, 1, v);
            }
            [from, ..] => {
                down.row(row, from.data, from.stride, 4 * width, packed);
                vectorised::pick::<4>(packed, 1, u);
                vectorised::pick::<4>(packed, 3, v);
            }
            [] => {}
        }
        across.row(u, small_u);
        across.row(v, small_v);
        vectorised::terms(coefficients, small_u, small_v, terms);
    }

    /// Pixels of `N` bytes, with red, green and blue at `places`.
    fn pixels<const N: usize>(
        &mut self,
        plan: &Plan,
        row: usize,
        from: &Plane<'_>,
        places: [usize; 3],
        target: &mut Target<'_>,
    ) {
        let Scale { down, across } = &plan.luma;
        let Self {
            packed,
            wide,
            small,
            rgb,
            ..
        } = self;
        let length = N * plan.geometry.source.0 as usize;
        down.row(row, from.data, from.stride, length, packed);
        for ((&place, wide), small) in places.iter().zip(wide).zip(&mut *small) {
            vectorised::pick::<N>(packed, place, wide);
            across.row(wide, small);
        }
        target.row(row, rgb, |channel, to| {
            to.copy_from_slice(&small[channel][..to.len()])
        });
    }
}

/// x, to be written a row at a time.
struct Target<'a> {
    x: &'a mut [u8],
    layout: Layout,
    size: (u32, u32),
    /// Pixels to write of each row.
    width: usize,
}

impl Target<'_> {
    /// Writes row `row`: `fill` makes the given channel of it, of the width that it is handed.
    fn row(&mut self, row: usize, rgb: &mut [Vec<u8>; 3], mut fill: impl FnMut(usize, &mut [u8])) {
        let (width, height) = (self.size.0 as usize, self.size.1 as usize);
        match self.layout {
            Layout::Planar => {
                for (channel, plane) in self.x.chunks_exact_mut(width * height).enumerate() {
                    let from = row * width;
                    if let Some(to) = plane.get_mut(from..from + self.width) {
                        fill(channel, to);
                    }
                }
            }
            Layout::Interleaved => {
                for (channel, to) in rgb.iter_mut().enumerate() {
                    fill(channel, to);
                }
                let from = 3 * row * width;
                if let Some(to) = self.x.get_mut(from..from + 3 * self.width) {
                    vectorised::weave(rgb, to);
                }
            }
        }
    }
}
