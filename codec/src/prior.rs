//! The state that the entropy coder starts from at every key frame, learned from training latents (`prior.bin`).
//!
//! A prior holds one model for each of a few quantiser indices; a key frame starts from the nearest one.

use crate::{
    entropy::{
        Model,
        model::{PackError, unpack},
    },
    frame::crc32c,
    quant::QINDEX_MAX,
};

mod trainer;

pub use trainer::Trainer;

const MAGIC: &[u8; 8] = b"cisprior";
/// Version of the format; it also stands for the contexts, which it changes with, and not for the units around them.
const VERSION: u8 = 1;
/// Most models of a prior: more would only fill memory.
pub(crate) const MAX_ANCHORS: usize = 16;
/// Longest `prior.bin` that is read.
pub const MAX_BYTES: usize = 4 << 20;

/// Initial state of the entropy coder.
#[derive(Clone, Debug)]
pub struct Prior {
    /// Models by the quantiser index they were trained at, ascending; never empty.
    anchors: Vec<(u8, Model)>,
}

impl Default for Prior {
    /// A cold start: every context begins without an opinion.
    fn default() -> Self {
        Self {
            anchors: vec![(QINDEX_MAX / 2, Model::default())],
        }
    }
}

/// Why bytes are no prior.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The first bytes are not those of a prior.
    #[error("not a prior: it does not start with \"cisprior\"")]
    NotAPrior,
    /// Made for another version of the bitstream.
    #[error("prior version {found} is not supported, only {VERSION} is")]
    UnsupportedVersion {
        /// Version of the prior.
        found: u8,
    },
    /// The checksum is wrong.
    #[error("checksum of the prior is {computed:#010x}, it says {stored:#010x}: bytes are damaged")]
    Checksum {
        /// Checksum of the bytes.
        computed: u32,
        /// Checksum at their end.
        stored: u32,
    },
    /// More bytes than any prior has.
    #[error("a prior of {found} bytes is beyond the limit of {MAX_BYTES}")]
    TooLarge {
        /// Bytes given.
        found: usize,
    },
    /// The content contradicts itself.
    #[error("malformed prior: {what}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
    },
}

impl From<PackError> for Error {
    fn from(PackError(what): PackError) -> Self {
        Self::Malformed { what }
    }
}

impl Prior {
    /// Reads `prior.bin`. No bytes at all mean a cold start.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        if bytes.len() > MAX_BYTES {
            return Err(Error::TooLarge { found: bytes.len() });
        }
        let body = bytes.strip_prefix(MAGIC).ok_or(Error::NotAPrior)?;
        let (&found, _) = body.split_first().ok_or(Error::NotAPrior)?;
        if found != VERSION {
            return Err(Error::UnsupportedVersion { found });
        }
        let (covered, stored) = bytes.split_at(bytes.len() - 4);
        let stored = stored
            .iter()
            .rev()
            .fold(0, |crc, &byte| crc << 8 | u32::from(byte));
        let computed = crc32c(0, covered);
        if computed != stored {
            return Err(Error::Checksum { computed, stored });
        }
        let truncated = Error::Malformed { what: "truncated" };
        let mut rest = covered.get(MAGIC.len() + 1..).ok_or(truncated.clone())?;
        let byte = |rest: &mut &[u8]| {
            let (&first, tail) = rest.split_first().ok_or(truncated.clone())?;
            *rest = tail;
            Ok::<u8, Error>(first)
        };
        let count = usize::from(byte(&mut rest)?);
        if count == 0 || count > MAX_ANCHORS {
            return Err(Error::Malformed {
                what: "number of models is not 1 to 16",
            });
        }
        let mut anchors: Vec<(u8, Model)> = Vec::with_capacity(count);
        for _ in 0..count {
            let qindex = byte(&mut rest)?;
            if qindex > QINDEX_MAX || anchors.last().is_some_and(|&(last, _)| last >= qindex) {
                return Err(Error::Malformed {
                    what: "quantiser indices are out of range or out of order",
                });
            }
            anchors.push((qindex, unpack(&mut rest)?));
        }
        match rest {
            [] => Ok(Self { anchors }),
            _ => Err(Error::Malformed {
                what: "bytes after the last model",
            }),
        }
    }

    /// The content of `prior.bin`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.push(VERSION);
        out.push(self.anchors.len() as u8);
        for (qindex, model) in &self.anchors {
            out.push(*qindex);
            model.pack(&mut out);
        }
        out.extend_from_slice(&crc32c(0, &out).to_le_bytes());
        out
    }

    /// The model of the quantiser index nearest to `qindex`, the finer of two.
    pub(crate) fn model(&self, qindex: u8) -> &Model {
        let nearest = self
            .anchors
            .iter()
            .min_by_key(|(anchor, _)| anchor.abs_diff(qindex));
        // There is always a first one.
        &nearest.unwrap_or(&self.anchors[0]).1
    }
}
