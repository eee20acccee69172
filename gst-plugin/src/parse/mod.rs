//! `cisparse`: cuts a byte stream, a `.cis` file for example, into units.

use gst::glib;
use gst::prelude::*;

pub(crate) mod framer;
mod imp;
mod locate;
mod timeline;
mod typefind;
mod upstream;

glib::wrapper! {
    /// The parser.
    pub struct CisParse(ObjectSubclass<imp::CisParse>) @extends gst_base::BaseParse, gst::Element, gst::Object;
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    typefind::register(plugin)?;
    gst::Element::register(
        Some(plugin),
        "cisparse",
        gst::Rank::PRIMARY,
        CisParse::static_type(),
    )
}
