//! An HTTP/1.1 server for a router: bounded connections, time-outs against those who say nothing, TLS where it is wanted.

use crate::Error;
use crate::live::Live;
use crate::services::Stopping;
use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// How long a client may take for its handshake, and for the head of a request.
const PATIENCE: Duration = Duration::from_secs(10);
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
        })
    }

    /// Serves until the receiver ends. Those who come when all connections are taken wait.
    pub async fn run(self, router: Router, tls: Tls, mut stopping: Stopping) {
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
            // Small messages go out at once.
            let _ = socket.set_nodelay(true);
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
                drop(permit);
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
