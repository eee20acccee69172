//! Owns the queue between the cameras' tasks and intake. Room is taken before an event goes in, so that a task can wait for it.

use crate::source::Units;
use cis_link::listener::Event;
use crossbeam_channel::{Receiver, RecvError, RecvTimeoutError, Sender, bounded};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Events that may wait for intake. Those of one camera are bounded by what its task gives out at a time.
const EVENTS: usize = 1024;

type Waiting = (Event, OwnedSemaphorePermit);

/// Where events go in.
#[derive(Clone)]
pub struct Feed {
    queue: Sender<Waiting>,
    room: Arc<Semaphore>,
}

/// Where they come out; closed when there is no feed any more.
pub struct Fed(Receiver<Waiting>);

/// A queue.
pub fn channel() -> (Feed, Fed) {
    let (queue, events) = bounded(EVENTS);
    let room = Arc::new(Semaphore::new(EVENTS));
    (Feed { queue, room }, Fed(events))
}

impl Feed {
    /// Puts an event in when there is room. False: nobody takes events any more.
    pub async fn put(&self, event: Event) -> bool {
        let room = self.room.clone().acquire_owned().await;
        room.is_ok_and(|room| self.queue.try_send((event, room)).is_ok())
    }
}

impl Units for Fed {
    fn recv(&self) -> Result<Event, RecvError> {
        self.0.recv().map(|(event, _room)| event)
    }

    fn recv_timeout(&self, timeout: Duration) -> Result<Event, RecvTimeoutError> {
        self.0.recv_timeout(timeout).map(|(event, _room)| event)
    }
}
