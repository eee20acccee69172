//! From when to when a `.cis` file goes, by the headers at its two ends: not more of it is read than that takes.

use cis_codec::Limits;
use cis_codec::frame::{self, Header, HeaderReader, MAX_HEADER};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// How far back from the end a key frame is looked for, nearest first.
const TAILS: [u64; 3] = [64 << 10, 512 << 10, 4 << 20];
/// Longest unit that the receiver can have taken (`listen.max-unit-bytes`).
const MAX_UNIT: usize = 16 << 20;

/// The first frame of a file and the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// What the first unit says.
    pub first: Header,
    /// What the last whole unit says; the first one where no key frame is near the end.
    pub last: Header,
    /// Whether the last frame was found.
    pub complete: bool,
}

impl Span {
    /// From the first frame to the last.
    pub fn duration_ns(&self) -> u64 {
        self.last.pts_ns.saturating_sub(self.first.pts_ns)
    }
}

/// Reads both ends. `None`: the file does not begin with a key frame of this version.
pub fn read(file: &mut File) -> io::Result<Option<Span>> {
    let size = file.metadata()?.len();
    let Some(first) = first(file)? else {
        return Ok(None);
    };
    for tail in TAILS {
        let start = size.saturating_sub(tail);
        if let Some(last) = last(&read_at(file, start, tail)?) {
            return Ok(Some(Span {
                first,
                last,
                complete: true,
            }));
        }
        if start == 0 {
            break;
        }
    }
    Ok(Some(Span {
        last: first.clone(),
        first,
        complete: false,
    }))
}

fn limits() -> Limits {
    Limits {
        max_payload: MAX_UNIT,
        ..Limits::default()
    }
}

fn first(file: &mut File) -> io::Result<Option<Header>> {
    let head = read_at(file, 0, MAX_HEADER as u64)?;
    let Ok(peek) = frame::peek(&head, &limits()) else {
        return Ok(None);
    };
    let unit = read_at(file, 0, peek.unit_len as u64)?;
    Ok(HeaderReader::new(limits()).read(&unit).ok())
}

/// The last frame in `tail` that hangs together with a key frame in it.
fn last(tail: &[u8]) -> Option<Header> {
    let mut keys = Vec::new();
    let mut at = 0;
    while let Some(found) = tail.get(at..).and_then(frame::find_sync) {
        keys.push(at + found);
        at += found + 1;
    }
    keys.iter().rev().find_map(|&key| follow(tail.get(key..)?))
}

fn follow(mut rest: &[u8]) -> Option<Header> {
    let mut headers = HeaderReader::new(limits());
    let mut last = None;
    while let Ok(peek) = frame::peek(rest, &limits())
        && let Some((unit, after)) = rest.split_at_checked(peek.unit_len)
    {
        match headers.read(unit) {
            Ok(header) => last = Some(header),
            Err(frame::Error::OtherLayer { .. }) => {}
            Err(_) => break,
        }
        rest = after;
    }
    last
}

fn read_at(file: &mut File, offset: u64, most: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
