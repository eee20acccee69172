//! The property `status` of both ends.

use gst::glib;

/// How the link is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "CisLinkStatus")]
#[repr(i32)]
pub enum Status {
    /// The element does not run, or has finished.
    #[default]
    #[enum_value(name = "Not running", nick = "idle")]
    Idle = 0,
    /// A sender without connection: it tries, for ever.
    #[enum_value(name = "Connecting", nick = "connecting")]
    Connecting = 1,
    /// A receiver without camera.
    #[enum_value(name = "Listening", nick = "listening")]
    Listening = 2,
    /// Units flow.
    #[enum_value(name = "Connected", nick = "connected")]
    Connected = 3,
    /// A sender that is not accepted, or does not accept the receiver: somebody must change something. It tries slowly.
    #[enum_value(name = "Refused", nick = "refused")]
    Refused = 4,
}
