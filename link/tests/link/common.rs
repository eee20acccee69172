//! What the tests share: keys, both ends, and waiting for conditions with a deadline.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use cis_link::listener::{self, Auth, Listener, ServerTls};
use cis_link::sender::{self, BackoffRange, Sender};
use cis_link::{Identity, StreamName, Token, Tokens, Unit, keys};
use tempfile::TempDir;

/// Longer than anything takes on a busy machine; a test that waits so long has failed.
pub const DEADLINE: Duration = Duration::from_secs(30);
/// The bundle of all streams, where it does not matter.
pub const BUNDLE: &str = "test-bundle";

/// A CA, a listener's certificate for `localhost`, tokens, cameras' certificates.
pub struct Keys(TempDir);

impl Keys {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        keys::init(dir.path(), &["localhost".into(), "127.0.0.1".into()]).unwrap();
        Self(dir)
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    pub fn token(&self, stream: &str) -> Token {
        keys::add_camera(self.0.path(), &name(stream)).unwrap()
    }

    pub fn tokens(&self) -> Auth {
        Auth::from_tokens_file(&self.path("tokens.toml")).unwrap()
    }

    pub fn camera(&self, stream: &str) -> Identity {
        keys::add_camera_certificate(self.0.path(), &name(stream)).unwrap();
        self.identity(stream)
    }

    pub fn identity(&self, name: &str) -> Identity {
        Identity {
            certificate: self.path(&format!("{name}.pem")),
            key: self.path(&format!("{name}.key")),
        }
    }

    /// A listener's settings on a free port.
    pub fn listener(&self, auth: Auth) -> listener::Config {
        let tls = ServerTls {
            identity: Some(self.identity("server")),
            client_ca: None,
        };
        listener::Config::new(([127, 0, 0, 1], 0).into(), tls, auth)
    }

    /// A sender's settings that trust the CA.
    pub fn sender(&self, to: SocketAddr, stream: &str) -> sender::Config {
        let mut config = sender_config(to, stream);
        config.tls.ca = Some(self.path("ca.pem"));
        config
    }
}

pub fn name(stream: &str) -> StreamName {
    stream.parse().unwrap()
}

/// Settings of an impatient sender.
pub fn sender_config(to: SocketAddr, stream: &str) -> sender::Config {
    let mut config = sender::Config::new(to.ip().to_string(), to.port(), name(stream), BUNDLE);
    config.backoff = BackoffRange {
        min: Duration::from_millis(20),
        max: Duration::from_millis(100),
    };
    config
}

/// A listener that lets anybody in, and the settings of a sender that trusts anybody.
pub fn insecure() -> Listener {
    Listener::bind(insecure_config()).unwrap()
}

pub fn insecure_config() -> listener::Config {
    listener::Config::new(([127, 0, 0, 1], 0).into(), ServerTls::default(), Auth::Insecure)
}

pub fn insecure_sender(to: SocketAddr, stream: &str) -> sender::Config {
    let mut config = sender_config(to, stream);
    config.tls.insecure = true;
    config
}

pub fn no_tokens() -> Auth {
    Auth::Tokens(Tokens::default())
}

/// A unit that carries its number.
pub fn unit(number: u32, key: bool) -> Unit {
    sized(number, key, 40)
}

pub fn sized(number: u32, key: bool, size: usize) -> Unit {
    let mut data = number.to_be_bytes().to_vec();
    data.resize(size.max(4), number as u8);
    Unit {
        data: data.into(),
        key,
    }
}

pub fn number(unit: &Unit) -> u32 {
    u32::from_be_bytes(unit.data[..4].try_into().unwrap())
}

/// Asks again and again until the condition holds.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let since = Instant::now();
    while !condition() {
        assert!(since.elapsed() < DEADLINE, "still waiting until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The first event of a listener that `wanted` makes something of; those before it are passed over.
pub fn heard<T>(events: &listener::Events, mut wanted: impl FnMut(listener::Event) -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        let event = events
            .recv_timeout(DEADLINE.saturating_sub(since.elapsed()))
            .expect("an event in time");
        if let Some(found) = wanted(event) {
            return found;
        }
    }
}

/// The first event of a sender that `wanted` makes something of; those before it are passed over.
pub fn told<T>(sender: &Sender, mut wanted: impl FnMut(sender::Event) -> Option<T>) -> T {
    let (since, events) = (Instant::now(), sender.events());
    loop {
        let event = events
            .recv_timeout(DEADLINE.saturating_sub(since.elapsed()))
            .expect("an event in time");
        if let Some(found) = wanted(event) {
            return found;
        }
    }
}

pub fn connected(sender: &Sender) {
    told(sender, |event| {
        matches!(event, sender::Event::Connected { .. }).then_some(())
    });
}

pub fn key_requested(sender: &Sender) {
    told(sender, |event| {
        matches!(event, sender::Event::KeyRequested).then_some(())
    });
}

/// Why a sender is not connected, and whether that is a refusal.
pub fn trouble(sender: &Sender) -> (String, bool) {
    told(sender, |event| match event {
        sender::Event::Disconnected { reason, .. } => Some((reason, false)),
        sender::Event::Refused { reason, .. } => Some((reason, true)),
        _ => None,
    })
}

/// The units of a stream, until it is closed.
pub fn units_until_closed(events: &listener::Events, stream: &str) -> (Vec<Unit>, bool, String) {
    let mut units = Vec::new();
    let (finished, reason) = heard(events, |event| match event {
        listener::Event::Unit {
            stream: from, unit, ..
        } if from.as_str() == stream => {
            units.push(unit);
            None
        }
        listener::Event::Closed {
            stream: from,
            finished,
            reason,
        } if from.as_str() == stream => Some((finished, reason)),
        _ => None,
    });
    (units, finished, reason)
}

/// A client of nothing but QUIC and TLS, that speaks the given protocol.
pub async fn raw_client(to: SocketAddr, alpn: &[u8]) -> Result<quinn::Connection, quinn::ConnectionError> {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(std::sync::Arc::new(blind::TrustAnybody))
        .with_no_client_auth();
    tls.alpn_protocols = vec![alpn.to_vec()];
    let quic = quinn::crypto::rustls::QuicClientConfig::try_from(tls).unwrap();
    let endpoint = quinn::Endpoint::client(([127, 0, 0, 1], 0).into()).unwrap();
    let config = quinn::ClientConfig::new(std::sync::Arc::new(quic));
    endpoint.connect_with(config, to, "localhost").unwrap().await
}

/// Runs a raw client to its end.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::time::timeout(DEADLINE, future)
            .await
            .expect("an end in time")
    })
}

mod blind {
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{DigitallySignedStruct, Error, SignatureScheme};

    #[derive(Debug)]
    pub struct TrustAnybody;

    impl ServerCertVerifier for TrustAnybody {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            rustls::crypto::ring::default_provider()
                .signature_verification_algorithms
                .supported_schemes()
        }
    }
}
