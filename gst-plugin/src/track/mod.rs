//! `cistrack`: gives the detections on the buffers track numbers.

use gst::glib;
use gst::prelude::*;

pub(crate) mod candidates;
mod imp;
mod settings;

glib::wrapper! {
    /// The tracker.
    pub struct CisTrack(ObjectSubclass<imp::CisTrack>) @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "cistrack", gst::Rank::NONE, CisTrack::static_type())
}
