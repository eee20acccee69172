//! Pictures: what a source frame may look like, and how it becomes x, the networks' input.

mod colour;
mod pixels;
mod prepare;
mod scale;
mod taps;
mod vectorised;

pub use pixels::Picture;
pub(crate) use pixels::{Rows, RowsMut, resize};
pub use prepare::Preparer;

use serde::Deserialize;

use crate::{Error, Result};

/// How x lies in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Layout {
    /// Pixels of red, green and blue: `[1, height, width, 3]`.
    #[default]
    Interleaved,
    /// A plane of red, one of green, one of blue: `[1, 3, height, width]`. Saves the front a transposition.
    Planar,
}

/// Layout of a source frame. `x` in a name is a byte without meaning; alpha is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PixelFormat {
    /// Planes Y, U, V; chroma halved on both axes.
    I420,
    /// Planes Y, UV interleaved; chroma halved on both axes.
    Nv12,
    /// Packed Y U Y V; chroma halved horizontally.
    Yuy2,
    /// 3 bytes.
    Rgb,
    /// 3 bytes.
    Bgr,
    /// 4 bytes.
    Rgbx,
    /// 4 bytes.
    Bgrx,
    /// 4 bytes.
    Rgba,
    /// 4 bytes.
    Bgra,
    /// One plane of luma.
    Gray8,
}

impl PixelFormat {
    /// Every format.
    pub const ALL: [Self; 10] = [
        Self::I420,
        Self::Nv12,
        Self::Yuy2,
        Self::Rgb,
        Self::Bgr,
        Self::Rgbx,
        Self::Bgrx,
        Self::Rgba,
        Self::Bgra,
        Self::Gray8,
    ];

    /// Bytes of a row and number of rows of each plane.
    pub fn plane_sizes(self, width: u32, height: u32) -> Vec<(usize, usize)> {
        let (w, h) = (width as usize, height as usize);
        let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
        match self {
            Self::I420 => vec![(w, h), (cw, ch), (cw, ch)],
            Self::Nv12 => vec![(w, h), (2 * cw, ch)],
            Self::Yuy2 => vec![(4 * cw, h)],
            Self::Rgb | Self::Bgr => vec![(3 * w, h)],
            Self::Rgbx | Self::Bgrx | Self::Rgba | Self::Bgra => vec![(4 * w, h)],
            Self::Gray8 => vec![(w, h)],
        }
    }
}

/// YUV to RGB matrix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Matrix {
    /// Standard definition.
    #[default]
    Bt601,
    /// High definition.
    Bt709,
    /// Ultra high definition, non-constant luminance.
    Bt2020,
}

/// How YUV or luma values are to be read. Without meaning for the RGB formats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Colorimetry {
    /// Matrix.
    pub matrix: Matrix,
    /// 0..=255 instead of 16..=235 (luma) and 16..=240 (chroma).
    pub full_range: bool,
}

/// One plane of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Plane<'a> {
    /// Its bytes; the last row may end with its last pixel.
    pub data: &'a [u8],
    /// Bytes from one row to the next.
    pub stride: usize,
}

/// A source frame, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Layout.
    pub format: PixelFormat,
    /// Reading of its values.
    pub colorimetry: Colorimetry,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// As many as the format has.
    pub planes: &'a [Plane<'a>],
}

impl View<'_> {
    /// Checks that the planes hold what the format and size promise.
    ///
    /// # Errors
    /// [`Error::Picture`] with the plane, the value found and the least that would do.
    pub fn validate(&self) -> Result<()> {
        let sizes = self.format.plane_sizes(self.width, self.height);
        if self.planes.len() != sizes.len() {
            let text = format!(
                "{} planes, {:?} has {}",
                self.planes.len(),
                self.format,
                sizes.len()
            );
            return Err(Error::Picture(text));
        }
        for (index, (plane, (row, rows))) in self.planes.iter().zip(sizes).enumerate() {
            if plane.stride < row {
                let text = format!(
                    "stride of plane {index} is {}: legal is {row} or more",
                    plane.stride
                );
                return Err(Error::Picture(text));
            }
            let least = rows
                .checked_sub(1)
                .and_then(|rows| rows.checked_mul(plane.stride)?.checked_add(row));
            if least.is_none_or(|least| plane.data.len() < least) {
                let text = format!(
                    "plane {index} holds {} bytes: {rows} rows of {row} at stride {} need more",
                    plane.data.len(),
                    plane.stride
                );
                return Err(Error::Picture(text));
            }
        }
        Ok(())
    }
}
