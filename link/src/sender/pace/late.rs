//! Owns how much the spool may send: what live units leave, and a small part of a link that they fill.

use super::{LEAST_RATE, TICK};

/// Rate with which the spool begins, bit/s.
const START: f64 = 8_000.0;
const MOST: f64 = 100e6;
/// Part of the measured rate that the spool has while nothing live waits.
const PART: f64 = 0.2;
/// Bytes that may go out at once.
const BURST: f64 = 4096.0;

#[derive(Clone, Debug)]
pub struct Late {
    /// bit/s
    rate: f64,
    /// Bytes.
    credit: f64,
}

impl Late {
    pub fn new() -> Self {
        Self {
            rate: START,
            credit: 0.0,
        }
    }

    /// Takes bytes off what the spool may send. False: not yet.
    pub fn take(&mut self, bytes: usize) -> bool {
        // Any number goes out once there is credit; it is paid back before the next one.
        let may = self.credit > 0.0;
        if may {
            self.credit -= bytes as f64;
        }
        may
    }

    /// Slows down at the first sign that live units wait: `here`, or on the `way`. `known`: what the link carries, bit/s, if anything is known.
    pub fn tick(&mut self, elapsed: f64, here: bool, way: bool, known: f64) {
        if here || way {
            // While nothing live waits here, the past may have its part of what is known to pass.
            let least = if here { 0.0 } else { known * PART };
            self.rate = (self.rate * 0.7).max(LEAST_RATE / 2.0).max(least);
            self.credit = self.credit.min(0.0);
        } else {
            self.rate = (self.rate * (1.0 + elapsed)).min(MOST);
            // Never far beyond what is known to fit.
            if known > 0.0 {
                self.rate = self.rate.min((known * 1.5).max(START));
            }
        }
        let burst = BURST.max(self.rate / 8.0 * TICK.as_secs_f64() * 2.0);
        self.credit = (self.credit + self.rate / 8.0 * elapsed).min(burst);
    }
}
