//! `cisoverlay`: draws boxes and labels on raw video in place.

mod canvas;
mod colour;
mod imp;
mod painter;

use gst::glib;
use gst::prelude::*;

glib::wrapper! {
    pub struct Overlay(ObjectSubclass<imp::Overlay>)
        @extends gst_video::VideoFilter, gst_base::BaseTransform, gst::Element, gst::Object;
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "cisoverlay",
        gst::Rank::NONE,
        Overlay::static_type(),
    )
}
