//! One detector for many streams: each has a lane, the lanes take turns, and what waits goes through the network together.
//!
//! A [`Batcher`] owns the network and its thread, or a few of both. A [`Lane`] is a stream's way in: bounded, opened and dropped at any time. Answers of a
//! lane come in its order, as calls on the batcher's thread. [`instances`] shares batchers between parts of a process by name.

pub mod instances;
mod task;
mod turns;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::detect::{Detection, Detector, MAX_BATCH};
use crate::{Error, Result};
pub use task::{Answer, Passed, Request, Task};
use turns::{Id, Terms, Turns};

/// Tasks of one lane that ask nothing and may wait: they cost nothing, so they never wait for longer than a run takes.
const TURNS: usize = 256;

/// How requests are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Most requests of one run of the network, 1..=[`MAX_BATCH`].
    pub size: usize,
    /// How long the oldest request of a run waits for others, up to [`Options::MAX_TIMEOUT`].
    pub timeout: Duration,
}

impl Options {
    /// Longest [`Options::timeout`].
    pub const MAX_TIMEOUT: Duration = Duration::from_secs(1);
}

impl Default for Options {
    /// One at a time: on a processor a run of several takes as long as several runs (benches/README.md).
    fn default() -> Self {
        Self {
            size: 1,
            timeout: Duration::ZERO,
        }
    }
}

/// What a lane is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneOptions {
    /// Requests that may wait; none counts as one.
    pub places: usize,
    /// What happens to a request that finds them taken.
    pub when_full: WhenFull,
    /// A request that has waited so long is passed over, if a newer one of its lane waits.
    pub deadline: Option<Duration>,
    /// The lane is served with what others leave, and once in each round of them.
    pub background: bool,
}

/// What happens when the places of a lane are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The oldest request is passed over.
    PassOldest,
    /// Whoever comes waits.
    Wait,
}

/// What a batcher has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Runs of the network.
    pub runs: u64,
    /// Requests that were answered by them.
    pub requests: u64,
    /// Requests that were passed over.
    pub passed: u64,
}

/// Somebody who wants to know how a batcher's threads get on. Called on these threads: must not wait.
pub trait Observer: Send + Sync {
    /// A thread, counted from 0, takes a batch.
    fn begins(&self, _thread: usize) {}
    /// It has answered it, or has panicked over it.
    fn ends(&self, _thread: usize) {}
    /// A request waited this long before it was taken.
    fn waited(&self, _time: Duration) {}
    /// The network ran this long.
    fn ran(&self, _time: Duration) {}
}

/// Nobody.
struct Unobserved;

impl Observer for Unobserved {}

/// A detector with its thread. Dropped, it answers what waits and ends.
pub struct Batcher {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// A stream's way to the detector. Dropped, it takes no more; what waits in it is still answered.
pub struct Lane {
    shared: Arc<Shared>,
    id: Id,
    options: LaneOptions,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// There is something to do.
    work: Condvar,
    /// Something is done or passed.
    room: Condvar,
    runs: AtomicU64,
    requests: AtomicU64,
    passed: AtomicU64,
}

#[derive(Default)]
struct State {
    turns: Turns,
    /// The batcher is being dropped: answer what is there, then end.
    ending: bool,
    /// Threads that work.
    threads: usize,
    /// None works any more.
    ended: bool,
}

impl Batcher {
    /// Starts a thread `name` for each of the detectors, which are of one bundle: as many batches are in work at a time.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for illegal options or no detector, [`Error::Thread`] when the system gives no thread.
    pub fn start(detectors: Vec<Detector>, options: Options, name: &str) -> Result<Self> {
        Self::observed(detectors, options, name, Arc::new(Unobserved))
    }

    /// The same with somebody who looks on.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn observed(
        detectors: Vec<Detector>,
        options: Options,
        name: &str,
        observer: Arc<dyn Observer>,
    ) -> Result<Self> {
        if !(1..=MAX_BATCH).contains(&options.size) {
            return Err(Error::range(
                "batch-size",
                options.size,
                format!("1..={MAX_BATCH}"),
            ));
        }
        if options.timeout > Options::MAX_TIMEOUT {
            let most = Options::MAX_TIMEOUT.as_millis();
            return Err(Error::range(
                "batch-timeout",
                format!("{} ms", options.timeout.as_millis()),
                format!("0..={most} ms"),
            ));
        }
        if detectors.is_empty() {
            return Err(Error::range("number of detectors", 0, "1 or more"));
        }
        let mut batcher = Self {
            shared: Arc::default(),
            threads: Vec::new(),
        };
        for (number, detector) in detectors.into_iter().enumerate() {
            let (shared, observer) = (batcher.shared.clone(), observer.clone());
            shared.state.lock().threads += 1;
            let thread = std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || worker::run(&shared, detector, options, (&*observer, number)));
            batcher.threads.push(thread.map_err(Error::Thread)?);
        }
        Ok(batcher)
    }

    /// Opens a lane.
    pub fn lane(&self, mut options: LaneOptions) -> Lane {
        options.places = options.places.max(1);
        let id = self.shared.state.lock().turns.open(Terms {
            background: options.background,
            deadline: options.deadline,
        });
        Lane {
            shared: self.shared.clone(),
            id,
            options,
        }
    }

    /// Lanes that are open, or closed with tasks in them.
    pub fn lanes(&self) -> usize {
        self.shared.state.lock().turns.lanes()
    }

    /// What it has done so far.
    pub fn counts(&self) -> Counts {
        Counts {
            runs: self.shared.runs.load(Relaxed),
            requests: self.shared.requests.load(Relaxed),
            passed: self.shared.passed.load(Relaxed),
        }
    }
}

impl Drop for Batcher {
    fn drop(&mut self) {
        self.shared.state.lock().ending = true;
        self.shared.work.notify_all();
        for thread in self.threads.drain(..) {
            // The last owner may be something that an answer was for.
            if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
                tracing::error!("the detector's thread ended by a panic");
            }
        }
    }
}

impl Lane {
    /// Hands a task over. A request that finds all places taken does what the lane's options say; a task that asks nothing waits when many
    /// others of its lane do.
    pub fn submit(&self, mut task: Task) {
        let asks = task.shape().is_some();
        let mut state = self.shared.state.lock();
        loop {
            if state.ended {
                drop(state);
                return task.end();
            }
            if state.turns.open_tasks(self.id) >= self.options.places + TURNS {
                self.shared.room.wait(&mut state);
            } else if asks && state.turns.waiting(self.id) >= self.options.places {
                match self.options.when_full {
                    WhenFull::Wait => self.shared.room.wait(&mut state),
                    WhenFull::PassOldest => {
                        state.turns.pass_oldest(self.id, Passed::Full);
                        break;
                    }
                }
            } else {
                break;
            }
        }
        // Time spent in here waiting is its camera's.
        task.since = Instant::now();
        state.turns.push(self.id, task);
        drop(state);
        self.shared.work.notify_one();
    }

    /// Whether a request would find a place now.
    pub fn has_room(&self) -> bool {
        let state = self.shared.state.lock();
        state.turns.waiting(self.id) < self.options.places
            && state.turns.open_tasks(self.id) < self.options.places + TURNS
    }

    /// The objects of one frame; waits for them.
    ///
    /// # Errors
    /// As [`Detector::detect`]; [`Error::Ended`] when the detector's thread is gone, or the frame was passed over.
    pub fn detect(&self, request: Request) -> Result<Vec<Detection>, Arc<Error>> {
        let (answer, answered) = std::sync::mpsc::sync_channel(1);
        self.submit(Task::detect(request, move |found| {
            let _ = answer.send(found);
        }));
        match answered.recv() {
            Ok(Answer::Found(found)) => Ok(found),
            Ok(Answer::Failed(error)) => Err(error),
            Ok(Answer::Turn | Answer::Passed(_)) | Err(_) => Err(Arc::new(Error::Ended)),
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.shared.state.lock().turns.close(self.id);
    }
}

impl std::fmt::Debug for Batcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batcher")
            .field("lanes", &self.lanes())
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lane")
            .field("id", &self.id)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
