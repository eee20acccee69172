//! The listener, shared by those who ask cameras for key frames, and closed by one.

use crate::source::{Cameras, Source};
use crate::{Error, config};
use cis_codec::frame::ENHANCEMENT;
use cis_link::listener::{Auth, Config, Events, Listener, ServerTls, Stats};
use cis_link::{Identity, StreamName, Tokens};
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long cameras get to take note of the end.
const FAREWELL: Duration = Duration::from_secs(1);

/// The cameras' side of the receiver.
pub struct Link {
    listener: Mutex<Option<Listener>>,
    tokens: Option<PathBuf>,
    address: SocketAddr,
}

impl Link {
    /// Reads certificates and tokens and binds the address. Cameras with none of these bundles are refused.
    pub fn bind(config: &config::Listen, bundles: Vec<String>) -> Result<(Self, Events), Error> {
        let mut settings = settings(config)?;
        settings.bundles = Some(bundles);
        let listener = Listener::bind(settings)?;
        let (address, events) = (listener.local_addr(), listener.events());
        Ok((
            Self {
                listener: Mutex::new(Some(listener)),
                tokens: config.tokens.clone(),
                address,
            },
            events,
        ))
    }

    /// Reads certificates and tokens, and that is all.
    pub fn check(config: &config::Listen) -> Result<(), Error> {
        Ok(Listener::check(&settings(config)?)?)
    }

    /// Where cameras connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a source of units.
    pub fn source(config: &config::Listen, bundles: Vec<String>) -> Result<Source, Error> {
        let (link, events) = Self::bind(config, bundles)?;
        Ok(Source {
            address: Some(link.address()),
            cameras: Arc::new(link),
            units: Box::new(events),
            results: None,
        })
    }
}

impl Cameras for Link {
    fn stats(&self) -> Option<Stats> {
        self.listener.lock().as_ref().map(Listener::stats)
    }

    fn ask_key(&self, stream: &StreamName) {
        if let Some(listener) = &*self.listener.lock() {
            listener.request_key(stream);
        }
    }

    fn enhance(&self, stream: &StreamName, on: bool) {
        if let Some(listener) = &*self.listener.lock() {
            listener.set_layer(stream, ENHANCEMENT, on);
        }
    }

    fn reload(&self) -> Result<(), Error> {
        let tokens = self.tokens.as_deref().map(Tokens::from_file).transpose()?;
        if let Some(listener) = &*self.listener.lock() {
            listener.reload_certificates()?;
            if let Some(tokens) = tokens {
                listener.set_tokens(tokens);
            }
        }
        Ok(())
    }

    fn close(&self) {
        // Not under the lock: the thread that takes the events may be asking for a key frame.
        let listener = self.listener.lock().take();
        if let Some(listener) = listener
            && !listener.close(FAREWELL)
        {
            tracing::warn!("not all cameras took note of the end");
        }
    }
}

/// Reads the tokens; what the link is told.
fn settings(config: &config::Listen) -> Result<Config, Error> {
    let identity = config.certificate.clone().zip(config.key.clone());
    let tls = ServerTls {
        identity: identity.map(|(certificate, key)| Identity { certificate, key }),
        client_ca: config.client_ca.clone(),
    };
    let auth = match &config.tokens {
        Some(path) => Auth::from_tokens_file(path)?,
        None if config.insecure => Auth::Insecure,
        None => Auth::ClientCertificates,
    };
    let mut settings = Config::new(config.address, tls, auth);
    settings.state_dir = config.state_folder.clone();
    settings.limits.handshakes_per_second = config.handshakes_per_second;
    settings.limits.bytes_per_second = config.bytes_per_second;
    settings.limits.retry = config.retry;
    settings.limits.streams = config.max_streams;
    // Some are on their way in or out, or are turned away.
    settings.limits.connections = config.max_streams * 2 + 16;
    settings.limits.unit_bytes = config.max_unit_bytes;
    settings.limits.queue = config.queue;
    settings.limits.queue_bytes = settings.limits.queue_bytes.max(config.max_unit_bytes);
    settings.limits.idle_timeout = Duration::from_secs(config.idle_timeout);
    Ok(settings)
}
