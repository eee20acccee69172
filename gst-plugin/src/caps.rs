//! The caps of coded frames: `video/x-cis`, and what each field means.

use gst::prelude::*;

/// Media type of coded frames.
pub const MEDIA_TYPE: &str = "video/x-cis";
/// Value of the caps field `version`: the version of the bitstream.
pub const VERSION: i32 = cis_codec::frame::VERSION as i32;
/// Value of the caps field `alignment` when each buffer is one unit.
pub const ALIGNMENT_FRAME: &str = "frame";

/// What pad templates accept when each buffer must be one unit.
pub fn frame_template() -> gst::Caps {
    gst::Caps::builder(MEDIA_TYPE)
        .field("version", VERSION)
        .field("alignment", ALIGNMENT_FRAME)
        .build()
}

/// What pad templates accept when buffers may cut units anywhere.
pub fn any_template() -> gst::Caps {
    gst::Caps::new_empty_simple(MEDIA_TYPE)
}

/// Always pads `sink` and `src` with these caps.
pub fn pad_templates(sink: &gst::Caps, src: &gst::Caps) -> Vec<gst::PadTemplate> {
    [
        ("sink", gst::PadDirection::Sink, sink),
        ("src", gst::PadDirection::Src, src),
    ]
    .into_iter()
    .filter_map(|(name, direction, caps)| {
        gst::PadTemplate::new(name, direction, gst::PadPresence::Always, caps).ok()
    })
    .collect()
}

/// Time of one frame; `None` when the rate is variable or makes no sense.
pub fn frame_time(framerate: gst::Fraction) -> Option<gst::ClockTime> {
    let (numer, denom) = (
        u64::try_from(framerate.numer()).ok()?,
        u64::try_from(framerate.denom()).ok()?,
    );
    if numer == 0 {
        return None;
    }
    gst::ClockTime::SECOND.mul_div_round(denom, numer)
}

/// A time that a peer has told, kept within what every element can add to without overflow.
pub fn clock_time(ns: u64) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(ns.min(i64::MAX as u64))
}

/// What a stream's caps say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamCaps {
    /// Bundle id of the sender.
    pub bundle: String,
    /// Width of the source frames in pixels.
    pub width: u32,
    /// Height of the source frames in pixels.
    pub height: u32,
    /// Frames a second; 0/1 when variable, `None` when not known.
    pub framerate: Option<gst::Fraction>,
}

impl StreamCaps {
    /// Reads frame-aligned caps; fields that are missing are `None` together.
    pub fn from_caps(caps: &gst::CapsRef) -> Option<Self> {
        let s = caps.structure(0)?;
        if s.name() != MEDIA_TYPE {
            return None;
        }
        Some(Self {
            bundle: s.get::<String>("bundle").ok()?,
            width: u32::try_from(s.get::<i32>("width").ok()?).ok()?,
            height: u32::try_from(s.get::<i32>("height").ok()?).ok()?,
            framerate: s.get::<gst::Fraction>("framerate").ok(),
        })
    }

    /// Fixed caps of frame-aligned buffers.
    pub fn to_caps(&self) -> gst::Caps {
        let mut caps = gst::Caps::builder(MEDIA_TYPE)
            .field("version", VERSION)
            .field("alignment", ALIGNMENT_FRAME)
            .field("bundle", &self.bundle)
            .field("width", i32::try_from(self.width).unwrap_or(i32::MAX))
            .field("height", i32::try_from(self.height).unwrap_or(i32::MAX));
        if let Some(framerate) = self.framerate {
            caps = caps.field("framerate", framerate);
        }
        caps.build()
    }
}
