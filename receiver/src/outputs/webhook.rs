//! Webhook: each event is posted to a server of the user's, signed if he wants it so.

use super::outbox::Outbox;
use super::{Meter, Output, remote, secret, text};
use crate::config;
use crate::report::{Event, Report};
use crate::services::{Services, Stopping};
use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, StatusCode, Url, redirect};
use ring::hmac;
use std::fmt::Write;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;

/// Where events are put in.
pub struct Webhook {
    outbox: Outbox<Bytes>,
    kinds: Vec<String>,
}

impl Webhook {
    /// Starts the service; there is none without a URL.
    pub fn start(config: &config::Webhook, services: &mut Services) -> io::Result<Option<Self>> {
        let Some(url) = &config.url else {
            return Ok(None);
        };
        let (outbox, queue) = Outbox::new("webhook", config.queue);
        let poster = Poster::new(config, url, outbox.meter().clone())?;
        services.run("webhook", |stopping| poster.run(queue, stopping));
        Ok(Some(Self {
            outbox,
            kinds: config.events.clone(),
        }))
    }
}

impl Output for Webhook {
    fn report(&self, _report: &Report) {}

    fn event(&self, event: &Event) {
        if !self.kinds.iter().any(|kind| kind == event.what.kind.name()) {
            return;
        }
        match text::event(event) {
            Ok(body) => self.outbox.put(body.into()),
            Err(e) => {
                self.outbox.meter().failed.add(1);
                tracing::error!("webhook: {e}");
            }
        }
    }

    fn meter(&self) -> &Arc<Meter> {
        self.outbox.meter()
    }
}

/// Reads the files of a configuration.
pub fn check(config: &config::Webhook) -> io::Result<()> {
    let Some(url) = &config.url else { return Ok(()) };
    Poster::new(config, url, Arc::new(Meter::new("webhook"))).map(drop)
}

fn client(config: &config::Webhook, secure: bool) -> io::Result<Client> {
    let tls = remote::tls("webhook", secure, config.ca.as_deref(), None, None)?;
    Client::builder()
        .tls_backend_preconfigured(tls)
        .timeout(Duration::from_secs(config.timeout))
        // A token is for one server.
        .redirect(redirect::Policy::none())
        .user_agent(concat!("cis-receiver/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|e| io::Error::other(format!("webhook: {e}")))
}

fn bearer(path: &std::path::Path) -> io::Result<HeaderValue> {
    let token = secret::read("webhook.token-file", path)?;
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| {
        io::Error::other(format!(
            "webhook.token-file {}: legal: visible ASCII characters",
            path.display()
        ))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Why an event was not taken.
enum Refusal {
    /// It may be taken later.
    Now(String),
    /// It never will.
    Ever(String),
}

struct Poster {
    url: Url,
    client: Client,
    authorization: Option<HeaderValue>,
    key: Option<hmac::Key>,
    retries: u32,
    meter: Arc<Meter>,
}

impl Poster {
    fn new(config: &config::Webhook, url: &str, meter: Arc<Meter>) -> io::Result<Self> {
        let url = remote::url("webhook.url", url)?;
        Ok(Self {
            client: client(config, url.scheme() == "https")?,
            url,
            authorization: config.token_file.as_deref().map(bearer).transpose()?,
            key: match &config.secret_file {
                Some(path) => Some(hmac::Key::new(
                    hmac::HMAC_SHA256,
                    secret::read("webhook.secret-file", path)?.as_bytes(),
                )),
                None => None,
            },
            retries: config.retries,
            meter,
        })
    }

    async fn run(self, mut queue: Receiver<Bytes>, stopping: Stopping) {
        let work = async {
            let mut healthy = true;
            while let Some(body) = queue.recv().await {
                match self.deliver(body).await {
                    Ok(()) => {
                        self.meter.delivered.add(1);
                        healthy = true;
                    }
                    Err(reason) => {
                        self.meter.failed.add(1);
                        if std::mem::replace(&mut healthy, false) {
                            tracing::warn!("webhook: an event was given up: {reason}");
                        }
                    }
                }
            }
        };
        stopping.limit(work).await;
        self.meter.settle();
    }

    /// Posts until it is taken, or was sent often enough.
    async fn deliver(&self, body: Bytes) -> Result<(), String> {
        let mut backoff = remote::backoff();
        let mut left = self.retries;
        loop {
            match self.post(body.clone()).await {
                Ok(()) => return Ok(()),
                Err(Refusal::Ever(reason)) => return Err(reason),
                Err(Refusal::Now(reason)) if left == 0 => return Err(reason),
                Err(Refusal::Now(_)) => left -= 1,
            }
            self.meter.reconnects.add(1);
            tokio::time::sleep(backoff.next(remote::chance())).await;
        }
    }

    async fn post(&self, body: Bytes) -> Result<(), Refusal> {
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json");
        if let Some(value) = &self.authorization {
            request = request.header(AUTHORIZATION, value.clone());
        }
        if let Some(key) = &self.key {
            request = request.header("X-Cis-Signature", signature(key, &body));
        }
        let answer = request.body(body).send().await;
        // Without the URL: it may have a secret in its query.
        let status = answer
            .map_err(|e| Refusal::Now(chain(&e.without_url())))?
            .status();
        match status {
            _ if status.is_success() => Ok(()),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                Err(Refusal::Now(status.to_string()))
            }
            _ if status.is_server_error() => Err(Refusal::Now(status.to_string())),
            _ => Err(Refusal::Ever(status.to_string())),
        }
    }
}

/// An error and what is behind it.
fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

/// `sha256=` and the HMAC of the body in hexadecimal digits.
fn signature(key: &hmac::Key, body: &[u8]) -> String {
    let mut text = "sha256=".to_owned();
    for byte in hmac::sign(key, body).as_ref() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
