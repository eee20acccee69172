//! The link of cis: carries coded frames from a camera to a receiver over QUIC (docs/wire.md).
//!
//! Knows packets, not pixels. [`sender`] connects, and connects again for ever; [`listener`] accepts many senders. Both
//! are plain blocking interfaces over one named thread each. What goes over the wire is in [`wire`], which has neither
//! sockets nor clock. [`keys`] makes the certificates and tokens that both ends need.

mod backoff;
mod control;
mod error;
mod files;
#[doc(hidden)]
pub mod fuzz;
#[cfg(feature = "keys")]
pub mod keys;
pub mod listener;
mod name;
mod reason;
pub mod sender;
mod spool;
mod times;
mod tls;
mod token;
mod transport;
mod unit;
#[cfg(test)]
mod virtual_time;
pub mod wire;

pub use backoff::Backoff;
pub use error::Error;
pub use listener::Listener;
pub use name::StreamName;
pub use sender::Sender;
pub use times::Times;
pub use tls::{Fingerprint, Identity, client_config};
pub use token::{Token, TokenHash, Tokens};
pub use unit::Unit;

/// The runtime of one end: everything runs on the thread that drives it, but for look-ups of names, which block.
fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder
        .enable_io()
        .enable_time()
        .thread_name("cis-link-names")
        .max_blocking_threads(4);
    builder.build().map_err(Error::System)
}
