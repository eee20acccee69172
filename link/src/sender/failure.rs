//! Owns the reasons for which a sender has no connection, and who can do something about them.

use std::time::Duration;

use quinn::ConnectionError;

use crate::reason;
use crate::wire::{Close, Refusal};

/// Why there is no connection.
pub struct Failure {
    pub reason: String,
    pub kind: Kind,
    /// How long the connection lasted; zero if the sender was never let in.
    pub lived: Duration,
}

/// Who can do something about a failure.
pub enum Kind {
    /// Nobody, or the network: try again soon.
    Lost,
    /// A person, at either end: trying often is of no use.
    Refused(Option<Refusal>),
}

impl Failure {
    pub fn lost(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            kind: Kind::Lost,
            lived: Duration::ZERO,
        }
    }
}

impl From<ConnectionError> for Failure {
    fn from(error: ConnectionError) -> Self {
        let kind = match reason::closed_with(&error) {
            Some(Close::Refused(refusal)) => Kind::Refused(Some(refusal)),
            _ if reason::tls_alert(&error).is_some() => Kind::Refused(None),
            _ => Kind::Lost,
        };
        Self {
            reason: reason::words(&error),
            kind,
            lived: Duration::ZERO,
        }
    }
}
