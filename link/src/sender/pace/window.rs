//! Owns by how much more may lie in QUIC than the link is known to carry.

use std::time::Duration;

/// Least bytes on a link of which nothing is known, and on one that has shown no limit.
pub const FIRST: f64 = 2400.0;
pub const FREE: f64 = 8192.0;
/// Part of the budget that may lie in QUIC beyond what is on its way.
const PART: f64 = 0.5;
/// For so many seconds after a packet was lost two round trips fit into the window: what is sent around a loss stays there until that is repaired.
const REPAIR: f64 = 5.0;
/// Most by which the window grows while it, and not the link, is what holds units back.
const MOST_SLACK: f64 = 16.0;

#[derive(Clone, Debug)]
pub struct Window {
    slack: f64,
    /// Seconds for which it has room for a loss.
    repair: f64,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            slack: 1.0,
            repair: 0.0,
        }
    }
}

impl Window {
    /// `part`: how much of it was confirmed, if the window, and not the link, holds units back. `lost`: a packet was.
    pub fn tick(&mut self, elapsed: f64, part: Option<f64>, lost: bool) {
        self.slack = match part {
            // Only what comes back tells that there is room: a window of it doubles the window.
            Some(part) => (self.slack * (1.0 + part.min(1.0))).min(MOST_SLACK),
            None => 1.0 + (self.slack - 1.0) * 0.7,
        };
        self.repair = if lost { REPAIR } else { self.repair - elapsed };
    }

    /// Seconds of data that lie in QUIC on a path with this round-trip time.
    pub fn time(&self, trip: Duration, budget: Duration) -> f64 {
        let trips = if self.repair > 0.0 { 2.0 } else { 1.0 };
        trip.as_secs_f64() * trips + budget.as_secs_f64() * PART
    }

    /// Bytes of it, where so many are needed and `most` are allowed.
    pub fn bytes(&self, needed: f64, most: u32) -> u64 {
        (needed * self.slack).min(f64::from(most).max(FREE)) as u64
    }
}
