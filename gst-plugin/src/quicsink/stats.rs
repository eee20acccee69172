//! The property `stats` of `cisquicsink`.

use crate::quic::milliseconds;
use cis_link::sender::Stats;

/// The counters of the link as a structure; what there is only while connected is absent otherwise.
pub fn structure(stats: &Stats) -> gst::Structure {
    let count = |n: usize| n as u64;
    gst::Structure::builder("cisquicsink-stats")
        .field("connected", stats.connected)
        .field("units-sent", stats.units_sent)
        .field("units-confirmed", stats.units_confirmed)
        .field("units-dropped", stats.units_dropped)
        .field("units-lost", stats.units_lost)
        .field("groups", stats.groups)
        .field("reconnects", stats.reconnects)
        .field("failed-attempts", stats.failed_attempts)
        .field("queued", count(stats.queued))
        .field("queued-bytes", count(stats.queued_bytes))
        .field("unit-bytes", stats.unit_bytes)
        .field("udp-bytes-sent", stats.udp_bytes_sent)
        .field("udp-bytes-received", stats.udp_bytes_received)
        .field("enhancement-units", stats.enhancement_units)
        .field("enhancement-bytes", stats.enhancement_bytes)
        .field("enhancement-dropped", stats.enhancement_dropped)
        .field("enhancement-lost", stats.enhancement_lost)
        .field("packets-lost", stats.packets_lost)
        .field("events-dropped", stats.events_dropped)
        .field_if_some("remote", stats.remote.map(|remote| remote.to_string()))
        .field_if_some("rtt-ms", stats.rtt.map(milliseconds))
        .field("groups-reset", stats.groups_reset)
        .field("units-late", stats.units_late)
        .field("spool-units", stats.spool_units)
        .field("spool-bytes", stats.spool_bytes)
        .field("spool-dropped", stats.spool_dropped)
        .field_if_some(
            "estimated-bitrate",
            stats.congestion.and_then(|link| link.estimated_bitrate),
        )
        .field_if_some(
            "target-bitrate",
            stats.congestion.and_then(|link| link.target_bitrate),
        )
        .field_if_some(
            "backlog-ms",
            stats.congestion.map(|link| milliseconds(link.backlog_age)),
        )
        .build()
}
