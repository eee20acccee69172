//! Colour conversion into rows of RGB, all at the small size: YUV 4:4:4 and luma by `yuv`, byte orders by hand.

use yuv::{
    YuvBiPlanarImage, YuvConversionMode, YuvError, YuvGrayImage, YuvPlanarImage, YuvRange, YuvStandardMatrix,
};

use super::{Colorimetry, Matrix};
use crate::{Error, Result};

/// RGB rows to be written, `stride` bytes apart.
pub(super) struct Target<'a> {
    pub data: &'a mut [u8],
    pub stride: usize,
    pub width: u32,
    pub height: u32,
}

/// Planes Y, U, V of the target's size, without gaps.
pub(super) fn planar([y, u, v]: [&[u8]; 3], colorimetry: Colorimetry, to: Target<'_>) -> Result<()> {
    let (range, matrix) = terms(colorimetry);
    let (width, height, stride) = (to.width, to.height, to.width);
    let image = YuvPlanarImage {
        y_plane: y,
        y_stride: stride,
        u_plane: u,
        u_stride: stride,
        v_plane: v,
        v_stride: stride,
        width,
        height,
    };
    yuv::yuv444_to_rgb(&image, to.data, bytes(to.stride)?, range, matrix).map_err(|e| fault(&e))
}

/// Planes Y and interleaved UV of the target's size, without gaps.
pub(super) fn biplanar(y: &[u8], uv: &[u8], colorimetry: Colorimetry, to: Target<'_>) -> Result<()> {
    let (range, matrix) = terms(colorimetry);
    let (width, height) = (to.width, to.height);
    let image = YuvBiPlanarImage {
        y_plane: y,
        y_stride: width,
        uv_plane: uv,
        uv_stride: 2 * width,
        width,
        height,
    };
    yuv::yuv_nv24_to_rgb(
        &image,
        to.data,
        bytes(to.stride)?,
        range,
        matrix,
        YuvConversionMode::Balanced,
    )
    .map_err(|e| fault(&e))
}

/// Luma of the target's size, without gaps.
pub(super) fn gray(y: &[u8], colorimetry: Colorimetry, to: Target<'_>) -> Result<()> {
    let (range, matrix) = terms(colorimetry);
    let image = YuvGrayImage {
        y_plane: y,
        y_stride: to.width,
        width: to.width,
        height: to.height,
    };
    yuv::yuv400_to_rgb(&image, to.data, bytes(to.stride)?, range, matrix).map_err(|e| fault(&e))
}

/// Pixels of 4 bytes, of the target's size, without gaps; `bgr`: blue first.
pub(super) fn packed(pixels: &[u8], bgr: bool, to: &mut Target<'_>) {
    let width = to.width as usize;
    let rows = to
        .data
        .chunks_mut(to.stride)
        .zip(pixels.chunks_exact(4 * width))
        .take(to.height as usize);
    for (to, from) in rows {
        for (to, from) in to.chunks_exact_mut(3).zip(from.chunks_exact(4)) {
            if let (&[a, b, c, _], [r, g, b_]) = (from, to) {
                (*r, *g, *b_) = if bgr { (c, b, a) } else { (a, b, c) };
            }
        }
    }
}

/// Exchanges red and blue in place.
pub(super) fn swap(to: &mut Target<'_>) {
    let row = 3 * to.width as usize;
    for row in to
        .data
        .chunks_mut(to.stride)
        .take(to.height as usize)
        .filter_map(|line| line.get_mut(..row))
    {
        for pixel in row.chunks_exact_mut(3) {
            pixel.reverse();
        }
    }
}

/// Splits a row of Y U Y V into luma and halved chroma.
pub(super) fn split_yuy2(packed: &[u8], y: &mut [u8], u: &mut [u8], v: &mut [u8]) {
    // An odd width leaves the last pair half used.
    let pairs = packed
        .chunks_exact(4)
        .zip(y.chunks_mut(2))
        .zip(u.iter_mut().zip(v));
    for ((from, y), (u, v)) in pairs {
        if let &[y0, u0, y1, v0] = from {
            (*u, *v) = (u0, v0);
            for (to, from) in y.iter_mut().zip([y0, y1]) {
                *to = from;
            }
        }
    }
}

fn terms(colorimetry: Colorimetry) -> (YuvRange, YuvStandardMatrix) {
    let range = if colorimetry.full_range {
        YuvRange::Full
    } else {
        YuvRange::Limited
    };
    let matrix = match colorimetry.matrix {
        Matrix::Bt601 => YuvStandardMatrix::Bt601,
        Matrix::Bt709 => YuvStandardMatrix::Bt709,
        Matrix::Bt2020 => YuvStandardMatrix::Bt2020,
    };
    (range, matrix)
}

fn bytes(stride: usize) -> Result<u32> {
    u32::try_from(stride).map_err(|_| Error::range("stride of x", stride, "less than 4 GiB"))
}

fn fault(error: &YuvError) -> Error {
    Error::Picture(format!("colour conversion: {error}"))
}
