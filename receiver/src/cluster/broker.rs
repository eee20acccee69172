//! Owns the connection to the broker and its two streams.

use super::subjects::Subjects;
use crate::config;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{Config, DiscardPolicy, LastRawMessageErrorKind, Stream};
use async_nats::{Client, ConnectOptions, Event};
use std::path::PathBuf;
use std::time::Duration;

/// How long the broker gets to let us in, and to confirm something.
const CONNECT: Duration = Duration::from_secs(10);
const CONFIRM: Duration = Duration::from_secs(2);
/// The longest pause between two tries to connect again.
const MAX_PAUSE: Duration = Duration::from_secs(2);
/// Room that the headers of a unit or a result need in a message.
const HEADERS: usize = 4096;

/// Why the broker cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of the configuration.
    #[error("{option} {}: {reason}", path.display())]
    File {
        /// The option.
        option: &'static str,
        /// Its value.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// No connection.
    #[error("cluster.servers {servers}: {reason}")]
    Connect {
        /// The servers.
        servers: String,
        /// What went wrong.
        reason: String,
    },
    /// A stream that cannot be made.
    #[error("stream {name} of the broker: {reason}")]
    Stream {
        /// The stream.
        name: String,
        /// What went wrong.
        reason: String,
    },
}

/// The connected broker.
pub struct Broker {
    /// For what need not be kept.
    pub client: Client,
    /// For what must.
    pub jetstream: Context,
    /// The names there.
    pub subjects: Subjects,
    /// The units of all cameras.
    pub units: Stream,
    /// The results of all cameras.
    pub results: Stream,
}

impl Broker {
    /// Reads the files that the options name, and connects to nobody.
    pub async fn check(config: &config::Cluster) -> Result<(), Error> {
        options(config).await.map(drop)
    }

    /// Connects and makes the streams that are not there. From then on a broker that goes away is looked for until it is back.
    pub async fn connect(config: &config::Cluster, name: &str) -> Result<Self, Error> {
        let failed = |reason: String| Error::Connect {
            servers: config.servers.join(", "),
            reason,
        };
        let connecting = options(config).await?.name(name).connect(&config.servers[..]);
        let client = tokio::time::timeout(CONNECT, connecting)
            .await
            .map_err(|_| failed(format!("no answer within {CONNECT:?}")))?
            .map_err(|e| failed(chain_of(&e)))?;
        let jetstream = ContextBuilder::new().timeout(CONFIRM).build(client.clone());
        let subjects = Subjects::new(&config.prefix);
        let units = stream(&jetstream, units_config(config, &subjects)).await?;
        let results = stream(&jetstream, results_config(config, &subjects)).await?;
        Ok(Self {
            client,
            jetstream,
            subjects,
            units,
            results,
        })
    }

    /// The largest unit that fits into a message.
    pub fn max_unit_bytes(&self) -> usize {
        self.client.server_info().max_payload.saturating_sub(HEADERS)
    }

    /// Whether the broker can be reached now.
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == async_nats::connection::State::Connected
    }
}

/// The last message of a subject.
pub async fn last(stream: &Stream, subject: &str) -> Result<Option<StreamMessage>, async_nats::Error> {
    match stream.get_last_raw_message_by_subject(subject).await {
        Ok(message) => Ok(Some(message)),
        Err(e) if e.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
        Err(e) => Err(e.into()),
    }
}

async fn options(config: &config::Cluster) -> Result<ConnectOptions, Error> {
    let mut options = ConnectOptions::new()
        .event_callback(|event| async move { tell(&event) })
        .reconnect_delay_callback(|tries| {
            // The first at once, then ever slower, and not all clients at the same time.
            let pause = Duration::from_millis(25 << tries.min(10)).min(MAX_PAUSE);
            pause.mul_f64(0.5 + super::random() as f64 / u64::MAX as f64 / 2.0)
        });
    for (option, path) in [
        ("cluster.ca", &config.ca),
        ("cluster.certificate", &config.certificate),
        ("cluster.key", &config.key),
        ("cluster.credentials", &config.credentials),
        ("cluster.token-file", &config.token_file),
    ] {
        // Some are read at each connection: better told now, and with their names.
        if let Some(path) = path
            && let Err(e) = tokio::fs::metadata(path).await
        {
            return Err(file_error(option, path, &e.to_string()));
        }
    }
    if let Some(ca) = &config.ca {
        options = options.add_root_certificates(ca.clone());
    }
    if let (Some(certificate), Some(key)) = (&config.certificate, &config.key) {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    if let Some(path) = &config.credentials {
        let failed = |e: std::io::Error| file_error("cluster.credentials", path, &e.to_string());
        options = options.credentials_file(path).await.map_err(failed)?;
    }
    if let Some(path) = &config.token_file {
        let failed = |e: std::io::Error| file_error("cluster.token-file", path, &e.to_string());
        let token = tokio::fs::read_to_string(path).await.map_err(failed)?;
        options = options.token(token.trim().to_owned());
    }
    Ok(options)
}

fn file_error(option: &'static str, path: &std::path::Path, reason: &str) -> Error {
    Error::File {
        option,
        path: path.into(),
        reason: reason.into(),
    }
}

fn tell(event: &Event) {
    match event {
        Event::Connected => tracing::info!("broker: connected"),
        Event::Disconnected => tracing::warn!("broker: connection lost; it is looked for"),
        other => tracing::warn!("broker: {other}"),
    }
}

fn units_config(config: &config::Cluster, subjects: &Subjects) -> Config {
    Config {
        name: subjects.units_stream(),
        subjects: vec![subjects.all_units()],
        max_age: Duration::from_secs(config.units_max_age),
        max_bytes: mib(config.units_max_size),
        // What is not answered yet must not make room: cameras wait, or keep it.
        discard: DiscardPolicy::New,
        num_replicas: config.replicas,
        description: Some("Units of cis cameras".into()),
        ..Config::default()
    }
}

fn results_config(config: &config::Cluster, subjects: &Subjects) -> Config {
    Config {
        name: subjects.results_stream(),
        subjects: vec![subjects.all_results()],
        max_age: Duration::from_secs(config.results_max_age),
        max_bytes: mib(config.results_max_size),
        discard: DiscardPolicy::Old,
        // Zero would be the server's own idea; messages have no id then, so that the shortest does.
        duplicate_window: Duration::from_secs(config.duplicate_window).max(Duration::from_millis(100)),
        num_replicas: config.replicas,
        description: Some("Results of cis cameras, JSON as docs/detections.schema.json".into()),
        ..Config::default()
    }
}

fn mib(n: u64) -> i64 {
    i64::try_from(n << 20).unwrap_or(i64::MAX)
}

/// Makes a stream. One that is there stays as it is: somebody may have set it up with care.
async fn stream(jetstream: &Context, wanted: Config) -> Result<Stream, Error> {
    let name = wanted.name.clone();
    let failed = |reason: String| Error::Stream {
        name: name.clone(),
        reason,
    };
    let stream = match jetstream.get_or_create_stream(wanted.clone()).await {
        Ok(stream) => stream,
        // Two that start at once make it at once, and the broker refuses one of them: then it is there.
        Err(error) => match jetstream.get_stream(&name).await {
            Ok(stream) => stream,
            Err(_) => return Err(failed(chain_of(&error))),
        },
    };
    let found = &stream.cached_info().config;
    if found.subjects != wanted.subjects {
        return Err(failed(format!(
            "it has the subjects {:?}; legal: {:?}",
            found.subjects, wanted.subjects
        )));
    }
    let limits = |config: &Config| {
        format!(
            "max age {:?}, {} bytes, {} replicas, duplicates {:?}",
            config.max_age, config.max_bytes, config.num_replicas, config.duplicate_window
        )
    };
    let mut wanted = wanted;
    if wanted.duplicate_window.is_zero() {
        wanted.duplicate_window = found.duplicate_window;
    }
    if limits(found) != limits(&wanted) {
        tracing::warn!(
            "stream {name} stays as it is ({}), although [cluster] says {}; change it with the broker's tools",
            limits(found),
            limits(&wanted)
        );
    }
    Ok(stream)
}

/// An error with its causes.
pub fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}
