//! The thread that makes clips. Units run ahead of what the detector knows of them, so a clip is over when a frame behind its end was seen.

use super::clip::Clip;
use super::ring::{Ring, Unit};
use super::trigger::{Appeared, Presence};
use crate::config;
use crate::health::Pulse;
use crate::outputs::Meter;
use crate::record::{self, Limits, Retention, is_full};
use cis_link::StreamName;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use gstcis::regions::Region;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes that are kept of each stream for clips that may begin.
const RING_BYTES: usize = 8 << 20;
/// What rings keep more than `clips.before`: an object is seen several times before it counts, and the detector is behind.
const BEHIND_NS: u64 = 5_000_000_000;
/// Units that may wait for what the detector says before a clip ends without it.
const HELD: usize = 4096;
/// A camera is asked for a key frame when the newest one is older than this, or than twice `clips.before`: clips begin with one.
const GROUP: Duration = Duration::from_secs(20);
/// How long it has for that.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a stream that has ended is remembered: the detector may still have frames of it.
const LINGER: Duration = Duration::from_secs(60);

/// Whose clips: of a stream, and whether of what came late.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reel {
    pub stream: StreamName,
    pub late: bool,
}

/// What comes over the queue.
pub enum Job {
    Unit {
        reel: Arc<Reel>,
        unit: Unit,
    },
    /// A frame has been through the detector, or passed it by.
    Seen {
        reel: Reel,
        pts_ns: u64,
        capture_utc_ns: u64,
        objects: Option<Arc<[Region]>>,
    },
    /// Nothing more comes for it. When the queue is full it is not said; that nobody else holds the reel tells it, too.
    End(Arc<Reel>),
}

struct State {
    /// The connection of the camera that it is of.
    reel: Arc<Reel>,
    ring: Ring,
    presence: Presence,
    clip: Option<Clip>,
    asked: Option<Instant>,
    ended: Option<Instant>,
    /// Clips cannot be written: told once.
    healthy: bool,
}

/// All streams.
pub struct Worker {
    folder: PathBuf,
    before_ns: u64,
    after_ns: u64,
    max_ns: u64,
    lost_ns: Option<u64>,
    classes: Option<Vec<u32>>,
    min_confidence: f64,
    meter: Arc<Meter>,
    ask_key: Box<dyn Fn(&StreamName) + Send>,
    retention: Retention,
    states: HashMap<Reel, State>,
    looked: Instant,
}

impl Worker {
    /// No stream is open yet.
    pub fn new(
        folder: &Path,
        config: &config::Clips,
        track: &config::Track,
        classes: Option<Vec<u32>>,
        meter: Arc<Meter>,
        ask_key: Box<dyn Fn(&StreamName) + Send>,
    ) -> Self {
        let limits = Limits::new(config.max_age, config.max_total, 0);
        let ns = |seconds: u64| seconds * 1_000_000_000;
        Self {
            folder: folder.to_owned(),
            before_ns: ns(config.before),
            after_ns: ns(config.after),
            max_ns: ns(config.max_seconds),
            lost_ns: track.enabled.then_some((track.lost_seconds * 1e9) as u64),
            classes,
            min_confidence: config.min_confidence,
            meter,
            ask_key,
            retention: Retention::new(folder, true, limits, Arc::new(record::Stats::default())),
            states: HashMap::new(),
            looked: Instant::now(),
        }
    }

    /// Works until nobody can send any more.
    pub fn run(mut self, queue: &Receiver<Job>, pulse: &Pulse) {
        self.look();
        loop {
            let next = queue.recv_timeout(LINGER.saturating_sub(self.looked.elapsed()));
            let _work = pulse.work();
            match next {
                Ok(job) => self.handle(job),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.looked.elapsed() >= LINGER {
                self.look();
            }
        }
        let reels: Vec<_> = self.states.keys().cloned().collect();
        reels.iter().for_each(|reel| self.close(reel));
    }

    fn handle(&mut self, job: Job) {
        match job {
            Job::Unit { reel, unit } => self.unit(&reel, unit),
            Job::Seen {
                reel,
                pts_ns,
                capture_utc_ns,
                objects,
            } => self.seen(&reel, pts_ns, capture_utc_ns, objects.as_deref()),
            Job::End(reel) => {
                let state = self.states.get_mut(&*reel);
                if let Some(state) = state.filter(|state| Arc::ptr_eq(&state.reel, &reel)) {
                    state.ended = Some(Instant::now());
                }
            }
        }
    }

    /// A camera is there, or is there again: what is left of an earlier connection would not fit.
    fn open(&mut self, reel: &Arc<Reel>) {
        self.close(reel);
        let state = State {
            reel: reel.clone(),
            ring: Ring::new(self.before_ns + BEHIND_NS, RING_BYTES),
            presence: Presence::new(self.lost_ns),
            clip: None,
            asked: None,
            ended: None,
            healthy: true,
        };
        self.states.insert(Reel::clone(reel), state);
    }

    fn unit(&mut self, reel: &Arc<Reel>, unit: Unit) {
        let known = self.states.get(&**reel);
        if known.is_none_or(|known| !Arc::ptr_eq(&known.reel, reel)) {
            self.open(reel);
        }
        let most_ns = (GROUP.as_nanos() as u64).max(self.before_ns.saturating_mul(2));
        let Some(state) = self.states.get_mut(&**reel) else {
            return;
        };
        let pts_ns = unit.pts_ns;
        let taken = match &mut state.clip {
            Some(clip) => clip.take(unit.clone()),
            None => Ok(()),
        };
        state.ring.push(unit);
        let patient = state.asked.is_some_and(|asked| asked.elapsed() < PATIENCE);
        // What comes late comes in groups anyway.
        if !reel.late && !patient && state.ring.needs_key(pts_ns, most_ns) {
            state.asked = Some(Instant::now());
            (self.ask_key)(&reel.stream);
        }
        if let Err(e) = taken {
            self.fail(reel, &e);
        } else if state.clip.as_ref().is_some_and(|clip| clip.is_over(0, HELD)) {
            self.close(reel);
        }
    }

    fn seen(&mut self, reel: &Reel, pts_ns: u64, capture_utc_ns: u64, objects: Option<&[Region]>) {
        if let Some(objects) = objects {
            let wanted = |object: &Region| {
                let classes = self.classes.as_ref();
                object.confidence >= self.min_confidence
                    && classes.is_none_or(|classes| classes.contains(&object.class_id))
            };
            let Some(state) = self.states.get_mut(reel) else {
                return;
            };
            let appeared = state.presence.see(pts_ns, capture_utc_ns, objects, wanted);
            for object in appeared {
                self.appeared(reel, object);
            }
        }
        let state = self.states.get(reel);
        let clip = state.and_then(|state| state.clip.as_ref());
        if clip.is_some_and(|clip| clip.is_over(pts_ns, HELD)) {
            self.close(reel);
        }
    }

    /// An object appeared: a clip begins, or the one that there is goes on.
    fn appeared(&mut self, reel: &Reel, object: Appeared) {
        let done = loop {
            match self.begin(reel, &object) {
                // Each time there is one file less.
                Err(e) if is_full(&e) && self.make_room() => {}
                done => break done,
            }
        };
        if let Err(e) = done {
            self.fail(reel, &e);
        }
    }

    fn begin(&mut self, reel: &Reel, object: &Appeared) -> io::Result<()> {
        let until_ns = object.pts_ns.saturating_add(self.after_ns);
        let Some(state) = self.states.get_mut(reel) else {
            return Ok(());
        };
        // One that has become as long as it may ends before the object: the next one begins.
        if state
            .clip
            .as_ref()
            .is_some_and(|clip| clip.is_over(object.pts_ns, HELD))
        {
            self.close(reel);
        }
        let Some(state) = self.states.get_mut(reel) else {
            return Ok(());
        };
        if state.clip.is_none() {
            let units = state.ring.since(object.pts_ns.saturating_sub(self.before_ns));
            let last_ns = object.pts_ns.saturating_add(self.max_ns);
            state.clip = Clip::begin(&self.folder, reel, until_ns.min(last_ns), last_ns, units)?;
        }
        match &mut state.clip {
            Some(clip) => clip.trigger(object.clone(), until_ns)?,
            None => {
                tracing::warn!(stream = %reel.stream, "no clip of {}: there is no key frame to begin with", object.label);
                self.meter.failed.add(1);
            }
        }
        state.healthy = true;
        Ok(())
    }

    /// Ends the stream's clip, if there is one.
    fn close(&mut self, reel: &Reel) {
        let Some(state) = self.states.get_mut(reel) else {
            return;
        };
        let Some(clip) = state.clip.take() else { return };
        match clip.close() {
            Ok(()) => self.meter.delivered.add(1),
            Err(e) => self.fail(reel, &e),
        }
        self.look();
    }

    /// What was written of a clip stays; it is not complete.
    fn fail(&mut self, reel: &Reel, error: &io::Error) {
        self.meter.failed.add(1);
        let Some(state) = self.states.get_mut(reel) else {
            return;
        };
        state.clip = None;
        if std::mem::replace(&mut state.healthy, false) {
            tracing::error!(stream = %reel.stream, "clip: {error}");
        }
    }

    /// Keeps the folder within its limits, and forgets streams that ended.
    fn look(&mut self) {
        for state in self.states.values_mut() {
            if state.ended.is_none() && Arc::strong_count(&state.reel) == 1 {
                state.ended = Some(Instant::now());
            }
        }
        let linger = |state: &State| state.ended.is_none_or(|ended| ended.elapsed() < LINGER);
        let over: Vec<_> = self.states.iter().filter(|(_, state)| !linger(state)).collect();
        let over: Vec<_> = over.into_iter().map(|(reel, _)| reel.clone()).collect();
        for reel in over {
            if let Some(clip) = self.states.remove(&reel).and_then(|state| state.clip) {
                match clip.close() {
                    Ok(()) => self.meter.delivered.add(1),
                    Err(e) => tracing::error!(stream = %reel.stream, "clip: {e}"),
                }
            }
        }
        let Self {
            retention, states, ..
        } = self;
        retention.enforce(|path| is_open(states, path));
        self.looked = Instant::now();
    }

    fn make_room(&mut self) -> bool {
        let Self {
            retention, states, ..
        } = self;
        retention.make_room(|path| is_open(states, path))
    }
}

fn is_open(states: &HashMap<Reel, State>, path: &Path) -> bool {
    let mut clips = states.values().filter_map(|state| state.clip.as_ref());
    clips.any(|clip| clip.path() == path)
}
