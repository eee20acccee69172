//! GStreamer elements of cis: thin shells over the codec, the networks and the link.
//!
//! Each element lives in its own folder: `mod.rs` declares and registers it, `imp.rs` is the GObject, logic that
//! needs no GObject lies beside it. `caps`, `generated`, `model` and `regions` are what several elements share.

pub mod caps;
pub mod encoded;
pub mod generated;
pub mod latency;
pub mod model;
pub mod regions;
pub mod units;

mod decode;
mod detect;
mod encode;
mod json;
mod overlay;
mod parse;
mod quic;
mod quicsink;
mod quicsrc;
mod track;

// What the receiver does as the elements do.
pub use detect::classes::parse as parse_classes;
pub use json::line::{rfc3339, write as json_line};
#[doc(hidden)]
pub use parse::framer::fuzz as fuzz_file;
pub use parse::framer::{Framer, Step};

fn plugin_init(plugin: &gst::Plugin) -> Result<(), gst::glib::BoolError> {
    encode::register(plugin)?;
    parse::register(plugin)?;
    detect::register(plugin)?;
    track::register(plugin)?;
    decode::register(plugin)?;
    json::register(plugin)?;
    overlay::register(plugin)?;
    quicsink::register(plugin)?;
    quicsrc::register(plugin)?;
    Ok(())
}

pub use plugin::plugin_register_static;

/// What the plugin loader looks up; the macro's items carry no documentation.
#[allow(missing_docs, reason = "items made by the macro")]
mod plugin {
    use super::plugin_init;

    gst::plugin_define!(
        cis,
        env!("CARGO_PKG_DESCRIPTION"),
        plugin_init,
        concat!(env!("CARGO_PKG_VERSION"), "-", env!("COMMIT_ID")),
        "MIT/X11",
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_NAME"),
        env!("BUILD_REL_DATE")
    );
}
