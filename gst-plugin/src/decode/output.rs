//! Where restored pictures go: the formats on offer and the writing into buffers.

use cis_inference::geometry::Geometry;
use cis_inference::restore::{Features, Output, OutputFormat, Restorer, TouchUp};
use gst_video::VideoFormat;
use gst_video::prelude::*;

use crate::units::EnhancementReader;

/// Formats on offer; the first one is taken where downstream leaves a choice: 4-byte pixels are scaled fastest.
pub const FORMATS: [VideoFormat; 3] = [VideoFormat::Rgbx, VideoFormat::Bgrx, VideoFormat::Rgb];

/// Layout of a caps format; `None` when it is not on offer.
pub fn layout(format: VideoFormat) -> Option<OutputFormat> {
    Some(match format {
        VideoFormat::Rgb => OutputFormat::Rgb,
        VideoFormat::Rgbx => OutputFormat::Rgbx,
        VideoFormat::Bgrx => OutputFormat::Bgrx,
        _ => return None,
    })
}

/// The first format that downstream accepts.
pub fn choose(allowed: Option<&gst::Caps>) -> VideoFormat {
    let accepts = |format: VideoFormat| {
        let wanted = gst_video::VideoCapsBuilder::new().format(format).build();
        allowed.is_none_or(|allowed| allowed.can_intersect(&wanted))
    };
    FORMATS
        .into_iter()
        .find(|format| accepts(*format))
        .unwrap_or(FORMATS[0])
}

/// Runs the network with the latents of the view and those of the enhancement layer, if that is shown, and writes its picture into `buffer`, with softened borders where the layer draws blocks.
pub fn restore(
    restorer: &mut Restorer,
    latents: &[f32],
    layer: Option<&EnhancementReader>,
    geometry: &Geometry,
    info: &gst_video::VideoInfo,
    buffer: &mut gst::BufferRef,
) -> Result<(), gst::ErrorMessage> {
    let fault = |what: &str| gst::error_msg!(gst::StreamError::Format, ("output buffer: {what}"));
    let format = layout(info.format()).ok_or_else(|| fault("format"))?;
    let mut frame = gst_video::VideoFrameRef::from_buffer_ref_writable(buffer, info)
        .map_err(|_| fault("cannot be written"))?;
    let stride = frame
        .plane_stride()
        .first()
        .and_then(|stride| usize::try_from(*stride).ok());
    let stride = stride.ok_or_else(|| fault("stride"))?;
    let data = frame.plane_data_mut(0).map_err(|_| fault("no plane"))?;
    let canvas = layer.and_then(EnhancementReader::canvas);
    let soften = canvas.map(|canvas| move |picture: &mut [u8], stride: usize| canvas.soften(picture, stride));
    let features = Features {
        latents,
        enhanced: layer.map(EnhancementReader::latents),
        touch_up: soften.as_ref().map(|soften| soften as TouchUp<'_>),
    };
    restorer
        .restore_into(features, geometry, Output { format, data, stride })
        .map_err(|error| crate::model::message(&error))
}
