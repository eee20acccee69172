//! Counters of `cisdecode` and the structure that shows them.

use std::time::Duration;

use crate::latency::Window;

/// Counts since the element was started.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Units decoded.
    pub frames: u64,
    /// Pictures that the network made.
    pub restored: u64,
    /// Pictures shown again for a repeat.
    pub repeats: u64,
    /// Pictures with the enhancement layer in them.
    pub enhanced: u64,
    /// Units of the enhancement layer that were of no use.
    pub unusable: u64,
    /// Frames that were too late for the network (QoS).
    pub late: u64,
    /// Units that were damaged.
    pub damaged: u64,
    /// Units dropped because they were damaged or waited for a key frame.
    pub dropped: u64,
    /// Time of the network and the scaling after it: last picture.
    pub last: Duration,
    /// The same, all pictures.
    pub sum: Duration,
    /// From the capture of a frame to its picture, as far as cameras say when that was.
    pub latency: Window,
}

impl Stats {
    pub fn to_structure(&self) -> gst::Structure {
        let latency = |percent| {
            self.latency
                .percentile(percent)
                .map_or(-1.0, |took| took.as_secs_f64() * 1e3)
        };
        gst::Structure::builder("stats")
            .field("frames", self.frames)
            .field("restored", self.restored)
            .field("repeats", self.repeats)
            .field("enhanced", self.enhanced)
            .field("unusable", self.unusable)
            .field("late", self.late)
            .field("damaged", self.damaged)
            .field("dropped", self.dropped)
            .field("restore-ms-last", self.last.as_secs_f64() * 1e3)
            .field(
                "restore-ms-mean",
                self.sum.as_secs_f64() * 1e3 / self.restored.max(1) as f64,
            )
            .field("latency-ms-p50", latency(50))
            .field("latency-ms-p95", latency(95))
            .field("latency-ms-max", latency(100))
            .build()
    }
}
