//! The thread that writes recordings: one open file a stream, the next one when it is long enough, room made when there is none.

use super::Stats;
use super::file::{self, Open};
use super::name::Name;
use super::retention::{Limits, Retention};
use crate::config::{self, SyncWhen};
use crate::health::Pulse;
use crate::stats::Counter;
use bytes::Bytes;
use cis_link::StreamName;
use cis_link::listener::Receipt;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often ages are looked at when nothing else is a reason to.
const LOOK: Duration = Duration::from_secs(60);
/// How long a camera has to send the key frame that it was asked for before it is asked again, and a disk before it is tried again.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes that must fit before a camera is asked for a key frame to go on with.
const ROOM: usize = 256 << 10;

/// Which recording: of a stream, and whether of what came late.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reel {
    pub stream: StreamName,
    pub late: bool,
}

/// What comes over the queue.
pub enum Job {
    Unit {
        reel: Arc<Reel>,
        data: Bytes,
        key: bool,
        pts_ns: u64,
        lost: Arc<Counter>,
        receipt: Receipt,
    },
    /// Nothing more comes for it. When the queue is full it is not said; that nobody else holds the reel tells it, too.
    End(Arc<Reel>),
}

/// Asks a stream's camera for a key frame.
pub type AskKey = Box<dyn Fn(&StreamName) + Send>;

enum State {
    Writing(Segment),
    /// Nothing could be written: it goes on at a key frame.
    Failed {
        tried: Instant,
    },
}

struct Segment {
    open: Open,
    begun_pts_ns: u64,
    /// When a key frame was asked for, to begin the next file with.
    asked: Option<Instant>,
}

/// All open files.
pub struct Writer {
    folder: PathBuf,
    max_bytes: u64,
    max_ns: u64,
    sync: SyncWhen,
    ask_key: AskKey,
    reels: HashMap<Arc<Reel>, State>,
    retention: Retention,
    stats: Arc<Stats>,
    /// How much may be written before the folder is looked at, and how much has been.
    slack: u64,
    written: u64,
    looked: Instant,
}

impl Writer {
    /// Nothing is open yet.
    pub fn new(folder: &Path, config: &config::Record, stats: Arc<Stats>, ask_key: AskKey) -> Self {
        let limits = Limits::new(config.max_age, config.max_total, config.max_stream);
        Self {
            folder: folder.to_owned(),
            max_bytes: (config.max_size << 20).min(limits.part()),
            max_ns: match config.segment {
                0 => u64::MAX,
                seconds => seconds * 1_000_000_000,
            },
            sync: config.sync,
            ask_key,
            reels: HashMap::new(),
            retention: Retention::new(folder, false, limits, stats.clone()),
            stats,
            slack: limits.slack(),
            written: 0,
            looked: Instant::now(),
        }
    }

    /// Writes until nobody can send any more.
    pub fn run(mut self, queue: &Receiver<Job>, pulse: &Pulse) {
        self.look();
        loop {
            let next = queue.recv_timeout(LOOK.saturating_sub(self.looked.elapsed()));
            let _work = pulse.work();
            match next {
                Ok(Job::Unit {
                    reel,
                    data,
                    key,
                    pts_ns,
                    lost,
                    receipt,
                }) => {
                    if !self.unit(&reel, &data, key, pts_ns) {
                        // A camera with a spool keeps it.
                        receipt.lost();
                        lost.add(1);
                    }
                }
                Ok(Job::End(reel)) if self.is_current(&reel) => self.end(&reel),
                Ok(Job::End(_)) => {}
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.written >= self.slack || self.looked.elapsed() >= LOOK {
                self.look();
            }
        }
        let reels: Vec<_> = self.reels.keys().cloned().collect();
        reels.iter().for_each(|reel| self.end(reel));
    }

    /// Whether what is open is of this connection of the camera, and not of one before.
    fn is_current(&self, reel: &Arc<Reel>) -> bool {
        let known = self.reels.get_key_value(reel);
        known.is_some_and(|(known, _)| Arc::ptr_eq(known, reel))
    }

    /// Writes a unit; `false`: it could not be written.
    fn unit(&mut self, reel: &Arc<Reel>, data: &[u8], key: bool, pts_ns: u64) -> bool {
        if !self.is_current(reel) {
            self.end(reel);
        }
        let failed = matches!(self.reels.get(reel), Some(State::Failed { .. }));
        if failed && !key {
            self.try_again(reel);
            return false;
        }
        if key && self.is_full(reel, pts_ns) {
            self.end(reel);
            self.look();
        }
        let written = loop {
            match self.write(reel, data, key, pts_ns) {
                // Each time there is one file less.
                Err(e) if file::is_full(&e) && self.make_room() => {}
                written => break written,
            }
        };
        match written {
            Ok(()) if failed => tracing::info!(stream = %reel.stream, "recording goes on"),
            Ok(()) => {}
            Err(e) => self.fail(reel, &e, !failed),
        }
        self.written += data.len() as u64;
        matches!(self.reels.get(reel), Some(State::Writing(_)))
    }

    /// Whether the next file is due.
    fn is_full(&self, reel: &Reel, pts_ns: u64) -> bool {
        match self.reels.get(reel) {
            Some(State::Writing(segment)) => {
                segment.open.bytes >= self.max_bytes
                    || pts_ns.saturating_sub(segment.begun_pts_ns) >= self.max_ns
            }
            _ => false,
        }
    }

    fn write(&mut self, reel: &Arc<Reel>, data: &[u8], key: bool, pts_ns: u64) -> io::Result<()> {
        if !matches!(self.reels.get(reel), Some(State::Writing(_))) {
            if !key {
                return Err(io::Error::other("waiting for a key frame"));
            }
            let name = Name::now(reel.stream.clone(), false, reel.late);
            let segment = Segment {
                open: Open::create(&self.folder, name)?,
                begun_pts_ns: pts_ns,
                asked: None,
            };
            self.stats.begun.add(1);
            self.reels.insert(reel.clone(), State::Writing(segment));
        }
        let due = self.is_full(reel, pts_ns);
        let Some(State::Writing(segment)) = self.reels.get_mut(reel) else {
            return Ok(());
        };
        segment.open.write(data)?;
        if key && self.sync == SyncWhen::Key {
            segment.open.sync()?;
        }
        // What comes late comes in groups anyway.
        if due && !reel.late && segment.asked.is_none_or(|asked| asked.elapsed() >= PATIENCE) {
            segment.asked = Some(Instant::now());
            (self.ask_key)(&reel.stream);
        }
        Ok(())
    }

    /// What could be written is kept, the rest of the group is missing.
    fn fail(&mut self, reel: &Arc<Reel>, error: &io::Error, tell: bool) {
        if tell {
            tracing::error!(stream = %reel.stream, "recording: {error}; goes on at a key frame when that is over");
        }
        self.end(reel);
        let tried = Instant::now();
        self.reels.insert(reel.clone(), State::Failed { tried });
    }

    /// Asks for a key frame to go on with, as soon as there is room for it.
    fn try_again(&mut self, reel: &Reel) {
        let Some(State::Failed { tried }) = self.reels.get_mut(reel) else {
            return;
        };
        if tried.elapsed() < PATIENCE {
            return;
        }
        *tried = Instant::now();
        if !reel.late && file::has_room(&self.folder, ROOM) {
            (self.ask_key)(&reel.stream);
        }
    }

    fn end(&mut self, reel: &Reel) {
        let Some(State::Writing(Segment { open, .. })) = self.reels.remove(reel) else {
            return;
        };
        let (path, bytes) = (open.path.clone(), open.bytes);
        match open.close(self.sync != SyncWhen::Never) {
            Ok(()) if bytes == 0 => {}
            Ok(()) => tracing::info!(stream = %reel.stream, "recorded {} ({bytes} bytes)", path.display()),
            Err(e) => tracing::error!(stream = %reel.stream, "recording {}: {e}", path.display()),
        }
    }

    fn look(&mut self) {
        let gone = self.reels.keys().filter(|reel| Arc::strong_count(reel) == 1);
        let gone: Vec<Reel> = gone.map(|reel| Reel::clone(reel)).collect();
        gone.iter().for_each(|reel| self.end(reel));
        let Self { retention, reels, .. } = self;
        retention.enforce(|path| is_open(reels, path));
        (self.written, self.looked) = (0, Instant::now());
    }

    fn make_room(&mut self) -> bool {
        let Self { retention, reels, .. } = self;
        retention.make_room(|path| is_open(reels, path))
    }
}

fn is_open(reels: &HashMap<Arc<Reel>, State>, path: &Path) -> bool {
    let mut states = reels.values();
    states.any(|state| matches!(state, State::Writing(segment) if segment.open.path == path))
}
