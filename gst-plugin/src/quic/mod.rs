//! What `cisquicsink` and `cisquicsrc` share: the state of the link as a property, its errors as those of elements, and
//! a way to wake a waiting streaming thread.

mod congestion;
mod failure;
mod identity;
mod interrupt;
mod layer;
mod status;

pub use congestion::{CongestionControl, event as congestion_event, target as congestion_target};
pub use failure::message;
pub use identity::identity;
pub use interrupt::Interrupt;
pub use layer::{Wish as LayerWish, event as layer_event, wish as layer_wish};
pub use status::Status;

use gst::prelude::*;

/// Posts what happened to the link as an element message.
pub fn post(element: &impl IsA<gst::Element>, structure: gst::Structure) {
    let message = gst::message::Element::builder(structure)
        .src(element.as_ref())
        .build();
    // Fails only while the element is shut down, when nobody listens.
    let _ = element.as_ref().post_message(message);
}

/// Milliseconds of a duration, as properties and messages count them.
pub fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Text of a peer, fit for GLib, whose strings end at a zero.
pub fn text(said: &str) -> String {
    said.replace('\0', " ")
}
