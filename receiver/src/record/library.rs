//! What lies in a folder of recordings or clips. The files are the truth: they are looked at when somebody asks, and what is no file of
//! ours (another name, a symbolic link, a pipe) is neither listed nor touched. A stream's folder may be a link to another disk.

use super::name::Name;
use super::span;
use crate::clock;
use cis_link::StreamName;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// One recorded file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Segment {
    /// Where it lies.
    pub path: PathBuf,
    /// The stream.
    pub stream: StreamName,
    /// It came out of the camera's spool.
    pub late: bool,
    /// It shows an event, and is no part of the recording.
    pub clip: bool,
    /// Its length now: a file that is being written grows.
    pub bytes: u64,
    /// When its first frame was captured; where the camera does not know, when the file was begun.
    pub start: Timestamp,
    /// The same of its last frame.
    pub end: Timestamp,
    /// Source size of its first frame, pixels.
    pub size: (u32, u32),
    /// The bundle that made it.
    pub bundle: String,
}

/// A folder of recordings. Shared by whoever wants to know what is there.
#[derive(Debug)]
pub struct Library {
    folder: PathBuf,
    /// What files of that length and age said: most of them never change again.
    known: Mutex<HashMap<PathBuf, (Version, Option<Segment>)>>,
}

/// A file that is the same in this is the same.
type Version = (u64, Option<SystemTime>);

impl Library {
    /// The library in `folder`, which need not exist yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            known: Mutex::default(),
        }
    }

    /// The streams that have a folder here, in order of their names.
    pub fn streams(&self) -> io::Result<Vec<StreamName>> {
        streams(&self.folder)
    }

    /// The files of a stream, oldest first. A file without a readable first frame is left out. Reads a little of each file that is new: call it where waiting for
    /// the disk is allowed.
    pub fn segments(&self, stream: &StreamName) -> io::Result<Vec<Segment>> {
        let entries = entries(&self.folder, stream)?;
        let mut known = self.known.lock();
        let here = self.folder.join(stream.as_str());
        let mut fresh = HashMap::new();
        for entry in &entries {
            let version = (entry.bytes, entry.modified);
            let segment = match known.remove(&entry.path) {
                Some((same, segment)) if same == version => segment,
                _ => look(entry),
            };
            fresh.insert(entry.path.clone(), (version, segment));
        }
        // What is gone is forgotten.
        known.retain(|path, _| path.parent() != Some(&here));
        let segments = entries
            .iter()
            .filter_map(|entry| fresh.get(&entry.path)?.1.clone())
            .collect();
        known.extend(fresh);
        Ok(segments)
    }

    /// The file of that name, if it is one of the stream's: no name leads out of the folder.
    pub fn find(&self, stream: &StreamName, file: &str) -> Option<Segment> {
        let name = Name::parse(stream, file)?;
        let entries = entries(&self.folder, stream).ok()?;
        look(entries.iter().find(|entry| entry.name == name)?)
    }
}

/// A file by its name and size.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub name: Name,
    pub path: PathBuf,
    pub bytes: u64,
    pub modified: Option<SystemTime>,
}

#[cfg(test)]
impl Entry {
    /// One that is not on the disk.
    pub(super) fn new(name: Name, bytes: u64) -> Self {
        Self {
            path: name.to_string().into(),
            name,
            bytes,
            modified: None,
        }
    }
}

/// Streams with a folder in `folder`.
pub(super) fn streams(folder: &Path) -> io::Result<Vec<StreamName>> {
    let mut streams = Vec::new();
    for entry in read_folder(folder)? {
        let entry = entry?;
        if entry.path().is_dir()
            && let Some(stream) = entry.file_name().to_str().and_then(|name| name.parse().ok())
        {
            streams.push(stream);
        }
    }
    streams.sort();
    Ok(streams)
}

/// The files of a stream, by time.
pub(super) fn entries(folder: &Path, stream: &StreamName) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in read_folder(&folder.join(stream.as_str()))? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str().and_then(|name| Name::parse(stream, name)) else {
            continue;
        };
        // Of the link itself, not of what it leads to. A file may have been deleted meanwhile.
        let Ok(about) = entry.metadata() else { continue };
        if about.is_file() {
            entries.push(Entry {
                name,
                path: entry.path(),
                bytes: about.len(),
                modified: about.modified().ok(),
            });
        }
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// A folder that is not there is empty.
fn read_folder(folder: &Path) -> io::Result<impl Iterator<Item = io::Result<std::fs::DirEntry>>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => Some(entries),
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(e) => return Err(io::Error::new(e.kind(), format!("{}: {e}", folder.display()))),
    };
    Ok(entries.into_iter().flatten())
}

fn look(entry: &Entry) -> Option<Segment> {
    let span = span::read(&mut File::open(&entry.path).ok()?).ok()??;
    let name = &entry.name;
    let start = clock::captured(span.first.capture_utc_ns).unwrap_or(name.begun);
    let length = SignedDuration::from_nanos(span.duration_ns().try_into().ok()?);
    let end = match span.complete {
        true => clock::captured(span.last.capture_utc_ns).or_else(|| start.checked_add(length).ok()),
        // A file that is one long group: the disk knows when it was written last.
        false => entry.modified.and_then(|time| Timestamp::try_from(time).ok()),
    };
    Some(Segment {
        path: entry.path.clone(),
        stream: name.stream.clone(),
        late: name.late,
        clip: name.clip,
        bytes: entry.bytes,
        start,
        end: end.unwrap_or(start).max(start),
        size: (span.first.source.width, span.first.source.height),
        bundle: span.first.bundle.to_string(),
    })
}
