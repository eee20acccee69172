//! Every metric by name, what it means, and where its value comes from. docs/metrics.md is made of what this says.

use super::page::{Counted, Page};
use super::process::Usage;
use super::{Detection, Sources};
use crate::cluster::GatewayCounts;
use crate::health::Health;
use crate::outputs::Delivery;
use crate::stats::{Counter, Snapshot};
use crate::stream::Stream;
use cis_link::listener::StreamStats;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Unit;
use std::fmt::Error;
use std::sync::{Arc, OnceLock};

/// A count of one stream; the name is without `cis_stream_` and `_total`.
type Count = (&'static str, Option<Unit>, &'static str, fn(&Snapshot) -> u64);

const COUNTS: &[Count] = &[
    ("frames", None, "Frames that came", |s| s.frames),
    ("keys", None, "Key frames among them", |s| s.keys),
    (
        "received",
        Some(Unit::Bytes),
        "Bytes of these frames, headers included",
        |s| s.bytes,
    ),
    (
        "enhancement_units",
        None,
        "Units of the enhancement layer that came",
        |s| s.enhancement_units,
    ),
    ("enhancement", Some(Unit::Bytes), "Their bytes", |s| {
        s.enhancement_bytes
    }),
    ("results", None, "Frames whose objects are known", |s| s.results),
    ("objects", None, "Objects in them", |s| s.objects),
    (
        "undecoded",
        None,
        "Frames that could not be decoded: damaged, foreign, or after a gap",
        |s| s.undecoded,
    ),
    (
        "undetected",
        None,
        "Frames without detections because the detector was behind or failed",
        |s| s.undetected,
    ),
    (
        "overdue",
        None,
        "Those among them that had waited too long",
        |s| s.overdue,
    ),
    (
        "late",
        None,
        "Frames that came late, out of the camera's spool; they are in no other count",
        |s| s.late,
    ),
    (
        "unrecorded",
        None,
        "Units that are missing in the recording",
        |s| s.unrecorded,
    ),
    (
        "unrestored",
        None,
        "Pictures that viewers did not see because restoring or encoding was behind",
        |s| s.unrestored,
    ),
    (
        "unenhanced",
        None,
        "Units of the enhancement layer that could not be used",
        |s| s.unenhanced,
    ),
];

/// A value of a stream's connection; the name is without `cis_stream_`.
type Gauge = (&'static str, Option<Unit>, &'static str, fn(&StreamStats) -> f64);

const GAUGES: &[Gauge] = &[
    ("rtt", Some(Unit::Seconds), "Round-trip time to the camera", |s| {
        s.rtt.as_secs_f64()
    }),
    ("queued_units", None, "Units that wait to be decoded", |s| {
        s.queued as f64
    }),
    (
        "camera_queued_units",
        None,
        "Units that wait at the camera",
        |s| s.backlog.units as f64,
    ),
    (
        "connected",
        Some(Unit::Seconds),
        "How long the camera is connected",
        |s| s.connected_for.as_secs_f64(),
    ),
];

type LinkCount = (&'static str, Option<Unit>, &'static str, fn(&StreamStats) -> u64);

const LINK_COUNTS: &[LinkCount] = &[
    (
        "groups_reset",
        None,
        "Groups of frames that the camera gave up",
        |s| s.groups_reset,
    ),
    (
        "camera_dropped_units",
        None,
        "Units that the camera dropped since it started",
        |s| s.backlog.dropped,
    ),
    (
        "stalls",
        None,
        "How often reading stopped because too much waited",
        |s| s.stalls,
    ),
    (
        "udp_received",
        Some(Unit::Bytes),
        "Bytes of all UDP payloads received, with what QUIC and TLS add",
        |s| s.udp_bytes_received,
    ),
];

/// A count of a gateway; the name is without `cis_gateway_` and `_total`.
type GatewayCount = (
    &'static str,
    Option<Unit>,
    &'static str,
    fn(&GatewayCounts) -> &Counter,
);

const GATEWAY_COUNTS: &[GatewayCount] = &[
    ("stored_units", None, "Units that the broker has confirmed", |g| {
        &g.stored
    }),
    ("stored", Some(Unit::Bytes), "Their bytes", |g| &g.bytes),
    ("retried", None, "Publications that had to be tried again", |g| {
        &g.retried
    }),
    (
        "lost_units",
        None,
        "Units that were not given to the broker; a camera with a spool has them",
        |g| &g.lost,
    ),
    (
        "fenced",
        None,
        "Times that somebody else had published to a camera's subject",
        |g| &g.fenced,
    ),
    (
        "unreadable_units",
        None,
        "Units that are none, or follow one that is missing",
        |g| &g.unreadable,
    ),
    (
        "oversized_units",
        None,
        "Units that are larger than the broker takes",
        |g| &g.oversized,
    ),
];

type Time = (&'static str, &'static str, fn(&Stream) -> &Histogram);

const TIMES: &[Time] = &[
    (
        "network",
        "From the capture of a frame to its arrival, by the clocks of camera and receiver",
        |s| &s.stats.times.network,
    ),
    (
        "result",
        "From the capture of a frame to its result, by the clocks of camera and receiver",
        |s| &s.stats.times.result,
    ),
];

/// Collects everything at the moment at which somebody asks.
#[derive(Debug)]
pub struct Catalog {
    /// The threads.
    pub health: Arc<Health>,
    /// The detector's times.
    pub times: Detection,
    /// Everything else, once it is there.
    pub sources: Arc<OnceLock<Sources>>,
}

impl Collector for Catalog {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), Error> {
        let mut page = Page(&mut encoder);
        if let Some(sources) = self.sources.get() {
            sources.encode(&mut page)?;
        }
        page.histogram(
            "cis_detect_queue",
            "How long a frame waited for the detector",
            [([], self.times.queue.clone())],
        )?;
        page.histogram(
            "cis_detect_run",
            "A run of the detector's network",
            [([], self.times.run.clone())],
        )?;
        let stuck = self.health.threads();
        let stuck: Vec<_> = stuck
            .iter()
            .map(|(name, wrong)| ([("thread", *name)], f64::from(u8::from(wrong.is_some()))))
            .collect();
        page.gauge(
            "cis_thread_stuck",
            None,
            "1 while a thread does not get on with its work",
            stuck,
        )?;
        if let Some(usage) = Usage::read() {
            let bytes = usage.resident_bytes as f64;
            page.gauge(
                "process_resident_memory",
                Some(&Unit::Bytes),
                "Resident memory",
                [([], bytes)],
            )?;
            page.counter(
                "process_cpu",
                Some(&Unit::Seconds),
                "Time on all processors",
                [([], usage.cpu_seconds)],
            )?;
            page.gauge(
                "process_open_fds",
                None,
                "Open files and sockets",
                [([], usage.fds as f64)],
            )?;
            page.gauge("process_threads", None, "Threads", [([], usage.threads as f64)])?;
        }
        Ok(())
    }
}

impl Sources {
    fn encode(&self, page: &mut Page<'_, '_>) -> Result<(), Error> {
        let version = env!("CARGO_PKG_VERSION");
        let labels = [("version", version), ("bundle", self.bundle.as_str())];
        page.gauge("cis_build", None, "1; what runs", [(labels, 1.0)])?;
        self.streams(page)?;
        let link = self.cameras.stats();
        let (open, opened) = match &self.gateway {
            Some(gateway) => {
                let streams = link.as_ref().map_or(0, |link| link.streams.len());
                (streams, gateway.opened.get())
            }
            None => {
                let open = self.registry.open().len();
                (open, self.registry.ended().0 + open as u64)
            }
        };
        page.gauge(
            "cis_streams",
            None,
            "Cameras that are connected",
            [([], open as f64)],
        )?;
        page.counter(
            "cis_streams_opened",
            None,
            "Streams that began: first connections and reconnections",
            [([], opened as f64)],
        )?;
        if let Some(link) = link {
            page.gauge(
                "cis_link_connections",
                None,
                "Connections, those of cameras that are not let in yet included",
                [([], link.connections as f64)],
            )?;
            page.counter(
                "cis_link_refused",
                None,
                "Connections that were not let in",
                [([], link.refused as f64)],
            )?;
        }
        let meters = |read: fn(&Delivery) -> u64| -> Vec<_> {
            self.meters
                .iter()
                .map(|meter| ([("output", meter.name)], read(&meter.delivery()) as f64))
                .collect()
        };
        page.counter(
            "cis_output_delivered",
            None,
            "Messages that an output handed over",
            meters(|m| m.delivered),
        )?;
        page.counter(
            "cis_output_dropped",
            None,
            "Messages that found an output's queue full",
            meters(|m| m.dropped),
        )?;
        page.counter(
            "cis_output_failed",
            None,
            "Messages that an output could not hand over",
            meters(|m| m.failed),
        )?;
        page.counter(
            "cis_output_reconnects",
            None,
            "How often an output connected again",
            meters(|m| m.reconnects),
        )?;
        page.gauge(
            "cis_output_waiting",
            None,
            "Messages of an output that are on their way",
            meters(|m| m.waiting),
        )?;
        if let Some(gateway) = &self.gateway {
            for (name, unit, help, read) in GATEWAY_COUNTS {
                let value = [([], read(gateway).get() as f64)];
                page.counter(&format!("cis_gateway_{name}"), unit.as_ref(), help, value)?;
            }
        }
        if let Some(recorded) = &self.recorded {
            let count = |counter: &Counter| [([], counter.get() as f64)];
            page.counter(
                "cis_recordings_begun",
                None,
                "Recorded files that were begun",
                count(&recorded.begun),
            )?;
            page.counter(
                "cis_recordings_deleted",
                None,
                "Recorded files that were deleted to keep within limits",
                count(&recorded.deleted),
            )?;
            page.counter(
                "cis_recordings_deleted",
                Some(&Unit::Bytes),
                "Bytes of these files",
                count(&recorded.deleted_bytes),
            )?;
        }
        if let Some(web) = &self.web {
            page.gauge(
                "cis_web_sessions",
                None,
                "Log-ins to the web page that are valid",
                [([], web.sessions() as f64)],
            )?;
            page.counter(
                "cis_web_skipped",
                None,
                "Parts of films that slow browsers missed",
                [([], web.skipped() as f64)],
            )?;
        }
        Ok(())
    }

    fn streams(&self, page: &mut Page<'_, '_>) -> Result<(), Error> {
        let open = self.registry.open();
        let counts: Vec<_> = open.iter().map(|s| (s.name.as_str(), s.snapshot())).collect();
        for (name, unit, help, read) in COUNTS {
            let values = counts
                .iter()
                .map(|(stream, s)| ([("stream", *stream)], read(s) as f64));
            page.counter(&format!("cis_stream_{name}"), unit.as_ref(), help, values)?;
        }
        let watched = counts
            .iter()
            .map(|(stream, s)| ([("stream", *stream)], f64::from(u8::from(s.watched))));
        page.gauge("cis_stream_watched", None, "1 while somebody watches", watched)?;
        let link = self.cameras.stats().unwrap_or_default().streams;
        for (name, unit, help, read) in GAUGES {
            let values = link.iter().map(|s| ([("stream", s.stream.as_str())], read(s)));
            page.gauge(&format!("cis_stream_{name}"), unit.as_ref(), help, values)?;
        }
        for (name, unit, help, read) in LINK_COUNTS {
            let values = link
                .iter()
                .map(|s| ([("stream", s.stream.as_str())], read(s) as f64));
            page.counter(&format!("cis_stream_{name}"), unit.as_ref(), help, values)?;
        }
        let encoded = link
            .iter()
            .map(|s| ([("stream", s.stream.as_str())], Counted(s.encoded)));
        page.histogram(
            "cis_stream_encode",
            "How long the camera takes to encode a frame, by its own clock",
            encoded,
        )?;
        for (name, help, read) in TIMES {
            let values = open
                .iter()
                .map(|s| ([("stream", s.name.as_str())], read(s).clone()));
            page.histogram(&format!("cis_stream_{name}"), help, values)?;
        }
        Ok(())
    }
}
