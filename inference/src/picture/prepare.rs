//! A source frame to x: resized (planes first, where that is cheaper), converted to RGB at the small size, padded.

use fast_image_resize::pixels::{InnerPixel, U8, U8x2, U8x3, U8x4};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

use super::colour::{self, Target};
use super::{PixelFormat, Plane, Rows, RowsMut, View};
use crate::geometry::Geometry;
use crate::{Error, Result};

/// Makes x from frames. Keeps its buffers: a stream of one size and format allocates nothing after its first frame.
#[derive(Default)]
pub struct Preparer {
    pad: u8,
    resizer: Resizer,
    /// Resized planes or pixels.
    small: [Vec<u8>; 3],
    /// Planes of the source's size, for packed YUV.
    split: [Vec<u8>; 3],
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
        let Self {
            resizer,
            small,
            split,
            x,
            ..
        } = self;
        let [a, b, c] = small;
        let x = Target {
            data: x,
            stride: geometry.x.0 as usize * 3,
            width: size.0,
            height: size.1,
        };
        match (frame.format, frame.planes) {
            (PixelFormat::I420, &[y, u, v]) => {
                resize::<U8>(resizer, y, full, (w, h), buffer(a, size, 1))?;
                resize::<U8>(resizer, u, half, (w / 2.0, h / 2.0), buffer(b, size, 1))?;
                resize::<U8>(resizer, v, half, (w / 2.0, h / 2.0), buffer(c, size, 1))?;
                colour::planar([a, b, c], frame.colorimetry, x);
            }
            (PixelFormat::Nv12, &[y, uv]) => {
                resize::<U8>(resizer, y, full, (w, h), buffer(a, size, 1))?;
                resize::<U8x2>(resizer, uv, half, (w / 2.0, h / 2.0), buffer(b, size, 2))?;
                let [u, v, _] = split;
                colour::biplanar([a, b], frame.colorimetry, x, u, v);
            }
            (PixelFormat::Yuy2, &[packed]) => {
                let [y, u, v] = split_planes(packed, full, split);
                resize::<U8>(resizer, y, full, (w, h), buffer(a, size, 1))?;
                resize::<U8>(resizer, u, (half.0, full.1), (w / 2.0, h), buffer(b, size, 1))?;
                resize::<U8>(resizer, v, (half.0, full.1), (w / 2.0, h), buffer(c, size, 1))?;
                colour::planar([a, b, c], frame.colorimetry, x);
            }
            (PixelFormat::Gray8, &[y]) => {
                resize::<U8>(resizer, y, full, (w, h), buffer(a, size, 1))?;
                colour::gray(a, frame.colorimetry, x);
            }
            (PixelFormat::Rgb | PixelFormat::Bgr, &[pixels]) => {
                let to = Small {
                    data: x.data,
                    stride: x.stride,
                    size,
                };
                resize::<U8x3>(resizer, pixels, full, (w, h), to)?;
                if frame.format == PixelFormat::Bgr {
                    colour::swap(x);
                }
            }
            (PixelFormat::Rgbx | PixelFormat::Rgba, &[pixels]) => {
                resize::<U8x4>(resizer, pixels, full, (w, h), buffer(a, size, 4))?;
                colour::packed(a, false, x);
            }
            (PixelFormat::Bgrx | PixelFormat::Bgra, &[pixels]) => {
                resize::<U8x4>(resizer, pixels, full, (w, h), buffer(a, size, 4))?;
                colour::packed(a, true, x);
            }
            (format, planes) => {
                return Err(Error::Picture(format!(
                    "{} planes are not a picture of {format:?}",
                    planes.len()
                )));
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

/// Resizes a plane of `size` pixels, of which `used` matter (half a column less when an odd width was halved).
fn resize<P>(
    resizer: &mut Resizer,
    from: Plane<'_>,
    size: (u32, u32),
    used: (f64, f64),
    to: Small<'_>,
) -> Result<()>
where
    P: InnerPixel + PixelTrait + bytemuck::Pod,
{
    // Bilinear over the whole area of a target pixel, as Pillow's BILINEAR: no aliasing when reducing.
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .crop(0.0, 0.0, used.0, used.1)
        .use_alpha(false);
    let from = Rows::<P>::new(from.data, from.stride, size)?;
    let mut to = RowsMut::<P>::new(to.data, to.stride, to.size)?;
    resizer
        .resize_typed(&from, &mut to, &options)
        .map_err(|e| Error::Picture(format!("resizing: {e}")))
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
