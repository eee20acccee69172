//! The name of a model bundle, as it stands in caps and key frames.

use std::{fmt, str::FromStr, sync::Arc};

/// A valid bundle id: `[a-z0-9][a-z0-9.-]{0,62}`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BundleId(Arc<str>);

/// The text is no bundle id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "bundle id {found:?} is not 1 to 63 characters of a-z, 0-9, '.' and '-' that start with a letter or digit"
)]
pub struct InvalidBundleId {
    /// The text as it was found, cut to 64 characters.
    pub found: String,
}

impl BundleId {
    /// Longest id in bytes.
    pub const MAX_LEN: usize = 63;

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn from_utf8(bytes: &[u8]) -> Result<Self, InvalidBundleId> {
        String::from_utf8_lossy(bytes).parse()
    }
}

impl FromStr for BundleId {
    type Err = InvalidBundleId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'.' || c == b'-';
        let mut bytes = text.bytes();
        let valid = bytes
            .next()
            .is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
            && bytes.all(inner)
            && text.len() <= Self::MAX_LEN;
        match valid {
            true => Ok(Self(text.into())),
            false => Err(InvalidBundleId {
                found: text.chars().take(64).collect(),
            }),
        }
    }
}

impl fmt::Display for BundleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BundleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BundleId({})", self.0)
    }
}

impl AsRef<str> for BundleId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}
