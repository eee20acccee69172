//! Counters of `cisdetect` and the structure that shows them.

use std::time::Duration;

/// Counts since the element was started.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    pub frames: u64,
    pub repeats: u64,
    pub objects: u64,
    /// Units that were damaged.
    pub damaged: u64,
    /// Units that were dropped: the damaged ones and those that waited for a key frame after them.
    pub dropped: u64,
    /// Time of the network and what follows it: last frame.
    pub last: Duration,
    /// The same, all frames.
    pub sum: Duration,
}

impl Stats {
    pub fn to_structure(&self) -> gst::Structure {
        let runs = self.frames.saturating_sub(self.repeats).max(1);
        gst::Structure::builder("stats")
            .field("frames", self.frames)
            .field("repeats", self.repeats)
            .field("objects", self.objects)
            .field("damaged", self.damaged)
            .field("dropped", self.dropped)
            .field("detect-ms-last", self.last.as_secs_f64() * 1e3)
            .field("detect-ms-mean", self.sum.as_secs_f64() * 1e3 / runs as f64)
            .build()
    }
}
