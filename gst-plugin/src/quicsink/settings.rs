//! What the user asked of `cisquicsink`: properties, their defaults, and the link's configuration made of them.

use crate::quic::{CongestionControl, identity};
use cis_link::{Error, Token, sender};
use gst::{glib, prelude::*};
use std::{fs::File, path::PathBuf, time::Duration};

/// Values of the properties.
#[derive(Clone, Debug)]
pub struct Settings {
    pub address: String,
    pub port: u16,
    pub server_name: Option<String>,
    pub stream: String,
    pub ca_file: Option<PathBuf>,
    pub token_file: Option<PathBuf>,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub insecure: bool,
    pub queue_size: u32,
    pub reconnect_delay: u32,
    pub idle_timeout: u32,
    pub eos_timeout: u32,
    pub fingerprint: Option<String>,
    pub congestion_control: CongestionControl,
    pub latency_budget: u32,
    pub spool_dir: Option<PathBuf>,
    pub spool_max_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            address: "localhost".into(),
            port: 4443,
            server_name: None,
            stream: String::new(),
            ca_file: None,
            token_file: None,
            cert_file: None,
            key_file: None,
            insecure: false,
            queue_size: 256,
            reconnect_delay: 30_000,
            idle_timeout: 10_000,
            eos_timeout: 5_000,
            fingerprint: None,
            congestion_control: CongestionControl::default(),
            latency_budget: 500,
            spool_dir: None,
            spool_max_bytes: 64 << 20,
        }
    }
}

/// The properties; `status` and `stats` belong to the element.
pub fn properties() -> Vec<glib::ParamSpec> {
    let default = Settings::default();
    let text = |name, nick, blurb, value: Option<&'static str>| {
        glib::ParamSpecString::builder(name)
            .nick(nick)
            .blurb(blurb)
            .default_value(value)
            .mutable_ready()
            .build()
    };
    let number = |name, nick, blurb, range: std::ops::RangeInclusive<u32>, value| {
        glib::ParamSpecUInt::builder(name)
            .nick(nick)
            .blurb(blurb)
            .minimum(*range.start())
            .maximum(*range.end())
            .default_value(value)
            .mutable_ready()
            .build()
    };
    vec![
        text(
            "address",
            "Address",
            "Host name or IP address of the receiver",
            Some("localhost"),
        ),
        number(
            "port",
            "Port",
            "UDP port of the receiver",
            1..=65_535,
            default.port.into(),
        ),
        text(
            "server-name",
            "Server name",
            "Name that the receiver's certificate must carry (unset = the address)",
            None,
        ),
        text(
            "stream",
            "Stream",
            "Name under which to publish: A-Z a-z 0-9 . _ -, 1 to 64 of them",
            Some(""),
        ),
        text(
            "ca-file",
            "CA file",
            "Certificates (PEM) that may have signed the receiver's (unset = the system's)",
            None,
        ),
        text("token-file", "Token file", "File with this stream's token", None),
        text(
            "cert-file",
            "Certificate file",
            "Certificate chain (PEM) to show to the receiver",
            None,
        ),
        text("key-file", "Key file", "Private key (PEM) of cert-file", None),
        glib::ParamSpecBoolean::builder("insecure")
            .nick("Insecure")
            .blurb("Trust any receiver: whoever sits between can read and change everything")
            .default_value(default.insecure)
            .mutable_ready()
            .build(),
        number(
            "queue-size",
            "Queue size",
            "Units that may wait for the network; when full, the rest of the group is dropped and counted",
            1..=65_536,
            default.queue_size,
        ),
        number(
            "reconnect-delay",
            "Reconnect delay",
            "Longest wait between attempts to connect, in ms",
            250..=3_600_000,
            default.reconnect_delay,
        ),
        number(
            "idle-timeout",
            "Idle time-out",
            "Silence after which the connection counts as lost, in ms",
            1_000..=600_000,
            default.idle_timeout,
        ),
        number(
            "eos-timeout",
            "EOS time-out",
            "How long the end of the stream waits for the receiver to confirm everything, in ms",
            0..=600_000,
            default.eos_timeout,
        ),
        text(
            "server-fingerprint",
            "Server fingerprint",
            "SHA-256 of the receiver's certificate in hexadecimal: that one is trusted, and no other",
            None,
        ),
        glib::ParamSpecEnum::builder_with_default("congestion-control", default.congestion_control)
            .nick("Congestion control")
            .blurb("How QUIC finds out what the link carries")
            .mutable_ready()
            .build(),
        number(
            "latency-budget",
            "Latency budget",
            "How long a unit may wait for the network before the rest of its group is given up, in ms (0 = for ever)",
            0..=60_000,
            default.latency_budget,
        ),
        text(
            "spool-dir",
            "Spool folder",
            "Where units are kept until the receiver has stored them (unset = nowhere)",
            None,
        ),
        glib::ParamSpecUInt64::builder("spool-max-bytes")
            .nick("Most bytes of the spool")
            .blurb("When it is full, the oldest groups are dropped and counted")
            .minimum(256 << 10)
            .maximum(1 << 40)
            .default_value(default.spool_max_bytes)
            .mutable_ready()
            .build(),
    ]
}

impl Settings {
    /// Sets a property. A value of another type cannot come: GObject checks it against the specification.
    pub fn set(&mut self, name: &str, value: &glib::Value) {
        let text = || {
            value
                .get::<Option<String>>()
                .ok()
                .flatten()
                .filter(|text| !text.is_empty())
        };
        let file = || text().map(PathBuf::from);
        let number = || value.get::<u32>().unwrap_or_default();
        match name {
            "address" => self.address = text().unwrap_or_default(),
            "port" => self.port = u16::try_from(number()).unwrap_or(u16::MAX),
            "server-name" => self.server_name = text(),
            "stream" => self.stream = text().unwrap_or_default(),
            "ca-file" => self.ca_file = file(),
            "token-file" => self.token_file = file(),
            "cert-file" => self.cert_file = file(),
            "key-file" => self.key_file = file(),
            "insecure" => self.insecure = value.get().unwrap_or_default(),
            "queue-size" => self.queue_size = number(),
            "reconnect-delay" => self.reconnect_delay = number(),
            "idle-timeout" => self.idle_timeout = number(),
            "eos-timeout" => self.eos_timeout = number(),
            "server-fingerprint" => self.fingerprint = text(),
            "congestion-control" => self.congestion_control = value.get().unwrap_or_default(),
            "latency-budget" => self.latency_budget = number(),
            "spool-dir" => self.spool_dir = file(),
            "spool-max-bytes" => self.spool_max_bytes = value.get().unwrap_or_default(),
            _ => {}
        }
    }

    /// Reads a property.
    pub fn get(&self, name: &str) -> glib::Value {
        let file = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string()).to_value();
        match name {
            "address" => self.address.to_value(),
            "port" => u32::from(self.port).to_value(),
            "server-name" => self.server_name.to_value(),
            "stream" => self.stream.to_value(),
            "ca-file" => file(&self.ca_file),
            "token-file" => file(&self.token_file),
            "cert-file" => file(&self.cert_file),
            "key-file" => file(&self.key_file),
            "insecure" => self.insecure.to_value(),
            "queue-size" => self.queue_size.to_value(),
            "reconnect-delay" => self.reconnect_delay.to_value(),
            "idle-timeout" => self.idle_timeout.to_value(),
            "server-fingerprint" => self.fingerprint.to_value(),
            "congestion-control" => self.congestion_control.to_value(),
            "latency-budget" => self.latency_budget.to_value(),
            "spool-dir" => file(&self.spool_dir),
            "spool-max-bytes" => self.spool_max_bytes.to_value(),
            _ => self.eos_timeout.to_value(),
        }
    }

    /// How long the end of the stream waits.
    pub fn eos_timeout(&self) -> Duration {
        Duration::from_millis(self.eos_timeout.into())
    }

    /// What can be said before the bundle is known: whether names are legal and files can be read.
    pub fn check(&self) -> Result<(), Error> {
        for path in [&self.ca_file, &self.cert_file, &self.key_file]
            .into_iter()
            .flatten()
        {
            File::open(path).map_err(|reason| Error::File {
                path: path.clone(),
                reason,
            })?;
        }
        self.resolve("unknown").map(drop)
    }

    /// The link's configuration for a bundle.
    pub fn resolve(&self, bundle: &str) -> Result<sender::Config, Error> {
        let mut config = sender::Config::new(&*self.address, self.port, self.stream.parse()?, bundle);
        config.server_name = self.server_name.clone();
        config.token = self.token_file.as_deref().map(Token::from_file).transpose()?;
        config.tls.ca = self.ca_file.clone();
        config.tls.identity = identity(&self.cert_file, &self.key_file)?;
        config.tls.insecure = self.insecure;
        config.queue = self.queue_size as usize;
        config.backoff.max = Duration::from_millis(self.reconnect_delay.into());
        config.backoff.min = config.backoff.min.min(config.backoff.max);
        config.idle_timeout = Duration::from_millis(self.idle_timeout.into());
        config.keep_alive = config.keep_alive.min(config.idle_timeout / 3);
        config.tls.fingerprint = self.fingerprint.as_deref().map(str::parse).transpose()?;
        config.congestion = self.congestion_control.into();
        config.latency_budget = Duration::from_millis(self.latency_budget.into());
        config.spool = self.spool_dir.clone().map(|dir| sender::SpoolConfig {
            dir,
            max_bytes: self.spool_max_bytes,
        });
        Ok(config)
    }
}
