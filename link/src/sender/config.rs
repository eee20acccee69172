//! Owns the settings of a sender and their ranges.

use std::path::PathBuf;
use std::time::Duration;

use crate::tls::{Fingerprint, Identity};
use crate::{Error, StreamName, Token};

/// What a sender needs to know. Made by [`Config::new`], then changed field by field.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Host name or IP address of the receiver.
    pub address: String,
    /// UDP port of the receiver.
    pub port: u16,
    /// Name that the receiver's certificate must carry; `address` if absent.
    pub server_name: Option<String>,
    /// Name under which to publish.
    pub stream: StreamName,
    /// Id of the model bundle that made the units.
    pub bundle: String,
    /// The secret of this stream, where the receiver wants one.
    pub token: Option<Token>,
    /// Whom to trust, and as whom to appear.
    pub tls: ClientTls,
    /// Most units that wait for the network, 1 to 65536.
    pub queue: usize,
    /// Most bytes that wait for the network, 1 KiB to 1 GiB.
    pub queue_bytes: usize,
    /// Most bytes on their way and not yet confirmed by QUIC, 16 KiB to 64 MiB. Small, because what lies here can
    /// be neither dropped nor seen in `queued`.
    pub send_window: u32,
    /// Which congestion controller QUIC uses.
    pub congestion: Congestion,
    /// How long a unit may wait for the network before the rest of its group is given up; zero: for ever. At most 1 min.
    pub latency_budget: Duration,
    /// Where units are kept until the receiver has stored them.
    pub spool: Option<SpoolConfig>,
    /// How long to wait between attempts to connect.
    pub backoff: BackoffRange,
    /// Longest that one attempt may take up to the end of the handshake, name resolution included; the hello gets twice that.
    pub connect_timeout: Duration,
    /// How often to send something when there is nothing to send; shorter than `idle_timeout`.
    pub keep_alive: Duration,
    /// Silence after which the connection counts as lost, 1 s to 10 min.
    pub idle_timeout: Duration,
}

/// Congestion controllers of QUIC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Congestion {
    /// RFC 9438: takes loss for congestion.
    #[default]
    Cubic,
    /// Models the path: copes with random loss. Experimental in quinn.
    Bbr,
    /// RFC 9002.
    NewReno,
}

/// A spool on disk.
#[derive(Clone, Debug)]
pub struct SpoolConfig {
    /// Folder in which each stream has one of its own.
    pub dir: PathBuf,
    /// Most bytes of its files, 256 KiB to 1 TiB. The oldest groups make room for new ones.
    pub max_bytes: u64,
}

/// Shortest and longest wait between attempts to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackoffRange {
    /// First wait.
    pub min: Duration,
    /// Last wait; also the one after a refusal.
    pub max: Duration,
}

/// Whom a sender trusts, and as whom it appears.
#[derive(Clone, Debug, Default)]
pub struct ClientTls {
    /// Certificates (PEM) that may have signed the receiver's; the system's trust store if absent.
    pub ca: Option<PathBuf>,
    /// The sender's own certificate.
    pub identity: Option<Identity>,
    /// SHA-256 of the receiver's certificate: it is trusted, and no other, whoever signed it and whatever its name.
    pub fingerprint: Option<Fingerprint>,
    /// Trust any receiver: whoever sits between can read and change everything.
    pub insecure: bool,
}

impl Config {
    /// Default settings for a receiver, a stream and a bundle.
    pub fn new(address: impl Into<String>, port: u16, stream: StreamName, bundle: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            port,
            server_name: None,
            stream,
            bundle: bundle.into(),
            token: None,
            tls: ClientTls::default(),
            queue: 256,
            queue_bytes: 16 << 20,
            send_window: 128 << 10,
            congestion: Congestion::default(),
            latency_budget: Duration::from_millis(500),
            spool: None,
            backoff: BackoffRange {
                min: Duration::from_millis(250),
                max: Duration::from_secs(30),
            },
            connect_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(3),
            idle_timeout: Duration::from_secs(10),
        }
    }

    /// The name that the receiver's certificate must carry.
    pub(crate) fn server_name(&self) -> &str {
        self.server_name.as_deref().unwrap_or(self.host())
    }

    /// The address without the brackets that URLs put around IPv6.
    pub(crate) fn host(&self) -> &str {
        let bare = self
            .address
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        bare.unwrap_or(&self.address)
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let ms = |d: Duration| format!("{} ms", d.as_millis());
        if self.address.is_empty() || self.address.len() > 253 {
            return Err(Error::setting(
                "address",
                &self.address,
                "a host name or IP address",
            ));
        }
        if self.port == 0 {
            return Err(Error::setting("port", 0, "1 to 65535"));
        }
        if self.bundle.is_empty() || self.bundle.len() > crate::wire::message::MAX_BUNDLE {
            return Err(Error::setting(
                "bundle",
                &self.bundle,
                "an id of 1 to 63 characters",
            ));
        }
        if !(1..=65536).contains(&self.queue) {
            return Err(Error::setting("queue", self.queue, "1 to 65536 units"));
        }
        if !(1 << 10..=1 << 30).contains(&self.queue_bytes) {
            return Err(Error::setting(
                "queue_bytes",
                self.queue_bytes,
                "1024 to 1073741824 bytes",
            ));
        }
        if !(16 << 10..=64 << 20).contains(&self.send_window) {
            return Err(Error::setting(
                "send_window",
                self.send_window,
                "16384 to 67108864 bytes",
            ));
        }
        if self.latency_budget > Duration::from_secs(60) {
            return Err(Error::setting(
                "latency_budget",
                ms(self.latency_budget),
                "0 to 60000 ms",
            ));
        }
        if let Some(spool) = &self.spool
            && !(crate::spool::MIN_BYTES..=1 << 40).contains(&spool.max_bytes)
        {
            return Err(Error::setting(
                "spool.max_bytes",
                spool.max_bytes,
                "262144 to 1099511627776 bytes",
            ));
        }
        if self.backoff.min.is_zero() || self.backoff.max < self.backoff.min {
            let range = "above zero, and the longest not below the shortest";
            let value = format!("{} to {}", ms(self.backoff.min), ms(self.backoff.max));
            return Err(Error::setting("backoff", value, range));
        }
        if self.connect_timeout.is_zero() {
            return Err(Error::setting(
                "connect_timeout",
                ms(self.connect_timeout),
                "above zero",
            ));
        }
        crate::transport::check_idle(self.idle_timeout)?;
        if self.keep_alive.is_zero() || self.keep_alive >= self.idle_timeout {
            return Err(Error::setting(
                "keep_alive",
                ms(self.keep_alive),
                "above zero and below idle_timeout",
            ));
        }
        Ok(())
    }
}
