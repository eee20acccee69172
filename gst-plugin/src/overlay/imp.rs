//! The GObject of `cisoverlay`: properties, negotiation, and handing frames to the painter.

use super::{
    canvas::{Canvas, Layout},
    painter::{self, Style},
};
use crate::{caps, generated, regions};
use gst::{glib, prelude::*, subclass::prelude::*};
use gst_base::subclass::{BaseTransformMode, prelude::*};
use gst_video::{VideoFormat, prelude::*, subclass::prelude::*};
use parking_lot::Mutex;
use std::sync::LazyLock;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "cisoverlay",
        gst::DebugColorFlags::empty(),
        Some("cis: boxes on video"),
    )
});

const FORMATS: [VideoFormat; 9] = [
    VideoFormat::Rgb,
    VideoFormat::Bgr,
    VideoFormat::Rgbx,
    VideoFormat::Bgrx,
    VideoFormat::Rgba,
    VideoFormat::Bgra,
    VideoFormat::I420,
    VideoFormat::Nv12,
    VideoFormat::Gray8,
];

const DEFAULT_STYLE: Style = Style {
    thickness: 0,
    labels: true,
    confidence: true,
    mark_generated: true,
    font_scale: 0,
};
const MAX_THICKNESS: u32 = 64;
const MAX_FONT_SCALE: u32 = 32;

pub struct Overlay {
    style: Mutex<Style>,
    layout: Mutex<Option<Layout>>,
}

#[glib::object_subclass]
impl ObjectSubclass for Overlay {
    const NAME: &'static str = "CisOverlay";
    type Type = super::Overlay;
    type ParentType = gst_video::VideoFilter;

    fn new() -> Self {
        Self {
            style: Mutex::new(DEFAULT_STYLE),
            layout: Mutex::new(None),
        }
    }
}

impl ObjectImpl for Overlay {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let flag = |name, nick, blurb, default| {
                glib::ParamSpecBoolean::builder(name)
                    .nick(nick)
                    .blurb(blurb)
                    .default_value(default)
                    .mutable_playing()
                    .build()
            };
            let number = |name, nick, blurb, maximum| {
                glib::ParamSpecUInt::builder(name)
                    .nick(nick)
                    .blurb(blurb)
                    .maximum(maximum)
                    .mutable_playing()
                    .build()
            };
            vec![
                number(
                    "thickness",
                    "Thickness",
                    "Width of a box's line in pixels (0 = by the frame's height)",
                    MAX_THICKNESS,
                ),
                flag(
                    "labels",
                    "Labels",
                    "Write the class at each box",
                    DEFAULT_STYLE.labels,
                ),
                flag(
                    "confidence",
                    "Confidence",
                    "Write the confidence at each box",
                    DEFAULT_STYLE.confidence,
                ),
                flag(
                    "mark-generated",
                    "Mark generated",
                    "Write in the upper left corner of a generated picture what it was made from",
                    DEFAULT_STYLE.mark_generated,
                ),
                number(
                    "font-scale",
                    "Font scale",
                    "Enlargement of the 8x13 font (0 = by the frame's height)",
                    MAX_FONT_SCALE,
                ),
            ]
        });
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        let mut style = self.style.lock();
        match pspec.name() {
            "thickness" => style.thickness = value.get().unwrap_or_default(),
            "labels" => style.labels = value.get().unwrap_or_default(),
            "confidence" => style.confidence = value.get().unwrap_or_default(),
            "mark-generated" => style.mark_generated = value.get().unwrap_or_default(),
            "font-scale" => style.font_scale = value.get().unwrap_or_default(),
            _ => {}
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let style = *self.style.lock();
        match pspec.name() {
            "thickness" => style.thickness.to_value(),
            "labels" => style.labels.to_value(),
            "confidence" => style.confidence.to_value(),
            "mark-generated" => style.mark_generated.to_value(),
            _ => style.font_scale.to_value(),
        }
    }
}

impl GstObjectImpl for Overlay {}

impl ElementImpl for Overlay {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "cis overlay",
                "Filter/Effect/Video",
                "Draws the boxes and labels of detections on raw video",
                "The cis authors",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let caps = gst_video::VideoCapsBuilder::new().format_list(FORMATS).build();
            caps::pad_templates(&caps, &caps)
        });
        &TEMPLATES
    }
}

impl BaseTransformImpl for Overlay {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *self.layout.lock() = None;
        Ok(())
    }
}

impl VideoFilterImpl for Overlay {
    fn set_info(
        &self,
        _incaps: &gst::Caps,
        in_info: &gst_video::VideoInfo,
        _outcaps: &gst::Caps,
        _out_info: &gst_video::VideoInfo,
    ) -> Result<(), gst::LoggableError> {
        gst::debug!(CAT, imp = self, "draws on {in_info:?}");
        *self.layout.lock() = Some(Layout::new(in_info));
        Ok(())
    }

    fn transform_frame_ip(
        &self,
        frame: &mut gst_video::VideoFrameRef<&mut gst::BufferRef>,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let layout = self.layout.lock();
        let layout = layout.as_ref().ok_or(gst::FlowError::NotNegotiated)?;
        let style = *self.style.lock();
        let regions = regions::read(frame.buffer());
        let generated = generated::quality_of(frame.buffer()).map(generated::Quality::label);
        let mut strides = [0; 4];
        for (stride, &found) in strides.iter_mut().zip(frame.plane_stride()) {
            *stride = usize::try_from(found).map_err(|_| gst::FlowError::NotNegotiated)?;
        }
        let mut canvas = Canvas::new(layout, frame.planes_data_mut(), strides);
        match painter::paint(&mut canvas, &regions, generated, style) {
            Ok(()) => Ok(gst::FlowSuccess::Ok),
            Err(never) => match never {},
        }
    }
}
