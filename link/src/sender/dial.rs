//! Owns the way from the receiver's name to a connection.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use quinn::{Connection, Endpoint};
use tokio::task::JoinSet;

use super::config::Config;
use super::failure::Failure;

/// Head start of one address of a name over the next (RFC 8305).
const HEAD_START: Duration = Duration::from_millis(250);
/// Addresses of a name that are tried.
const MAX_ADDRESSES: usize = 8;

/// Makes an end of connections towards an address.
pub type Open = dyn Fn(SocketAddr) -> io::Result<Endpoint> + Send + Sync;

/// A UDP socket of the system.
pub fn open(remote: SocketAddr) -> io::Result<Endpoint> {
    let local: IpAddr = match remote {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    Endpoint::client((local, 0).into())
}

/// Tries the addresses of the receiver, each a little later than the one before: UDP does not tell that nobody is there.
/// The first that answers is taken; if none does, the last failure counts.
pub async fn dial(
    config: &Config,
    quic: &quinn::ClientConfig,
    open: &Arc<Open>,
) -> Result<(Endpoint, Connection), Failure> {
    let unknown = |why: String| Failure::lost(format!("cannot find {:?}: {why}", config.address));
    let found = tokio::net::lookup_host((config.host(), config.port)).await;
    let mut addresses = found
        .map_err(|error| unknown(error.to_string()))?
        .take(MAX_ADDRESSES)
        .peekable();
    let mut failure = unknown("it has no address".into());
    let mut attempts = JoinSet::new();
    loop {
        if let Some(remote) = addresses.next() {
            attempts.spawn(dial_address(
                remote,
                config.server_name().to_owned(),
                quic.clone(),
                open.clone(),
            ));
        }
        tokio::select! {
            ended = attempts.join_next() => match ended {
                Some(Ok(Ok(made))) => return Ok(made),
                Some(Ok(Err(why))) => failure = why,
                Some(Err(error)) => failure = unknown(error.to_string()),
                None => return Err(failure),
            },
            () = tokio::time::sleep(HEAD_START), if addresses.peek().is_some() => {}
        }
    }
}

async fn dial_address(
    remote: SocketAddr,
    server_name: String,
    quic: quinn::ClientConfig,
    open: Arc<Open>,
) -> Result<(Endpoint, Connection), Failure> {
    let endpoint =
        open(remote).map_err(|error| Failure::lost(format!("no socket towards {remote}: {error}")))?;
    let connecting = endpoint
        .connect_with(quic, remote, &server_name)
        .map_err(|error| Failure::lost(format!("cannot connect to {remote}: {error}")))?;
    let connection = connecting.await.map_err(|error| {
        let mut failure = Failure::from(error);
        failure.reason = format!("{remote}: {}", failure.reason);
        failure
    })?;
    Ok((endpoint, connection))
}
