//! TLS 1.3 for both ends: certificates and keys from PEM files, trust, and the rule that ties a certificate to a stream.

mod client;
mod fingerprint;
mod server;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};

pub use client::{client, client_config};
pub use fingerprint::Fingerprint;
pub use server::server;

use crate::{Error, StreamName};

/// A certificate chain and its private key, both PEM.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate, followed by those between it and the CA.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

type Chain = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl Identity {
    fn load(&self) -> Result<Chain, Error> {
        let chain = certificates(&self.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|error| pem_error(&self.key, error, "no private key (PEM) in it"))?;
        Ok((chain, key))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    const NONE: &str = "no certificate (PEM) in it";
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| pem_error(path, error, NONE))?;
    if certificates.is_empty() {
        Err(Error::content(path, NONE))
    } else {
        Ok(certificates)
    }
}

/// A trust store of the certificates in a file.
fn roots(path: &Path) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots
            .add(certificate)
            .map_err(|error| Error::content(path, error))?;
    }
    Ok(roots)
}

fn pem_error(path: &Path, error: pem::Error, none: &str) -> Error {
    match error {
        pem::Error::Io(source) => Error::file(path, source),
        pem::Error::NoItemsFound => Error::content(path, none),
        other => Error::content(path, other),
    }
}

fn tls_error(error: impl ToString) -> Error {
    Error::Tls(error.to_string())
}

/// Whether a verified certificate was issued for a stream: the stream's name is among its DNS names.
pub fn names_stream(certificate: &CertificateDer<'_>, stream: &StreamName) -> bool {
    let Ok(parsed) = rustls::server::ParsedCertificate::try_from(certificate) else {
        return false;
    };
    match ServerName::try_from(stream.as_str()) {
        Ok(name @ ServerName::DnsName(_)) => rustls::client::verify_server_name(&parsed, &name).is_ok(),
        _ => false,
    }
}
