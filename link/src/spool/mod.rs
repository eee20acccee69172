//! Owns the sender's spool: every unit is appended to a file before it is sent, and is forgotten when the receiver has
//! stored it (docs/spool.md). What an outage, or the end of the process, kept from being sent is sent later.

mod index;
mod record;
mod scan;
mod segment;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::wire::message::INSTANCE_LEN;
use crate::{Error, StreamName, Unit};
pub use index::{Dropped, Lane};
use index::{Index, Place};
use record::{HEAD_LEN, HEADER_LEN, Head, Header};
use segment::{Reader, Writer};

/// Least bytes of a spool.
pub const MIN_BYTES: u64 = 256 << 10;
/// No unit in a spool is larger.
const MAX_UNIT: usize = super::sender::MAX_UNIT;
/// How long units may be unconfirmed before they are forced to the disk.
const SYNC_AFTER: Duration = Duration::from_secs(2);
/// How long a disk counts as full after it was.
const FULL_FOR: Duration = Duration::from_secs(60);
/// Segments at a time, if all are full.
const SEGMENTS: u64 = 8;
const SEGMENT_MAX: u64 = 1 << 20;

/// Number of a unit: the serial of its group, and its place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    pub serial: u64,
    pub index: u32,
}

/// Why a unit is not in the spool.
#[derive(Debug)]
pub enum Refused {
    /// It continues nothing that is there.
    AwaitingKey,
    /// It is larger than the whole spool.
    Size,
    /// The file system does not take it.
    Disk(io::Error),
}

/// What a spool holds and has lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Units that are not stored by the receiver.
    pub units: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of the files.
    pub file_bytes: u64,
    /// Dropped to make room, or damaged.
    pub dropped: Dropped,
}

/// A group that goes out late.
#[derive(Debug)]
pub struct Late {
    pub serial: u64,
    pub units: u32,
    next: u32,
    reader: Option<Reader>,
    place: Place,
}

/// The spool of one stream.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    header: Header,
    max_bytes: u64,
    index: Index,
    /// Bytes of the segments that are no longer written to.
    closed: BTreeMap<u64, u64>,
    writer: Option<Writer>,
    next_segment: u64,
    dropped: Dropped,
    /// Since when something is written and not forced to the disk.
    unsynced: Option<Instant>,
    /// When the disk was last found full.
    full_at: Option<Instant>,
    /// Full segments that are not forced to the disk yet.
    retired: Vec<File>,
    /// Held as long as the spool: two senders must not share it.
    _lock: File,
}

impl Spool {
    /// Opens the spool of a stream in a folder, or makes it, and finds what an earlier process left there.
    pub fn open(
        folder: &Path,
        stream: &StreamName,
        bundle: &str,
        max_bytes: u64,
        fresh_id: [u8; INSTANCE_LEN],
    ) -> Result<Self, Error> {
        let dir = folder.join(stream.as_str());
        fs::create_dir_all(&dir).map_err(|error| Error::file(&dir, error))?;
        let lock_path = dir.join("lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(|error| Error::file(&lock_path, error))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => {
                Error::content(&dir, "another sender of this stream uses the spool")
            }
            fs::TryLockError::Error(error) => Error::file(&lock_path, error),
        })?;
        let found = scan::scan(&dir, bundle).map_err(|error| Error::file(&dir, error))?;
        let mut spool = Self {
            header: Header {
                spool: found.id.unwrap_or(fresh_id),
                bundle: bundle.to_owned(),
                next_serial: 0,
            },
            max_bytes,
            next_segment: found.next_segment,
            index: found.index,
            closed: found.segments,
            writer: None,
            dropped: found.dropped,
            unsynced: None,
            full_at: None,
            retired: Vec::new(),
            _lock: lock,
            dir,
        };
        spool.collect();
        spool.shrink(0);
        Ok(spool)
    }

    pub fn id(&self) -> [u8; INSTANCE_LEN] {
        self.header.spool
    }

    /// Serial of the oldest group that is not stored.
    pub fn oldest(&self) -> u64 {
        self.index.oldest()
    }

    /// Whether anything waits that nobody sends.
    pub fn has_late(&self) -> bool {
        self.index.next_late().is_some()
    }

    /// Whether everything is stored.
    pub fn is_empty(&self) -> bool {
        self.index.first_segment().is_none() || self.index.waiting().0 == 0
    }

    pub fn contents(&self) -> Contents {
        let (units, bytes) = self.index.waiting();
        Contents {
            units,
            bytes,
            file_bytes: self.file_bytes(),
            dropped: self.dropped,
        }
    }

    /// Appends a unit. When there is no room, the oldest groups make some, whole ones.
    pub fn append(&mut self, unit: &Unit, now: Instant) -> Result<Number, Refused> {
        let wanted = (HEAD_LEN + unit.data.len()) as u64;
        if !unit.key && self.index.open().is_none() {
            return Err(Refused::AwaitingKey);
        }
        if unit.data.len() > MAX_UNIT || wanted + 2 * HEADER_LEN as u64 > self.max_bytes / 2 {
            self.index.close();
            return Err(Refused::Size);
        }
        if unit.key {
            self.dropped += self.index.make_room();
        }
        self.shrink(wanted);
        // Making room may have taken the very group that this unit continues.
        let (serial, index) = match (unit.key, self.index.open().zip(self.index.next_index())) {
            (true, _) => (self.index.next_serial(), 0),
            (false, Some(next)) => next,
            (false, None) => return Err(Refused::AwaitingKey),
        };
        let head = Head::of(serial, index, &unit.data);
        let place = loop {
            match self.write(&head, &unit.data) {
                Ok(place) => break place,
                Err(error) if is_full(&error) && self.drop_oldest() => self.full_at = Some(now),
                Err(error) => {
                    self.index.close();
                    return Err(Refused::Disk(error));
                }
            }
        };
        if unit.key {
            self.index.begin(place);
        }
        self.unsynced.get_or_insert(now);
        match self.index.add(unit.data.len() as u64) {
            Some((serial, index)) => Ok(Number { serial, index }),
            // A full disk took the group that this unit continues; what was written of it is passed over.
            None => Err(Refused::AwaitingKey),
        }
    }

    /// Whether the disk, not `max_bytes`, is what bounds the spool.
    pub fn disk_is_full(&self, now: Instant) -> bool {
        self.full_at
            .is_some_and(|at| now.saturating_duration_since(at) < FULL_FOR)
    }

    /// The receiver has stored so many units of a group.
    pub fn stored(&mut self, serial: u64, units: u64, now: Instant) {
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        if !self.index.stored(serial, units) {
            return;
        }
        // The receiver keeps up: nothing written so far is worth a wait for the disk.
        self.unsynced = self.unsynced.map(|_| now);
        if self.index.get(serial).is_none() {
            self.collect();
            // Best effort: without the record the group is sent again after a restart, and passed over there. It is not worth other groups.
            if self.file_bytes() + (HEAD_LEN + HEADER_LEN) as u64 <= self.max_bytes {
                let _ = self.write(&Head::Stored { serial, units }, &[]);
            }
        }
        self.collect();
    }

    /// Says who sends a group.
    pub fn set_lane(&mut self, serial: u64, lane: Lane) {
        self.index.set_lane(serial, lane);
    }

    /// The connection is gone, and with it everything that was on its way.
    pub fn all_wait(&mut self) {
        self.index.all_wait();
    }

    /// No more units come: the last group is whole.
    pub fn finish(&mut self) {
        self.index.close();
        self.collect();
    }

    /// Takes the oldest group that waits.
    pub fn take_late(&mut self) -> Option<Late> {
        let serial = self.index.next_late()?;
        let group = self.index.get(serial)?;
        let late = Late {
            serial,
            units: group.units,
            next: 0,
            reader: None,
            place: group.place,
        };
        self.index.set_lane(serial, Lane::Late);
        Some(late)
    }

    /// Drops a group that nobody can take.
    pub fn discard(&mut self, serial: u64) {
        self.dropped += self.index.drop_group(serial);
        self.collect();
    }

    /// The next unit of a group; `None` after the last one, and when the group has gone meanwhile or cannot be read.
    pub fn read(&mut self, late: &mut Late) -> Option<Bytes> {
        self.index.get(late.serial)?;
        if late.next >= late.units {
            return None;
        }
        match self.try_read(late) {
            Ok(data) => {
                late.next += 1;
                Some(data.into())
            }
            Err(error) => {
                let serial = late.serial;
                tracing::warn!(serial, %error, "a group in the spool cannot be read: dropped");
                self.dropped += self.index.drop_group(late.serial);
                self.collect();
                None
            }
        }
    }

    /// Files to be forced to the disk, if that is due.
    pub fn sync_due(&mut self, now: Instant) -> Vec<File> {
        let due = |since: Instant| now.saturating_duration_since(since) >= SYNC_AFTER;
        if !self.unsynced.is_some_and(due) {
            return Vec::new();
        }
        self.unsynced = None;
        let mut files = std::mem::take(&mut self.retired);
        if self.is_empty() {
            return Vec::new();
        }
        files.extend(self.writer.as_ref().and_then(|writer| writer.handle().ok()));
        files
    }

    fn try_read(&self, late: &mut Late) -> io::Result<Vec<u8>> {
        loop {
            let reader = match &mut late.reader {
                Some(reader) => reader,
                empty => empty.insert(Reader::open(&self.dir, late.place.segment, late.place.offset)?),
            };
            let Some(head) = reader.head()? else {
                let after = reader.number + 1;
                let next = self.closed.range(after..).next().map(|(number, _)| *number);
                let current = self
                    .writer
                    .as_ref()
                    .map(|writer| writer.number)
                    .filter(|n| *n >= after);
                let next = next
                    .or(current)
                    .ok_or(io::Error::from(io::ErrorKind::UnexpectedEof))?;
                late.reader = Some(Reader::open(&self.dir, next, 0)?);
                continue;
            };
            let data = reader.data(&head, MAX_UNIT)?;
            match head {
                Head::Unit { serial, index, .. } if serial == late.serial && index == late.next => {
                    return Ok(data);
                }
                Head::Unit { serial, .. } if serial > late.serial => {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                _ => {}
            }
        }
    }

    /// Writes a record, into a new segment if that is due. Where the record lies.
    fn write(&mut self, head: &Head, data: &[u8]) -> io::Result<Place> {
        let size = (self.max_bytes / SEGMENTS).min(SEGMENT_MAX);
        if self.writer.as_ref().is_some_and(|writer| writer.len >= size) {
            self.retire();
        }
        let writer = match &mut self.writer {
            Some(writer) => writer,
            empty => {
                self.header.next_serial = self.index.next_serial();
                let writer = Writer::create(&self.dir, self.next_segment, &self.header)?;
                self.next_segment += 1;
                empty.insert(writer)
            }
        };
        let place = Place {
            segment: writer.number,
            offset: writer.len,
        };
        if let Err(error) = writer.append(head, data) {
            // What is there stays readable; the next attempt begins a file of its own.
            self.retire();
            return Err(error);
        }
        Ok(place)
    }

    /// The present segment gets no more records.
    fn retire(&mut self) {
        if let Some(writer) = self.writer.take() {
            self.closed.insert(writer.number, writer.len);
            if self.retired.len() < SEGMENTS as usize {
                self.retired.extend(writer.handle());
            }
        }
    }

    /// Makes room for so many bytes.
    fn shrink(&mut self, wanted: u64) {
        while self.file_bytes() + wanted + HEADER_LEN as u64 > self.max_bytes && self.drop_oldest() {}
    }

    /// Removes the oldest segment and the groups that begin in it. False if there is none.
    fn drop_oldest(&mut self) -> bool {
        if self.closed.is_empty() {
            self.retire();
        }
        let Some((number, _)) = self.closed.pop_first() else {
            return false;
        };
        let dropped = self.index.drop_segment(number);
        if dropped.units > 0 {
            tracing::warn!(
                units = dropped.units,
                groups = dropped.groups,
                "the spool is full: oldest groups dropped"
            );
        }
        self.dropped += dropped;
        segment::remove(&self.dir, number);
        true
    }

    /// Removes the segments that hold nothing that is still wanted.
    fn collect(&mut self) {
        let first = self.index.first_segment();
        let needed = first.unwrap_or_else(|| self.writer.as_ref().map_or(u64::MAX, |writer| writer.number));
        while let Some((&number, _)) = self.closed.first_key_value()
            && number < needed
        {
            self.closed.remove(&number);
            segment::remove(&self.dir, number);
        }
    }

    fn file_bytes(&self) -> u64 {
        self.closed.values().sum::<u64>() + self.writer.as_ref().map_or(0, |writer| writer.len)
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::fuzz as fuzz_segment;
