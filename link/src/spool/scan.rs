//! Owns the finding of what an earlier process left in a spool.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::index::{Dropped, Index, Place};
use super::record::Head;
use super::segment::{self, Reader};
use crate::wire::message::INSTANCE_LEN;

/// What is in the files.
#[derive(Debug, Default)]
pub struct Found {
    pub id: Option<[u8; INSTANCE_LEN]>,
    pub index: Index,
    /// Bytes of each segment.
    pub segments: BTreeMap<u64, u64>,
    pub next_segment: u64,
    /// Units of another bundle: the receiver could not be told of them on the same connection.
    pub dropped: Dropped,
}

/// Reads all segments. Damage ends a segment, never the scan: a process that was killed leaves its last record cut off.
pub fn scan(dir: &Path, bundle: &str) -> io::Result<Found> {
    let mut found = Found::default();
    let numbers = segment::list(dir)?;
    found.next_segment = numbers.last().map_or(0, |last| last + 1);
    // The newest whose header is whole says which spool this is.
    found.id = numbers
        .iter()
        .rev()
        .find_map(|number| segment::header(dir, *number).ok())
        .map(|(header, _)| header.spool);
    for number in numbers {
        match segment::header(dir, number) {
            Ok((header, len)) if Some(header.spool) == found.id => {
                found.segments.insert(number, len);
                found.index.reserve(header.next_serial);
                if let Err(error) = records(dir, number, len, &mut found.index) {
                    tracing::warn!(segment = number, %error, "the spool is damaged here: what follows in this file is lost");
                }
                if header.bundle != bundle {
                    let dropped = found.index.drop_segment(number);
                    tracing::warn!(
                        units = dropped.units,
                        "the spool holds units of bundle {:?}, the encoder is {bundle:?}: dropped",
                        header.bundle
                    );
                    found.dropped += dropped;
                }
            }
            Ok(_) => segment::remove(dir, number),
            Err(error) => {
                tracing::warn!(segment = number, %error, "not a segment of the spool: removed");
                segment::remove(dir, number);
            }
        }
    }
    found.index.close();
    Ok(found)
}

fn records(dir: &Path, number: u64, len: u64, index: &mut Index) -> io::Result<()> {
    let mut reader = Reader::open(dir, number, 0)?;
    loop {
        let place = Place {
            segment: number,
            offset: reader.offset,
        };
        let Some(head) = reader.head()? else { return Ok(()) };
        if reader.offset + head.data_len() as u64 > len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        reader.skip(&head)?;
        match head {
            Head::Unit {
                serial,
                index: 0,
                len,
                ..
            } if serial >= index.next_serial() => {
                index.reserve(serial);
                index.begin(place);
                index.add(len.into());
            }
            Head::Unit {
                serial,
                index: at,
                len,
                ..
            } if index.open() == Some(serial) && index.next_index() == Some(at) => {
                index.add(len.into());
            }
            // The beginning of this group is gone.
            Head::Unit { serial, .. } => index.reserve(serial + 1),
            Head::Stored { serial, units } => {
                index.stored(serial, units);
            }
        }
    }
}
