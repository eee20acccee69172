//! `cisquicsrc`: receives the coded frames of one camera.

mod flow;
mod imp;
mod late;
mod settings;
mod stats;
mod stream;
mod timeline;

use gst::glib;
use gst::prelude::*;

glib::wrapper! {
    pub struct QuicSrc(ObjectSubclass<imp::QuicSrc>)
        @extends gst_base::PushSrc, gst_base::BaseSrc, gst::Element, gst::Object;
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "cisquicsrc",
        gst::Rank::NONE,
        QuicSrc::static_type(),
    )
}
