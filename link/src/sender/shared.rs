//! Owns what the application's threads and the sender's own share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, TrySendError};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::config::Config;
use super::event::{Event, Outcome, Stats};
use super::queue::Queue;
use crate::Unit;

/// Events that wait for the application.
const EVENTS: usize = 256;

/// How long a key on its way is taken for the answer to a request. The end of its patience: a key that was lost with its group
/// is never confirmed.
const KEY_TRANSIT: Duration = Duration::from_secs(5);

/// How long the sender goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Until further notice.
    Running,
    /// Until everything is delivered.
    Finishing,
    /// No longer.
    Stopped,
}

/// Counters of all connections up to now, and the connection there is.
#[derive(Default)]
struct Ledger {
    /// What [`Shared::stats`] does not compute.
    totals: Stats,
    live: Option<Live>,
}

struct Live {
    connection: quinn::Connection,
    sent: u64,
    confirmed: u64,
    /// Units sent up to the newest key, that one included, and when it was sent.
    key: Option<(u64, Instant)>,
}

pub struct Shared {
    pub phase: watch::Sender<Phase>,
    queue: Mutex<Queue>,
    wake: Notify,
    ledger: Mutex<Ledger>,
    /// A key was asked for and none was queued since.
    key_wanted: AtomicBool,
    events: Sender<Event>,
}

impl Shared {
    pub fn new(config: &Config) -> (Self, Receiver<Event>) {
        let (events, receiver) = crossbeam_channel::bounded(EVENTS);
        let shared = Self {
            phase: watch::Sender::new(Phase::Running),
            queue: Mutex::new(Queue::new(config.queue, config.queue_bytes)),
            wake: Notify::new(),
            ledger: Mutex::default(),
            key_wanted: AtomicBool::new(false),
            events,
        };
        (shared, receiver)
    }

    /// From the application: a unit to send.
    pub fn push(&self, unit: Unit) -> Outcome {
        let key = unit.key;
        let outcome = self.queue.lock().push(unit);
        match outcome {
            Outcome::Queued => {
                if key {
                    self.key_wanted.store(false, Ordering::Relaxed);
                }
                self.wake.notify_one();
            }
            Outcome::Dropped(_) => self.ask_for_key_if_needed(),
        }
        outcome
    }

    /// From the application: no more units.
    pub fn finish(&self) {
        self.queue.lock().finish();
        self.advance(Phase::Finishing);
        self.wake.notify_one();
    }

    pub fn advance(&self, to: Phase) {
        self.phase.send_if_modified(|phase| {
            let forward = *phase < to;
            *phase = to.max(*phase);
            forward
        });
    }

    /// Completes in that phase or a later one.
    pub async fn reached(&self, phase: Phase) {
        // An error means that the sender of the value is gone, and `self` holds it.
        let _ = self.phase.subscribe().wait_for(|now| *now >= phase).await;
    }

    /// The next unit to send; `None` when everything was sent and no more will come. Nothing is lost if interrupted.
    pub async fn next(&self) -> Option<Unit> {
        loop {
            {
                let mut queue = self.queue.lock();
                if let Some(unit) = queue.pop() {
                    drop(queue);
                    self.ask_for_key_if_needed();
                    return Some(unit);
                }
                if queue.finished() {
                    return None;
                }
            }
            self.wake.notified().await;
        }
    }

    /// Nothing waits, and nothing will.
    pub fn drained(&self) -> bool {
        self.queue.lock().finished()
    }

    /// Completes when everything was taken and no more will come.
    pub async fn nothing_left(&self) {
        self.reached(Phase::Finishing).await;
        // Units are taken by a session only, and whoever waits here has none.
        if !self.drained() {
            std::future::pending::<()>().await;
        }
    }

    /// A unit that was taken cannot be sent, nor what continues it.
    pub fn give_up_group(&self) {
        let mut queue = self.queue.lock();
        queue.count_dropped();
        queue.skip_to_key();
        drop(queue);
        self.ask_for_key_if_needed();
    }

    /// Units and bytes that wait, and units dropped.
    pub fn backlog(&self) -> (usize, usize, u64) {
        let queue = self.queue.lock();
        (queue.len(), queue.bytes(), queue.dropped())
    }

    /// The receiver let the sender in.
    pub fn connected(&self, connection: &quinn::Connection) {
        let remote = connection.remote_address();
        {
            let mut ledger = self.ledger.lock();
            if ledger.totals.remote.replace(remote).is_some() {
                ledger.totals.reconnects += 1;
            }
            ledger.live = Some(Live {
                connection: connection.clone(),
                sent: 0,
                confirmed: 0,
                key: None,
            });
        }
        self.queue.lock().skip_to_key();
        self.event(Event::Connected { remote });
        self.ask_for_key_if_needed();
    }

    /// The connection ended. Returns how many units it took along.
    pub fn disconnected(&self) -> u64 {
        let mut ledger = self.ledger.lock();
        let Some(live) = ledger.live.take() else { return 0 };
        let quic = live.connection.stats();
        let lost = live.sent - live.confirmed;
        let totals = &mut ledger.totals;
        totals.units_lost += lost;
        totals.udp_bytes_sent += quic.udp_tx.bytes;
        totals.udp_bytes_received += quic.udp_rx.bytes;
        totals.packets_lost += quic.path.lost_packets;
        lost
    }

    pub fn attempt_failed(&self) {
        self.ledger.lock().totals.failed_attempts += 1;
    }

    /// A unit goes to the network.
    pub fn sending(&self, data: &Bytes, begins_group: bool) {
        let mut ledger = self.ledger.lock();
        ledger.totals.units_sent += 1;
        ledger.totals.unit_bytes += data.len() as u64;
        ledger.totals.groups += u64::from(begins_group);
        if let Some(live) = &mut ledger.live {
            live.sent += 1;
            if begins_group {
                live.key = Some((live.sent, Instant::now()));
            }
        }
    }

    /// The receiver's application was given so many units of this connection.
    pub fn confirmed(&self, units: u64) {
        let mut ledger = self.ledger.lock();
        let Some(live) = &mut ledger.live else { return };
        let units = units.clamp(live.confirmed, live.sent);
        let more = units - live.confirmed;
        live.confirmed = units;
        ledger.totals.units_confirmed += more;
    }

    /// The receiver wants a key. One that it has not got yet will do.
    pub fn key_requested(&self) {
        let sent = self.ledger.lock().live.as_ref().is_some_and(|live| {
            live.key
                .is_some_and(|(at, when)| at > live.confirmed && when.elapsed() < KEY_TRANSIT)
        });
        if sent || self.queue.lock().has_key() {
            tracing::debug!("a key is on its way already");
        } else {
            self.want_key();
        }
    }

    /// Whether no key was queued since one was asked for.
    pub fn key_wanted(&self) -> bool {
        self.key_wanted.load(Ordering::Relaxed)
    }

    fn want_key(&self) {
        self.key_wanted.store(true, Ordering::Relaxed);
        self.event(Event::KeyRequested);
    }

    pub fn event(&self, event: Event) {
        tracing::debug!(?event, "sender");
        if let Err(TrySendError::Full(_)) = self.events.try_send(event) {
            self.ledger.lock().totals.events_dropped += 1;
        }
    }

    pub fn stats(&self) -> Stats {
        let ledger = self.ledger.lock();
        let mut stats = ledger.totals.clone();
        stats.connected = ledger.live.is_some();
        match &ledger.live {
            Some(live) => {
                let quic = live.connection.stats();
                stats.udp_bytes_sent += quic.udp_tx.bytes;
                stats.udp_bytes_received += quic.udp_rx.bytes;
                stats.packets_lost += quic.path.lost_packets;
                stats.rtt = Some(quic.path.rtt);
                let rtt = quic.path.rtt.as_secs_f64().max(1e-6);
                stats.estimated_bitrate = Some((quic.path.cwnd as f64 * 8.0 / rtt) as u64);
            }
            None => stats.remote = None,
        }
        drop(ledger);
        let (queued, queued_bytes, dropped) = self.backlog();
        (stats.queued, stats.queued_bytes, stats.units_dropped) = (queued, queued_bytes, dropped);
        stats
    }

    /// While there is no connection nobody is asked: the key would be old when it can be sent.
    fn ask_for_key_if_needed(&self) {
        if self.ledger.lock().live.is_some() && self.queue.lock().ask_for_key() {
            self.want_key();
        }
    }
}
