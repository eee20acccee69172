//! `cisjson`: one JSON object a line for every coded frame.

mod imp;
pub(crate) mod line;

use gst::glib;
use gst::prelude::*;

glib::wrapper! {
    pub struct Json(ObjectSubclass<imp::Json>) @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "cisjson", gst::Rank::NONE, Json::static_type())
}
