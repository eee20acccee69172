//! How long things take, as histograms.

use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use std::time::Duration;

/// From 2 ms to 8 s, each bucket twice the one before.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.002, 2.0, 13))
}

/// The times of one stream's frames.
#[derive(Debug)]
pub struct Times {
    /// From capture to arrival, by the two clocks.
    pub network: Histogram,
    /// From capture to result, by the two clocks.
    pub result: Histogram,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            network: seconds(),
            result: seconds(),
        }
    }
}

/// The times of the detector, of all streams.
#[derive(Clone, Debug)]
pub struct Detection {
    /// For how long frames wait for it.
    pub queue: Histogram,
    /// How long its network runs.
    pub run: Histogram,
}

impl Default for Detection {
    fn default() -> Self {
        Self {
            queue: seconds(),
            run: seconds(),
        }
    }
}

impl Detection {
    /// A frame waited this long.
    pub fn waited(&self, time: Duration) {
        self.queue.observe(time.as_secs_f64());
    }

    /// The network ran this long.
    pub fn ran(&self, time: Duration) {
        self.run.observe(time.as_secs_f64());
    }
}
