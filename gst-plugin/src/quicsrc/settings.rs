//! What the user asked of `cisquicsrc`: properties, their defaults, and the link's configuration made of them.

use crate::quic::identity;
use cis_link::{Error, Tokens, listener};
use gst::{glib, prelude::*};
use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

/// Values of the properties.
#[derive(Clone, Debug)]
pub struct Settings {
    pub address: String,
    pub port: u16,
    pub stream: String,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub tokens_file: Option<PathBuf>,
    pub client_ca_file: Option<PathBuf>,
    pub insecure: bool,
    pub state_dir: Option<PathBuf>,
    pub retry: bool,
    pub handshakes_per_second: u32,
    pub bytes_per_second: u32,
    pub max_unit_bytes: u32,
    pub idle_timeout: u32,
    pub latency: u32,
    pub eos_on_close: bool,
    pub enhancement: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            address: "0.0.0.0".into(),
            port: 4443,
            stream: String::new(),
            cert_file: None,
            key_file: None,
            tokens_file: None,
            client_ca_file: None,
            insecure: false,
            state_dir: None,
            retry: true,
            handshakes_per_second: 20,
            bytes_per_second: 0,
            max_unit_bytes: 1 << 20,
            idle_timeout: 15_000,
            latency: 200,
            eos_on_close: true,
            enhancement: false,
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
    let flag = |name, nick, blurb, value| {
        glib::ParamSpecBoolean::builder(name)
            .nick(nick)
            .blurb(blurb)
            .default_value(value)
            .mutable_ready()
            .build()
    };
    vec![
        text(
            "address",
            "Address",
            "IP address to listen on (:: = IPv6, too)",
            Some("0.0.0.0"),
        ),
        number(
            "port",
            "Port",
            "UDP port to listen on (0 = any free one)",
            0..=65_535,
            default.port.into(),
        ),
        text(
            "stream",
            "Stream",
            "Name of the camera to let in (empty = the first that comes)",
            Some(""),
        ),
        text(
            "cert-file",
            "Certificate file",
            "Certificate chain (PEM) of this receiver",
            None,
        ),
        text("key-file", "Key file", "Private key (PEM) of cert-file", None),
        text(
            "tokens-file",
            "Tokens file",
            "Table of cameras and the SHA-256 of their tokens (TOML)",
            None,
        ),
        text(
            "client-ca-file",
            "Client CA file",
            "Certificates (PEM) that may have signed a camera's",
            None,
        ),
        flag(
            "insecure",
            "Insecure",
            "Let in anybody who comes",
            default.insecure,
        ),
        text(
            "state-dir",
            "State folder",
            "Where it is noted what of the camera's spool is stored (unset = some of it comes twice after a restart)",
            None,
        ),
        flag(
            "retry",
            "Retry",
            "A camera's address shows first that it is its own, which costs a round trip (false = only when many connections are in use)",
            default.retry,
        ),
        number(
            "handshakes-per-second",
            "Handshakes per second",
            "Handshakes that one address may begin in a second, ten times as many at once (0 = any number)",
            0..=10_000,
            default.handshakes_per_second,
        ),
        number(
            "bytes-per-second",
            "Bytes per second",
            "Bytes of frames that the camera may send in a second (1024 or more), twice as many at once (0 = any number)",
            0..=1 << 30,
            default.bytes_per_second,
        ),
        number(
            "max-unit-bytes",
            "Largest unit",
            "The largest coded frame that is accepted, in bytes",
            1024..=16 << 20,
            default.max_unit_bytes,
        ),
        number(
            "idle-timeout",
            "Idle time-out",
            "Silence after which a camera counts as gone, in ms",
            1_000..=600_000,
            default.idle_timeout,
        ),
        number(
            "latency",
            "Latency",
            "What the network may add before a frame is late, in ms",
            0..=60_000,
            default.latency,
        ),
        flag(
            "eos-on-close",
            "EOS on close",
            "End the stream when the camera ends it; else wait for the next one",
            default.eos_on_close,
        ),
        glib::ParamSpecBoolean::builder("enhancement")
            .nick("Enhancement")
            .blurb("Ask the camera for the enhancement layer, which makes better pictures of more bits and changes no detection")
            .default_value(default.enhancement)
            .mutable_playing()
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
        let flag = || value.get::<bool>().unwrap_or_default();
        match name {
            "address" => self.address = text().unwrap_or_default(),
            "port" => self.port = u16::try_from(number()).unwrap_or(u16::MAX),
            "stream" => self.stream = text().unwrap_or_default(),
            "cert-file" => self.cert_file = file(),
            "key-file" => self.key_file = file(),
            "tokens-file" => self.tokens_file = file(),
            "client-ca-file" => self.client_ca_file = file(),
            "insecure" => self.insecure = flag(),
            "state-dir" => self.state_dir = file(),
            "retry" => self.retry = flag(),
            "handshakes-per-second" => self.handshakes_per_second = number(),
            "bytes-per-second" => self.bytes_per_second = number(),
            "max-unit-bytes" => self.max_unit_bytes = number(),
            "idle-timeout" => self.idle_timeout = number(),
            "latency" => self.latency = number(),
            "eos-on-close" => self.eos_on_close = flag(),
            "enhancement" => self.enhancement = flag(),
            _ => {}
        }
    }

    /// Reads a property.
    pub fn get(&self, name: &str) -> glib::Value {
        let file = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string()).to_value();
        match name {
            "address" => self.address.to_value(),
            "port" => u32::from(self.port).to_value(),
            "stream" => self.stream.to_value(),
            "cert-file" => file(&self.cert_file),
            "key-file" => file(&self.key_file),
            "tokens-file" => file(&self.tokens_file),
            "client-ca-file" => file(&self.client_ca_file),
            "insecure" => self.insecure.to_value(),
            "state-dir" => file(&self.state_dir),
            "retry" => self.retry.to_value(),
            "handshakes-per-second" => self.handshakes_per_second.to_value(),
            "bytes-per-second" => self.bytes_per_second.to_value(),
            "max-unit-bytes" => self.max_unit_bytes.to_value(),
            "idle-timeout" => self.idle_timeout.to_value(),
            "latency" => self.latency.to_value(),
            "enhancement" => self.enhancement.to_value(),
            _ => self.eos_on_close.to_value(),
        }
    }

    /// What the network may add.
    pub fn latency(&self) -> gst::ClockTime {
        gst::ClockTime::from_mseconds(self.latency.into())
    }

    /// The link's configuration.
    pub fn resolve(&self) -> Result<listener::Config, Error> {
        let address: IpAddr = self.address.parse().map_err(|_| Error::Setting {
            name: "address",
            value: self.address.clone(),
            range: "an IP address of this machine, or 0.0.0.0 or :: for all of them",
        })?;
        let mut config = listener::Config::new(
            SocketAddr::new(address, self.port),
            listener::ServerTls {
                identity: identity(&self.cert_file, &self.key_file)?,
                client_ca: self.client_ca_file.clone(),
            },
            self.auth()?,
        );
        if !self.stream.is_empty() {
            config.streams = Some(vec![self.stream.parse()?]);
        }
        config.state_dir = self.state_dir.clone();
        config.limits.retry = self.retry;
        config.limits.handshakes_per_second = self.handshakes_per_second;
        config.limits.bytes_per_second = self.bytes_per_second.into();
        config.limits.unit_bytes = self.max_unit_bytes as usize;
        config.limits.queue_bytes = config.limits.queue_bytes.max(config.limits.unit_bytes);
        config.limits.streams = 1;
        config.limits.connections = 32;
        config.limits.idle_timeout = Duration::from_millis(self.idle_timeout.into());
        Ok(config)
    }

    fn auth(&self) -> Result<listener::Auth, Error> {
        match (&self.tokens_file, self.insecure) {
            (Some(_), true) => Err(Error::Setting {
                name: "insecure",
                value: "true".into(),
                range: "false when there is a tokens-file: it would not be looked at",
            }),
            (Some(path), false) => listener::Auth::from_tokens_file(path),
            (None, true) => Ok(listener::Auth::Insecure),
            (None, false) if self.client_ca_file.is_some() => Ok(listener::Auth::ClientCertificates),
            (None, false) => Ok(listener::Auth::Tokens(Tokens::default())),
        }
    }
}
