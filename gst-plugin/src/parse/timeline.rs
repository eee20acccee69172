//! The time line of a file or stream: camera sessions one behind the other, each with a clock of its own that may start
//! anywhere. Knows nothing of GStreamer.

use cis_codec::Limits;
use cis_codec::frame::{DETECTION, Header};

use super::framer::{Framer, Step};
use super::locate::ReadAt;

/// Bytes read at a time.
const BLOCK: usize = 1 << 20;
/// Larger files are not read through for their sessions when they are opened.
const MAX_SCAN: u64 = 256 << 20;
/// A file with more sessions than this is no recording; the rest counts as one.
const MAX_SESSIONS: usize = 65_536;
/// What a frame takes when its session has no other.
const FRAME_NS: u64 = 40_000_000;

/// One session: units whose times and numbers grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Byte offset of its first key frame.
    pub offset: u64,
    /// Presentation time of that frame, in ns.
    pub origin: u64,
    /// Its place on the time line, in ns.
    pub start: u64,
}

impl Session {
    /// Place on the time line of a presentation time of this session.
    pub fn time(&self, pts_ns: u64) -> u64 {
        self.start.saturating_add(pts_ns.saturating_sub(self.origin))
    }

    /// Presentation time of this session at a place on the time line.
    pub fn pts(&self, time_ns: u64) -> u64 {
        self.origin.saturating_add(time_ns.saturating_sub(self.start))
    }
}

/// What is known of the unit before.
#[derive(Clone, Copy, Debug)]
struct Last {
    pts_ns: u64,
    number: u64,
    /// Least time between two units of the session; 0 while there is only one.
    distance_ns: u64,
}

/// The sessions known so far.
#[derive(Clone, Debug, Default)]
pub struct TimeLine {
    sessions: Vec<Session>,
    last: Option<Last>,
    /// Bytes from here on are not known.
    end: u64,
}

impl TimeLine {
    /// Reads a source through. `None` when it is too large for that.
    pub fn scan(source: &mut impl ReadAt, limits: Limits) -> Option<Self> {
        let size = source.size();
        if size > MAX_SCAN {
            return None;
        }
        let (mut line, mut framer) = (Self::default(), Framer::new(limits));
        let (mut base, mut block, mut at) = (0, Vec::new(), 0);
        loop {
            let end = base + block.len() as u64 >= size;
            let need = match framer.next(block.get(at..).unwrap_or_default(), end) {
                Step::Unit(header) => {
                    line.note(base + at as u64, &header);
                    at += header.unit_len;
                    continue;
                }
                Step::Skip { bytes, .. } => {
                    at += bytes;
                    continue;
                }
                Step::Need(need) => need,
                Step::Unsupported(_) => break,
            };
            base += at as u64;
            at = 0;
            if base >= size {
                break;
            }
            block = source.read_at(base, need.max(BLOCK));
            if block.len() < need && base + (block.len() as u64) < size {
                break;
            }
        }
        Some(line)
    }

    /// Takes notice of a unit; those that are known already change nothing.
    pub fn note(&mut self, offset: u64, header: &Header) {
        // The enhancement of a frame has its time, and numbers of its own.
        if header.layer != DETECTION || offset < self.end && self.last.is_some() {
            return;
        }
        self.end = offset.saturating_add(header.unit_len as u64);
        let distance_ns = self.last.map_or(0, |last| {
            match (last.distance_ns, header.pts_ns.saturating_sub(last.pts_ns)) {
                (0, distance) | (distance, 0) => distance,
                (least, distance) => least.min(distance),
            }
        });
        // A camera that starts again counts from 0 again; its clock may do so too.
        let starts_again = |last: &Last| header.number <= last.number || header.pts_ns < last.pts_ns;
        let begins = match &self.last {
            None => true,
            Some(last) => header.key && starts_again(last) && self.sessions.len() < MAX_SESSIONS,
        };
        if begins {
            let start = self.duration().unwrap_or(0);
            self.sessions.push(Session {
                offset,
                origin: header.pts_ns,
                start,
            });
        }
        self.last = Some(Last {
            pts_ns: header.pts_ns,
            number: header.number,
            distance_ns: if begins { 0 } else { distance_ns },
        });
    }

    /// Where everything known ends, in ns.
    pub fn duration(&self) -> Option<u64> {
        let (last, session) = (self.last?, self.sessions.last()?);
        let frame = if last.distance_ns == 0 {
            FRAME_NS
        } else {
            last.distance_ns
        };
        Some(session.time(last.pts_ns).saturating_add(frame))
    }

    /// The session of the unit at a byte offset.
    pub fn at_offset(&self, offset: u64) -> Option<Session> {
        let after = self.sessions.partition_point(|session| session.offset <= offset);
        self.sessions.get(after.saturating_sub(1)).copied()
    }

    /// The session at a place on the time line, and the one after it.
    pub fn at_time(&self, time_ns: u64) -> Option<(Session, Option<Session>)> {
        let after = self.sessions.partition_point(|session| session.start <= time_ns);
        let session = self.sessions.get(after.saturating_sub(1))?;
        Some((*session, self.sessions.get(after.max(1)).copied()))
    }
}
