//! What goes over the wire (docs/wire.md), without sockets and clocks: bytes in, values out, and back.

pub mod close;
pub mod group;
pub mod message;
pub mod varint;

pub use close::{Close, Refusal};
pub use message::Message;

/// Protocol name of the TLS handshake.
pub const ALPN: &[u8] = b"cis/1";
/// Version of the messages, in the hello.
pub const VERSION: u64 = 1;

/// Layer of the codec that is sent only while somebody wants it, and yields to layer 0.
pub const ENHANCEMENT_LAYER: u8 = 1;

/// A peer broke the protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("protocol violation: {0}")]
pub struct Violation(pub String);

impl Violation {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}
