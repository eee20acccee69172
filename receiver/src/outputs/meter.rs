//! What became of an output's messages.

use crate::stats::Counter;

/// The counters of one output.
#[derive(Debug)]
pub struct Meter {
    /// The output, as its section in the configuration is called.
    pub name: &'static str,
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
            delivered: Counter::default(),
            dropped: Counter::default(),
            failed: Counter::default(),
            reconnects: Counter::default(),
        }
    }

    /// Messages that nobody will see.
    pub fn lost(&self) -> u64 {
        self.dropped.get() + self.failed.get()
    }
}
