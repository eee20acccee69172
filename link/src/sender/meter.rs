//! Owns the meter between QUIC and its congestion controller: what the receiver's QUIC confirms, how long that takes, and how much may be on
//! its way, whatever the controller allows.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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
#[derive(Debug)]
pub struct Meter {
    reading: Mutex<Reading>,
    limit: AtomicU64,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            reading: Mutex::default(),
            limit: AtomicU64::new(u64::MAX),
        }
    }
}

impl Meter {
    /// Bytes of packets that may be on their way. Streams that are reset leave QUIC's send window at once, and the path when their packets do.
    pub fn set_limit(&self, bytes: u64) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    pub fn read(&self) -> Reading {
        let mut reading = self.reading.lock();
        let now = *reading;
        reading.rtt = None;
        now
    }

    fn on_ack(&self, now: Instant, sent: Instant, bytes: u64) {
        let rtt = now.saturating_duration_since(sent);
        let mut reading = self.reading.lock();
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

impl Metered {
    /// What does not fill the controller's own window says nothing about it.
    fn is_limited(&self) -> bool {
        self.meter.limit() < self.inner.window()
    }
}

type Instant = std::time::Instant;

impl Controller for Metered {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.inner.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, app_limited: bool, rtt: &RttEstimator) {
        self.meter.on_ack(now, sent, bytes);
        let limited = app_limited || self.is_limited();
        self.inner.on_ack(now, sent, bytes, limited, rtt);
    }

    fn on_end_acks(&mut self, now: Instant, in_flight: u64, app_limited: bool, largest: Option<u64>) {
        let limited = app_limited || self.is_limited();
        self.inner.on_end_acks(now, in_flight, limited, largest);
    }

    fn on_congestion_event(&mut self, now: Instant, sent: Instant, persistent: bool, lost: u64) {
        self.inner.on_congestion_event(now, sent, persistent, lost);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.inner.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        self.inner.window().min(self.meter.limit())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_below_what_the_controller_allows_and_above_it_the_controller_counts() {
        let meter = Arc::new(Meter::default());
        let factory = Factory {
            kind: Congestion::Cubic,
            meter: meter.clone(),
        };
        let controller = Arc::new(factory).build(Instant::now(), 1200);
        let own = controller.window();
        meter.set_limit(own - 1);
        assert_eq!(controller.window(), own - 1);
        meter.set_limit(own + 1);
        assert_eq!(controller.window(), own);
    }
}
