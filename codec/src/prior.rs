//! The state that the entropy coder starts from at every key frame, learned from training latents (`prior.bin`).

use crate::entropy::Model;

/// Initial state of the entropy coder.
#[derive(Clone, Debug, Default)]
pub struct Prior {
    pub(crate) model: Model,
}

/// Why bytes are no prior.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The first bytes are not those of a prior.
    #[error("not a prior: it does not start with \"cisprior\"")]
    NotAPrior,
}

impl Prior {
    pub(crate) fn model(&self, _qindex: u8) -> &Model {
        &self.model
    }

    /// Reads `prior.bin`. No bytes at all mean a cold start: every context begins without an opinion.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.is_empty() { Ok(Self::default()) } else { Err(Error::NotAPrior) }
    }

    /// The content of `prior.bin`.
    pub fn to_bytes(&self) -> Vec<u8> {
        Vec::new()
    }
}
