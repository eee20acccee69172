//! A mapped video frame as the networks' side wants to see it.

use cis_inference::picture::{Colorimetry, Matrix, PixelFormat, Plane, View};
use gst_video::prelude::*;
use gst_video::{VideoColorMatrix, VideoColorRange, VideoFormat};

/// Formats that are accepted, in the order of preference of the pad template: the cheapest to read first.
pub const FORMATS: [VideoFormat; 10] = [
    VideoFormat::I420,
    VideoFormat::Nv12,
    VideoFormat::Yuy2,
    VideoFormat::Rgb,
    VideoFormat::Bgr,
    VideoFormat::Rgbx,
    VideoFormat::Bgrx,
    VideoFormat::Rgba,
    VideoFormat::Bgra,
    VideoFormat::Gray8,
];

/// Layout of the frames of a caps format; `None` when it is not accepted.
pub fn pixel_format(format: VideoFormat) -> Option<PixelFormat> {
    Some(match format {
        VideoFormat::I420 => PixelFormat::I420,
        VideoFormat::Nv12 => PixelFormat::Nv12,
        VideoFormat::Yuy2 => PixelFormat::Yuy2,
        VideoFormat::Rgb => PixelFormat::Rgb,
        VideoFormat::Bgr => PixelFormat::Bgr,
        VideoFormat::Rgbx => PixelFormat::Rgbx,
        VideoFormat::Bgrx => PixelFormat::Bgrx,
        VideoFormat::Rgba => PixelFormat::Rgba,
        VideoFormat::Bgra => PixelFormat::Bgra,
        VideoFormat::Gray8 => PixelFormat::Gray8,
        _ => return None,
    })
}

/// Matrix and range as the caps say; where they say nothing the matrix is that of the picture's size.
pub fn colorimetry(info: &gst_video::VideoInfo) -> Colorimetry {
    let told = info.colorimetry();
    let matrix = match told.matrix() {
        VideoColorMatrix::Bt601 | VideoColorMatrix::Fcc => Matrix::Bt601,
        VideoColorMatrix::Bt709 | VideoColorMatrix::Smpte240m => Matrix::Bt709,
        VideoColorMatrix::Bt2020 => Matrix::Bt2020,
        _ if info.height() > 576 => Matrix::Bt709,
        _ => Matrix::Bt601,
    };
    Colorimetry {
        matrix,
        full_range: told.range() == VideoColorRange::Range0_255,
    }
}

/// Calls `read` with the frame's planes. `None` when the format is not accepted or a plane cannot be read.
pub fn with_view<R>(
    frame: &gst_video::VideoFrameRef<&gst::BufferRef>,
    read: impl FnOnce(&View<'_>) -> R,
) -> Option<R> {
    let info = frame.info();
    let planes: Vec<Plane<'_>> = frame
        .plane_stride()
        .iter()
        .take(frame.n_planes() as usize)
        .zip(0u32..)
        .map(|(stride, index)| {
            let data = frame.plane_data(index).ok()?;
            // A negative stride is a picture stored bottom up, which nobody makes of these formats.
            Some(Plane {
                data,
                stride: usize::try_from(*stride).ok()?,
            })
        })
        .collect::<Option<_>>()?;
    Some(read(&View {
        format: pixel_format(info.format())?,
        colorimetry: colorimetry(info),
        width: info.width(),
        height: info.height(),
        planes: &planes,
    }))
}
