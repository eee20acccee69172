//! Owns the application error codes with which either end closes a connection.

use std::fmt;

/// Why a listener does not let a sender in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// Neither token nor certificate fits the stream. Whether the stream exists is not told.
    Unauthorized,
    /// Somebody publishes under this name already.
    NameTaken,
    /// The receiver does not have the sender's model bundle.
    Bundle,
    /// The receiver does not speak the sender's version.
    Version,
    /// The receiver does not want this stream.
    Unwanted,
    /// The receiver has as many streams as it takes.
    Busy,
    /// A reason of a later version, by its code.
    Other(u8),
}

/// Why a connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Close {
    /// Everything was sent and received.
    Finished,
    /// The process goes away, or its application does not want to go on.
    Shutdown,
    /// The peer broke the protocol.
    Violation,
    /// The peer did not say hello in time.
    Timeout,
    /// The same sender has connected again, or another one while this one did not answer.
    Replaced,
    /// The sender is not let in.
    Refused(Refusal),
    /// A code of a later version.
    Unknown(u64),
}

const CODES: [(u64, Close); 11] = [
    (0x00, Close::Finished),
    (0x01, Close::Shutdown),
    (0x02, Close::Violation),
    (0x03, Close::Timeout),
    (0x04, Close::Replaced),
    (0x10, Close::Refused(Refusal::Unauthorized)),
    (0x11, Close::Refused(Refusal::NameTaken)),
    (0x12, Close::Refused(Refusal::Bundle)),
    (0x13, Close::Refused(Refusal::Version)),
    (0x14, Close::Refused(Refusal::Unwanted)),
    (0x15, Close::Refused(Refusal::Busy)),
];

impl Close {
    /// The code on the wire.
    pub fn code(self) -> u32 {
        let code = CODES
            .iter()
            .find(|(_, close)| *close == self)
            .map(|(code, _)| *code);
        match (code, self) {
            (Some(code), _) | (None, Self::Unknown(code)) => u32::try_from(code).unwrap_or(u32::MAX),
            (None, Self::Refused(Refusal::Other(code))) => code.into(),
            (None, _) => Self::Violation.code(),
        }
    }

    /// What a code on the wire means.
    pub fn from_code(code: u64) -> Self {
        match (CODES.iter().find(|(known, _)| *known == code), code) {
            (Some((_, close)), _) => *close,
            (None, 0x10..=0x1f) => Self::Refused(Refusal::Other(code as u8)),
            (None, _) => Self::Unknown(code),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unauthorized => "not authorized",
            Self::NameTaken => "name taken",
            Self::Bundle => "bundle not accepted",
            Self::Version => "version not spoken",
            Self::Unwanted => "stream not wanted",
            Self::Busy => "too many streams",
            Self::Other(_) => "refused for a reason of a later version",
        })
    }
}

impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finished => f.write_str("finished"),
            Self::Shutdown => f.write_str("shut down"),
            Self::Violation => f.write_str("protocol violation"),
            Self::Timeout => f.write_str("no hello in time"),
            Self::Replaced => f.write_str("replaced by a newer connection of the same sender"),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Unknown(code) => write!(f, "closed with unknown code {code:#x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_means_what_it_is_written_as() {
        for (code, close) in CODES {
            assert_eq!(u64::from(close.code()), code);
            assert_eq!(Close::from_code(code), close);
        }
        for (code, close) in [
            (0x99, Close::Unknown(0x99)),
            (0x1f, Close::Refused(Refusal::Other(0x1f))),
        ] {
            assert_eq!(Close::from_code(code), close);
            assert_eq!(u64::from(close.code()), code);
        }
    }
}
