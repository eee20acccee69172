//! What gateways and workers count besides what is counted per stream, and the lines that tell it.

use crate::stats::Counter;
use std::fmt;

/// The counters of a gateway.
#[derive(Debug, Default)]
pub struct GatewayCounts {
    /// Cameras that connected.
    pub opened: Counter,
    /// Units that the broker has confirmed.
    pub stored: Counter,
    /// Their bytes.
    pub bytes: Counter,
    /// Publications that had to be tried again.
    pub retried: Counter,
    /// Units that were not given to the broker: the camera's spool has them, if it has one.
    pub lost: Counter,
    /// Times that somebody else had published to a camera's subject.
    pub fenced: Counter,
    /// Units that are none, or that follow one that is missing.
    pub unreadable: Counter,
    /// Units that are larger than the broker takes.
    pub oversized: Counter,
    /// Messages to the gateway that mean nothing.
    pub foreign: Counter,
}

impl fmt::Display for GatewayCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} cameras opened, {} units stored ({} bytes), {} retried, {} lost, {} fenced, {} unreadable, {} oversized, {} foreign messages",
            self.opened.get(),
            self.stored.get(),
            self.bytes.get(),
            self.retried.get(),
            self.lost.get(),
            self.fenced.get(),
            self.unreadable.get(),
            self.oversized.get(),
            self.foreign.get(),
        )
    }
}

/// The counters of a worker.
#[derive(Debug, Default)]
pub struct WorkerCounts {
    /// Cameras taken.
    pub taken: Counter,
    /// Cameras given up, because they belong to another worker now or were taken by it.
    pub released: Counter,
    /// Results that the broker has confirmed.
    pub answered: Counter,
    /// Results that it had already.
    pub duplicates: Counter,
    /// Units decoded again after a camera was taken.
    pub repeated: Counter,
    /// Publications that had to be tried again.
    pub retried: Counter,
    /// Times that another worker had published results of a camera.
    pub fenced: Counter,
    /// Units that the broker no longer had.
    pub missed: Counter,
    /// Messages that neither a gateway nor a worker wrote.
    pub foreign: Counter,
}

impl fmt::Display for WorkerCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} cameras taken, {} released, {} results stored, {} duplicates, {} units repeated, {} retried, {} fenced, {} missed, {} foreign messages",
            self.taken.get(),
            self.released.get(),
            self.answered.get(),
            self.duplicates.get(),
            self.repeated.get(),
            self.retried.get(),
            self.fenced.get(),
            self.missed.get(),
            self.foreign.get(),
        )
    }
}
