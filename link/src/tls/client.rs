//! Owns the TLS side of a sender.

use std::path::Path;
use std::sync::Arc;

use quinn::crypto::rustls::QuicClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::{Fingerprint, Identity, provider, roots, tls_error};
use crate::Error;
use crate::sender::ClientTls;
use crate::wire::ALPN;

/// Reads the files and makes what quinn wants.
pub fn client(tls: &ClientTls) -> Result<QuicClientConfig, Error> {
    let provider = provider();
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(tls_error)?;
    if tls.insecure && tls.fingerprint.is_some() {
        return Err(Error::setting(
            "insecure",
            true,
            "false when a fingerprint is given: it would not be looked at",
        ));
    }
    let pinned = tls.fingerprint;
    let builder = match &tls.ca {
        _ if tls.insecure || pinned.is_some() => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unsigned { provider, pinned })),
        Some(ca) => builder.with_root_certificates(roots(ca)?),
        None => builder.with_root_certificates(system_roots()?),
    };
    let mut config = match &tls.identity {
        Some(identity) => {
            let (chain, key) = identity.load()?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| Error::content(&identity.certificate, error))?
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    QuicClientConfig::try_from(config).map_err(tls_error)
}

/// TLS for a client of something else than a receiver: a broker, a web server. Without `ca` the system's authorities are trusted.
///
/// # Errors
/// A file that cannot be read or used, a system without authorities.
pub fn client_config(ca: Option<&Path>, identity: Option<&Identity>) -> Result<ClientConfig, Error> {
    let roots = ca.map_or_else(system_roots, roots)?;
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(tls_error)?
        .with_root_certificates(roots);
    let Some(identity) = identity else {
        return Ok(builder.with_no_client_auth());
    };
    let (chain, key) = identity.load()?;
    builder
        .with_client_auth_cert(chain, key)
        .map_err(|error| Error::content(&identity.certificate, error))
}

fn system_roots() -> Result<RootCertStore, Error> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // One certificate too old or too odd must not make the rest useless.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let reasons: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
        return Err(Error::Tls(format!(
            "the system has no trusted certificates ({}); name a CA file",
            reasons.join("; ")
        )));
    }
    Ok(roots)
}

/// Takes one certificate, whoever signed it, or any if none is named; wants the handshake signed with its key.
#[derive(Debug)]
struct Unsigned {
    provider: Arc<CryptoProvider>,
    pinned: Option<Fingerprint>,
}

impl ServerCertVerifier for Unsigned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(pinned) = self.pinned
            && pinned != Fingerprint::of(certificate)
        {
            return Err(rustls::CertificateError::ApplicationVerificationFailure.into());
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("QUIC has no TLS 1.2".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
