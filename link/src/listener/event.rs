//! Owns what a listener tells its application, the bounded queue in which that waits, and what it counts.
//!
//! Every event holds a slot while it waits, so that the queue can never be full: a task that gets no slot waits for one,
//! does not read from the network meanwhile, and QUIC's flow control makes the camera wait.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvError, RecvTimeoutError, Sender, TryRecvError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::receipt::Receipt;
use crate::wire::Refusal;
use crate::wire::message::Backlog;
use crate::{StreamName, Times, Unit};

/// Refusals that wait for the application; what comes on top is only counted.
const REFUSALS: usize = 64;

/// Something that happened to a listener.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A camera was let in.
    Opened {
        /// Its name.
        stream: StreamName,
        /// Its address.
        remote: SocketAddr,
        /// Id of its model bundle.
        bundle: String,
    },
    /// A unit came. The units of a stream come in order, those that come late in an order of their own; the first of a
    /// group is a key.
    Unit {
        /// Name of the camera.
        stream: StreamName,
        /// The unit.
        unit: Unit,
        /// Number of the group, counted from 0 on each connection.
        group: u64,
        /// It is one of an enhancement layer: it belongs to the unit before it, has no receipt, and whether it is a key
        /// of its layer is not told here.
        enhancement: bool,
        /// It was kept on the camera's disk, and comes beside what is live.
        late: bool,
        /// It came before, on a connection that broke or in a group that was given up, and is here again only because
        /// units that are new build on it.
        repeated: bool,
        /// It is the last of a late group. Where a live group ends shows with the next key only.
        last: bool,
        /// Dropped when the unit is safe.
        receipt: Receipt,
    },
    /// The camera gave up the rest of a group: the next unit is a key.
    GroupReset {
        /// Name of the camera.
        stream: StreamName,
        /// Number of the group.
        group: u64,
        /// Whether it was one that comes late.
        late: bool,
    },
    /// A camera's connection ended, after all its events.
    Closed {
        /// Its name.
        stream: StreamName,
        /// Whether the camera ended the stream, and everything it sent was received.
        finished: bool,
        /// Why, in words.
        reason: String,
    },
    /// Somebody was not let in.
    Refused {
        /// The address.
        remote: SocketAddr,
        /// The refusal, if it came that far.
        refusal: Option<Refusal>,
        /// Why, in words.
        reason: String,
    },
}

/// Room for one event; given back when the application takes the event.
#[derive(Default)]
pub struct Slot {
    _event: Option<OwnedSemaphorePermit>,
    _bytes: Option<OwnedSemaphorePermit>,
}

impl Slot {
    /// Of an event without payload.
    pub fn new(event: OwnedSemaphorePermit) -> Self {
        Self {
            _event: Some(event),
            _bytes: None,
        }
    }

    /// Of a unit.
    pub fn with_bytes(event: OwnedSemaphorePermit, bytes: OwnedSemaphorePermit) -> Self {
        Self {
            _event: Some(event),
            _bytes: Some(bytes),
        }
    }
}

/// The application's end of the queue. Clones share it: each event goes to one of them.
#[derive(Clone)]
pub struct Events(Receiver<(Event, Slot)>);

impl Events {
    /// Waits for an event. An error: the listener is closed, and all its events were taken.
    pub fn recv(&self) -> Result<Event, RecvError> {
        self.0.recv().map(|(event, _)| event)
    }

    /// Waits for an event, but not longer than `timeout`.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Event, RecvTimeoutError> {
        self.0.recv_timeout(timeout).map(|(event, _)| event)
    }

    /// Waits for an event, but not beyond a word on `interrupt`: then there is none.
    pub fn recv_unless<T>(&self, interrupt: &Receiver<T>) -> Result<Option<Event>, RecvError> {
        crossbeam_channel::select_biased! {
            recv(interrupt) -> _ => Ok(None),
            recv(self.0) -> event => event.map(|(event, _)| Some(event)),
        }
    }

    /// An event that waits already.
    pub fn try_recv(&self) -> Result<Event, TryRecvError> {
        self.0.try_recv().map(|(event, _)| event)
    }

    /// All events until the listener is closed.
    pub fn iter(&self) -> impl Iterator<Item = Event> {
        self.0.iter().map(|(event, _)| event)
    }
}

/// The listener's end of the queue.
pub struct Sink {
    queue: Sender<(Event, Slot)>,
    refusals: Arc<Semaphore>,
}

impl Sink {
    /// A queue with room for `slots` events besides refusals.
    pub fn new(slots: usize) -> (Self, Events) {
        let (queue, events) = crossbeam_channel::bounded(slots + REFUSALS);
        (
            Self {
                queue,
                refusals: Arc::new(Semaphore::new(REFUSALS)),
            },
            Events(events),
        )
    }

    /// Queues an event that has a slot.
    pub fn put(&self, event: Event, slot: Slot) {
        if self.queue.try_send((event, slot)).is_err() {
            tracing::error!("an event with a slot found no room");
        }
    }

    /// Queues a refusal if there is room.
    pub fn refused(&self, event: Event) {
        tracing::info!(?event, "listener");
        if let Ok(slot) = self.refusals.clone().try_acquire_owned() {
            self.put(event, Slot::new(slot));
        }
    }
}

/// What a listener does, now and since it started.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Connections, those that did not say yet who they are included.
    pub connections: usize,
    /// Connections let in since the start.
    pub accepted: u64,
    /// Connections not let in since the start.
    pub refused: u64,
    /// The streams, by name.
    pub streams: Vec<StreamStats>,
}

/// What one stream does, since its connection began.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StreamStats {
    /// Name of the camera.
    pub stream: StreamName,
    /// Address of the camera.
    pub remote: SocketAddr,
    /// Id of its model bundle.
    pub bundle: String,
    /// How long it is connected.
    pub connected_for: Duration,
    /// Units received.
    pub units: u64,
    /// Bytes of these units.
    pub unit_bytes: u64,
    /// Enhancement units received, which are not among them.
    pub enhancement_units: u64,
    /// Their bytes.
    pub enhancement_bytes: u64,
    /// Groups received, or given up by the camera.
    pub groups: u64,
    /// Groups given up by the camera.
    pub groups_reset: u64,
    /// Units that wait for the application.
    pub queued: usize,
    /// How often reading stopped because too much waited for the application.
    pub stalls: u64,
    /// How often reading stopped because the stream had sent more than its bytes per second.
    pub throttled: u64,
    /// Units that came late.
    pub units_late: u64,
    /// Units that came again because new ones build on them.
    pub units_repeated: u64,
    /// What the camera says about its own queue.
    pub backlog: Backlog,
    /// How long the camera took to encode its units, as far as it tells.
    pub encoded: Times,
    /// Bytes of all UDP payloads received: units with everything that QUIC and TLS add.
    pub udp_bytes_received: u64,
    /// Bytes of all UDP payloads sent.
    pub udp_bytes_sent: u64,
    /// Round-trip time.
    pub rtt: Duration,
}
