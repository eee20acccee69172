//! What a unit says about its frame, and the errors of reading it.

use super::{PeekError, varint::Failure};
use crate::{BundleId, InvalidBundleId, Shape, Size};

/// Version of the bitstream that this crate writes and reads.
pub const VERSION: u8 = 2;
/// Version of the units of an enhancement layer that is predicted along the motion.
pub const MOVING: u8 = 4;
/// The same with a single likely vector for each position: read, but no longer written.
pub const MOVING_ONE: u8 = 3;

/// Whether units of this version are predicted along the motion.
pub const fn is_moving(version: u8) -> bool {
    matches!(version, MOVING_ONE | MOVING)
}

/// Layer of the features for detection.
pub const DETECTION: u8 = 0;
/// Layer of what the operator's view needs besides.
pub const ENHANCEMENT: u8 = 1;

/// Everything a unit says outside its payload, in absolute values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Version of the bitstream.
    pub version: u8,
    /// [`DETECTION`] or [`ENHANCEMENT`]; others are reserved.
    pub layer: u8,
    /// Number of the frame: one more than that of the unit before.
    pub number: u64,
    /// Presentation time in ns.
    pub pts_ns: u64,
    /// Capture time in ns since the Unix epoch, UTC.
    pub capture_utc_ns: u64,
    /// Decodable without any unit before it.
    pub key: bool,
    /// Same latents as the frame before; there is no payload.
    pub repeat: bool,
    /// Delivered later than live, from a spool.
    pub late: bool,
    /// Bundle whose networks and prior made the stream.
    pub bundle: BundleId,
    /// Size of the source picture.
    pub source: Size,
    /// Size of the latents.
    pub shape: Shape,
    /// Quantiser index of the latents.
    pub qindex: u8,
    /// Bytes of entropy-coded payload.
    pub payload_len: usize,
    /// Bytes of the whole unit.
    pub unit_len: usize,
}

/// Why a unit's header cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes do not start a unit that this version can read.
    #[error(transparent)]
    Framing(#[from] PeekError),
    /// There are more or fewer bytes than the unit says.
    #[error("the unit says that it has {declared} bytes, {found} were given")]
    Length {
        /// Bytes given.
        found: usize,
        /// Bytes the unit claims.
        declared: usize,
    },
    /// Nothing can be made of this unit before a key frame.
    #[error("no key frame has been read yet")]
    NoKeyFrame,
    /// The checksum of a key frame is wrong.
    #[error("checksum of key frame is {computed:#010x}, the unit says {stored:#010x}: bytes are damaged")]
    Checksum {
        /// Checksum of the bytes.
        computed: u32,
        /// Checksum in the unit.
        stored: u32,
    },
    /// The checksum of an inter frame is wrong: it covers the checksum of the unit before, too.
    #[error("bytes are damaged, or units are missing, after frame {last}")]
    Broken {
        /// Number of the last good frame.
        last: u64,
    },
    /// A field of the header cannot be read or is out of range.
    #[error("header field {field} is malformed")]
    Malformed {
        /// Name of the field in `docs/bitstream.md`.
        field: &'static str,
    },
    /// The bundle id is not one.
    #[error(transparent)]
    Bundle(#[from] InvalidBundleId),
    /// A size is beyond the limits.
    #[error("{what} is {found}, legal are 1 to {limit}")]
    Limit {
        /// What is too large, or zero.
        what: &'static str,
        /// The value found.
        found: u64,
        /// Its upper limit.
        limit: u64,
    },
    /// The unit belongs to a layer that is not read here; it can be passed over.
    #[error("a unit of layer {found}, those of layer {wanted} are read here")]
    OtherLayer {
        /// Layer of the unit.
        found: u8,
        /// The reader's layer.
        wanted: u8,
    },
}

impl Error {
    pub(super) fn field(field: &'static str) -> impl Fn(Failure) -> Self {
        move |_| Self::Malformed { field }
    }
}
