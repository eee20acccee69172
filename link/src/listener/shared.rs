//! Owns what the application's threads and the listener's own share.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tokio::sync::{Semaphore, watch};

use super::config::{Auth, Config};
use super::event::{Event, Events, Sink, Slot, Stats};
use super::receipt::Ledgers;
use super::stream::{Register, Stream};
use crate::wire::Refusal;

pub struct Shared {
    pub config: Config,
    /// Who is let in, now.
    pub auth: RwLock<Auth>,
    pub register: Arc<Register>,
    pub sink: Sink,
    /// Room for the events with which streams begin and end.
    pub edges: Arc<Semaphore>,
    /// What is known of the groups that cameras keep.
    pub ledgers: Ledgers,
    pub closing: watch::Sender<bool>,
    counters: Mutex<Stats>,
}

impl Shared {
    pub fn new(config: Config) -> (Self, Events) {
        let limits = &config.limits;
        // Twice, so that a stream can come back while its last end still waits for the application.
        let edges = 4 * limits.streams;
        let (sink, events) = Sink::new(edges + 2 * limits.streams * limits.queue);
        let shared = Self {
            auth: RwLock::new(config.auth.clone()),
            register: Arc::default(),
            sink,
            ledgers: Ledgers::new(config.state_dir.clone(), 4 * limits.streams),
            edges: Arc::new(Semaphore::new(edges)),
            closing: watch::Sender::new(false),
            counters: Mutex::default(),
            config,
        };
        (shared, events)
    }

    pub fn accepted(&self, stream: &Stream, slot: Slot) {
        self.counters.lock().accepted += 1;
        tracing::info!(stream = %stream.name, remote = %stream.remote, bundle = stream.bundle, "stream opened");
        let event = Event::Opened {
            stream: stream.name.clone(),
            remote: stream.remote,
            bundle: stream.bundle.clone(),
        };
        self.sink.put(event, slot);
    }

    pub fn refused(&self, remote: SocketAddr, refusal: Option<Refusal>, reason: String) {
        self.counters.lock().refused += 1;
        self.sink.refused(Event::Refused {
            remote,
            refusal,
            reason,
        });
    }

    pub fn set_connections(&self, connections: usize) {
        self.counters.lock().connections = connections;
    }

    pub fn stats(&self) -> Stats {
        let mut stats = self.counters.lock().clone();
        stats.streams = self.register.stats();
        stats
    }
}
