//! The property `congestion-control`, and the event by which `cisquicsink` tells the encoder what the link carries.

use cis_link::sender;
use gst::glib;

use super::milliseconds;

/// How QUIC finds out what the link carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "CisCongestionControl")]
#[repr(i32)]
pub enum CongestionControl {
    /// Takes loss for congestion.
    #[default]
    #[enum_value(name = "CUBIC: takes loss for congestion", nick = "cubic")]
    Cubic = 0,
    /// Models the path.
    #[enum_value(
        name = "BBR: models the path, copes with random loss (experimental)",
        nick = "bbr"
    )]
    Bbr = 1,
    /// The oldest.
    #[enum_value(name = "New Reno: RFC 9002", nick = "newreno")]
    NewReno = 2,
}

impl From<CongestionControl> for sender::CongestionControl {
    fn from(kind: CongestionControl) -> Self {
        match kind {
            CongestionControl::Cubic => Self::Cubic,
            CongestionControl::Bbr => Self::Bbr,
            CongestionControl::NewReno => Self::NewReno,
        }
    }
}

/// Name of the upstream event.
pub const EVENT: &str = "cis-link-congestion";

/// The event: a custom one that goes upstream. Rates are bit/s; one that is not known, or no bound, is absent.
pub fn event(link: &sender::Congestion) -> gst::Event {
    let structure = gst::Structure::builder(EVENT)
        .field("rtt-ms", milliseconds(link.rtt))
        .field("backlog-units", link.backlog_units as u64)
        .field("backlog-bytes", link.backlog_bytes as u64)
        .field("backlog-ms", milliseconds(link.backlog_age))
        .field("congested", link.congested)
        .field_if_some("estimated-bitrate", link.estimated_bitrate)
        .field_if_some("target-bitrate", link.target_bitrate)
        .build();
    gst::event::CustomUpstream::new(structure)
}

/// The bound in an event: `None` if it is another event, `Some(None)` if nothing limits the encoder.
pub fn target(event: &gst::EventRef) -> Option<Option<u64>> {
    let structure = event.structure().filter(|structure| structure.name() == EVENT)?;
    Some(structure.get("target-bitrate").ok())
}
