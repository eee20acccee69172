//! Owns the TLS side of a listener.

use std::sync::Arc;

use quinn::crypto::rustls::QuicServerConfig;
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;

use super::{Chain, provider, roots, tls_error};
use crate::Error;
use crate::listener::{Auth, ServerTls};
use crate::wire::ALPN;

/// Reads the files and makes what quinn wants.
pub fn server(tls: &ServerTls, auth: &Auth) -> Result<QuicServerConfig, Error> {
    let provider = provider();
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(tls_error)?;
    let builder = match &tls.client_ca {
        Some(ca) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(ca)?), provider);
            // Where a token will do, a camera without certificate is heard.
            let verifier = match auth {
                Auth::ClientCertificates => verifier,
                Auth::Tokens(_) | Auth::Insecure => verifier.allow_unauthenticated(),
            };
            builder.with_client_cert_verifier(verifier.build().map_err(|error| Error::content(ca, error))?)
        }
        None => builder.with_no_client_auth(),
    };
    let (chain, key) = match &tls.identity {
        Some(identity) => identity.load()?,
        None => throw_away_identity()?,
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| match &tls.identity {
            Some(identity) => Error::content(&identity.certificate, error),
            None => tls_error(error),
        })?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    // Nothing resumes: a reconnect is rare, and 0-RTT data could be replayed.
    config.max_early_data_size = 0;
    config.send_tls13_tickets = 0;
    QuicServerConfig::try_from(config).map_err(tls_error)
}

/// A certificate nobody can check, for a listener that authenticates nobody either.
#[cfg(feature = "keys")]
fn throw_away_identity() -> Result<Chain, Error> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).map_err(tls_error)?;
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    Ok((vec![made.cert.der().clone()], key.into()))
}

#[cfg(not(feature = "keys"))]
fn throw_away_identity() -> Result<Chain, Error> {
    Err(Error::Tls("a listener needs a certificate and its key".into()))
}
