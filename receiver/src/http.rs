//! An HTTP/1.1 server for a router: bounded connections, in all and for one address, time-outs against those who say or take nothing, TLS where it is
//! wanted.

use crate::Error;
use crate::live::Live;
use crate::services::Stopping;
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use parking_lot::Mutex;
use rustls::ServerConfig;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// How long a client may take for its handshake, and for the head of a request.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a request may take, its body and all; a socket is only begun by one.
const REQUEST: Duration = Duration::from_secs(30);
/// The part of all connections that one address may have.
const SHARE: usize = 8;
/// How long to wait when the system has no connection to give.
const PAUSE: Duration = Duration::from_millis(100);

/// The certificate that new connections get; `None`: plain HTTP.
pub type Tls = Arc<Live<Option<Arc<ServerConfig>>>>;

/// An extension of every request: the client's address.
#[derive(Clone, Copy, Debug)]
pub struct Remote(pub SocketAddr);

/// A bound address.
pub struct Server {
    listener: TcpListener,
    /// Where it is.
    pub address: SocketAddr,
    connections: Arc<Semaphore>,
    guests: Arc<Guests>,
}

impl Server {
    /// Binds the address that `option` names; not more than `connections` are served at a time.
    pub fn bind(
        runtime: &tokio::runtime::Handle,
        option: &'static str,
        address: SocketAddr,
        connections: usize,
    ) -> Result<Self, Error> {
        let error = |e: std::io::Error| Error::Bind {
            what: option,
            address,
            reason: e.to_string(),
        };
        let listener = runtime.block_on(TcpListener::bind(address)).map_err(error)?;
        Ok(Self {
            address: listener.local_addr().map_err(error)?,
            listener,
            connections: Arc::new(Semaphore::new(connections)),
            guests: Arc::new(Guests {
                most: (connections / SHARE).max(1),
                here: Mutex::default(),
            }),
        })
    }

    /// Serves until the receiver ends. Those who come when all connections are taken wait; an address that has its share gets no more.
    pub async fn run(self, router: Router, tls: Tls, mut stopping: Stopping) {
        let router = router.layer(middleware::from_fn(in_time));
        let mut tasks = tokio::task::JoinSet::new();
        loop {
            let Ok(permit) = self.connections.clone().acquire_owned().await else {
                break;
            };
            let accepted = tokio::select! {
                () = stopping.wait() => break,
                accepted = self.listener.accept() => accepted,
            };
            let (socket, remote) = match accepted {
                Ok(accepted) => accepted,
                Err(e) => {
                    tracing::warn!("no connection accepted: {e}");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let Some(guest) = self.guests.admit(remote.ip()) else {
                tracing::debug!(%remote, "the address has too many connections");
                continue;
            };
            // Small messages go out at once.
            let _ = socket.set_nodelay(true);
            // Who takes nothing of what is sent is cut off.
            #[cfg(target_os = "linux")]
            let _ = socket2::SockRef::from(&socket).set_tcp_user_timeout(Some(PATIENCE));
            let (router, tls) = (router.clone(), tls.get());
            tasks.spawn(async move {
                match &*tls {
                    None => serve(socket, remote, router).await,
                    Some(config) => {
                        let acceptor = tokio_rustls::TlsAcceptor::from(config.clone());
                        match tokio::time::timeout(PATIENCE, acceptor.accept(socket)).await {
                            Ok(Ok(stream)) => serve(stream, remote, router).await,
                            Ok(Err(e)) => tracing::debug!(%remote, "TLS: {e}"),
                            Err(_) => tracing::debug!(%remote, "TLS: nothing came for {PATIENCE:?}"),
                        }
                    }
                }
                drop((permit, guest));
            });
            while tasks.try_join_next().is_some() {}
        }
        tasks.shutdown().await;
    }
}

async fn serve<T>(stream: T, remote: SocketAddr, router: Router)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let router = router.layer(axum::Extension(Remote(remote)));
    let service = TowerToHyperService::new(router);
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    if let Err(e) = served {
        tracing::debug!(%remote, "HTTP: {e}");
    }
}

/// Nobody holds a connection by a body that does not come.
async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST, next.run(request)).await {
        Ok(response) => response,
        Err(_) => (StatusCode::REQUEST_TIMEOUT, "the request took too long\n").into_response(),
    }
}

/// How many connections each address has.
struct Guests {
    most: usize,
    here: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection of an address.
struct Guest(Option<(Arc<Guests>, IpAddr)>);

impl Guests {
    /// One more, unless the address has enough. This machine may have any number: a proxy on it speaks for everybody.
    fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Guest> {
        let address = network(address);
        if address.is_loopback() {
            return Some(Guest(None));
        }
        let mut here = self.here.lock();
        let count = here.entry(address).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Guest(Some((self.clone(), address))))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let Some((guests, address)) = self.0.take() else {
            return;
        };
        let mut here = guests.here.lock();
        if let Some(count) = here.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                here.remove(&address);
            }
        }
    }
}

/// Who counts as one: a customer of a provider has 2^64 addresses.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, Bytes};
    use axum::routing::post;
    use hyper::service::Service;

    /// In a clock that runs ahead whenever nothing happens.
    #[test]
    fn a_body_that_does_not_come_is_not_waited_for() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let router = Router::new().route("/", post(async |body: Bytes| body));
            let service = TowerToHyperService::new(router.layer(middleware::from_fn(in_time)));
            let never = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
            let request = axum::http::Request::post("/").body(Body::from_stream(never));
            let response = service.call(request.unwrap()).await.unwrap();
            assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
        });
    }

    #[test]
    fn one_address_cannot_take_all_connections() {
        let guests = Arc::new(Guests {
            most: 2,
            here: Mutex::default(),
        });
        let admit = |address: &str| guests.admit(address.parse().unwrap());
        let (first, second) = (admit("2001:db8::1"), admit("2001:db8::2"));
        assert!(first.is_some() && second.is_some());
        assert!(admit("2001:db8::3").is_none(), "a neighbour");
        assert!(admit("192.0.2.1").is_some());
        drop(first);
        assert!(admit("2001:db8::3").is_some());
        let proxy: Vec<_> = (0..9).map(|_| admit("127.0.0.1")).collect();
        assert!(proxy.iter().all(Option::is_some));
        drop((proxy, second));
        assert!(guests.here.lock().is_empty(), "who has gone takes no memory");
    }

    #[test]
    fn neighbours_in_one_v6_network_count_together() {
        let same = |a: &str, b: &str| network(a.parse().unwrap()) == network(b.parse().unwrap());
        assert!(same("2001:db8::1", "2001:db8::ffff:1"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
        assert!(same("::ffff:192.0.2.1", "192.0.2.1"));
    }
}
