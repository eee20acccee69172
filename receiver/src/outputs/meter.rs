//! What became of an output's messages.

use crate::stats::Counter;
use std::fmt;

/// The counters of one output.
#[derive(Debug)]
pub struct Meter {
    /// The output, as its section in the configuration is called.
    pub name: &'static str,
    /// Messages that were put into the queue.
    pub accepted: Counter,
    /// Messages that were handed over: to the operating system, a broker, a server.
    pub delivered: Counter,
    /// Messages that found the queue full.
    pub dropped: Counter,
    /// Messages that could not be handed over.
    pub failed: Counter,
    /// Times that the way there had to be opened again.
    pub reconnects: Counter,
}

impl Meter {
    /// All zero.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            accepted: Counter::default(),
            delivered: Counter::default(),
            dropped: Counter::default(),
            failed: Counter::default(),
            reconnects: Counter::default(),
        }
    }

    /// The counts at this moment.
    pub fn delivery(&self) -> Delivery {
        let (delivered, failed) = (self.delivered.get(), self.failed.get());
        Delivery {
            output: self.name,
            // Counted after those, so never less.
            waiting: self.accepted.get().saturating_sub(delivered + failed),
            delivered,
            dropped: self.dropped.get(),
            failed,
            reconnects: self.reconnects.get(),
        }
    }

    /// The output has ended: what still waits has failed.
    pub fn settle(&self) {
        self.failed.add(self.delivery().waiting);
    }
}

/// What became of the messages of one output, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// The output, as its section in the configuration is called.
    pub output: &'static str,
    /// Messages on their way.
    pub waiting: u64,
    /// Messages that were handed over.
    pub delivered: u64,
    /// Messages that found the queue full.
    pub dropped: u64,
    /// Messages that could not be handed over.
    pub failed: u64,
    /// Times that the way there had to be opened again.
    pub reconnects: u64,
}

impl Delivery {
    /// Messages that nobody will see.
    pub fn lost(&self) -> u64 {
        self.dropped + self.failed
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} delivered, {} waiting, {} dropped, {} failed, {} reconnects",
            self.output, self.delivered, self.waiting, self.dropped, self.failed, self.reconnects
        )
    }
}
