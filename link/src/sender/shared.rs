//! Owns what the application's threads and the sender's own share.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, TrySendError};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::{Duration, Instant};

use super::config::Config;
use super::event::{Congestion, DropReason, Event, Outcome, Stats};
use super::ledger::Ledger;
use super::queue::{Entry, Queue};
use crate::spool::{Lane, Refused, Spool};
use crate::wire::ENHANCEMENT_LAYER;
use crate::{Times, Unit};

/// Events that wait for the application.
const EVENTS: usize = 256;

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

pub struct Shared {
    pub phase: watch::Sender<Phase>,
    /// Locked before `spool` where both are, and before `ledger`.
    queue: Mutex<Queue>,
    pub spool: Option<Mutex<Spool>>,
    /// The spool did not take the last unit, and that was told.
    spool_trouble: Mutex<bool>,
    wake: Notify,
    ledger: Mutex<Ledger>,
    /// A key was asked for and none was queued since.
    key_wanted: AtomicBool,
    /// How long units took that the receiver was not told of.
    encoded: Mutex<Times>,
    events: Sender<Event>,
}

impl Shared {
    pub fn new(config: &Config, spool: Option<Spool>) -> (Self, Receiver<Event>) {
        let (events, receiver) = crossbeam_channel::bounded(EVENTS);
        let shared = Self {
            phase: watch::Sender::new(Phase::Running),
            queue: Mutex::new(Queue::new(config.queue, config.queue_bytes)),
            spool: spool.map(Mutex::new),
            spool_trouble: Mutex::default(),
            wake: Notify::new(),
            ledger: Mutex::default(),
            key_wanted: AtomicBool::new(false),
            encoded: Mutex::default(),
            events,
        };
        (shared, receiver)
    }

    /// From the application: a unit to send.
    pub fn push(&self, unit: Unit) -> Outcome {
        let now = Instant::now();
        let key = unit.key;
        let connected = self.is_connected();
        let (outcome, trouble) = {
            let mut queue = self.queue.lock();
            let mut trouble = None;
            let number = match &self.spool {
                Some(spool) if !queue.finishing() => {
                    let mut spool = spool.lock();
                    match spool.append(&unit, now) {
                        Ok(number) => {
                            trouble = spool.disk_is_full(now).then(|| {
                                "the disk is full: the oldest groups make room for new ones".to_owned()
                            });
                            Some(number)
                        }
                        Err(refused) => {
                            trouble = match refused {
                                Refused::Disk(error) => Some(format!("the disk does not take it: {error}")),
                                Refused::Size => {
                                    Some(format!("a unit of {} bytes is too large for it", unit.data.len()))
                                }
                                Refused::AwaitingKey => None,
                            };
                            None
                        }
                    }
                }
                _ => None,
            };
            let outcome = match number {
                Some(_) if !connected => {
                    queue.lose_group();
                    Outcome::Spooled
                }
                // What goes live ought to be whole in the spool, or not be there: a group of both would have gaps.
                None if self.spool.is_some() && !unit.key => {
                    queue.lose_group();
                    queue.count_dropped();
                    Outcome::Dropped(if queue.finishing() {
                        DropReason::Finishing
                    } else {
                        DropReason::AwaitingKey
                    })
                }
                number => {
                    let key = unit.key;
                    let outcome = queue.push(Entry {
                        unit,
                        at: now,
                        number,
                        enhancement: false,
                        enhancement_key: false,
                    });
                    if let (Some(spool), Some(number), true, Outcome::Queued) =
                        (&self.spool, number, key, outcome)
                    {
                        spool.lock().set_lane(number.serial, Lane::Live);
                    }
                    outcome
                }
            };
            self.defer(&mut queue);
            (outcome, trouble.map(Some).or(number.map(|_| None)))
        };
        if let Some(trouble) = trouble {
            self.tell_spool(trouble);
        }
        match outcome {
            Outcome::Queued | Outcome::Spooled => {
                if key && outcome == Outcome::Queued {
                    self.key_wanted.store(false, Ordering::Relaxed);
                }
                self.wake.notify_one();
            }
            Outcome::Dropped(_) => {}
        }
        self.ask_for_key_if_needed();
        outcome
    }

    /// From the application: a unit of the enhancement layer. It is not for the spool: while nobody is there, nobody watches.
    pub fn push_enhancement(&self, unit: Unit) -> Outcome {
        let at = Instant::now();
        let (size, enhancement_key) = (unit.data.len(), unit.key);
        let Some(room) = self.ledger.lock().enhancement_room() else {
            self.queue.lock().lose_enhancement(enhancement_key, at);
            return Outcome::Dropped(DropReason::Enhancement);
        };
        let outcome = self.queue.lock().push_enhancement(
            Entry {
                unit: Unit { key: false, ..unit },
                at,
                number: None,
                enhancement: true,
                enhancement_key,
            },
            size as u64 <= room,
        );
        if outcome == Outcome::Queued {
            self.wake.notify_one();
        }
        outcome
    }

    /// How large an enhancement unit may be now; when that is nothing, those that wait are dropped. `calm`: long enough for
    /// the encoder to be asked to go on where it had to yield.
    pub fn enhancement_room(&self, bytes: u64, calm: bool) {
        let Some(wanted) = self.ledger.lock().set_enhancement_room(bytes) else {
            return;
        };
        let now = Instant::now();
        let mut queue = self.queue.lock();
        if bytes == 0 {
            queue.yield_enhancement(now);
        } else if calm && wanted && queue.ask_for_enhancement(now) {
            drop(queue);
            self.event(Event::EnhancementBroken);
        }
    }

    /// The receiver wants a layer, or no longer.
    pub fn layer(&self, layer: u8, on: bool) {
        if layer == ENHANCEMENT_LAYER {
            self.ledger.lock().want_enhancement(on);
            let mut queue = self.queue.lock();
            queue.yield_enhancement(Instant::now());
            queue.enhancement_begins();
        }
        self.event(Event::Layer { layer, on });
    }

    /// An enhancement unit that was taken goes to the network, or it cannot be sent.
    pub fn enhancement(&self, entry: &Entry, sent: bool) {
        let mut queue = self.queue.lock();
        if !sent {
            return queue.lose_enhancement(entry.enhancement_key, entry.at);
        }
        queue.enhancement_sent();
        drop(queue);
        self.ledger.lock().sending_enhancement(entry.unit.data.len());
    }

    /// Says once that the spool takes nothing, and once that it takes units again.
    fn tell_spool(&self, trouble: Option<String>) {
        let changed =
            std::mem::replace(&mut *self.spool_trouble.lock(), trouble.is_some()) != trouble.is_some();
        if changed {
            match &trouble {
                Some(reason) => tracing::warn!("spool: {reason}"),
                None => tracing::info!("spool: takes units again"),
            }
            self.event(Event::Spool { trouble });
        }
    }

    /// Hands groups that the queue gave up to the spool's lane.
    fn defer(&self, queue: &mut Queue) {
        let serials = queue.take_deferred();
        if let Some(spool) = &self.spool {
            let mut spool = spool.lock();
            serials
                .into_iter()
                .for_each(|serial| spool.set_lane(serial, Lane::Waiting));
        }
    }

    /// From the application: no more units.
    pub fn finish(&self) {
        self.queue.lock().finish();
        if let Some(spool) = &self.spool {
            spool.lock().finish();
        }
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
    pub async fn next(&self) -> Option<Entry> {
        loop {
            {
                let mut queue = self.queue.lock();
                if let Some(entry) = queue.pop() {
                    drop(queue);
                    self.ask_for_key_if_needed();
                    return Some(entry);
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
        self.queue.lock().finished() && self.spool.as_ref().is_none_or(|spool| spool.lock().is_empty())
    }

    /// Nothing waits to be sent live, and nothing will.
    pub fn live_drained(&self) -> bool {
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
    pub fn give_up_group(&self, entry: &Entry) {
        let mut queue = self.queue.lock();
        queue.lose(entry);
        queue.skip_to_key();
        self.defer(&mut queue);
        drop(queue);
        self.ask_for_key_if_needed();
    }

    /// What was taken last cannot be continued.
    pub fn give_up_group_after(&self) {
        let mut queue = self.queue.lock();
        queue.skip_to_key();
        self.defer(&mut queue);
        drop(queue);
        self.ask_for_key_if_needed();
    }

    /// A group was older than the budget.
    pub fn count_reset(&self) {
        self.ledger.lock().count_reset();
    }

    /// Whether a group begins behind the unit that is next.
    pub fn has_later_key(&self) -> bool {
        let queue = self.queue.lock();
        queue.has_later_key()
    }

    /// Age of the oldest unit that waits, since there is a connection.
    pub fn age(&self, now: Instant, writing: Option<Instant>) -> Duration {
        let oldest = writing.or_else(|| self.queue.lock().oldest());
        let since = self.ledger.lock().since();
        match (oldest, since) {
            (Some(oldest), Some(since)) => now.saturating_duration_since(oldest.max(since)),
            _ => Duration::ZERO,
        }
    }

    /// Makes the state of the link known: to the statistics, and to the application if it should hear of it.
    pub fn congestion(&self, now: Congestion, tell: bool) {
        self.ledger.lock().congestion(now);
        if tell {
            self.event(Event::Congestion(now));
        }
    }

    fn is_connected(&self) -> bool {
        self.ledger.lock().since().is_some()
    }

    /// Units and bytes that wait, and units dropped.
    pub fn backlog(&self) -> (usize, usize, u64) {
        let queue = self.queue.lock();
        (queue.len(), queue.bytes(), queue.dropped())
    }

    /// The receiver let the sender in.
    pub fn connected(&self, connection: &quinn::Connection) {
        self.ledger.lock().begin(connection.clone());
        {
            let mut queue = self.queue.lock();
            // What waits is in the spool, if there is one: the present comes first, the past beside it.
            match &self.spool {
                Some(_) => queue.clear(),
                None => queue.skip_to_key(),
            }
            self.defer(&mut queue);
        }
        self.event(Event::Connected {
            remote: connection.remote_address(),
        });
        self.ask_for_key_if_needed();
    }

    /// The connection ended. Returns how many units it took along.
    pub fn disconnected(&self) -> u64 {
        let Some(lost) = self.ledger.lock().end(self.spool.is_some()) else {
            return 0;
        };
        let mut queue = self.queue.lock();
        queue.yield_enhancement(Instant::now());
        if self.spool.is_some() {
            queue.clear();
            self.defer(&mut queue);
        }
        if let Some(spool) = &self.spool {
            spool.lock().all_wait();
            // What is coded now goes to the disk, which has room for all of it.
            self.event(Event::Congestion(Congestion::default()));
        }
        lost
    }

    pub fn attempt_failed(&self) {
        self.ledger.lock().attempt_failed();
    }

    /// A unit goes to the network.
    pub fn sending(&self, data: &Bytes, begins_group: bool, late: bool) {
        self.ledger.lock().sending(data.len(), begins_group, late);
    }

    /// The receiver's application was given so many units of this connection.
    pub fn confirmed(&self, units: u64, enhancement: u64) {
        self.ledger.lock().confirmed(units, enhancement);
    }

    /// The receiver wants a key. One that it has not got yet will do.
    pub fn key_requested(&self) {
        let sent = self.ledger.lock().key_is_on_its_way();
        if sent || self.queue.lock().has_key() {
            tracing::debug!("a key is on its way already");
        } else {
            self.want_key();
        }
    }

    /// Whether no key was queued since one was asked for.
    pub fn encoded(&self, time: Duration) {
        self.encoded.lock().add(time);
    }

    /// What the receiver is to be told of encoding times, if there is any.
    pub fn take_encoded(&self) -> Option<Times> {
        let times = std::mem::take(&mut *self.encoded.lock());
        (times.count() > 0).then_some(times)
    }

    pub fn key_wanted(&self) -> bool {
        self.key_wanted.load(Ordering::Relaxed)
    }

    fn want_key(&self) {
        self.key_wanted.store(true, Ordering::Relaxed);
        self.event(Event::KeyRequested);
    }

    /// The receiver has stored so many units of a group in the spool.
    pub fn stored(&self, serial: u64, units: u64) {
        if let Some(spool) = &self.spool {
            spool.lock().stored(serial, units, Instant::now());
        }
        // An end that waits for the spool to be empty.
        self.wake.notify_one();
    }

    pub fn event(&self, event: Event) {
        tracing::debug!(?event, "sender");
        if let Err(TrySendError::Full(_)) = self.events.try_send(event) {
            self.ledger.lock().event_dropped();
        }
    }

    pub fn stats(&self) -> Stats {
        let mut stats = self.ledger.lock().stats();
        let (queued, queued_bytes, dropped) = self.backlog();
        (stats.queued, stats.queued_bytes, stats.units_dropped) = (queued, queued_bytes, dropped);
        stats.enhancement_dropped = self.queue.lock().enhancement_dropped();
        if let Some(spool) = &self.spool {
            let contents = spool.lock().contents();
            (stats.spool_units, stats.spool_bytes) = (contents.units, contents.bytes);
            stats.spool_dropped = contents.dropped.units;
        }
        stats
    }

    /// While there is no connection nobody is asked: the key would be old when it can be sent.
    fn ask_for_key_if_needed(&self) {
        let connected = self.is_connected();
        if connected && self.queue.lock().ask_for_key() {
            self.want_key();
        }
    }
}

/// Forces the spool to the disk if that is due, on a thread of its own: nobody waits for the disk.
pub fn sync(shared: &Shared, now: Instant) {
    let Some(spool) = &shared.spool else { return };
    let files = spool.lock().sync_due(now);
    if !files.is_empty() {
        tokio::task::spawn_blocking(move || {
            for file in files {
                if let Err(error) = file.sync_data() {
                    tracing::warn!(%error, "the spool cannot be forced to the disk");
                }
            }
        });
    }
}
