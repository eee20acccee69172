//! The camera's end of the link: connects, stays connected, and sends units in order.
//!
//! The network never ends a [`Sender`]; it only shows in [`Event`]s and [`Stats`].

mod config;
pub(crate) mod dial;
mod enhancement;
mod event;
mod failure;
mod group;
mod ledger;
mod meter;
mod pace;
mod queue;
mod session;
pub(crate) mod shared;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::Receiver;

pub use config::{BackoffRange, ClientTls, Config, Congestion as CongestionControl, SpoolConfig};
pub use event::{Congestion, DropReason, Event, Outcome, Stats};
pub(crate) use queue::MAX_UNIT;

use crate::backoff::Backoff;
use crate::spool::Spool;
use crate::wire::Refusal;
use crate::wire::message::INSTANCE_LEN;
use crate::{Error, Unit, tls, transport};
use failure::{Failure, Kind};
use session::End;
use shared::{Phase, Shared};

/// How often the spool is looked at, whether something of it has to be forced to the disk.
const SYNC_PERIOD: Duration = Duration::from_secs(1);

/// Sends the units of one stream to one receiver, over one connection after the other.
///
/// Dropped without [`finish`](Self::finish), it gives up what it has not yet sent.
pub struct Sender {
    shared: Arc<Shared>,
    events: Receiver<Event>,
    thread: Option<JoinHandle<()>>,
    delivered: Receiver<bool>,
}

impl Sender {
    /// Reads the files, checks the settings and starts the thread `cis-link`, which connects. An error is about the
    /// settings or the machine; whether the receiver can be reached is told by events.
    pub fn start(config: Config) -> Result<Self, Error> {
        let (work, events) = Work::new(config)?;
        let runtime = crate::runtime()?;
        let shared = work.shared.clone();
        let (report, delivered) = crossbeam_channel::bounded(1);
        let thread = std::thread::Builder::new()
            .name("cis-link".into())
            .spawn(move || {
                let all = runtime.block_on(work.run(Arc::new(dial::open)));
                // A look-up of a name may still be running; nobody waits for it.
                runtime.shutdown_background();
                let _ = report.send(all);
            })
            .map_err(Error::System)?;
        Ok(Self {
            shared,
            events,
            thread: Some(thread),
            delivered,
        })
    }

    /// Hands over a unit. Never waits. When the queue is full, the rest of the group is dropped and counted, and as soon
    /// as there is room [`Event::KeyRequested`] asks for the key with which to go on.
    pub fn send(&self, unit: Unit) -> Outcome {
        self.shared.push(unit)
    }

    /// Hands over a unit of the enhancement layer, on which no other layer builds, after the unit of layer 0 that it belongs to; `key`
    /// means a key of that layer. It yields to all others: when nobody wants it, the link is congested or has no room for so
    /// large a one, the queue is half full, or a unit of layer 0 comes before it is begun, it and what continues it is dropped
    /// and counted. [`Event::EnhancementBroken`] then says when to begin again.
    pub fn send_enhancement(&self, unit: Unit) -> Outcome {
        self.shared.push_enhancement(unit)
    }

    /// How long a unit took to encode: the receiver is told, within a second.
    pub fn encoded(&self, time: Duration) {
        self.shared.encoded(time);
    }

    /// Whether a key is still wanted: it was asked for by [`Event::KeyRequested`] and none was queued since. Whoever takes events on
    /// another thread than units come from finds out here that the key was under way already.
    pub fn key_wanted(&self) -> bool {
        self.shared.key_wanted()
    }

    /// What happens to the sender. At most 256 events wait; what comes on top is counted in the statistics and lost.
    pub fn events(&self) -> Receiver<Event> {
        self.events.clone()
    }

    /// What the sender has done, now.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// Takes no more units, sends what waits and has the receiver confirm it. The channel says once that this is over:
    /// `false` if some of it was lost with a connection on the way. To be dropped after that, or when it takes too long.
    pub fn drain(&self) -> Receiver<bool> {
        self.shared.finish();
        self.delivered.clone()
    }

    /// Sends what waits, has the receiver confirm it, and ends. `false`: some of it was not confirmed by the deadline,
    /// or was lost with a connection on the way.
    pub fn finish(self, deadline: Duration) -> bool {
        self.drain().recv_timeout(deadline).unwrap_or(false)
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.shared.advance(Phase::Stopped);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the sender's thread ended by a panic");
        }
    }
}

/// What a sender's thread does.
pub(crate) struct Work {
    pub(crate) shared: Arc<Shared>,
    config: Config,
    quic: quinn::ClientConfig,
    meter: Arc<meter::Meter>,
}

impl Work {
    /// Reads the files and checks the settings.
    pub(crate) fn new(config: Config) -> Result<(Self, Receiver<Event>), Error> {
        config.check()?;
        let mut quic = quinn::ClientConfig::new(Arc::new(tls::client(&config.tls)?));
        let mut transport = transport::client(config.idle_timeout, config.keep_alive, config.send_window)?;
        let meter = Arc::new(meter::Meter::default());
        transport.congestion_controller_factory(Arc::new(meter::Factory {
            kind: config.congestion,
            meter: meter.clone(),
        }));
        let spool = config.spool.as_ref().map(|spool| {
            Spool::open(
                &spool.dir,
                &config.stream,
                &config.bundle,
                spool.max_bytes,
                instance(),
            )
        });
        quic.transport_config(Arc::new(transport));
        let (shared, events) = Shared::new(&config, spool.transpose()?);
        let work = Self {
            shared: Arc::new(shared),
            config,
            quic,
            meter,
        };
        Ok((work, events))
    }

    /// Connects again and again, from sockets that `open` makes. Returns whether everything that waited when the application finished was delivered.
    pub(crate) async fn run(&self, open: Arc<dial::Open>) -> bool {
        let shared = &*self.shared;
        let sync = async {
            loop {
                tokio::time::sleep(SYNC_PERIOD).await;
                shared::sync(shared, tokio::time::Instant::now());
            }
        };
        tokio::select! {
            all = self.connect(&open) => all,
            () = sync => false,
        }
    }

    async fn connect(&self, open: &Arc<dial::Open>) -> bool {
        let shared = &*self.shared;
        let mut backoff = Backoff::new(self.config.backoff.min, self.config.backoff.max);
        let instance = instance();
        let mut pace = pace::Pace::new(self.config.latency_budget);
        let mut all = true;
        loop {
            if shared.drained() {
                return all;
            }
            let lost = shared.stats().units_lost;
            let failure = match session::run(self, open, instance, &mut pace).await {
                End::Finished => return all && shared.drained(),
                End::Stopped => return false,
                End::Failed(failure) => failure,
            };
            if *shared.phase.borrow() == Phase::Finishing && shared.stats().units_lost > lost {
                all = false;
            }
            let retry_in = report(shared, failure, &mut backoff);
            tokio::select! {
                () = tokio::time::sleep(retry_in) => {}
                () = shared.reached(Phase::Stopped) => return false,
                () = shared.nothing_left() => {}
            }
        }
    }
}

fn report(shared: &Shared, failure: Failure, backoff: &mut Backoff) -> Duration {
    let Failure { reason, kind, lived } = failure;
    backoff.ended(lived);
    if lived.is_zero() {
        shared.attempt_failed();
    }
    match kind {
        Kind::Lost => {
            let retry_in = backoff.next(chance() as u32);
            shared.event(Event::Disconnected { reason, retry_in });
            retry_in
        }
        Kind::Refused(refusal) => {
            let retry_in = match refusal {
                // These may pass without anybody doing something.
                Some(Refusal::NameTaken | Refusal::Busy) => backoff.next(chance() as u32),
                _ => backoff.slow(chance() as u32),
            };
            shared.event(Event::Refused {
                reason,
                refusal,
                retry_in,
            });
            retry_in
        }
    }
}

/// A number that differs from process to process and from call to call. Nothing secret depends on it.
fn chance() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn instance() -> [u8; INSTANCE_LEN] {
    let mut instance = [0; INSTANCE_LEN];
    for part in instance.chunks_mut(8) {
        part.copy_from_slice(&chance().to_le_bytes());
    }
    instance
}
