//! The receiver's end of the link: listens on one UDP port, lets cameras in, and hands on their units in order.

mod admission;
mod allowance;
mod config;
mod event;
mod history;
mod journal;
mod lane;
mod liveness;
mod rebirth;
mod receipt;
mod session;
mod shared;
mod stream;

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::Receiver;
use quinn::{Endpoint, Incoming, TokioRuntime};
use tokio::task::JoinSet;

pub use config::{Auth, Config, Limits, ServerTls};
pub use event::{Event, Events, Stats, StreamStats};
#[cfg(test)]
pub(crate) use journal::fuzz as fuzz_journal;
pub use receipt::Receipt;

use crate::wire::Close;
use crate::{Error, StreamName, Tokens, tls, transport};
use allowance::Handshakes;
pub(crate) use shared::Shared;

/// How long the goodbyes may take when nobody waits for them.
const GOODBYE: Duration = Duration::from_millis(500);

/// Accepts many senders on one UDP port.
///
/// A slow application makes the cameras wait: what is not taken from [`events`](Self::events) fills the stream's queue,
/// then nothing more is read from the network. Dropped without [`close`](Self::close), it closes all connections.
pub struct Listener {
    shared: Arc<Shared>,
    events: Events,
    endpoint: Endpoint,
    local_addr: SocketAddr,
    thread: Option<JoinHandle<()>>,
    done: Receiver<()>,
}

impl Listener {
    /// Reads the files, checks the settings, takes the port and starts the thread `cis-listener`.
    pub fn bind(config: Config) -> Result<Self, Error> {
        config.check()?;
        let quic = server_config(&config, &config.auth)?;
        let endpoint_config = rebirth::endpoint(&config)?;
        let address = config.bind;
        let bound = |reason| Error::Bind { address, reason };
        let socket = UdpSocket::bind(address).map_err(bound)?;
        let local_addr = socket.local_addr().map_err(bound)?;
        let runtime = crate::runtime()?;
        let endpoint = {
            let _context = runtime.enter();
            Endpoint::new(endpoint_config, Some(quic), socket, Arc::new(TokioRuntime)).map_err(bound)?
        };
        let (shared, events) = Shared::new(config);
        let shared = Arc::new(shared);
        let (report, done) = crossbeam_channel::bounded(1);
        let on_thread = shared.clone();
        let of_thread = endpoint.clone();
        let thread = std::thread::Builder::new()
            .name("cis-listener".into())
            .spawn(move || {
                runtime.block_on(work(&on_thread, of_thread));
                runtime.shutdown_background();
                let _ = report.send(());
            })
            .map_err(Error::System)?;
        Ok(Self {
            shared,
            events,
            endpoint,
            local_addr,
            thread: Some(thread),
            done,
        })
    }

    /// Reads the files and checks the settings as [`bind`](Self::bind) does, and takes no port.
    pub fn check(config: &Config) -> Result<(), Error> {
        config.check()?;
        server_config(config, &config.auth).map(drop)
    }

    /// The address listened on, with the port taken if none was named.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// What happens. Must be taken swiftly: what waits here makes cameras wait.
    pub fn events(&self) -> Events {
        self.events.clone()
    }

    /// Asks a camera for a key. `false`: there is no such stream now.
    pub fn request_key(&self, stream: &StreamName) -> bool {
        let live = self.shared.register.get(stream);
        live.inspect(|live| live.outbox.request_key()).is_some()
    }

    /// Tells a camera whether a layer is wanted: now, and each time it connects until it is told otherwise. Wanted again
    /// while it is on: it is to begin with a key. `false`: there is no such stream now.
    pub fn set_layer(&self, stream: &StreamName, layer: u8, on: bool) -> bool {
        self.shared.register.set_layer(stream, layer, on)
    }

    /// Knows other tokens from now on. Streams that are open stay open.
    pub fn set_tokens(&self, tokens: Tokens) {
        *self.shared.auth.write() = Auth::Tokens(tokens);
    }

    /// Reads certificate, key and client CA anew; handshakes from now on use them. Connections that there are stay. After
    /// an error everything is as it was.
    pub fn reload_certificates(&self) -> Result<(), Error> {
        let auth = self.shared.auth.read().clone();
        let quic = server_config(&self.shared.config, &auth)?;
        self.endpoint.set_server_config(Some(quic));
        Ok(())
    }

    /// What the listener and its streams do, now.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// Closes all connections and waits until that is done, but not longer than the deadline. Events that wait can still
    /// be taken; after the last of them the receiving end of the queue says that it is over.
    pub fn close(self, deadline: Duration) -> bool {
        self.shared.closing.send_replace(true);
        self.done.recv_timeout(deadline).is_ok()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.shared.closing.send_replace(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the listener's thread ended by a panic");
        }
    }
}

pub(crate) fn server_config(config: &Config, auth: &Auth) -> Result<quinn::ServerConfig, Error> {
    let mut quic = quinn::ServerConfig::with_crypto(Arc::new(tls::server(&config.tls, auth)?));
    quic.transport_config(Arc::new(transport::server(config.limits.idle_timeout)?));
    Ok(quic)
}

/// What a listener's thread does.
pub(crate) async fn work(shared: &Arc<Shared>, endpoint: Endpoint) {
    let mut sessions = JoinSet::new();
    let mut handshakes = Handshakes::new(shared.config.limits.handshakes_per_second);
    let mut closing = shared.closing.subscribe();
    loop {
        shared.set_connections(sessions.len());
        tokio::select! {
            // An error means that the application is gone.
            _ = closing.wait_for(|closing| *closing) => break,
            incoming = endpoint.accept() => match incoming {
                Some(incoming) => receive(shared, incoming, &mut handshakes, &mut sessions),
                None => break,
            },
            Some(ended) = sessions.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a session ended by a panic");
                }
            }
        }
    }
    endpoint.close(Close::Shutdown.code().into(), b"the receiver is going away");
    // Sessions end by themselves once their connection is closed, and say so in their last event.
    while sessions.join_next().await.is_some() {}
    let _ = tokio::time::timeout(GOODBYE, endpoint.wait_idle()).await;
}

/// Serves a new connection, unless there are too many. An address must first show that it can be reached, so that forged
/// packets take neither connections nor the handshakes of somebody else; without `retry`, when half of them are in use.
fn receive(
    shared: &Arc<Shared>,
    incoming: Incoming,
    handshakes: &mut Handshakes,
    sessions: &mut JoinSet<()>,
) {
    let limit = shared.config.limits.connections;
    let remote = incoming.remote_address();
    if sessions.len() >= limit {
        incoming.refuse();
        shared.refused(remote, None, format!("all {limit} connections are in use"));
    } else if (shared.config.limits.retry || sessions.len() >= limit.div_ceil(2)) && incoming.may_retry() {
        if incoming.retry().is_err() {
            tracing::debug!(%remote, "no retry possible");
        }
    } else if !handshakes.may(remote.ip(), tokio::time::Instant::now()) {
        // Not a word to an address that may be forged, and no work for one that is not.
        incoming.ignore();
        shared.refused(remote, None, "too many handshakes from this address".into());
    } else {
        sessions.spawn(session::run(shared.clone(), incoming));
    }
}
