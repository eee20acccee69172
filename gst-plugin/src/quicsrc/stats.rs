//! The property `stats` of `cisquicsrc`.

use crate::quic::{milliseconds, text};
use cis_link::listener::Stats;
use std::net::SocketAddr;

/// What the element itself counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Units pushed.
    pub pushed: u64,
    /// Units that could not be read, and those that were lost with them.
    pub damaged: u64,
    /// Units of the enhancement layer pushed.
    pub enhanced: u64,
    /// Those that cannot be used: damaged, without what they continue or the frame that they belong to.
    pub enhancement_dropped: u64,
    /// Late units pushed.
    pub late: u64,
    /// Late units for which there was no room: the camera keeps them.
    pub late_refused: u64,
}

/// All counters as a structure; what there is only while a camera is connected is absent otherwise.
pub fn structure(counts: Counts, local: Option<SocketAddr>, link: &Stats) -> gst::Structure {
    let number = |n: usize| n as u64;
    let camera = link.streams.first();
    gst::Structure::builder("cisquicsrc-stats")
        .field("units", counts.pushed)
        .field("units-damaged", counts.damaged)
        .field("enhancement-units", counts.enhanced)
        .field("enhancement-dropped", counts.enhancement_dropped)
        .field("units-late", counts.late)
        .field("units-late-refused", counts.late_refused)
        .field("connections", number(link.connections))
        .field("accepted", link.accepted)
        .field("refused", link.refused)
        .field_if_some("local-address", local.map(|local| local.to_string()))
        .field_if_some("stream", camera.map(|camera| camera.stream.to_string()))
        .field_if_some("remote", camera.map(|camera| camera.remote.to_string()))
        .field_if_some("bundle", camera.map(|camera| text(&camera.bundle)))
        .field_if_some("unit-bytes", camera.map(|camera| camera.unit_bytes))
        .field_if_some("enhancement-bytes", camera.map(|camera| camera.enhancement_bytes))
        .field_if_some("groups", camera.map(|camera| camera.groups))
        .field_if_some("groups-reset", camera.map(|camera| camera.groups_reset))
        .field_if_some("queued", camera.map(|camera| number(camera.queued)))
        .field_if_some("stalls", camera.map(|camera| camera.stalls))
        .field_if_some("throttled", camera.map(|camera| camera.throttled))
        .field_if_some(
            "udp-bytes-received",
            camera.map(|camera| camera.udp_bytes_received),
        )
        .field_if_some("udp-bytes-sent", camera.map(|camera| camera.udp_bytes_sent))
        .field_if_some("rtt-ms", camera.map(|camera| milliseconds(camera.rtt)))
        .build()
}
