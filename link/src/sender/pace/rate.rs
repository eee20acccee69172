//! Owns the measurement of what the link carries, out of what is confirmed.

use std::time::Duration;

use super::{LEAST_RATE, TICK};

/// Ticks over which a rate is measured.
const SPAN: usize = 5;
/// Least seconds over which it is, once the link is full.
const LEAST_SPAN: f64 = 0.2;
/// Part of a measured rate that is left after a tick at least.
const FALL: f64 = 0.3;
/// So many seconds without a confirmation count as the time of a packet on a thin link, not as a part of the measured time.
const PACKET_WAIT: f64 = 0.3;

#[derive(Clone, Debug, Default)]
pub struct Rate {
    /// bit/s; a lower bound while the encoder asks for less. 0: not known yet.
    pub value: f64,
    /// Seconds.
    clock: f64,
    /// Of the last ticks, the newest first: when something was confirmed last, and bits so far.
    confirmed: [(f64, f64); SPAN + 1],
}

impl Rate {
    /// Notes what was confirmed since the last tick, and how long ago the newest was.
    pub fn note(&mut self, elapsed: f64, bytes: u64, quiet: Duration) {
        self.clock += elapsed;
        let [(before, bits), ..] = self.confirmed;
        self.confirmed.rotate_right(1);
        let newest = (self.clock - quiet.as_secs_f64()).max(before);
        self.confirmed[0] = (newest, bits + bytes as f64 * 8.0);
    }

    /// `full`: so many ticks in a row it was the link that held units back.
    pub fn measure(&mut self, full: usize) {
        // What passed before the link was full does not count.
        let span = if full > 1 { full.min(SPAN) } else { SPAN };
        let (newest, bits) = self.confirmed[0];
        let (since, before) = self.confirmed[span];
        let time = newest.max(self.clock - PACKET_WAIT) - since;
        if full > 1 && time >= LEAST_SPAN {
            let sample = (bits - before) / time;
            self.value = self.value.min(sample).max(self.value * FALL) * 0.7 + sample * 0.3;
        } else {
            let sample = (bits - before) / time.max(SPAN as f64 * TICK.as_secs_f64() / 2.0);
            self.value = self.value.max(sample);
        }
    }

    /// What the link needs for so many bytes.
    pub fn takes(&self, bytes: usize) -> Duration {
        Duration::from_secs_f64(bytes as f64 * 8.0 / self.value.max(LEAST_RATE))
    }
}
