//! Counters of `cisencode` and the structure that shows them.

use super::stopwatch::Spent;
use std::time::Duration;

/// Where the time of one frame went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timings {
    /// Colour conversion and scaling.
    pub prepare: Spent,
    /// The network.
    pub front: Spent,
    /// Quantiser and entropy coder.
    pub code: Spent,
    /// The enhancement layer: network, quantiser and entropy coder.
    pub enhance: Spent,
}

impl Timings {
    fn sum(&self, other: &Self) -> Self {
        Self {
            prepare: self.prepare + other.prepare,
            front: self.front + other.front,
            code: self.code + other.code,
            enhance: self.enhance + other.enhance,
        }
    }

    /// Of all of it, on the wall.
    pub fn encode(&self) -> Duration {
        (self.prepare + self.front + self.code + self.enhance).wall
    }

    fn stages(&self) -> [(&'static str, Spent); 5] {
        [
            ("encode", self.prepare + self.front + self.code + self.enhance),
            ("prepare", self.prepare),
            ("front", self.front),
            ("code", self.code),
            ("enhance", self.enhance),
        ]
    }
}

/// Counts since the element was started.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    frames: u64,
    keys: u64,
    skipped: u64,
    dropped: u64,
    failed: u64,
    bytes: u64,
    enhanced: u64,
    enhancement_bytes: u64,
    first_pts_ns: Option<u64>,
    end_ns: u64,
    last: Timings,
    sum: Timings,
}

/// What there is to say about one frame that was sent.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    pub bytes: usize,
    pub key: bool,
    pub skipped: bool,
    pub pts_ns: u64,
    pub duration_ns: u64,
    pub timings: Timings,
    /// Bytes of the enhancement layer, if the frame has it.
    pub enhancement: Option<usize>,
}

impl Stats {
    pub fn sent(&mut self, sent: &Sent) {
        self.frames += 1;
        self.keys += u64::from(sent.key);
        self.skipped += u64::from(sent.skipped);
        self.bytes += sent.bytes as u64;
        self.enhanced += u64::from(sent.enhancement.is_some());
        self.enhancement_bytes += sent.enhancement.unwrap_or_default() as u64;
        let first = *self.first_pts_ns.get_or_insert(sent.pts_ns);
        self.first_pts_ns = Some(first.min(sent.pts_ns));
        self.end_ns = self.end_ns.max(sent.pts_ns.saturating_add(sent.duration_ns));
        self.last = sent.timings;
        self.sum = self.sum.sum(&sent.timings);
    }

    /// A frame was too late to be coded. Returns how many there were.
    pub fn dropped(&mut self) -> u64 {
        self.dropped += 1;
        self.dropped
    }

    /// A frame could not be coded. Returns how many there were.
    pub fn failed(&mut self) -> u64 {
        self.failed += 1;
        self.failed
    }

    fn kbps(&self, bytes: u64) -> f64 {
        match self.first_pts_ns {
            Some(first) if self.end_ns > first => bytes as f64 * 8e6 / (self.end_ns - first) as f64,
            _ => 0.0,
        }
    }

    pub fn to_structure(&self) -> gst::Structure {
        let mut structure = gst::Structure::builder("stats")
            .field("frames", self.frames)
            .field("keys", self.keys)
            .field("skipped", self.skipped)
            .field("dropped", self.dropped)
            .field("failed", self.failed)
            .field("bytes", self.bytes)
            .field("mean-kbps", self.kbps(self.bytes))
            .field("enhanced", self.enhanced)
            .field("enhancement-bytes", self.enhancement_bytes)
            .field("enhancement-mean-kbps", self.kbps(self.enhancement_bytes));
        let frames = self.frames.max(1) as f64;
        for ((stage, last), (_, sum)) in self.last.stages().into_iter().zip(self.sum.stages()) {
            for (clock, last, sum) in [("ms", last.wall, sum.wall), ("cpu-ms", last.cpu, sum.cpu)] {
                let (last, mean) = (last.as_secs_f64() * 1e3, sum.as_secs_f64() * 1e3 / frames);
                structure = structure
                    .field(format!("{stage}-{clock}-last"), last)
                    .field(format!("{stage}-{clock}-mean"), mean);
            }
        }
        structure.build()
    }
}
