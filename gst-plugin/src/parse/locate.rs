//! Finding key frames by time in a stream that can be read at any place, by bisection: no index is built, files of any
//! length open at once. Presentation times are taken to grow through the part that is looked into.

use std::ops::Range;

use cis_codec::Limits;
use cis_codec::frame::{self, HeaderReader};

/// Bytes read at a time.
const BLOCK: usize = 64 << 10;
/// How far back from the end the last key frame is searched for.
const TAIL: u64 = 64 << 20;
/// Units of the last group that are walked through for the time of the last one.
const MAX_LAST_GROUP: usize = 100_000;
/// Units looked at to learn the frame rate.
const PROBED_UNITS: usize = 30;

/// A source of bytes with random access.
pub trait ReadAt {
    /// Up to `len` bytes from `offset` on; fewer at the end, none when nothing can be read.
    fn read_at(&mut self, offset: u64, len: usize) -> Vec<u8>;
    /// Bytes of the whole.
    fn size(&self) -> u64;
}

/// Where a key frame lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Byte offset of its unit.
    pub offset: u64,
    /// Presentation time in ns.
    pub pts_ns: u64,
    /// Bytes of its unit.
    pub len: usize,
}

/// Which key frame a seek wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Snap {
    /// The last one at or before the time.
    Before,
    /// The first one at or after the time.
    After,
    /// The nearer of the two.
    Nearest,
}

/// Key frames and times of one stream.
pub struct Locator<R> {
    source: R,
    limits: Limits,
    /// Key frames that start elsewhere do not count.
    part: Range<u64>,
}

impl<R: ReadAt> Locator<R> {
    /// Looks into `source`.
    pub fn new(source: R, limits: Limits) -> Self {
        let part = 0..source.size();
        Self { source, limits, part }
    }

    /// Looks at what starts in these bytes alone.
    pub fn within(mut self, part: Range<u64>) -> Self {
        self.part = part.start..part.end.min(self.source.size());
        self
    }

    /// What is looked into.
    pub fn source(&mut self) -> &mut R {
        &mut self.source
    }

    /// The key frame to start at for a presentation time. Where there is none on the wanted side, the one on the other
    /// side; `None` when there is no key frame at all.
    pub fn locate(&mut self, pts_ns: u64, snap: Snap) -> Option<Key> {
        let mut before = self.key_from(self.part.start)?;
        if before.pts_ns >= pts_ns {
            return Some(before);
        }
        let mut end = self.part.end;
        while end.saturating_sub(before.offset) > BLOCK as u64 {
            let middle = before.offset + (end - before.offset) / 2;
            match self.key_from(middle) {
                Some(key) if key.offset < end && key.pts_ns <= pts_ns => before = key,
                _ => end = middle,
            }
        }
        let mut after = None;
        while let Some(key) = self.key_from(before.offset + before.len as u64) {
            if key.pts_ns > pts_ns {
                after = Some(key);
                break;
            }
            before = key;
        }
        let Some(after) = after else { return Some(before) };
        let to_after = match snap {
            Snap::Before => false,
            Snap::After => before.pts_ns != pts_ns,
            Snap::Nearest => after.pts_ns - pts_ns < pts_ns - before.pts_ns,
        };
        Some(if to_after { after } else { before })
    }

    /// Presentation time of the last unit and the distance to the one before it, in ns. `None` when finding it would
    /// take too long.
    pub fn last(&mut self) -> Option<(u64, u64)> {
        let size = self.source.size();
        let mut start = size;
        while start > 0 && size - start < TAIL {
            start = start.saturating_sub(BLOCK as u64);
            if let Some(mut key) = self.key_from(start) {
                while let Some(next) = self.key_from(key.offset + key.len as u64) {
                    key = next;
                }
                let times = self.times(key.offset, MAX_LAST_GROUP);
                if times.len() == MAX_LAST_GROUP {
                    return None;
                }
                let last = *times.last()?;
                let before = times
                    .len()
                    .checked_sub(2)
                    .and_then(|at| times.get(at))
                    .unwrap_or(&last);
                return Some((last, last.saturating_sub(*before)));
            }
        }
        None
    }

    /// Frame duration in ns when the first frames are evenly spaced to within a tenth.
    pub fn frame_duration(&mut self) -> Option<u64> {
        let first = self.key_from(0)?;
        let times = self.times(first.offset, PROBED_UNITS);
        let span = times.last()?.checked_sub(*times.first()?)?;
        let mean = span.checked_div(times.len() as u64 - 1)?;
        let even = |pair: &[u64]| pair[1].saturating_sub(pair[0]).abs_diff(mean) <= mean / 10;
        (mean > 0 && times.windows(2).all(even)).then_some(mean)
    }

    /// Presentation time of the first key frame.
    pub fn first_pts(&mut self) -> Option<u64> {
        self.key_from(0).map(|key| key.pts_ns)
    }

    /// The first good key frame that starts at `offset` or later.
    fn key_from(&mut self, mut offset: u64) -> Option<Key> {
        loop {
            let block = self.source.read_at(offset, BLOCK);
            if block.is_empty() {
                return None;
            }
            let Some(at) = frame::find_sync(&block) else {
                offset += block.len() as u64;
                continue;
            };
            offset += at as u64;
            if offset >= self.part.end {
                return None;
            }
            if let Some(key) = self.key_at(offset) {
                return Some(key);
            }
            offset += 1;
        }
    }

    fn key_at(&mut self, offset: u64) -> Option<Key> {
        let unit = self.unit_at(offset)?;
        let header = HeaderReader::new(self.limits).read(&unit).ok()?;
        header.key.then_some(Key {
            offset,
            pts_ns: header.pts_ns,
            len: unit.len(),
        })
    }

    fn unit_at(&mut self, offset: u64) -> Option<Vec<u8>> {
        let head = self.source.read_at(offset, frame::MAX_HEADER);
        let unit_len = match frame::peek(&head, &self.limits) {
            Ok(peek) => peek.unit_len,
            Err(_) => return None,
        };
        let unit = if unit_len <= head.len() {
            head.get(..unit_len)?.to_vec()
        } else {
            self.source.read_at(offset, unit_len)
        };
        (unit.len() == unit_len).then_some(unit)
    }

    /// Presentation times of up to `most` units, from the key frame at `offset` on, up to the first bad one.
    fn times(&mut self, mut offset: u64, most: usize) -> Vec<u64> {
        let mut headers = HeaderReader::new(self.limits);
        let mut times = Vec::new();
        while times.len() < most {
            let Some(unit) = self.unit_at(offset) else { break };
            match headers.read(&unit) {
                Ok(header) => times.push(header.pts_ns),
                Err(frame::Error::OtherLayer { .. }) => {}
                Err(_) => break,
            }
            offset += unit.len() as u64;
        }
        times
    }
}
