//! What outputs to servers share: addresses, TLS, waits.

use cis_link::{Backoff, Identity};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::Path;
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

/// TLS that verifies the server.
pub fn tls(
    section: &str,
    ca: Option<&Path>,
    certificate: Option<&Path>,
    key: Option<&Path>,
) -> io::Result<rustls::ClientConfig> {
    let identity = certificate.zip(key).map(|(certificate, key)| Identity {
        certificate: certificate.into(),
        key: key.into(),
    });
    cis_link::client_config(ca, identity.as_ref()).map_err(|e| io::Error::other(format!("{section}: {e}")))
}
