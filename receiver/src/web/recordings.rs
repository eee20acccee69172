//! Which recordings there are, as the page lists them.

use crate::clock;
use crate::record::library::{Library, Segment};
use cis_link::StreamName;
use serde::Serialize;
use std::io;

/// The most recordings of a camera that are listed, the newest ones.
const LISTED: usize = 1000;

/// One recording.
#[derive(Debug, Serialize)]
pub struct Recording {
    /// When it begins, UTC.
    start: String,
    /// When it ends, or was written to last, UTC.
    end: String,
    /// Its name.
    file: String,
    /// Its size.
    bytes: u64,
    /// It came late, out of the camera's spool.
    late: bool,
}

impl From<Segment> for Recording {
    fn from(segment: Segment) -> Self {
        let file = segment.path.file_name().unwrap_or_default();
        Self {
            start: clock::text(segment.start),
            end: clock::text(segment.end),
            file: file.to_string_lossy().into_owned(),
            bytes: segment.bytes,
            late: segment.late,
        }
    }
}

/// The cameras that have recordings.
pub fn streams(library: &Library) -> io::Result<Vec<String>> {
    let streams = library.streams()?;
    Ok(streams.iter().map(StreamName::to_string).collect())
}

/// The recordings of a camera, newest first.
pub fn list(library: &Library, stream: &StreamName) -> io::Result<Vec<Recording>> {
    let segments = library.segments(stream)?;
    Ok(segments
        .into_iter()
        .rev()
        .take(LISTED)
        .map(Recording::from)
        .collect())
}
