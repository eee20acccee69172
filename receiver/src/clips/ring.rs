//! The newest units of a stream, whole groups of them: what a clip begins with. Bounded by time and by bytes.

use bytes::Bytes;
use cis_codec::frame::{DETECTION, Header};
use std::collections::VecDeque;

/// What a unit costs besides its bytes.
const OVERHEAD: usize = 128;

/// One unit.
#[derive(Clone, Debug)]
pub struct Unit {
    /// All of it.
    pub data: Bytes,
    /// A group begins with it.
    pub key: bool,
    /// It is a frame, and no enhancement of one.
    pub frame: bool,
    /// Its presentation time.
    pub pts_ns: u64,
    /// When it was captured.
    pub capture_utc_ns: u64,
}

impl Unit {
    /// A unit and what its header says.
    pub fn new(data: Bytes, header: &Header) -> Self {
        let frame = header.layer == DETECTION;
        Self {
            data,
            key: header.key && frame,
            frame,
            pts_ns: header.pts_ns,
            capture_utc_ns: header.capture_utc_ns,
        }
    }

    fn cost(&self) -> usize {
        self.data.len() + OVERHEAD
    }
}

/// The groups that are kept.
#[derive(Debug)]
pub struct Ring {
    groups: VecDeque<Group>,
    bytes: usize,
    before_ns: u64,
    max_bytes: usize,
}

#[derive(Debug)]
struct Group {
    begun_ns: u64,
    bytes: usize,
    units: Vec<Unit>,
}

impl Ring {
    /// Keeps the units since the key frame at or before `before_ns` ago, as far as `max_bytes` go.
    pub fn new(before_ns: u64, max_bytes: usize) -> Self {
        Self {
            groups: VecDeque::new(),
            bytes: 0,
            before_ns,
            max_bytes,
        }
    }

    /// Takes a unit. Before the first key frame there is nothing that it could continue.
    pub fn push(&mut self, unit: Unit) {
        let (pts_ns, cost) = (unit.pts_ns, unit.cost());
        if unit.key {
            self.groups.push_back(Group {
                begun_ns: pts_ns,
                bytes: 0,
                units: Vec::new(),
            });
        }
        let Some(group) = self.groups.back_mut() else {
            return;
        };
        group.units.push(unit);
        group.bytes += cost;
        self.bytes += cost;
        let oldest = pts_ns.saturating_sub(self.before_ns);
        let unused = |next: Option<&Group>| next.is_some_and(|next| next.begun_ns <= oldest);
        // A group that is too long by itself is given up: what follows could not be decoded without its beginning.
        while unused(self.groups.get(1)) || self.bytes > self.max_bytes {
            let gone = self.groups.pop_front();
            self.bytes -= gone.map_or(self.bytes, |group| group.bytes);
        }
    }

    /// The units from the key frame at or before `pts_ns` on; from the oldest one where there is none.
    pub fn since(&self, pts_ns: u64) -> impl Iterator<Item = &Unit> {
        let later = self.groups.iter().take_while(|group| group.begun_ns <= pts_ns);
        let first = later.count().saturating_sub(1);
        self.groups.iter().skip(first).flat_map(|group| &group.units)
    }

    /// Whether the newest group has become so long that the ring can hardly be cut: half of what may be kept, or `most_ns`.
    pub fn needs_key(&self, pts_ns: u64, most_ns: u64) -> bool {
        match self.groups.back() {
            Some(group) => {
                group.bytes > self.max_bytes / 2 || pts_ns.saturating_sub(group.begun_ns) >= most_ns
            }
            None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(pts_ns: u64, key: bool, bytes: usize) -> Unit {
        Unit {
            data: vec![0; bytes].into(),
            key,
            frame: true,
            pts_ns,
            capture_utc_ns: 0,
        }
    }

    fn times<'a>(units: impl Iterator<Item = &'a Unit>) -> Vec<u64> {
        units.map(|unit| unit.pts_ns).collect()
    }

    #[test]
    fn what_lies_before_the_needed_key_frame_goes() {
        let mut ring = Ring::new(10, 1 << 20);
        ring.push(unit(0, false, 1));
        assert_eq!(times(ring.since(0)), [0; 0], "no key frame yet");
        for pts in 0..30 {
            ring.push(unit(pts, pts % 4 == 0, 1));
        }
        // Ten before 29 is in the group of 16.
        assert_eq!(times(ring.since(0)), (16..30).collect::<Vec<_>>());
        assert_eq!(times(ring.since(23)), (20..30).collect::<Vec<_>>());
        assert_eq!(times(ring.since(24)), (24..30).collect::<Vec<_>>());
        assert!(ring.needs_key(29, 1) && !ring.needs_key(29, 2));
    }

    #[test]
    fn bytes_are_bounded_by_whole_groups() {
        let mut ring = Ring::new(u64::MAX, 4000);
        for pts in 0..100 {
            ring.push(unit(pts, pts % 4 == 0, 256));
            assert!(ring.bytes <= 4000);
            let kept: usize = ring.since(0).map(Unit::cost).sum();
            assert_eq!(kept, ring.bytes);
            assert!(ring.since(0).next().is_some_and(|first| first.key));
        }
        // One group without an end.
        ring.push(unit(100, true, 256));
        for pts in 101..120 {
            ring.push(unit(pts, false, 256));
            assert!(ring.bytes <= 4000);
        }
        assert!(ring.since(0).next().is_none(), "its beginning is gone");
        assert!(ring.needs_key(120, u64::MAX));
        ring.push(unit(121, true, 256));
        assert_eq!(times(ring.since(0)), [121]);
    }
}
