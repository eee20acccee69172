//! `cisencode`: raw video to coded features.

use gst::glib;
use gst::prelude::*;

mod capture;
mod coder;
mod difference;
mod enhance;
mod feedback;
mod imp;
mod luma;
mod settings;
mod squeezed;
mod stats;
mod stopwatch;
mod view;

glib::wrapper! {
    /// The encoder.
    pub struct CisEncode(ObjectSubclass<imp::CisEncode>) @extends gst_video::VideoEncoder, gst::Element, gst::Object, @implements gst::Preset;
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "cisencode",
        gst::Rank::NONE,
        CisEncode::static_type(),
    )
}
