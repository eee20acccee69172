//! Owns the bytes of a segment: its header and its records (docs/spool.md). No files, no clock.

use crate::wire::message::{INSTANCE_LEN, MAX_BUNDLE};
use crate::wire::varint;

/// Bytes of a segment's header.
pub const HEADER_LEN: usize = 112;
/// Bytes before a record's data.
pub const HEAD_LEN: usize = 28;

const MAGIC: &[u8; 8] = b"cisspool";
const VERSION: u32 = 1;
const UNIT: u8 = 1;
const STORED: u8 = 2;

/// What a segment begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Drawn by chance when the spool was made.
    pub spool: [u8; INSTANCE_LEN],
    /// Bundle that made the units.
    pub bundle: String,
    /// Every group below this one is stored or was dropped. A lower bound: it was true when the segment was begun.
    pub next_serial: u64,
}

/// Why bytes are no header or record. Nothing after them can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    #[error("cut off")]
    Short,
    #[error("not a segment of a spool, or of another version")]
    Foreign,
    #[error("checksum is wrong")]
    Checksum,
    #[error("makes no sense")]
    Nonsense,
}

impl Header {
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..28].copy_from_slice(&self.spool);
        bytes[28..36].copy_from_slice(&self.next_serial.to_le_bytes());
        let len = self.bundle.len().min(MAX_BUNDLE);
        bytes[36] = len as u8;
        bytes[37..37 + len].copy_from_slice(&self.bundle.as_bytes()[..len]);
        let sum = crc32fast::hash(&bytes[..HEADER_LEN - 4]);
        bytes[HEADER_LEN - 4..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        let bytes = bytes.get(..HEADER_LEN).ok_or(Damage::Short)?;
        if bytes[..8] != *MAGIC || u32_at(bytes, 8) != VERSION {
            return Err(Damage::Foreign);
        }
        if crc32fast::hash(&bytes[..HEADER_LEN - 4]) != u32_at(bytes, HEADER_LEN - 4) {
            return Err(Damage::Checksum);
        }
        let bundle = bytes
            .get(37..37 + usize::from(bytes[36]))
            .ok_or(Damage::Nonsense)?;
        if u64_at(bytes, 28) > varint::MAX {
            return Err(Damage::Nonsense);
        }
        let mut spool = [0; INSTANCE_LEN];
        spool.copy_from_slice(&bytes[12..28]);
        Ok(Self {
            spool,
            bundle: std::str::from_utf8(bundle)
                .map_err(|_| Damage::Nonsense)?
                .to_owned(),
            next_serial: u64_at(bytes, 28),
        })
    }
}

/// What a record says; the data of a unit follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// A unit. Index 0 is the key that begins its group.
    Unit {
        serial: u64,
        index: u32,
        len: u32,
        sum: u32,
    },
    /// The receiver has stored so many units of a group.
    Stored { serial: u64, units: u32 },
}

impl Head {
    /// The head of a unit's record.
    pub fn of(serial: u64, index: u32, data: &[u8]) -> Self {
        Self::Unit {
            serial,
            index,
            len: u32::try_from(data.len()).unwrap_or(u32::MAX),
            sum: crc32fast::hash(data),
        }
    }

    /// Bytes of data that follow.
    pub fn data_len(&self) -> usize {
        match self {
            Self::Unit { len, .. } => *len as usize,
            Self::Stored { .. } => 0,
        }
    }

    pub fn encode(&self) -> [u8; HEAD_LEN] {
        let (kind, serial, number, len, sum) = match *self {
            Self::Unit {
                serial,
                index,
                len,
                sum,
            } => (UNIT, serial, index, len, sum),
            Self::Stored { serial, units } => (STORED, serial, units, 0, 0),
        };
        let mut bytes = [0; HEAD_LEN];
        bytes[0] = kind;
        bytes[4..12].copy_from_slice(&serial.to_le_bytes());
        bytes[12..16].copy_from_slice(&number.to_le_bytes());
        bytes[16..20].copy_from_slice(&len.to_le_bytes());
        bytes[20..24].copy_from_slice(&sum.to_le_bytes());
        let own = crc32fast::hash(&bytes[..24]);
        bytes[24..].copy_from_slice(&own.to_le_bytes());
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        let bytes = bytes.get(..HEAD_LEN).ok_or(Damage::Short)?;
        if crc32fast::hash(&bytes[..24]) != u32_at(bytes, 24) {
            return Err(Damage::Checksum);
        }
        let (serial, number) = (u64_at(bytes, 4), u32_at(bytes, 12));
        // Serials go over the wire as varints, and the next one has to be a number too.
        if serial > varint::MAX {
            return Err(Damage::Nonsense);
        }
        match bytes[0] {
            UNIT => Ok(Self::Unit {
                serial,
                index: number,
                len: u32_at(bytes, 16),
                sum: u32_at(bytes, 20),
            }),
            STORED => Ok(Self::Stored {
                serial,
                units: number,
            }),
            _ => Err(Damage::Nonsense),
        }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes
        .iter()
        .skip(at)
        .take(4)
        .rev()
        .fold(0, |value, byte| value << 8 | u32::from(*byte))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> Header {
        Header {
            spool: [5; INSTANCE_LEN],
            bundle: "cis-nano-v0".into(),
            next_serial: 1 << 40,
        }
    }

    #[test]
    fn a_header_is_read_as_it_was_written() {
        assert_eq!(Header::decode(&header().encode()), Ok(header()));
        assert_eq!(
            Header::decode(&header().encode()[..HEADER_LEN - 1]),
            Err(Damage::Short)
        );
        assert_eq!(Header::decode(&[0; HEADER_LEN]), Err(Damage::Foreign));
    }

    #[test]
    fn a_serial_that_no_sender_has_is_nonsense() {
        for serial in [varint::MAX + 1, u64::MAX] {
            let stored = Head::Stored { serial, units: 1 };
            assert_eq!(Head::decode(&stored.encode()), Err(Damage::Nonsense));
            let header = Header {
                next_serial: serial,
                ..header()
            };
            assert_eq!(Header::decode(&header.encode()), Err(Damage::Nonsense));
        }
    }

    proptest! {
        #[test]
        fn a_head_is_read_as_it_was_written(serial in 0..=varint::MAX, number: u32, data: Vec<u8>, unit: bool) {
            let head = match unit {
                true => Head::of(serial, number, &data),
                false => Head::Stored { serial, units: number },
            };
            prop_assert_eq!(Head::decode(&head.encode()), Ok(head));
        }

        #[test]
        fn a_flipped_bit_is_noticed(bit in 0..HEAD_LEN * 8, in_header in 0..HEADER_LEN * 8) {
            let mut bytes = Head::of(7, 8, b"data").encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(Head::decode(&bytes).is_err());
            let mut bytes = header().encode();
            bytes[in_header / 8] ^= 1 << (in_header % 8);
            prop_assert!(Header::decode(&bytes).is_err());
        }
    }
}
