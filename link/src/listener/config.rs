//! Owns the settings of a listener and their ranges.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::tls::Identity;
use crate::{Error, StreamName, Tokens};

/// Units that may wait for the application in total; the room for them is taken at the start.
const MAX_WAITING: usize = 1 << 20;

/// What a listener needs to know. Made by [`Config::new`], then changed field by field.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// UDP address to listen on; port 0 takes a free one.
    pub bind: SocketAddr,
    /// The listener's certificate.
    pub tls: ServerTls,
    /// Who is let in.
    pub auth: Auth,
    /// Streams that are wanted; all that authenticate if absent.
    pub streams: Option<Vec<StreamName>>,
    /// Ids of the model bundles that the receiver has; any if absent.
    pub bundles: Option<Vec<String>>,
    /// Folder in which it is written down what of the cameras' spools is stored; without it, some of that comes twice
    /// after a restart.
    pub state_dir: Option<PathBuf>,
    /// What peers may use.
    pub limits: Limits,
}

/// As whom a listener appears, and whose certificates it takes.
#[derive(Clone, Debug, Default)]
pub struct ServerTls {
    /// The certificate shown to cameras. May be absent with [`Auth::Insecure`] only: one is then made for the occasion.
    pub identity: Option<Identity>,
    /// Certificates (PEM) that may have signed those of cameras.
    pub client_ca: Option<PathBuf>,
}

/// Who is let in.
#[derive(Clone, Debug)]
pub enum Auth {
    /// Whoever shows the token of the stream, or a certificate that `client_ca` signed for it if there is one.
    Tokens(Tokens),
    /// Whoever shows a certificate that `client_ca` signed and that has the stream's name among its DNS names.
    ClientCertificates,
    /// Anybody.
    Insecure,
}

impl Auth {
    /// The tokens of a file as [`Tokens::from_file`] reads it.
    pub fn from_tokens_file(path: &std::path::Path) -> Result<Self, Error> {
        Tokens::from_file(path).map(Self::Tokens)
    }
}

/// What peers may use before they are refused or made to wait.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Connections at a time, those that did not say who they are included, 1 to 65536.
    pub connections: usize,
    /// Streams at a time, 1 to 65536.
    pub streams: usize,
    /// Bytes of one unit, 1 KiB to 16 MiB.
    pub unit_bytes: usize,
    /// Units of one stream that wait for the application, 1 to 4096. A full queue stops reading from the network.
    pub queue: usize,
    /// Bytes of one stream that wait for the application; at least `unit_bytes`, at most 1 GiB.
    pub queue_bytes: usize,
    /// Bytes of units that one stream may send in a second, 1 KiB to 1 GiB, and twice as much at once; 0: any number. Whoever
    /// sends more is not read, and so made to wait.
    pub bytes_per_second: u64,
    /// Handshakes that one address may begin in a second, at most 10000, and ten times as many at once; 0: any number.
    /// More are ignored and counted as refused.
    pub handshakes_per_second: u32,
    /// Every address shows first that it is its own (QUIC Retry, no state kept), which costs a round trip for each
    /// connection; else only while half of `connections` are in use.
    pub retry: bool,
    /// Time for the handshake and the hello: seconds at 16 kbit/s, where each of its padded packets takes 0.6 s.
    pub hello_timeout: Duration,
    /// Silence after which a connection counts as lost, 1 s to 10 min.
    pub idle_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            streams: 256,
            unit_bytes: 1 << 20,
            queue: 64,
            queue_bytes: 2 << 20,
            bytes_per_second: 0,
            handshakes_per_second: 20,
            retry: true,
            hello_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(15),
        }
    }
}

impl Config {
    /// Default settings for an address, a certificate and a way to authenticate.
    pub fn new(bind: SocketAddr, tls: ServerTls, auth: Auth) -> Self {
        Self {
            bind,
            tls,
            auth,
            streams: None,
            bundles: None,
            state_dir: None,
            limits: Limits::default(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        match &self.auth {
            Auth::Tokens(tokens) if tokens.is_empty() && self.tls.client_ca.is_none() => {
                return Err(Error::NoAuthentication("no token and no client CA"));
            }
            Auth::ClientCertificates if self.tls.client_ca.is_none() => {
                return Err(Error::NoAuthentication("no client CA"));
            }
            _ => {}
        }
        if self.tls.identity.is_none() && !matches!(self.auth, Auth::Insecure) {
            return Err(Error::Tls("a listener needs a certificate and its key".into()));
        }
        let limits = &self.limits;
        let within = |name, value: usize, from: usize, to: usize, range| match value {
            v if (from..=to).contains(&v) => Ok(()),
            v => Err(Error::setting(name, v, range)),
        };
        within("limits.connections", limits.connections, 1, 65536, "1 to 65536")?;
        within("limits.streams", limits.streams, 1, 65536, "1 to 65536")?;
        within(
            "limits.unit_bytes",
            limits.unit_bytes,
            1 << 10,
            16 << 20,
            "1024 to 16777216 bytes",
        )?;
        within("limits.queue", limits.queue, 1, 4096, "1 to 4096 units")?;
        let range = "unit_bytes to 1073741824 bytes";
        within(
            "limits.queue_bytes",
            limits.queue_bytes,
            limits.unit_bytes,
            1 << 30,
            range,
        )?;
        if limits.streams * limits.queue > MAX_WAITING {
            let value = format!("{} and {}", limits.streams, limits.queue);
            return Err(Error::setting(
                "limits.streams and limits.queue",
                value,
                "at most 1048576 multiplied",
            ));
        }
        if limits.bytes_per_second != 0 && !(1 << 10..=1 << 30).contains(&limits.bytes_per_second) {
            return Err(Error::setting(
                "limits.bytes_per_second",
                limits.bytes_per_second,
                "0, or 1024 to 1073741824",
            ));
        }
        if limits.handshakes_per_second > 10_000 {
            return Err(Error::setting(
                "limits.handshakes_per_second",
                limits.handshakes_per_second,
                "0 to 10000",
            ));
        }
        if limits.hello_timeout.is_zero() {
            return Err(Error::setting("limits.hello_timeout", "0 ms", "above zero"));
        }
        crate::transport::check_idle(limits.idle_timeout)
    }
}
