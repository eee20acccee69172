//! Looking at the first bytes of a unit without any state: what a parser needs.

use super::{MOVING, MOVING_ONE, VERSION, is_moving, varint};
use crate::Limits;

pub(super) const SYNC: u8 = 0xC5;
pub(super) const MAGIC: [u8; 3] = *b"cis";

/// Bytes of the checksum that a unit carries: an inter unit has the low half, and the rest of the chain catches what that lets through.
pub(super) const fn crc_len(key: bool) -> usize {
    if key { 4 } else { 2 }
}

/// More bytes than any header has, checksum included.
pub const MAX_HEADER: usize = 160;

/// Bits of the flags; the top three are the version. They are the second byte of a key frame, and the first one of an inter unit, shifted down by one:
/// its top bit, 0, tells it from the sync byte.
pub(super) mod flag {
    pub const KEY: u8 = 1;
    pub const LATE: u8 = 2;
    pub const REPEAT: u8 = 4;
    pub const PTS: u8 = 8;
    pub const EXTRAS: u8 = 16;
    pub const VERSION_SHIFT: u32 = 5;
}

/// Bits of the second byte of an inter unit, there when `flag::EXTRAS` is set.
pub(super) mod extra {
    pub const QINDEX: u8 = 1;
    pub const CAPTURE: u8 = 2;
    pub const LAYER: u8 = 4;
    pub const ALL: u8 = 7;
}

/// What the first bytes of a unit tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peek {
    /// Bytes of the whole unit.
    pub unit_len: usize,
    /// Whether it is a key frame.
    pub key: bool,
    /// Its layer.
    pub layer: u8,
}

/// Why the first bytes cannot be taken for a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeekError {
    /// These bytes may start a unit, but there are too few of them.
    #[error("at least {at_least} bytes are needed")]
    NeedMore {
        /// Bytes to have before looking again; more may be needed then.
        at_least: usize,
    },
    /// No unit starts with these bytes.
    #[error("not a cis unit")]
    NotAUnit,
    /// A unit of another version of the bitstream.
    #[error("bitstream version {found} is not supported, only {VERSION}, {MOVING_ONE} and {MOVING} are")]
    UnsupportedVersion {
        /// Version of the unit.
        found: u8,
    },
    /// The unit is longer than the limits allow.
    #[error("a unit of {found} bytes is beyond the limit of {limit}")]
    TooLarge {
        /// Bytes the unit claims.
        found: u64,
        /// Most bytes allowed.
        limit: usize,
    },
}

/// Fixed part of a unit, and where its variable part starts.
pub(super) struct Prefix {
    pub flags: u8,
    pub extras: u8,
    pub layer: u8,
    pub body: usize,
    pub unit_len: usize,
}

/// Reads the length and kind of the unit that starts at `data[0]`.
pub fn peek(data: &[u8], limits: &Limits) -> Result<Peek, PeekError> {
    let prefix = prefix(data, limits)?;
    Ok(Peek {
        unit_len: prefix.unit_len,
        key: prefix.flags & flag::KEY != 0,
        layer: prefix.layer,
    })
}

/// Whether a unit that starts with this byte is an inter unit.
pub(super) const fn is_inter(first: u8) -> bool {
    first & 0x80 == 0
}

const fn is_known(version: u8) -> bool {
    version == VERSION || is_moving(version)
}

pub(super) fn prefix(data: &[u8], limits: &Limits) -> Result<Prefix, PeekError> {
    let byte = |at: usize| {
        data.get(at)
            .copied()
            .ok_or(PeekError::NeedMore { at_least: at + 1 })
    };
    let first = byte(0)?;
    let key = first == SYNC;
    if !key && !is_inter(first) {
        return Err(PeekError::NotAUnit);
    }
    let flags = if key { byte(1)? } else { first << 1 };
    let mut at = 1;
    if key {
        at = 2;
        if flags & flag::KEY == 0 {
            return Err(PeekError::NotAUnit);
        }
        for wanted in MAGIC {
            if byte(at)? != wanted {
                return Err(PeekError::NotAUnit);
            }
            at += 1;
        }
    }
    let version = flags >> flag::VERSION_SHIFT;
    if !is_known(version) {
        return Err(PeekError::UnsupportedVersion { found: version });
    }
    if key && flags & (flag::REPEAT | flag::PTS | flag::EXTRAS) != 0 {
        return Err(PeekError::NotAUnit);
    }
    let mut extras = 0;
    if flags & flag::EXTRAS != 0 {
        extras = byte(at)?;
        at += 1;
        if extras == 0 || extras & !extra::ALL != 0 {
            return Err(PeekError::NotAUnit);
        }
    }
    let mut layer = 0;
    if key || extras & extra::LAYER != 0 {
        layer = byte(at)?;
        at += 1;
    }
    let mut rest = data.get(at..).unwrap_or_default();
    let given = rest.len();
    let body_len = varint::take(&mut rest).map_err(|failure| match failure {
        varint::Failure::Truncated => PeekError::NeedMore {
            at_least: data.len() + 1,
        },
        varint::Failure::Malformed => PeekError::NotAUnit,
    })?;
    let body = at + given - rest.len();
    let limit = limits.max_payload.saturating_add(MAX_HEADER);
    let found = body_len.saturating_add(body as u64);
    if found > limit as u64 {
        return Err(PeekError::TooLarge { found, limit });
    }
    if body_len < crc_len(key) as u64 {
        return Err(PeekError::NotAUnit);
    }
    Ok(Prefix {
        flags,
        extras,
        layer,
        body,
        unit_len: found as usize,
    })
}

/// Finds the next key frame in bytes that have lost their framing, whatever its version. The index may be that of an
/// incomplete start at the very end of `data`; what lies before it can be thrown away.
pub fn find_sync(data: &[u8]) -> Option<usize> {
    (0..data.len()).find(|&at| {
        let start = &data[at..];
        start[0] == SYNC
            && start.get(1).is_none_or(|flags| flags & flag::KEY != 0)
            && start
                .iter()
                .skip(2)
                .zip(MAGIC)
                .all(|(&found, wanted)| found == wanted)
    })
}

/// Marks a unit as late, or as live again, in place. The checksum does not cover this bit.
pub fn set_late(unit: &mut [u8], late: bool) -> Result<(), PeekError> {
    let (flags, bit) = match unit {
        [SYNC, flags, ..] => (flags, flag::LATE),
        [SYNC] => return Err(PeekError::NeedMore { at_least: 2 }),
        [first, ..] if is_inter(*first) && is_known(*first >> (flag::VERSION_SHIFT - 1)) => {
            (first, flag::LATE >> 1)
        }
        _ => return Err(PeekError::NotAUnit),
    };
    *flags = if late { *flags | bit } else { *flags & !bit };
    Ok(())
}
