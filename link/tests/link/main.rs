//! The link over real QUIC on the loopback interface.

mod common;
mod delivery;
mod hello;
mod hostile;
mod limits;
mod messages;
mod reconnect;
mod tls;
