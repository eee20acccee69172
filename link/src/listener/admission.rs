//! Owns the decision whom to let in: hello and certificate in, stream or refusal out. No IO.

use rustls::pki_types::CertificateDer;

use super::config::{Auth, Config};
use crate::wire::message::{Hello, MAX_BUNDLE};
use crate::wire::{Refusal, VERSION};
use crate::{StreamName, tls};

/// Why somebody is not let in: for the peer, and for the log, which may know more.
#[derive(Debug, PartialEq, Eq)]
pub struct Denied {
    pub refusal: Refusal,
    pub to_peer: String,
    pub to_log: String,
}

impl Denied {
    pub fn new(refusal: Refusal, words: impl Into<String>) -> Self {
        let words = words.into();
        Self {
            refusal,
            to_peer: words.clone(),
            to_log: words,
        }
    }
}

/// Who a hello comes from, if the sender is welcome. `certificate` is what TLS verified, if there is one.
pub fn admit(
    hello: &Hello,
    certificate: Option<&CertificateDer<'_>>,
    config: &Config,
    auth: &Auth,
) -> Result<StreamName, Denied> {
    if hello.version != VERSION {
        let words = format!(
            "version {} of the messages: version {VERSION} is spoken here",
            hello.version
        );
        return Err(Denied::new(Refusal::Version, words));
    }
    let unauthorized = |to_log: String| Denied {
        refusal: Refusal::Unauthorized,
        // Not a word on which names exist.
        to_peer: "there is no such stream, or its token or certificate is another".into(),
        to_log,
    };
    let stream: StreamName = hello
        .stream
        .parse()
        .map_err(|e: crate::Error| unauthorized(e.to_string()))?;
    let by_certificate = certificate.is_some_and(|certificate| tls::names_stream(certificate, &stream));
    match auth {
        Auth::Insecure => {}
        Auth::ClientCertificates if by_certificate => {}
        Auth::ClientCertificates => {
            return Err(unauthorized(format!(
                "{stream}: the certificate is for another stream"
            )));
        }
        Auth::Tokens(tokens) if by_certificate || tokens.admits(&stream, &hello.token) => {}
        Auth::Tokens(tokens) => {
            let why = match tokens.streams().any(|known| *known == stream) {
                true if hello.token.is_empty() => "no token shown",
                true => "wrong token",
                false => "no such stream",
            };
            return Err(unauthorized(format!("{stream}: {why}")));
        }
    }
    if config
        .streams
        .as_ref()
        .is_some_and(|wanted| !wanted.contains(&stream))
    {
        return Err(Denied::new(
            Refusal::Unwanted,
            format!("{stream} is not among the streams wanted here"),
        ));
    }
    let printable = hello.bundle.bytes().all(|b| b.is_ascii_graphic());
    if hello.bundle.is_empty() || hello.bundle.len() > MAX_BUNDLE || !printable {
        let words = format!("{stream}: the bundle id must be 1 to {MAX_BUNDLE} visible ASCII characters");
        return Err(Denied::new(Refusal::Bundle, words));
    }
    if let Some(accepted) = &config.bundles
        && !accepted.contains(&hello.bundle)
    {
        let words = format!(
            "{stream} sends features of bundle {:?}, the receiver has {}",
            hello.bundle,
            accepted
                .iter()
                .map(|id| format!("{id:?}"))
                .collect::<Vec<_>>()
                .join(", "),
        );
        return Err(Denied::new(Refusal::Bundle, words));
    }
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listener::ServerTls;
    use crate::{Token, Tokens};

    fn hello(stream: &str, token: &str, bundle: &str) -> Hello {
        Hello {
            version: VERSION,
            stream: stream.into(),
            bundle: bundle.into(),
            token: token.into(),
            instance: [0; 16],
            spool: None,
        }
    }

    fn config(auth: Auth) -> Config {
        Config::new(([127, 0, 0, 1], 0).into(), ServerTls::default(), auth)
    }

    fn decide(hello: &Hello, config: &Config) -> Result<StreamName, Denied> {
        admit(hello, None, config, &config.auth)
    }

    #[test]
    fn a_token_opens_its_own_stream() {
        let token: Token = "0123456789abcdef".parse().unwrap();
        let gate: StreamName = "gate".parse().unwrap();
        let config = config(Auth::Tokens(Tokens::from_iter([(gate.clone(), token.hash())])));
        assert_eq!(decide(&hello("gate", "0123456789abcdef", "b"), &config), Ok(gate));
        let mut told = Vec::new();
        for (stream, token, log) in [
            ("gate", "0123456789abcdeg", "wrong token"),
            ("gate", "", "no token"),
            ("hall", "0123456789abcdef", "no such stream"),
            ("../etc", "0123456789abcdef", "stream name"),
        ] {
            let denied = decide(&hello(stream, token, "b"), &config).unwrap_err();
            assert_eq!(denied.refusal, Refusal::Unauthorized);
            assert!(denied.to_log.contains(log), "{denied:?}");
            told.push(denied.to_peer);
        }
        told.dedup();
        assert_eq!(told.len(), 1, "the peer must not learn which names exist");
    }

    #[test]
    fn a_bundle_that_does_not_fit_is_named_with_the_one_that_would() {
        let mut config = config(Auth::Insecure);
        assert!(decide(&hello("gate", "", "cis-nano-v0"), &config).is_ok());
        config.bundles = Some(vec!["cis-nano-v1".into()]);
        let denied = decide(&hello("gate", "", "cis-nano-v0"), &config).unwrap_err();
        assert_eq!(denied.refusal, Refusal::Bundle);
        for id in ["cis-nano-v0", "cis-nano-v1"] {
            assert!(denied.to_peer.contains(id), "{denied:?}");
        }
        config.bundles = None;
        for bundle in ["", "a b", "a\n", &"x".repeat(64)] {
            assert_eq!(
                decide(&hello("gate", "", bundle), &config).unwrap_err().refusal,
                Refusal::Bundle
            );
        }
    }

    #[test]
    fn versions_and_unwanted_streams() {
        let mut config = config(Auth::Insecure);
        config.streams = Some(vec!["hall".parse().unwrap()]);
        assert_eq!(
            decide(&hello("gate", "", "b"), &config).unwrap_err().refusal,
            Refusal::Unwanted
        );
        let mut hello = hello("hall", "", "b");
        assert!(decide(&hello, &config).is_ok());
        hello.version = 2;
        assert_eq!(decide(&hello, &config).unwrap_err().refusal, Refusal::Version);
    }

    #[test]
    fn no_certificate_is_nobodys_certificate() {
        let denied = decide(&hello("gate", "", "b"), &config(Auth::ClientCertificates)).unwrap_err();
        assert_eq!(denied.refusal, Refusal::Unauthorized);
    }
}
