//! A source frame to x: resized (planes first, where that is cheaper), converted to RGB at the small size, padded.

use fast_image_resize::pixels::{InnerPixel, U8, U8x3, U8x4};
use fast_image_resize::{FilterType, PixelTrait, Resizer};

use super::colour::{self, Scratch, Target};
use super::{PixelFormat, Plane, Rows, RowsMut, View, resize};
use crate::geometry::Geometry;
use crate::{Error, Result};

/// Bilinear over the whole area of a target pixel, as Pillow's BILINEAR: no aliasing when reducing.
const FILTER: FilterType = FilterType::Bilinear;

/// Makes x from frames. Keeps its buffers: a stream of one size and format allocates nothing after its first frame.
#[derive(Default)]
pub struct Preparer {
    pad: u8,
    resizer: Resizer,
    /// Resized planes or pixels.
    small: [Vec<u8>; 3],
    /// Planes of the source's size, for packed YUV and interleaved chroma.
    split: [Vec<u8>; 3],
    /// Planes of the source's width and the target's height.
    between: Vec<u8>,
    scratch: Scratch,
    x: Vec<u8>,
    /// The geometry that the padding in `x` was made for.
    padded: Option<Geometry>,
}

impl Preparer {
    /// A preparer for a bundle's networks.
    pub fn new(manifest: &crate::bundle::Manifest) -> Self {
        // Validation keeps `pad` within 0..=255.
        Self {
            pad: u8::try_from(manifest.input.pad).unwrap_or(u8::MAX),
            ..Self::default()
        }
    }

    /// x of `frame`: interleaved RGB rows, `geometry.x` pixels.
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
        if self.padded != Some(*geometry) {
            self.x.clear();
            self.x.resize(geometry.x_bytes(), self.pad);
            self.padded = Some(*geometry);
        }
        self.fill(frame, geometry)?;
        Ok(&self.x)
    }

    fn fill(&mut self, frame: &View<'_>, geometry: &Geometry) -> Result<()> {
        let full = geometry.source;
        let half = (full.0.div_ceil(2), full.1.div_ceil(2));
        let (w, h) = (f64::from(full.0), f64::from(full.1));
        let size = geometry.content;
        // Chroma of YUV formats: at the resolution of the squeezed image.
        let small_chroma = (size.0.div_ceil(2), size.1.div_ceil(2));
        let Self {
            resizer,
            small,
            split,
            between,
            scratch,
            x,
            ..
        } = self;
        let mut resizer = Steps { resizer, between };
        let [a, b, c] = small;
        let colours = frame.colorimetry;
        let x = Target {
            data: x,
            stride: geometry.x.0 as usize * 3,
            width: size.0,
            height: size.1,
        };
        match (frame.format, frame.planes) {
            (PixelFormat::I420, &[y, u, v]) => {
                resizer.run::<U8>(y, full, (w, h), buffer(a, size, 1))?;
                resizer.run::<U8>(u, half, (w / 2.0, h / 2.0), buffer(b, small_chroma, 1))?;
                resizer.run::<U8>(v, half, (w / 2.0, h / 2.0), buffer(c, small_chroma, 1))?;
                colour::planar([a, b, c], colours, x, scratch);
            }
            (PixelFormat::Nv12, &[y, uv]) => {
                // Split, then resized as planes: quicker to build than a resizer for pairs, and no slower.
                let [u, v] = split_uv(uv, half, split);
                resizer.run::<U8>(y, full, (w, h), buffer(a, size, 1))?;
                resizer.run::<U8>(u, half, (w / 2.0, h / 2.0), buffer(b, small_chroma, 1))?;
                resizer.run::<U8>(v, half, (w / 2.0, h / 2.0), buffer(c, small_chroma, 1))?;
                colour::planar([a, b, c], colours, x, scratch);
            }
            (PixelFormat::Yuy2, &[packed]) => {
                let [y, u, v] = split_planes(packed, full, split);
                let chroma = (half.0, full.1);
                resizer.run::<U8>(y, full, (w, h), buffer(a, size, 1))?;
                resizer.run::<U8>(u, chroma, (w / 2.0, h), buffer(b, small_chroma, 1))?;
                resizer.run::<U8>(v, chroma, (w / 2.0, h), buffer(c, small_chroma, 1))?;
                colour::planar([a, b, c], colours, x, scratch);
            }
            (PixelFormat::Gray8, &[y]) => {
                resizer.run::<U8>(y, full, (w, h), buffer(a, size, 1))?;
                colour::gray(a, colours, x, scratch);
            }
            (PixelFormat::Rgb | PixelFormat::Bgr, &[pixels]) => {
                resizer.run::<U8x3>(
                    pixels,
                    full,
                    (w, h),
                    Small {
                        data: x.data,
                        stride: x.stride,
                        size,
                    },
                )?;
                if frame.format == PixelFormat::Bgr {
                    colour::swap(x);
                }
            }
            (PixelFormat::Rgbx | PixelFormat::Rgba | PixelFormat::Bgrx | PixelFormat::Bgra, &[pixels]) => {
                resizer.run::<U8x4>(pixels, full, (w, h), buffer(a, size, 4))?;
                let bgr = matches!(frame.format, PixelFormat::Bgrx | PixelFormat::Bgra);
                colour::packed(a, bgr, x, scratch);
            }
            (format, planes) => {
                let text = format!("{} planes are not a picture of {format:?}", planes.len());
                return Err(Error::Picture(text));
            }
        }
        Ok(())
    }
}

/// Where resized pixels go.
struct Small<'a> {
    data: &'a mut [u8],
    stride: usize,
    size: (u32, u32),
}

fn buffer(store: &mut Vec<u8>, size: (u32, u32), bytes: usize) -> Small<'_> {
    let stride = size.0 as usize * bytes;
    store.resize(stride * size.1 as usize, 0);
    Small {
        data: store,
        stride,
        size,
    }
}

/// The resizer, with the picture between its two passes.
struct Steps<'a> {
    resizer: &'a mut Resizer,
    between: &'a mut Vec<u8>,
}

impl Steps<'_> {
    /// Resizes a plane of `size` pixels, of which `used` matter (half a column less when an odd width was halved).
    ///
    /// When it reduces, rows are merged first: left alone, the resizer begins with columns, its slower pass, on all rows.
    fn run<P>(&mut self, from: Plane<'_>, size: (u32, u32), used: (f64, f64), to: Small<'_>) -> Result<()>
    where
        P: InnerPixel + PixelTrait + bytemuck::Pod,
    {
        let from = Rows::<P>::new(from.data, from.stride, size)?;
        let height = to.size.1;
        let mut to = RowsMut::<P>::new(to.data, to.stride, to.size)?;
        if size.1 <= height {
            return resize(self.resizer, FILTER, &from, used, &mut to);
        }
        let stride = size.0 as usize * size_of::<P>();
        let needed = stride * height as usize;
        if self.between.len() < needed {
            self.between.resize(needed, 0);
        }
        let mut between = RowsMut::<P>::new(self.between, stride, (size.0, height))?;
        resize(self.resizer, FILTER, &from, (size.0.into(), used.1), &mut between)?;
        let between = Rows::<P>::new(self.between, stride, (size.0, height))?;
        resize(self.resizer, FILTER, &between, (used.0, height.into()), &mut to)
    }
}

/// Packed 4:2:2 as three planes of the source's size.
fn split_planes<'a>(packed: Plane<'_>, size: (u32, u32), planes: &'a mut [Vec<u8>; 3]) -> [Plane<'a>; 3] {
    let (w, h) = (size.0 as usize, size.1 as usize);
    let half = w.div_ceil(2);
    let [y, u, v] = planes;
    y.resize(w * h, 0);
    u.resize(half * h, 0);
    v.resize(half * h, 0);
    let chroma = u.chunks_exact_mut(half).zip(v.chunks_exact_mut(half));
    let rows = packed
        .data
        .chunks(packed.stride)
        .zip(y.chunks_exact_mut(w).zip(chroma));
    for (row, (y, (u, v))) in rows {
        colour::split_yuy2(row, y, u, v);
    }
    [
        Plane { data: y, stride: w },
        Plane {
            data: u,
            stride: half,
        },
        Plane {
            data: v,
            stride: half,
        },
    ]
}

/// Interleaved chroma as two planes.
fn split_uv<'a>(uv: Plane<'_>, size: (u32, u32), planes: &'a mut [Vec<u8>; 3]) -> [Plane<'a>; 2] {
    let (w, h) = (size.0 as usize, size.1 as usize);
    let [u, v, _] = planes;
    u.resize(w * h, 0);
    v.resize(w * h, 0);
    let rows = uv
        .data
        .chunks(uv.stride)
        .zip(u.chunks_exact_mut(w).zip(v.chunks_exact_mut(w)));
    for (row, (u, v)) in rows {
        colour::split_uv(row, u, v);
    }
    [Plane { data: u, stride: w }, Plane { data: v, stride: w }]
}
