//! Rate control: which quantiser index a frame is tried at first, and between how many bytes it has to end.
//!
//! A pure function of earlier sizes and time stamps. Every number of bits is held against the *level*: what was sent beyond what the wanted rate
//! allowed so far. The mean over any stretch of time is off by as much as the level moved in it, so a level that stays within a quarter of a
//! second of the rate keeps every ten seconds within five per cent.

use super::Config;

/// Highest level after a frame, in seconds of the rate: the bucket.
const FULL_S: f64 = 0.24;
/// The same after a key frame.
const KEY_FULL_S: f64 = 0.28;
/// The same after the first frame of a stream, which nothing could be saved up for.
const FIRST_FULL_S: f64 = 1.0;
/// Lowest level, in seconds of the rate, above which a frame is made finer on the spot; what is not used beyond it is forgotten.
const EMPTY_S: f64 = -0.2;
/// Level to be reached when a scheduled key frame comes, and time taken for it.
const SAVED_S: f64 = -0.15;
const SAVING_S: f64 = 3.0;
/// Seconds in which the level is to come back.
const PAYBACK_S: f64 = 1.0;
/// At low frame rates a second is a few frames only: the bucket is counted in this many frames then.
const FRAMES: f64 = 5.0;
/// Time constant, in seconds, of the measured cost.
const MEMORY_S: f64 = 0.5;
/// Indices in which the size halves; between 5 (coarse) and 10 (fine) with real latents.
const HALVING: f64 = 6.5;
/// Octaves that a unit of thrift saves, about.
const THRIFT: f64 = 0.18;
/// Corrections below this many indices are not worth the symbols that a new step changes.
const DEAD_ZONE: f64 = 1.0;
/// Gaps longer than this count as this much: a camera that was asleep has not saved up bits.
const GAP_MAX_S: f64 = 2.0;
/// Frame duration assumed before two time stamps are known.
const FIRST_GAP_S: f64 = 1.0 / 15.0;

/// Most indices from one frame to the next, scene changes and key frames aside.
pub const STEP: u8 = 4;

/// Most thrift.
pub const MAX_THRIFT: u8 = 6;

/// Parts of a picture that can be refined one after the other, when refining all of it at once is too dear.
pub const SLICES: u8 = 8;

/// How one attempt at a frame is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    pub qindex: u8,
    /// How many half octaves a bit is dearer than usual: what a change of the step, or of the scene, costs is then spread over several frames.
    pub thrift: u8,
    /// Only these rows, of [`SLICES`], change freely, and without thrift; the others where something moves.
    pub slice: Option<u8>,
}

/// How the next frame is to be coded first, and where it has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where to start.
    pub start: Choice,
    /// Finest index that may be tried.
    pub finest: u8,
    /// Coarsest index before the bucket, or the cap, is in danger.
    pub coarse: u8,
    /// Coarsest index of all.
    pub coarsest: u8,
    /// Most thrift; 0 in key frames and with constant quality.
    pub most_thrift: u8,
    /// Whether the frame before was coded with thrift, at the same index.
    pub relaxing: bool,
    /// The slice whose turn it is.
    pub slice: u8,
    /// The frame is to be made finer below this.
    pub min_bytes: usize,
    /// And coarser above this.
    pub max_bytes: usize,
    /// No frame is longer than this, whatever it is.
    pub cap: usize,
}

/// What is known of the frame to come.
#[derive(Clone, Copy, Debug)]
pub struct Next {
    pub pts: u64,
    pub key: bool,
    /// Frames until a key frame is due, if one will be.
    pub until_key: Option<u32>,
}

/// Level, and costs of the kinds of frames.
#[derive(Clone, Debug)]
pub struct RateControl {
    /// Bits sent beyond what the wanted rate allowed so far; negative: saved up.
    level: f64,
    /// Binary logarithm of the bits of an inter frame at index 0, by the frames before.
    inter: Option<f64>,
    /// The same of the last key frame.
    key: Option<f64>,
    last: Choice,
    slice: u8,
    last_pts: Option<u64>,
    gap: f64,
}

impl RateControl {
    /// Nothing sent yet.
    pub fn new(config: &Config) -> Self {
        Self {
            level: 0.0,
            inter: None,
            key: None,
            last: Choice {
                qindex: config.qindex.clamp(config.qindex_min, config.qindex_max),
                ..Choice::default()
            },
            slice: 0,
            last_pts: None,
            gap: FIRST_GAP_S,
        }
    }

    /// Another rate from now on. What is known of the costs stays; a debt of the old rate is not paid at the new one.
    pub fn set_rate(&mut self, config: &Config, qindex: u8) {
        self.level = self.level.min(0.0);
        self.last.qindex = qindex.clamp(config.qindex_min, config.qindex_max);
    }

    /// What to try for the next frame.
    pub fn plan(&mut self, config: &Config, next: Next) -> Plan {
        let cap = match config.max_frame_bytes {
            0 => config.limits.max_payload,
            cap => cap as usize,
        };
        if config.bitrate == 0 {
            let coarsest = config.qindex_max.max(config.qindex);
            return Plan {
                start: Choice {
                    qindex: config.qindex,
                    ..Choice::default()
                },
                finest: config.qindex,
                coarse: coarsest,
                coarsest,
                most_thrift: 0,
                relaxing: false,
                slice: 0,
                min_bytes: 0,
                max_bytes: cap,
                cap,
            };
        }
        let first = self.last_pts.is_none();
        self.advance(config, next.pts);
        let rate = wanted(config);
        let second = self.second(rate);
        let share = rate * self.gap;
        let allowed = |qindex: f64| {
            // In range by the clamp.
            qindex.clamp(config.qindex_min.into(), config.qindex_max.into()) as u8
        };
        let now = f64::from(allowed(self.last.qindex.into()));
        let step = f64::from(STEP);
        let full = match (first, next.key) {
            (true, _) => FIRST_FULL_S,
            (_, true) => KEY_FULL_S,
            _ => FULL_S,
        };
        let room = (second * full - self.level).max(share);
        let (qindex, finest) = if next.key {
            let wish = self
                .key
                .map_or(now, |cost| HALVING * (cost - (room * 0.85).log2()).max(0.0));
            let finest = if first { now } else { (now - step).max(0.0) };
            (allowed(wish.ceil().max(now)), allowed(finest.max(now)))
        } else {
            let goal = self.goal(rate, next.until_key);
            let wish = self.inter.map_or(now, |cost| HALVING * (cost - goal.log2()));
            // What is still to be had at this step comes first.
            let finer = if self.last.thrift > 0 { 0.0 } else { -step };
            let correction = (wish - now).clamp(finer, step);
            let correction = if correction.abs() < DEAD_ZONE {
                0.0
            } else {
                correction.trunc()
            };
            (allowed(now + correction), allowed(now - step))
        };
        let max_bytes = ((room / 8.0) as usize).min(cap);
        let min_bytes = if next.key {
            0
        } else {
            ((second * EMPTY_S - self.level).max(0.0) / 8.0) as usize
        };
        Plan {
            start: Choice {
                qindex,
                thrift: if next.key {
                    0
                } else {
                    self.last.thrift.saturating_sub(1)
                },
                slice: None,
            },
            finest,
            coarse: allowed(now + step).max(qindex),
            coarsest: config.qindex_max.max(qindex),
            most_thrift: if next.key { 0 } else { MAX_THRIFT },
            relaxing: !next.key && self.last.thrift > 0 && qindex == self.last.qindex,
            slice: self.slice,
            min_bytes: min_bytes.min(max_bytes),
            max_bytes,
            cap,
        }
    }

    /// Learns what the frame has become.
    pub fn commit(&mut self, config: &Config, bytes: usize, key: bool, repeat: bool, choice: Choice) {
        if config.bitrate == 0 {
            return;
        }
        let bits = bytes as f64 * 8.0;
        let rate = wanted(config);
        self.level = (self.level + bits).max(EMPTY_S * self.second(rate));
        if repeat {
            return;
        }
        self.last = choice;
        self.slice = (self.slice + u8::from(choice.slice.is_some())) % SLICES;
        let cost =
            bits.max(1.0).log2() + f64::from(choice.qindex) / HALVING + f64::from(choice.thrift) * THRIFT;
        if key {
            self.key = Some(cost);
        } else {
            let weight = (self.gap / MEMORY_S).min(1.0);
            let inter = self.inter.get_or_insert(cost);
            *inter += (cost - *inter) * weight;
        }
    }

    /// Bits that the frame is to have.
    fn goal(&self, rate: f64, until_key: Option<u32>) -> f64 {
        let second = self.second(rate);
        let left = until_key.map_or(f64::INFINITY, |frames| f64::from(frames) * self.gap);
        let saved = SAVED_S * second * (1.0 - left / SAVING_S).max(0.0);
        let share = rate * self.gap;
        let weight = (self.gap / PAYBACK_S).min(0.5);
        (share - (self.level + share - saved) * weight).clamp(share * 0.25, share * 3.0)
    }

    /// What stands for a second of the rate.
    fn second(&self, rate: f64) -> f64 {
        rate * (self.gap * FRAMES).max(1.0)
    }

    fn advance(&mut self, config: &Config, pts: u64) {
        if let Some(last) = self.last_pts {
            let gap = pts.saturating_sub(last) as f64 / 1e9;
            if gap > 0.0 {
                self.gap = gap.clamp(1e-3, GAP_MAX_S);
                self.level -= self.gap * wanted(config);
            }
        }
        self.last_pts = Some(pts);
    }
}

fn wanted(config: &Config) -> f64 {
    f64::from(config.bitrate) * 1000.0
}

#[cfg(test)]
mod tests;
