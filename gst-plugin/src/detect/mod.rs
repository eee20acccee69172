//! `cisdetect`: finds objects in coded features and attaches them to the buffers.

use gst::glib;
use gst::prelude::*;

pub(crate) mod classes;
mod finder;
mod imp;
mod settings;
mod stats;

glib::wrapper! {
    /// The detector.
    pub struct CisDetect(ObjectSubclass<imp::CisDetect>) @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "cisdetect",
        gst::Rank::NONE,
        CisDetect::static_type(),
    )
}
