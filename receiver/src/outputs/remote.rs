//! What outputs to servers share: addresses, TLS, waits.

use cis_link::{Backoff, Identity};
use rustls::{ClientConfig, RootCertStore};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Waits between attempts.
const WAIT: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(30)];

/// Waits that double, with chance in them.
pub fn backoff() -> Backoff {
    Backoff::new(WAIT[0], WAIT[1])
}

/// Any number: the seeds of hash maps are random.
pub fn chance() -> u32 {
    RandomState::new().hash_one(()) as u32
}

/// A URL that the configuration has checked.
pub fn url(option: &str, text: &str) -> io::Result<reqwest::Url> {
    reqwest::Url::parse(text).map_err(|e| io::Error::other(format!("{option} {text}: {e}")))
}

/// TLS that verifies the server. Where it is not needed (`secure` is false) a system without authorities will do: nobody is trusted then.
pub fn tls(
    section: &str,
    secure: bool,
    ca: Option<&Path>,
    certificate: Option<&Path>,
    key: Option<&Path>,
) -> io::Result<ClientConfig> {
    let error = |reason: String| io::Error::other(format!("{section}: {reason}"));
    if !secure && ca.is_none() {
        let provider = rustls::crypto::ring::default_provider();
        let builder =
            ClientConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions();
        let builder = builder.map_err(|e| error(e.to_string()))?;
        return Ok(builder
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth());
    }
    let identity = certificate.zip(key).map(|(certificate, key)| Identity {
        certificate: certificate.into(),
        key: key.into(),
    });
    cis_link::client_config(ca, identity.as_ref()).map_err(|e| error(e.to_string()))
}
