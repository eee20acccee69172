//! `cisquicsink`: sends coded frames to a receiver.

mod imp;
mod settings;
mod stats;

use gst::glib;
use gst::prelude::*;

glib::wrapper! {
    pub struct QuicSink(ObjectSubclass<imp::QuicSink>) @extends gst_base::BaseSink, gst::Element, gst::Object;
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "cisquicsink",
        gst::Rank::NONE,
        QuicSink::static_type(),
    )
}
