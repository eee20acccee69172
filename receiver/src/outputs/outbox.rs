//! The queue before an output that speaks to a network.

use super::Meter;
use std::sync::Arc;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// The end at which messages are put in; dropping it ends the service at the other end, once it has sent what waits.
#[derive(Debug)]
pub struct Outbox<T> {
    queue: Sender<T>,
    meter: Arc<Meter>,
}

impl<T> Outbox<T> {
    /// A queue for `capacity` messages of the output called `name`.
    pub fn new(name: &'static str, capacity: usize) -> (Self, Receiver<T>) {
        let (queue, messages) = channel(capacity);
        let meter = Arc::new(Meter::new(name));
        (Self { queue, meter }, messages)
    }

    /// Puts a message in, or counts it as dropped. Never waits.
    pub fn put(&self, message: T) {
        match self.queue.try_send(message) {
            Ok(()) => self.meter.accepted.add(1),
            Err(_) => self.meter.dropped.add(1),
        }
    }

    /// What became of the messages.
    pub fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }
}
