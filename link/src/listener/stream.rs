//! Owns the state of one live stream, and the register of all of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, watch};

use super::config::Limits;
use super::event::StreamStats;
use super::receipt::Ledger;
use crate::wire::Refusal;
use crate::wire::message::{Backlog, INSTANCE_LEN};
use crate::{StreamName, Times};

/// One live stream, as seen from the application's threads and from its session.
pub struct Stream {
    pub name: StreamName,
    pub bundle: String,
    pub remote: SocketAddr,
    pub instance: [u8; INSTANCE_LEN],
    pub connection: quinn::Connection,
    /// Room for units that wait for the application.
    pub live: Room,
    /// The same for those that come late: they must not get in the way.
    pub late: Room,
    /// What is known of the groups that the camera keeps, if it does.
    pub ledger: Option<Arc<Ledger>>,
    pub outbox: Outbox,
    pub counters: Mutex<Counters>,
    since: Instant,
    queue: usize,
    ended: watch::Sender<bool>,
}

/// Room for units of one lane.
pub struct Room {
    pub units: Arc<Semaphore>,
    pub bytes: Arc<Semaphore>,
}

impl Room {
    fn new(limits: &Limits) -> Self {
        Self {
            units: Arc::new(Semaphore::new(limits.queue)),
            bytes: Arc::new(Semaphore::new(limits.queue_bytes)),
        }
    }
}

/// What was received.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    pub units: u64,
    pub unit_bytes: u64,
    pub enhancement_units: u64,
    pub enhancement_bytes: u64,
    pub groups: u64,
    pub groups_reset: u64,
    pub stalls: u64,
    pub throttled: u64,
    pub late: u64,
    pub repeated: u64,
    pub backlog: Backlog,
    pub encoded: Times,
}

/// What the application wants told to the camera. Wishes do not queue up: the latest of each kind counts.
#[derive(Default)]
pub struct Outbox {
    wishes: Mutex<Wishes>,
    pub wake: Notify,
}

/// Wishes not yet told.
#[derive(Default)]
pub struct Wishes {
    pub key: bool,
    /// Something that the camera's end must acknowledge.
    pub probe: bool,
    pub layers: BTreeMap<u8, bool>,
}

impl Outbox {
    pub fn request_key(&self) {
        self.wishes.lock().key = true;
        self.wake.notify_one();
    }

    pub fn set_layer(&self, layer: u8, on: bool) {
        self.wishes.lock().layers.insert(layer, on);
        self.wake.notify_one();
    }

    pub fn probe(&self) {
        self.wishes.lock().probe = true;
        self.wake.notify_one();
    }

    pub fn take(&self) -> Wishes {
        std::mem::take(&mut self.wishes.lock())
    }
}

impl Stream {
    pub fn new(
        name: StreamName,
        bundle: String,
        instance: [u8; INSTANCE_LEN],
        connection: quinn::Connection,
        ledger: Option<Arc<Ledger>>,
        limits: &Limits,
    ) -> Self {
        Self {
            name,
            bundle,
            instance,
            remote: connection.remote_address(),
            connection,
            live: Room::new(limits),
            late: Room::new(limits),
            ledger,
            outbox: Outbox::default(),
            counters: Mutex::default(),
            since: Instant::now(),
            queue: limits.queue,
            ended: watch::Sender::new(false),
        }
    }

    /// Completes when the stream has left the register.
    pub async fn ended(&self) {
        // An error means that the sender of the value is gone, and `self` holds it.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    pub fn stats(&self) -> StreamStats {
        let counters = *self.counters.lock();
        let quic = self.connection.stats();
        StreamStats {
            stream: self.name.clone(),
            remote: self.connection.remote_address(),
            bundle: self.bundle.clone(),
            connected_for: self.since.elapsed(),
            units: counters.units,
            unit_bytes: counters.unit_bytes,
            enhancement_units: counters.enhancement_units,
            enhancement_bytes: counters.enhancement_bytes,
            groups: counters.groups,
            groups_reset: counters.groups_reset,
            queued: self.queue - self.live.units.available_permits().min(self.queue),
            stalls: counters.stalls,
            throttled: counters.throttled,
            units_late: counters.late,
            units_repeated: counters.repeated,
            backlog: counters.backlog,
            encoded: counters.encoded,
            udp_bytes_received: quic.udp_rx.bytes,
            udp_bytes_sent: quic.udp_tx.bytes,
            rtt: quic.path.rtt,
        }
    }
}

/// The live streams. A name is there once.
#[derive(Default)]
pub struct Register(Mutex<Known>);

#[derive(Default)]
struct Known {
    live: HashMap<StreamName, Arc<Stream>>,
    /// Layers that the application wants, of streams that are there or not: as many as it asked for.
    layers: HashMap<StreamName, BTreeSet<u8>>,
}

/// Why a stream cannot be registered.
pub enum Conflict {
    /// It never can, as things are.
    Refused(Refusal, String),
    /// An older connection of the same sender must end first.
    Older(Arc<Stream>),
    /// Another sender has the name, if it is still there.
    Taken(Arc<Stream>),
}

impl Register {
    /// Registers a stream, unless the name is taken or there are `limit` streams.
    pub fn add(self: &Arc<Self>, stream: Arc<Stream>, limit: usize) -> Result<Registration, Conflict> {
        let mut known = self.0.lock();
        let streams = &mut known.live;
        if let Some(older) = streams.get(&stream.name) {
            if older.instance == stream.instance {
                return Err(Conflict::Older(older.clone()));
            }
            return Err(Conflict::Taken(older.clone()));
        }
        if streams.len() >= limit {
            let text = format!("all {limit} streams are in use");
            return Err(Conflict::Refused(Refusal::Busy, text));
        }
        streams.insert(stream.name.clone(), stream.clone());
        for layer in known.layers.get(&stream.name).into_iter().flatten() {
            stream.outbox.set_layer(*layer, true);
        }
        Ok(Registration {
            register: self.clone(),
            stream,
        })
    }

    pub fn get(&self, name: &StreamName) -> Option<Arc<Stream>> {
        self.0.lock().live.get(name).cloned()
    }

    /// Tells a camera, now if it is there, and each time it connects. False: it is not there.
    pub fn set_layer(&self, name: &StreamName, layer: u8, on: bool) -> bool {
        let mut known = self.0.lock();
        if on {
            known.layers.entry(name.clone()).or_default().insert(layer);
        } else if let Some(layers) = known.layers.get_mut(name) {
            layers.remove(&layer);
            if layers.is_empty() {
                known.layers.remove(name);
            }
        }
        let live = known.live.get(name);
        live.inspect(|live| live.outbox.set_layer(layer, on)).is_some()
    }

    pub fn stats(&self) -> Vec<StreamStats> {
        let mut streams: Vec<_> = self.0.lock().live.values().map(|stream| stream.stats()).collect();
        streams.sort_by(|a, b| a.stream.cmp(&b.stream));
        streams
    }
}

/// Keeps a stream registered until it is dropped.
pub struct Registration {
    register: Arc<Register>,
    pub stream: Arc<Stream>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.register.0.lock().live.remove(&self.stream.name);
        self.stream.ended.send_replace(true);
    }
}
