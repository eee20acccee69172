//! The configuration: defaults < file < environment < flags, every value checked where it is read.

mod cluster;
mod error;
mod file;
mod flags;
mod layer;
mod option;
pub mod options;
mod outputs;
pub mod places;
pub mod reference;
pub mod reload;

pub use error::{Error, Origin};
pub use flags::command;
pub use outputs::{Json, Mqtt, Nats, Webhook};

use layer::Layer;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Everything the receiver is told. One field per option of [`options::OPTIONS`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// Where cameras connect and who may.
    pub listen: Listen,
    /// The networks.
    pub model: Model,
    /// What is detected.
    pub detect: Detect,
    /// Who is followed.
    pub track: Track,
    /// JSON lines.
    pub json: Json,
    /// MQTT.
    pub mqtt: Mqtt,
    /// NATS.
    pub nats: Nats,
    /// Webhook.
    pub webhook: Webhook,
    /// The operator's view.
    pub rtsp: Rtsp,
    /// What restored pictures are made of and say.
    pub view: View,
    /// The web page.
    pub web: Web,
    /// Where metrics are served; none of its options has a default.
    #[serde(default)]
    pub metrics: Metrics,
    /// When a thread counts as stuck.
    pub health: Health,
    /// Recordings.
    pub record: Record,
    /// Event clips.
    pub clips: Clips,
    /// The broker of gateways and workers.
    pub cluster: Cluster,
    /// Workers.
    pub worker: Worker,
    /// The periodic status line.
    pub status: Status,
    /// The log.
    pub log: Log,
    /// Areas in which objects are counted.
    #[serde(default)]
    pub zone: Vec<places::Zone>,
    /// Lines at which objects are counted.
    #[serde(default)]
    pub line: Vec<places::Line>,
}

/// `[listen]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs)] // the table of options documents every field
pub struct Listen {
    pub address: SocketAddr,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    pub tokens: Option<PathBuf>,
    pub client_ca: Option<PathBuf>,
    pub state_folder: Option<PathBuf>,
    pub handshakes_per_second: u32,
    pub bytes_per_second: u64,
    pub retry: bool,
    pub insecure: bool,
    pub max_streams: usize,
    pub max_unit_bytes: usize,
    pub queue: usize,
    pub idle_timeout: u64,
}

/// `[model]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs)]
pub struct Model {
    pub folder: Option<PathBuf>,
    pub device: String,
    pub threads: u16,
}

/// `[detect]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs)]
pub struct Detect {
    pub threshold: f32,
    pub nms_iou: f32,
    pub classes: Option<Vec<String>>,
    pub max_objects: usize,
    pub queue: usize,
    pub when_full: WhenFull,
    pub deadline: u64,
    pub workers: usize,
    pub batch_size: usize,
    pub batch_timeout: u64,
}

/// What happens to a frame that finds the detector busy.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum WhenFull {
    /// The oldest one that waits goes without detections.
    Drop,
    /// Its camera waits.
    Wait,
}

/// `[track]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs)]
pub struct Track {
    pub enabled: bool,
    pub low_threshold: f32,
    pub high_threshold: f32,
    pub new_threshold: f32,
    pub confirm_frames: u32,
    pub lost_seconds: f64,
    pub update_seconds: f64,
}

/// `[rtsp]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs)]
pub struct Rtsp {
    pub enabled: bool,
    pub address: SocketAddr,
    pub bitrate: u32,
    pub max_clients: u32,
}

/// `[view]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs)]
pub struct View {
    pub enhance: Enhance,
    pub mark: bool,
}

/// When cameras are asked for the enhancement layer.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Enhance {
    /// While somebody watches.
    Watched,
    /// Never.
    Never,
    /// As long as they are there.
    Always,
}

/// `[web]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs)]
pub struct Web {
    pub address: Option<SocketAddr>,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    pub users: Option<PathBuf>,
    pub insecure: bool,
    pub bitrate: u32,
    pub max_viewers: usize,
    pub max_replays: usize,
    pub max_sessions: usize,
    pub session_hours: u64,
}

/// `[metrics]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs)]
pub struct Metrics {
    pub address: Option<SocketAddr>,
}

/// `[health]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs)]
pub struct Health {
    pub stall_after: u64,
}

/// `[record]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs)]
pub struct Record {
    pub folder: Option<PathBuf>,
    pub segment: u64,
    pub max_size: u64,
    pub max_age: u64,
    pub max_total: u64,
    pub max_stream: u64,
    pub sync: SyncWhen,
    pub queue: usize,
}

/// `[clips]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs)]
pub struct Clips {
    pub folder: Option<PathBuf>,
    pub before: u64,
    pub after: u64,
    pub max_seconds: u64,
    pub classes: Option<Vec<String>>,
    pub min_confidence: f64,
    pub max_age: u64,
    pub max_total: u64,
}

/// When a recording is forced to the disk.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum SyncWhen {
    /// Left to the operating system.
    Never,
    /// When a file ends.
    Close,
    /// At every key frame, and when a file ends.
    Key,
}

/// `[cluster]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs)]
pub struct Cluster {
    pub servers: Vec<String>,
    pub ca: Option<PathBuf>,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    pub credentials: Option<PathBuf>,
    pub token_file: Option<PathBuf>,
    pub prefix: String,
    pub replicas: usize,
    pub units_max_age: u64,
    pub units_max_size: u64,
    pub results_max_age: u64,
    pub results_max_size: u64,
    pub duplicate_window: u64,
    pub max_group: u64,
}

/// `[worker]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs)]
pub struct Worker {
    pub name: Option<String>,
    pub heartbeat: u64,
    pub timeout: u64,
    pub discover: u64,
}

/// What the process is: each role needs other sections of the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Everything in one process.
    #[default]
    Receiver,
    /// Takes units from cameras and hands them to the broker.
    Gateway,
    /// Takes units from the broker and detects.
    Worker,
}

/// `[status]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs)]
pub struct Status {
    pub interval: u64,
}

/// `[log]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs)]
pub struct Log {
    pub filter: String,
    pub format: LogFormat,
}

/// What the log looks like.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Config {
    /// The configuration of a command line that [`command`] parsed, with its file and the environment; and the same as TOML.
    pub fn load(matches: &clap::ArgMatches, role: Role) -> Result<(Self, toml::Table), Error> {
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        flags::check_environment(names)?;
        let (over, path) = flags::read(matches)?;
        let file = path.as_deref().map(file::read).transpose()?.unwrap_or_default();
        Self::resolve(Layer::defaults()?.under(file).under(over), role)
    }

    /// The configuration in a file's text, as if the file lay at `path`.
    pub fn from_toml(text: &str, path: &Path) -> Result<Self, Error> {
        Self::of_role(text, path, Role::Receiver)
    }

    /// The same for a gateway or a worker.
    pub fn of_role(text: &str, path: &Path, role: Role) -> Result<Self, Error> {
        Ok(Self::resolve(Layer::defaults()?.under(file::parse(text, path)?), role)?.0)
    }

    fn resolve(layer: Layer, role: Role) -> Result<(Self, toml::Table), Error> {
        let table = layer.to_toml();
        let config: Self =
            Self::deserialize(table.clone()).map_err(|e| Error::Conflict(e.message().into()))?;
        config.check(role)?;
        Ok((config, table))
    }

    /// What no single option can tell.
    fn check(&self, role: Role) -> Result<(), Error> {
        if role != Role::Worker {
            self.listen.check()?;
        }
        if role != Role::Receiver {
            cluster::check(&self.cluster, &self.worker)?;
        }
        self.check_web()?;
        let track = &self.track;
        if track.low_threshold > track.high_threshold || track.high_threshold > track.new_threshold {
            return Err(Error::Conflict(format!(
                "track.low-threshold is {}, track.high-threshold {}, track.new-threshold {}; legal: none less than the one before",
                track.low_threshold, track.high_threshold, track.new_threshold
            )));
        }
        let places = !self.zone.is_empty() || !self.line.is_empty();
        if places && !track.enabled {
            return Err(Error::Conflict(
                "track.enabled is false, so there must be no [[zone]] and no [[line]]".into(),
            ));
        }
        self.check_outputs(role)
    }

    /// The page shows what cameras see: it is for those who may see it.
    fn check_web(&self) -> Result<(), Error> {
        let conflict = |text: &str| Err(Error::Conflict(text.into()));
        let web = &self.web;
        if web.certificate.is_some() != web.key.is_some() {
            return conflict("web.certificate and web.key belong together: one of them is not set");
        }
        let Some(address) = web.address.filter(|_| !web.insecure) else {
            return Ok(());
        };
        if web.users.is_none() {
            return conflict(
                "nobody could log in: set web.users (`cis-receiver users add` makes the file), or show the page to everybody with web.insecure",
            );
        }
        if web.certificate.is_none() && !address.ip().is_loopback() {
            return Err(Error::Conflict(format!(
                "web.address {address} is not this machine alone, and passwords would travel in the clear: set web.certificate and web.key, or web.insecure when a proxy does TLS",
            )));
        }
        Ok(())
    }
}

impl Listen {
    fn check(&self) -> Result<(), Error> {
        let conflict = |text: &str| Err(Error::Conflict(text.into()));
        if self.tokens.is_none() && self.client_ca.is_none() && !self.insecure {
            return conflict(
                "nobody could authenticate: set listen.tokens or listen.client-ca, or accept everybody with --insecure",
            );
        }
        if self.insecure && (self.tokens.is_some() || self.client_ca.is_some()) {
            return conflict(
                "listen.insecure accepts everybody, so listen.tokens and listen.client-ca must not be set",
            );
        }
        if self.certificate.is_some() != self.key.is_some() {
            return conflict("listen.certificate and listen.key belong together: one of them is not set");
        }
        if self.certificate.is_none() && !self.insecure {
            return conflict(
                "listen.certificate and listen.key must be set; `cis-receiver keys init` makes both",
            );
        }
        Ok(())
    }
}
