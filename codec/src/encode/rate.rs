//! Rate control: a leaky bucket that drains at the wanted rate. A pure function of earlier sizes and time stamps.

use super::Config;

/// Seconds of the wanted rate that the bucket holds before frames are made coarser on the spot.
const CAPACITY_S: f64 = 3.0;
/// Seconds in which a debt is to be paid back.
const PAYBACK_S: f64 = 4.0;
/// Seconds of rate that can be saved up.
const CREDIT_S: f64 = 1.0;
/// Time constant, in seconds, of the measured rate of inter frames.
const MEMORY_S: f64 = 1.5;
/// Least time between two changes of the quantiser index.
const SETTLE_S: f64 = 0.5;
/// Gaps longer than this count as this much: a camera that was asleep has not saved up bits.
const GAP_MAX_S: f64 = 2.0;
/// Frame duration assumed before two time stamps are known.
const FIRST_GAP_S: f64 = 1.0 / 15.0;

/// How the next frame is to be coded first, and how many bytes it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub qindex: u8,
    pub max_bytes: usize,
}

/// State of the bucket.
#[derive(Clone, Debug)]
pub struct RateControl {
    /// Bits sent beyond what the wanted rate allowed so far; negative: saved up.
    level: f64,
    /// Measured rate of inter frames in bits per second.
    measured: Option<f64>,
    qindex: u8,
    last_pts: Option<u64>,
    gap: f64,
    since_change: f64,
}

impl RateControl {
    /// An empty bucket.
    pub fn new(config: &Config) -> Self {
        Self {
            level: 0.0,
            measured: None,
            qindex: config.qindex.clamp(config.qindex_min, config.qindex_max),
            last_pts: None,
            gap: FIRST_GAP_S,
            since_change: 0.0,
        }
    }

    /// What to try for the frame at `pts`.
    pub fn plan(&mut self, config: &Config, pts: u64, key: bool) -> Plan {
        let cap = match config.max_frame_bytes {
            0 => config.limits.max_payload,
            cap => cap as usize,
        };
        if config.bitrate == 0 {
            return Plan {
                qindex: config.qindex,
                max_bytes: cap,
            };
        }
        self.advance(config, pts);
        let rate = wanted(config);
        let room = rate * CAPACITY_S - self.level;
        let least = rate * self.gap * if key { 20.0 } else { 2.0 };
        let max_bytes = (room.max(least) / 8.0) as usize;
        Plan {
            qindex: self.next_qindex(config, rate),
            max_bytes: max_bytes.min(cap),
        }
    }

    /// Learns what the frame has become.
    pub fn commit(&mut self, config: &Config, bytes: usize, key: bool, qindex: u8) {
        if config.bitrate == 0 {
            return;
        }
        let bits = bytes as f64 * 8.0;
        self.level = (self.level + bits).max(-CREDIT_S * wanted(config));
        if qindex != self.qindex {
            self.qindex = qindex;
            self.since_change = 0.0;
        }
        if !key {
            let now = bits / self.gap;
            let weight = (self.gap / MEMORY_S).min(1.0);
            let measured = self.measured.get_or_insert(now);
            *measured += (now - *measured) * weight;
        }
    }

    fn advance(&mut self, config: &Config, pts: u64) {
        if let Some(last) = self.last_pts {
            let gap = pts.saturating_sub(last) as f64 / 1e9;
            if gap > 0.0 {
                self.gap = gap.clamp(1e-3, GAP_MAX_S);
                self.level -= self.gap * wanted(config);
                self.since_change += self.gap;
            }
        }
        self.last_pts = Some(pts);
    }

    fn next_qindex(&self, config: &Config, rate: f64) -> u8 {
        let allowed = |qindex: i32| qindex.clamp(config.qindex_min.into(), config.qindex_max.into()) as u8;
        let now = allowed(self.qindex.into());
        let Some(measured) = self.measured.filter(|_| self.since_change >= SETTLE_S) else {
            return now;
        };
        let goal = rate * (1.0 - self.level / (rate * PAYBACK_S)).clamp(0.25, 1.5);
        // Halving the rate takes about eight indices; half the way at a time, and small corrections are not worth the
        // symbols that a new step changes.
        let correction = (4.0 * (measured.max(rate / 64.0) / goal).log2()).clamp(-3.0, 6.0);
        if correction.abs() < 1.0 {
            now
        } else {
            allowed(i32::from(now) + correction.round() as i32)
        }
    }
}

fn wanted(config: &Config) -> f64 {
    f64::from(config.bitrate) * 1000.0
}
