//! Rows of pixels at any stride, as the resizer wants to see them, and the one way through it.

use std::marker::PhantomData;

use bytemuck::Pod;
use fast_image_resize::pixels::InnerPixel;
use fast_image_resize::{FilterType, ImageView, ImageViewMut, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

use crate::{Error, Result};

/// An RGB picture of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `width * height` pixels of 3 bytes, without gaps.
    pub data: Vec<u8>,
}

/// Pixels of type `P` in borrowed bytes.
pub(crate) struct Rows<'a, P> {
    data: &'a [u8],
    stride: usize,
    width: u32,
    height: u32,
    pixel: PhantomData<P>,
}

/// Pixels of type `P` in bytes borrowed for writing.
pub(crate) struct RowsMut<'a, P> {
    data: &'a mut [u8],
    stride: usize,
    width: u32,
    height: u32,
    pixel: PhantomData<P>,
}

/// Refuses data that does not hold `size` pixels at `stride`: what follows can then rely on whole rows.
fn check<P: Pod>(length: usize, stride: usize, (width, height): (u32, u32)) -> Result<()> {
    const { assert!(align_of::<P>() == 1, "pixels are made of bytes") };
    let row = width as usize * size_of::<P>();
    let least = (height as usize)
        .saturating_sub(1)
        .checked_mul(stride)
        .and_then(|above| above.checked_add(row));
    if width > 0 && height > 0 && stride >= row && least.is_some_and(|least| length >= least) {
        return Ok(());
    }
    Err(Error::Picture(format!(
        "{length} bytes do not hold {width}x{height} pixels of {} bytes at stride {stride}",
        size_of::<P>()
    )))
}

impl<'a, P: Pod> Rows<'a, P> {
    pub fn new(data: &'a [u8], stride: usize, size: (u32, u32)) -> Result<Self> {
        check::<P>(data.len(), stride, size)?;
        Ok(Self {
            data,
            stride,
            width: size.0,
            height: size.1,
            pixel: PhantomData,
        })
    }
}

impl<'a, P: Pod> RowsMut<'a, P> {
    pub fn new(data: &'a mut [u8], stride: usize, size: (u32, u32)) -> Result<Self> {
        check::<P>(data.len(), stride, size)?;
        Ok(Self {
            data,
            stride,
            width: size.0,
            height: size.1,
            pixel: PhantomData,
        })
    }
}

/// Resizes the top left `used` pixels of `from` to all of `to`.
///
/// All resizing goes through here: each kind of pixels and views is a long compilation of its own.
pub(crate) fn resize<P>(
    resizer: &mut Resizer,
    filter: FilterType,
    from: &Rows<'_, P>,
    used: (f64, f64),
    to: &mut RowsMut<'_, P>,
) -> Result<()>
where
    P: InnerPixel + PixelTrait + Pod,
{
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(filter))
        .crop(0.0, 0.0, used.0, used.1)
        .use_alpha(false);
    resizer
        .resize_typed(from, to, &options)
        .map_err(|e| Error::Picture(format!("resizing: {e}")))
}

fn rows<P: Pod>(
    data: &[u8],
    stride: usize,
    width: u32,
    height: u32,
    start: u32,
) -> impl Iterator<Item = &[P]> {
    let row = width as usize * size_of::<P>();
    let left = height.saturating_sub(start) as usize;
    let data = data.get(start as usize * stride..).unwrap_or_default();
    data.chunks(stride)
        .take(left)
        .filter_map(move |chunk| chunk.get(..row))
        .map(bytemuck::cast_slice)
}

// SAFETY: `rows` yields slices of exactly `width` pixels: shorter chunks are left out, and `new` made sure that there are
// none among the first `height`.
unsafe impl<P: InnerPixel + Pod> ImageView for Rows<'_, P> {
    type Pixel = P;

    fn width(&self) -> u32 {
        self.width
    }

    fn height(&self) -> u32 {
        self.height
    }

    fn iter_rows(&self, start_row: u32) -> impl Iterator<Item = &[P]> {
        rows(self.data, self.stride, self.width, self.height, start_row)
    }
}

// SAFETY: as for `Rows`.
unsafe impl<P: InnerPixel + Pod> ImageView for RowsMut<'_, P> {
    type Pixel = P;

    fn width(&self) -> u32 {
        self.width
    }

    fn height(&self) -> u32 {
        self.height
    }

    fn iter_rows(&self, start_row: u32) -> impl Iterator<Item = &[P]> {
        rows(self.data, self.stride, self.width, self.height, start_row)
    }
}

// SAFETY: as for `Rows`.
unsafe impl<P: InnerPixel + Pod> ImageViewMut for RowsMut<'_, P> {
    fn iter_rows_mut(&mut self, start_row: u32) -> impl Iterator<Item = &mut [P]> {
        let row = self.width as usize * size_of::<P>();
        let left = self.height.saturating_sub(start_row) as usize;
        let data = self
            .data
            .get_mut(start_row as usize * self.stride..)
            .unwrap_or_default();
        let chunks = data.chunks_mut(self.stride).take(left);
        chunks
            .filter_map(move |chunk| chunk.get_mut(..row))
            .map(bytemuck::cast_slice_mut)
    }
}
