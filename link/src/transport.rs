//! Owns the QUIC parameters that both ends share.

use std::time::Duration;

use quinn::{IdleTimeout, TransportConfig, VarInt};

use crate::Error;

/// Unfinished groups that a sender may have open. More only pile up: a receiver reads one after the other.
const OPEN_GROUPS: u32 = 64;
/// Bytes of one connection that wait in QUIC while the application is slow.
const RECEIVE_WINDOW: u32 = 1 << 20;
/// Round-trip time assumed before the first is measured. The usual third of a second has a thin link's handshake sent again and again
/// while it is still on its way, and its queue overflow with that; a packet of the handshake that gets lost costs two seconds more this way.
const FIRST_RTT: Duration = Duration::from_secs(1);

pub fn check_idle(idle: Duration) -> Result<(), Error> {
    if (Duration::from_secs(1)..=Duration::from_secs(600)).contains(&idle) {
        Ok(())
    } else {
        Err(Error::setting(
            "idle_timeout",
            format!("{} ms", idle.as_millis()),
            "1000 to 600000 ms",
        ))
    }
}

/// Parameters of the end that opens connections: it receives nothing but the control stream.
pub fn client(idle: Duration, keep_alive: Duration, send_window: u32) -> Result<TransportConfig, Error> {
    let mut transport = common(idle)?;
    transport.keep_alive_interval(Some(keep_alive));
    transport.send_window(send_window.into());
    transport.max_concurrent_uni_streams(VarInt::from_u32(0));
    transport.max_concurrent_bidi_streams(VarInt::from_u32(0));
    Ok(transport)
}

/// Parameters of the end that listens.
pub fn server(idle: Duration) -> Result<TransportConfig, Error> {
    let mut transport = common(idle)?;
    transport.max_concurrent_uni_streams(VarInt::from_u32(OPEN_GROUPS));
    transport.max_concurrent_bidi_streams(VarInt::from_u32(1));
    transport.receive_window(VarInt::from_u32(RECEIVE_WINDOW));
    transport.stream_receive_window(VarInt::from_u32(RECEIVE_WINDOW / 2));
    transport.send_window(64 << 10);
    Ok(transport)
}

fn common(idle: Duration) -> Result<TransportConfig, Error> {
    let mut transport = TransportConfig::default();
    let idle = IdleTimeout::try_from(idle)
        .map_err(|_| Error::setting("idle_timeout", idle.as_millis(), "1000 to 600000 ms"))?;
    transport.max_idle_timeout(Some(idle));
    transport.initial_rtt(FIRST_RTT);
    // Looking for a larger MTU costs a thin link seconds of full packets in each direction, and units gain nothing by it.
    transport.mtu_discovery_config(None);
    // Units are streams; datagrams are neither sent nor bought memory.
    transport.datagram_receive_buffer_size(None);
    Ok(transport)
}
