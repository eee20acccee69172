//! NATS: events and detections as messages, a subject for each stream.

use super::outbox::Outbox;
use super::throttle::Throttle;
use super::{Meter, Output, remote, secret, text};
use crate::config;
use crate::report::{Event, Report};
use crate::services::{Services, Stopping};
use crate::stream::Stream;
use async_nats::{Client, ConnectOptions};
use bytes::Bytes;
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use tokio::sync::watch;

/// Messages that are sent together.
const BATCH: usize = 64;
/// How often the server is asked for a sign of life; after the second time without one the connection is given up.
const PING: Duration = Duration::from_secs(10);

/// A message on its way.
struct Message {
    subject: String,
    payload: Bytes,
}

/// Where messages are put in.
pub struct Nats {
    outbox: Outbox<Message>,
    detections: Throttle,
    prefix: String,
}

impl Nats {
    /// Starts the service; there is none without a server.
    pub fn start(config: &config::Nats, services: &mut Services) -> io::Result<Option<Self>> {
        let Some(url) = config.url.clone() else {
            return Ok(None);
        };
        let (outbox, queue) = Outbox::new("nats", config.queue);
        let (online, connected) = watch::channel(false);
        let options = options(config, &url, outbox.meter().clone(), online)?;
        let meter = outbox.meter().clone();
        services.run("nats", |stopping| {
            run(url, options, queue, meter, connected, stopping)
        });
        Ok(Some(Self {
            outbox,
            detections: Throttle::new(config.detections_per_second),
            prefix: config.prefix.clone(),
        }))
    }

    fn put(&self, stream: &str, kind: &str, payload: Result<Vec<u8>, serde_json::Error>) {
        match payload {
            Ok(payload) => self.outbox.put(Message {
                // A point would make two tokens of a name.
                subject: format!("{}.{}.{kind}", self.prefix, stream.replace('.', "_")),
                payload: payload.into(),
            }),
            Err(e) => {
                self.outbox.meter().failed.add(1);
                tracing::error!("nats: {e}");
            }
        }
    }
}

impl Output for Nats {
    fn report(&self, report: &Report) {
        let (name, header) = (report.stream.name.as_str(), &report.header);
        // What came late has a time of its own.
        if !header.late && self.detections.pass(name, header.pts_ns) {
            let mut line = gstcis::json_line(name, header, report.objects.as_deref(), None);
            if let Ok(line) = &mut line {
                line.pop();
            }
            self.put(name, "detections", line);
        }
    }

    fn event(&self, event: &Event) {
        self.put(event.stream.name.as_str(), "events", text::event(event));
    }

    fn ended(&self, stream: &Arc<Stream>) {
        self.detections.forget(stream.name.as_str());
    }

    fn meter(&self) -> &Arc<Meter> {
        self.outbox.meter()
    }
}

/// Reads the files of a configuration.
pub fn check(config: &config::Nats) -> io::Result<()> {
    let Some(url) = &config.url else { return Ok(()) };
    options(
        config,
        url,
        Arc::new(Meter::new("nats")),
        watch::Sender::new(false),
    )
    .map(drop)
}

fn options(
    config: &config::Nats,
    url: &str,
    meter: Arc<Meter>,
    online: watch::Sender<bool>,
) -> io::Result<ConnectOptions> {
    let secure = remote::url("nats.url", url)?.scheme() == "tls";
    let files = (
        config.ca.as_deref(),
        config.certificate.as_deref(),
        config.key.as_deref(),
    );
    let tls = remote::tls("nats", secure, files.0, files.1, files.2)?;
    let backoff = Mutex::new(remote::backoff());
    let known = Mutex::new(false);
    let mut options = ConnectOptions::new()
        .name("cis-receiver")
        .tls_client_config(tls)
        .ping_interval(PING)
        .retry_on_initial_connect()
        .max_reconnects(None)
        .reconnect_delay_callback(move |attempt| {
            let mut backoff = backoff.lock();
            if attempt <= 1 {
                *backoff = remote::backoff();
            }
            backoff.next(remote::chance())
        })
        .event_callback(move |event| {
            match event {
                async_nats::Event::Connected => {
                    tracing::info!("nats: connected");
                    meter
                        .reconnects
                        .add(u64::from(std::mem::replace(&mut *known.lock(), true)));
                    online.send_replace(true);
                }
                async_nats::Event::Disconnected => {
                    tracing::warn!("nats: disconnected; tries again and again");
                    online.send_replace(false);
                }
                event => tracing::warn!("nats: {event}"),
            }
            std::future::ready(())
        });
    if let Some(path) = &config.credentials_file {
        options = options
            .credentials(&secret::read("nats.credentials-file", path)?)
            .map_err(|e| io::Error::other(format!("nats.credentials-file {}: {e}", path.display())))?;
    }
    if let Some(path) = &config.token_file {
        options = options.token(secret::read("nats.token-file", path)?);
    }
    Ok(options)
}

async fn run(
    url: String,
    options: ConnectOptions,
    mut queue: Receiver<Message>,
    meter: Arc<Meter>,
    connected: watch::Receiver<bool>,
    stopping: Stopping,
) {
    let work = async {
        match options.connect(&url).await {
            Ok(client) => send(&client, &mut queue, &meter, connected).await,
            Err(e) => tracing::error!("nats: {url}: {e}"),
        }
    };
    stopping.limit(work).await;
    meter.settle();
}

/// Sends what waits until the queue is closed. Nothing is sent while there is no connection: it would be lost without a word.
async fn send(
    client: &Client,
    queue: &mut Receiver<Message>,
    meter: &Meter,
    mut connected: watch::Receiver<bool>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        if connected.wait_for(|connected| *connected).await.is_err() {
            return;
        }
        if queue.recv_many(&mut batch, BATCH).await == 0 {
            return;
        }
        // It may have been long.
        if connected.wait_for(|connected| *connected).await.is_err() {
            return;
        }
        let mut sent = 0;
        for Message { subject, payload } in batch.drain(..) {
            match client.publish(subject, payload).await {
                Ok(()) => sent += 1,
                Err(e) => {
                    meter.failed.add(1);
                    tracing::warn!("nats: {e}");
                }
            }
        }
        let counter = match client.flush().await {
            Ok(()) => &meter.delivered,
            Err(_) => &meter.failed,
        };
        counter.add(sent);
    }
}
