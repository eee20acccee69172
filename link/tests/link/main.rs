//! The link over real QUIC on the loopback interface.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests are not seen as tests by the lint"
)]

mod common;
mod delivery;
mod enhancement;
mod hello;
mod hostile;
mod limits;
mod messages;
mod reconnect;
mod spool;
mod takeover;
mod tls;
