//! The web page: cameras live, their restored pictures, their recordings. Everything but the log-in needs one.

mod auth;
mod film;
mod fmp4;
mod list;
mod live;
mod pages;
mod recordings;
mod replay;
mod routes;
mod sockets;
mod tls;

use crate::http::{Server, Tls};
use crate::live::Live;
use crate::record::library::Library;
use crate::services::Services;
use crate::stats::Counter;
use crate::stream::Registry;
use crate::users::Users;
use crate::view::{encode, restore};
use crate::{Error, config};
use auth::{Attempts, Sessions};
use axum::extract::ws::Utf8Bytes;
use live::Channels;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};

/// Connections at a time: a browser has a few.
const CONNECTIONS: usize = 512;
/// Passwords that are checked at a time, each of which takes a processor and 19 MiB for a moment.
const CHECKS: usize = 2;

/// The running page, as those who look after it see it.
pub struct Web {
    page: Arc<Page>,
    tls: Tls,
    address: SocketAddr,
}

/// What all requests share.
pub struct Page {
    users: Live<Option<Users>>,
    sessions: Sessions,
    attempts: Attempts,
    checks: Arc<Semaphore>,
    /// The page has TLS, so that its cookie may demand it.
    secure: bool,
    registry: Arc<Registry>,
    encode: Arc<Live<encode::Settings>>,
    channels: Channels,
    viewers: Semaphore,
    replays: Semaphore,
    replay: Option<replay::Settings>,
    recordings: Option<Library>,
    list: watch::Receiver<Utf8Bytes>,
    skipped: Counter,
}

impl Web {
    /// Reads the files, binds the address and starts; `None` when no page is wanted.
    pub fn start(
        config: &config::Config,
        views: Option<restore::Settings>,
        registry: Arc<Registry>,
        services: &mut Services,
    ) -> Result<Option<Self>, Error> {
        let web = &config.web;
        let Some(address) = web.address else {
            return Ok(None);
        };
        let Files { users, tls } = Files::read(web)?;
        let tls: Tls = Arc::new(Live::new(tls));
        let (list, listed) = watch::channel(Utf8Bytes::default());
        let encode = Arc::new(Live::new(encode_settings(config)));
        let page = Arc::new(Page {
            users: Live::new(users),
            sessions: Sessions::new(web.max_sessions, Duration::from_secs(web.session_hours * 3600)),
            attempts: Attempts::default(),
            checks: Arc::new(Semaphore::new(CHECKS)),
            secure: web.certificate.is_some(),
            registry: registry.clone(),
            channels: Channels::new(encode.clone()),
            encode,
            viewers: Semaphore::new(web.max_viewers),
            replays: Semaphore::new(web.max_replays),
            replay: views.map(|restore| replay::Settings {
                restore,
                detect: config.detect.clone(),
            }),
            recordings: config.record.folder.clone().map(Library::new),
            list: listed,
            skipped: Counter::default(),
        });
        let server = Server::bind(services.handle(), "web.address", address, CONNECTIONS)?;
        let address = server.address;
        let router = routes::router(page.clone());
        services.run("web", {
            let tls = tls.clone();
            |mut stopping| async move {
                let listing = list::run(registry, list);
                tokio::select! {
                    () = listing => {}
                    () = server.run(router, tls, stopping.clone()) => {}
                    () = stopping.wait() => {}
                }
            }
        });
        Ok(Some(Self { page, tls, address }))
    }

    /// Where the page is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes over what can change: users, certificate, bit rate. Who is no longer a user is logged out.
    pub fn apply(&self, files: Files, config: &config::Config) {
        let Files { users, tls } = files;
        // Whether there is TLS, or a log-in, at all needs a restart.
        if tls.is_some() == self.page.secure {
            self.tls.set(tls);
        }
        if let (Some(users), true) = (users, self.page.users.get().is_some()) {
            self.page.sessions.keep(|user| users.contains(user));
            self.page.users.set(Some(users));
        }
        self.page.encode.set(encode_settings(config));
    }

    /// Log-ins that are valid.
    pub fn sessions(&self) -> usize {
        self.page.sessions.count()
    }

    /// Parts of films that slow viewers missed.
    pub fn skipped(&self) -> u64 {
        self.page.skipped.get()
    }
}

impl Page {
    /// Who has that cookie; where there are no users, everybody is somebody.
    fn visitor(&self, cookie: &str) -> Option<String> {
        match *self.users.get() {
            None => Some(String::new()),
            Some(_) => self.sessions.user(cookie, Instant::now()),
        }
    }
}

fn encode_settings(config: &config::Config) -> encode::Settings {
    encode::Settings {
        bitrate: config.web.bitrate,
        mark: config.view.mark,
    }
}

/// What the files say that the page's options name.
pub struct Files {
    users: Option<Users>,
    tls: Option<Arc<rustls::ServerConfig>>,
}

impl Files {
    /// Reads them. What no option names is not there.
    pub fn read(config: &config::Web) -> Result<Self, Error> {
        let users = config.users.as_ref().map(|path| {
            Users::read(path).map_err(|e| Error::File {
                option: "web.users",
                path: path.clone(),
                reason: e.to_string(),
            })
        });
        Ok(Self {
            users: users.transpose()?,
            tls: tls::read(config)?,
        })
    }
}
