//! What may be kept, and for how long: the oldest files go first, never one that is being written. Names tell the age by the receiver's own
//! clock, so that a camera whose clock is wrong loses nothing.

use super::library::{self, Entry};
use super::{Stats, span};
use jiff::{SignedDuration, Timestamp};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The part of a limit by which files may grow between two looks at the folder.
const SLACK: u64 = 16;
/// A file is this part of a limit at most: what cannot be deleted must not be much of it.
const PARTS: u64 = 8;

/// What may be kept; `None`: all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// How long after its end a file is kept.
    pub age: Option<Duration>,
    /// Bytes of all streams.
    pub total: Option<u64>,
    /// Bytes of one stream.
    pub stream: Option<u64>,
}

impl Limits {
    /// Limits as options have them: hours and MiB, 0 for none.
    pub fn new(hours: u64, total_mib: u64, stream_mib: u64) -> Self {
        let some = |value: u64, unit: u64| (value != 0).then(|| value.saturating_mul(unit));
        Self {
            age: some(hours, 3600).map(Duration::from_secs),
            total: some(total_mib, 1 << 20),
            stream: some(stream_mib, 1 << 20),
        }
    }

    /// Whether anything may ever be deleted.
    pub fn any(&self) -> bool {
        *self != Self::default()
    }

    /// How much may be written before the folder is looked at again.
    pub fn slack(&self) -> u64 {
        self.least() / SLACK
    }

    /// How long a file may get.
    pub fn part(&self) -> u64 {
        self.least() / PARTS
    }

    fn least(&self) -> u64 {
        let limits = self.total.iter().chain(&self.stream);
        limits.min().copied().unwrap_or(u64::MAX)
    }
}

/// Keeps a folder within its limits.
#[derive(Debug)]
pub struct Retention {
    folder: PathBuf,
    /// Of clips or of recordings: one never deletes the other's.
    clips: bool,
    limits: Limits,
    stats: Arc<Stats>,
    healthy: bool,
}

impl Retention {
    /// Of the clips or the recordings in `folder`.
    pub fn new(folder: &Path, clips: bool, limits: Limits, stats: Arc<Stats>) -> Self {
        Self {
            folder: folder.to_owned(),
            clips,
            limits,
            stats,
            healthy: true,
        }
    }

    /// Deletes what is beyond the limits.
    pub fn enforce(&mut self, is_open: impl Fn(&Path) -> bool) {
        if !self.limits.any() {
            return;
        }
        let entries = self.entries();
        let (now, limits) = (Timestamp::now(), self.limits);
        let ended = |entry: &Entry| ended(entry);
        for (entry, reason) in excess(&entries, &limits, now, is_open, ended) {
            self.delete(entry, reason);
        }
    }

    /// Deletes the oldest file because the disk is full; `false` when nothing may be deleted.
    pub fn make_room(&mut self, is_open: impl Fn(&Path) -> bool) -> bool {
        if !self.limits.any() {
            return false;
        }
        let entries = self.entries();
        let mut closed = entries.iter().filter(|entry| !is_open(&entry.path));
        closed.any(|entry| self.delete(entry, "the disk is full"))
    }

    /// All files, oldest first.
    fn entries(&mut self) -> Vec<Entry> {
        let streams = library::streams(&self.folder);
        let entries = streams.and_then(|streams| {
            let all: io::Result<Vec<_>> = streams
                .iter()
                .map(|stream| library::entries(&self.folder, stream))
                .collect();
            all
        });
        let mut entries: Vec<_> = match entries {
            Ok(entries) => entries.into_iter().flatten().collect(),
            Err(e) => {
                self.tell(&e);
                Vec::new()
            }
        };
        entries.retain(|entry| entry.name.clip == self.clips);
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries
    }

    fn delete(&mut self, entry: &Entry, reason: &str) -> bool {
        if self.clips {
            // What goes with it; not every clip has it.
            let _ = std::fs::remove_file(entry.path.with_extension("json"));
        }
        match std::fs::remove_file(&entry.path) {
            Ok(()) => {
                self.healthy = true;
                self.stats.deleted.add(1);
                self.stats.deleted_bytes.add(entry.bytes);
                let (path, bytes) = (entry.path.display(), entry.bytes);
                tracing::info!(stream = %entry.name.stream, "deleted {path} ({bytes} bytes): {reason}");
                true
            }
            // Somebody else was faster.
            Err(e) if e.kind() == io::ErrorKind::NotFound => true,
            Err(e) => {
                self.tell(&format_args!("{} cannot be deleted: {e}", entry.path.display()));
                false
            }
        }
    }

    /// Once is enough in the log, until something works again.
    fn tell(&mut self, error: &dyn std::fmt::Display) {
        if std::mem::replace(&mut self.healthy, false) {
            tracing::error!("recordings: {error}");
        }
    }
}

/// When a file ended, by the receiver's clock: when it was begun, and how long it goes; when it was written to last, should the camera's
/// time stamps say that it goes on for longer.
fn ended(entry: &Entry) -> Timestamp {
    let span = File::open(&entry.path).and_then(|mut file| span::read(&mut file));
    let length = span.ok().flatten().map_or(0, |span| span.duration_ns());
    let length = SignedDuration::from_nanos(length.try_into().unwrap_or(i64::MAX));
    let ended = entry.name.begun.checked_add(length).unwrap_or(Timestamp::MAX);
    let written = entry.modified.and_then(|time| Timestamp::try_from(time).ok());
    written.map_or(ended, |written| ended.min(written))
}

/// What has to go, and why. `entries` are in the order in which they go; what `ended` says is asked for only where it matters.
fn excess<'a>(
    entries: &'a [Entry],
    limits: &Limits,
    now: Timestamp,
    is_open: impl Fn(&Path) -> bool,
    ended: impl Fn(&Entry) -> Timestamp,
) -> Vec<(&'a Entry, &'static str)> {
    let cutoff = limits.age.and_then(|age| now.checked_sub(age).ok());
    let slack = limits.slack();
    let mut total: u64 = entries.iter().map(|entry| entry.bytes).sum();
    let mut streams = std::collections::HashMap::new();
    for entry in entries {
        *streams.entry(&entry.name.stream).or_insert(0) += entry.bytes;
    }
    let over =
        |bytes: u64, limit: Option<u64>| limit.is_some_and(|limit| bytes.saturating_add(slack) > limit);
    let mut gone = Vec::new();
    for entry in entries.iter().filter(|entry| !is_open(&entry.path)) {
        let Some(stream) = streams.get_mut(&entry.name.stream) else {
            continue;
        };
        let reason = if cutoff.is_some_and(|cutoff| entry.name.begun < cutoff && ended(entry) < cutoff) {
            "too old"
        } else if over(*stream, limits.stream) {
            "the stream has too much"
        } else if over(total, limits.total) {
            "there is too much in all"
        } else {
            continue;
        };
        *stream -= entry.bytes;
        total -= entry.bytes;
        gone.push((entry, reason));
    }
    gone
}

#[cfg(test)]
mod tests;
