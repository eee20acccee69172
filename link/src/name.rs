//! Owns [`StreamName`], the name under which a camera publishes.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::Error;

/// Longest stream name, in bytes.
pub const MAX_LEN: usize = 64;

/// Name of a camera's stream: `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`, so that it can stand in a URL and a file name as it is.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct StreamName(Arc<str>);

impl StreamName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for StreamName {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self, Error> {
        let fits = s.len() <= MAX_LEN
            && s.starts_with(|c: char| c.is_ascii_alphanumeric())
            && s.bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if fits {
            Ok(Self(s.into()))
        } else {
            Err(Error::StreamName(s.chars().take(MAX_LEN + 1).collect()))
        }
    }
}

impl TryFrom<String> for StreamName {
    type Error = Error;

    fn try_from(s: String) -> Result<Self, Error> {
        s.parse()
    }
}

impl AsRef<str> for StreamName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_fit() {
        for name in ["a", "gate-1", "7", "Hall_2.north", &"x".repeat(MAX_LEN)] {
            assert_eq!(name.parse::<StreamName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn names_that_do_not() {
        for name in [
            "",
            ".",
            "..",
            "-a",
            "_a",
            "a/b",
            "a b",
            "ä",
            "a\0",
            &"x".repeat(MAX_LEN + 1),
        ] {
            assert!(name.parse::<StreamName>().is_err(), "{name:?}");
        }
    }
}
