//! Owns the meter between QUIC and its congestion controller: what the receiver's QUIC confirms, and how long that takes.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use quinn::congestion::{
    BbrConfig, Controller, ControllerFactory, ControllerMetrics, CubicConfig, NewRenoConfig,
};
use quinn_proto::RttEstimator;

use super::config::Congestion;

/// What was confirmed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reading {
    /// Bytes so far, on all connections.
    pub confirmed: u64,
    /// When the newest of them were.
    pub at: Option<Instant>,
    /// Least round-trip time since the reading before, without smoothing; `None`: nothing was confirmed.
    pub rtt: Option<Duration>,
}

/// Counts for all connections of a sender.
#[derive(Debug, Default)]
pub struct Meter(Mutex<Reading>);

impl Meter {
    pub fn read(&self) -> Reading {
        let mut reading = self.0.lock();
        let now = *reading;
        reading.rtt = None;
        now
    }

    fn on_ack(&self, now: Instant, sent: Instant, bytes: u64) {
        let rtt = now.saturating_duration_since(sent);
        let mut reading = self.0.lock();
        reading.confirmed += bytes;
        reading.at = Some(now);
        reading.rtt = Some(reading.rtt.map_or(rtt, |least| least.min(rtt)));
    }
}

/// Makes controllers of the chosen kind with a meter before them.
pub struct Factory {
    pub kind: Congestion,
    pub meter: Arc<Meter>,
}

impl ControllerFactory for Factory {
    fn build(self: Arc<Self>, now: std::time::Instant, mtu: u16) -> Box<dyn Controller> {
        let inner = match self.kind {
            Congestion::Cubic => Arc::new(CubicConfig::default()).build(now, mtu),
            Congestion::Bbr => Arc::new(BbrConfig::default()).build(now, mtu),
            Congestion::NewReno => Arc::new(NewRenoConfig::default()).build(now, mtu),
        };
        Box::new(Metered {
            inner,
            meter: self.meter.clone(),
        })
    }
}

struct Metered {
    inner: Box<dyn Controller>,
    meter: Arc<Meter>,
}

type Instant = std::time::Instant;

impl Controller for Metered {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.inner.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, app_limited: bool, rtt: &RttEstimator) {
        self.meter.on_ack(now, sent, bytes);
        self.inner.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(&mut self, now: Instant, in_flight: u64, app_limited: bool, largest: Option<u64>) {
        self.inner.on_end_acks(now, in_flight, app_limited, largest);
    }

    fn on_congestion_event(&mut self, now: Instant, sent: Instant, persistent: bool, lost: u64) {
        self.inner.on_congestion_event(now, sent, persistent, lost);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.inner.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        self.inner.window()
    }

    fn metrics(&self) -> ControllerMetrics {
        self.inner.metrics()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self {
            inner: self.inner.clone_box(),
            meter: self.meter.clone(),
        })
    }

    fn initial_window(&self) -> u64 {
        self.inner.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self.inner.into_any()
    }
}
