//! Owns which cameras a worker works for: knows the cameras and the other workers, and begins and ends the cameras' tasks.

use super::assignment;
use super::camera::{self, Shared};
use super::membership::{Heard, Roster, Sign};
use super::subjects::Subjects;
use async_nats::Subscriber;
use cis_link::StreamName;
use futures_util::StreamExt;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How often it is looked whether somebody is gone, or a camera's task has ended.
const TICK: Duration = Duration::from_millis(100);
/// Cameras that are known at a time: whoever floods the subject gets no further.
const MAX_CAMERAS: usize = 100_000;
/// How long results that are on their way get when the worker ends.
const FAREWELL: Duration = Duration::from_secs(5);

/// How often things happen.
#[derive(Clone, Copy)]
pub struct Periods {
    /// A sign of life.
    pub heartbeat: Duration,
    /// A look at the broker's list of cameras.
    pub discover: Duration,
    /// A line in the log; zero: none.
    pub status: Duration,
}

/// The one of this process.
pub struct Supervisor {
    shared: Arc<Shared>,
    roster: Roster,
    instance: u64,
    periods: Periods,
    /// Those that there are; false: the last look did not find it.
    cameras: BTreeMap<StreamName, bool>,
    tasks: HashMap<StreamName, Task>,
    give_up: watch::Sender<bool>,
    /// Somebody came or went.
    changed: bool,
    /// Nobody is given anything before this: the others must be heard first.
    settled: Instant,
    reachable: bool,
}

struct Task {
    stop: watch::Sender<bool>,
    handle: JoinHandle<()>,
}

impl Supervisor {
    /// Of a worker that knows nobody yet.
    pub fn new(shared: Arc<Shared>, roster: Roster, instance: u64, periods: Periods) -> Self {
        Self {
            shared,
            roster,
            instance,
            periods,
            cameras: BTreeMap::new(),
            tasks: HashMap::new(),
            give_up: watch::Sender::new(false),
            changed: true,
            settled: Instant::now() + periods.heartbeat * 2,
            reachable: true,
        }
    }

    /// Works until `stop` says so.
    pub async fn run(
        mut self,
        mut signs: Subscriber,
        mut announced: Subscriber,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut tick = tokio::time::interval(TICK.min(self.periods.heartbeat));
        let mut heartbeat = tokio::time::interval(self.periods.heartbeat);
        let mut discover = tokio::time::interval(self.periods.discover);
        let mut status = (!self.periods.status.is_zero()).then(|| tokio::time::interval(self.periods.status));
        for interval in [&mut tick, &mut heartbeat, &mut discover]
            .into_iter()
            .chain(&mut status)
        {
            interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        }
        loop {
            tokio::select! {
                () = super::told(&mut stop)  => break,
                _ = heartbeat.tick() => self.say(Sign::Here(self.instance)).await,
                _ = discover.tick() => self.discover().await,
                _ = tick.tick() => self.look(),
                Some(message) = signs.next() => self.hear(Subjects::last(&message.subject), &message.payload),
                Some(message) = announced.next() => self.add(Subjects::announced(&message.subject)),
                () = tick_of(&mut status) => tracing::info!(
                    "status: {} of {} cameras, {} workers; {}",
                    self.tasks.len(), self.cameras.len(), self.roster.names().count(), self.shared.counts
                ),
            }
            if self.changed && Instant::now() >= self.settled {
                self.assign();
            }
        }
        self.leave().await;
    }

    async fn say(&self, sign: Sign) {
        let subject = self.shared.broker.subjects.worker(self.roster.name());
        if let Err(e) = self
            .shared
            .broker
            .client
            .publish(subject, sign.words().into())
            .await
        {
            tracing::debug!("no sign of life: {e}");
        }
    }

    fn hear(&mut self, name: &str, words: &[u8]) {
        let Some(sign) = Sign::read(words) else {
            return self.shared.counts.foreign.add(1);
        };
        match self.roster.heard(name, sign, Instant::now()) {
            Heard::Known => {}
            Heard::Changed => self.changed = true,
            Heard::Namesake => {
                tracing::error!("another worker has the name {name}, too: both work for the same cameras")
            }
            Heard::Full => self.shared.counts.foreign.add(1),
        }
    }

    fn add(&mut self, camera: Option<StreamName>) {
        match camera {
            Some(camera) if self.cameras.len() < MAX_CAMERAS => {
                self.changed |= self.cameras.insert(camera, true).is_none();
            }
            _ => self.shared.counts.foreign.add(1),
        }
    }

    /// Looks which cameras the broker has units of. One without any is nobody's.
    async fn discover(&mut self) {
        let broker = &self.shared.broker;
        let listed = async {
            let mut subjects = broker
                .units
                .info_with_subjects(broker.subjects.all_units())
                .await?;
            let mut cameras = BTreeSet::new();
            while let Some(subject) = subjects.next().await {
                match broker.subjects.camera_of_units(&subject?.0) {
                    Some(camera) => {
                        cameras.insert(camera);
                    }
                    None => self.shared.counts.foreign.add(1),
                }
            }
            Ok::<_, async_nats::Error>(cameras)
        };
        match listed.await {
            Ok(cameras) => {
                let before = self.cameras.len();
                // One that was announced may have no units yet: it is there until two looks have not found it.
                self.cameras
                    .retain(|camera, found| std::mem::replace(found, cameras.contains(camera)) || *found);
                self.changed |= self.cameras.len() < before;
                cameras.into_iter().for_each(|camera| self.add(Some(camera)));
            }
            Err(e) => tracing::debug!("the broker does not tell its cameras: {e}"),
        }
    }

    fn look(&mut self) {
        let now = Instant::now();
        let reachable = self.shared.broker.is_connected();
        if !reachable || !self.reachable {
            // Nobody can be heard without the broker; afterwards they need time to say something.
            self.roster.excuse(now);
        }
        self.reachable = reachable;
        self.changed |= self.roster.expire(now);
        let before = self.tasks.len();
        self.tasks.retain(|_, task| !task.handle.is_finished());
        self.changed |= self.tasks.len() < before;
    }

    /// Begins and ends tasks, as the cameras belong now.
    fn assign(&mut self) {
        self.changed = false;
        let (roster, cameras) = (&self.roster, &self.cameras);
        let mine = |camera: &StreamName| {
            cameras.contains_key(camera)
                && assignment::owner(camera.as_str(), roster.names()) == Some(roster.name())
        };
        for (_, task) in self.tasks.iter().filter(|(camera, _)| !mine(camera)) {
            task.stop.send_replace(true);
        }
        let new: Vec<_> = cameras
            .keys()
            .filter(|camera| !self.tasks.contains_key(*camera) && mine(camera))
            .cloned()
            .collect();
        for camera in new {
            let (stop, stopped) = watch::channel(false);
            let work = camera::hold(
                self.shared.clone(),
                camera.clone(),
                stopped,
                self.give_up.subscribe(),
            );
            let handle = tokio::spawn(work);
            self.tasks.insert(camera, Task { stop, handle });
        }
    }

    async fn leave(self) {
        for task in self.tasks.values() {
            task.stop.send_replace(true);
        }
        let handles: Vec<_> = self.tasks.into_values().map(|task| task.handle).collect();
        let aborts: Vec<_> = handles.iter().map(JoinHandle::abort_handle).collect();
        let published = async {
            for handle in handles {
                let _ = handle.await;
            }
        };
        if tokio::time::timeout(FAREWELL, published).await.is_err() {
            tracing::warn!(
                "not all results were published within {FAREWELL:?}: another worker will answer those frames"
            );
            self.give_up.send_replace(true);
            aborts.iter().for_each(|task| task.abort());
        }
        let subject = self.shared.broker.subjects.worker(self.roster.name());
        let goodbye = Sign::Gone(self.instance).words();
        let client = &self.shared.broker.client;
        if client.publish(subject, goodbye.into()).await.is_ok() {
            let _ = tokio::time::timeout(Duration::from_secs(1), client.flush()).await;
        }
        tracing::info!("summary: {}", self.shared.counts);
    }
}

async fn tick_of(interval: &mut Option<tokio::time::Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}
