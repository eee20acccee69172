//! Owns [`Error`]: what can be wrong before a sender or listener runs. Trouble with the network or a peer is never an
//! error of this kind; it is an event.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Why a sender, a listener or one of their settings was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A stream name that does not fit [`StreamName`](crate::StreamName).
    #[error("stream name {0:?}: must be 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or digit")]
    StreamName(String),
    /// A token that could not have been made by this crate or a careful person.
    #[error("token of {len} characters: must be {min} to {max} visible ASCII characters")]
    Token {
        /// Characters found, white space at the ends not counted.
        len: usize,
        /// Fewest allowed.
        min: usize,
        /// Most allowed.
        max: usize,
    },
    /// The hash of a token that is not 64 hexadecimal digits.
    #[error("token hash {0:?}: must be the 64 hexadecimal digits of a SHA-256")]
    TokenHash(String),
    /// A file that cannot be read or written.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said. Not a `source`: the text has it, and a chain of causes would say it twice.
        reason: std::io::Error,
    },
    /// A file that can be read and holds something else than what is wanted.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting out of its range.
    #[error("{name} = {value}: must be {range}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What it was.
        value: String,
        /// What it may be.
        range: &'static str,
    },
    /// A certificate, key or trust store that TLS does not take.
    #[error("TLS: {0}")]
    Tls(String),
    /// Nobody could be let in.
    #[error("no camera could be authenticated ({0}); to accept anybody, say `insecure`")]
    NoAuthentication(&'static str),
    /// The address cannot be listened on.
    #[error("cannot listen on UDP {address} (port {}): {reason}", address.port())]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said. Not a `source`: the text has it, and a chain of causes would say it twice.
        reason: std::io::Error,
    },
    /// The system gave no thread, socket or randomness.
    #[error("the system refused a resource: {0}")]
    System(std::io::Error),
}

impl Error {
    pub(crate) fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            reason: source,
        }
    }

    pub(crate) fn content(path: &Path, reason: impl ToString) -> Self {
        Self::Content {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }

    pub(crate) fn setting(name: &'static str, value: impl ToString, range: &'static str) -> Self {
        Self::Setting {
            name,
            value: value.to_string(),
            range,
        }
    }
}
