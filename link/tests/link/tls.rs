//! Certificates and files that are not as they should be.

use std::net::UdpSocket;
use std::path::Path;

use cis_link::listener::{Auth, Event, Listener};
use cis_link::sender::Sender;
use cis_link::{Error, Fingerprint, Identity};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair};
use time::{Duration, OffsetDateTime};

use crate::common::*;

#[test]
fn a_receiver_of_an_unknown_ca_is_refused() {
    let (keys, strangers) = (Keys::new(), Keys::new());
    let listener = Listener::bind(strangers.listener(Auth::Insecure)).unwrap();
    let sender = Sender::start(keys.sender(listener.local_addr(), "gate-1")).unwrap();
    let (reason, refused) = trouble(&sender);
    assert!(refused && reason.contains("unknown CA"), "{reason}");
    assert!(sender.stats().failed_attempts >= 1);
    let log = heard(&listener.events(), |event| match event {
        Event::Refused { reason, .. } => Some(reason),
        _ => None,
    });
    assert!(log.contains("unknown CA"), "{log}");
}

#[test]
fn the_systems_trust_store_does_not_know_a_ca_of_ones_own() {
    let keys = Keys::new();
    let listener = Listener::bind(keys.listener(Auth::Insecure)).unwrap();
    match Sender::start(sender_config(listener.local_addr(), "gate-1")) {
        Ok(sender) => {
            let (reason, refused) = trouble(&sender);
            assert!(refused && reason.contains("unknown CA"), "{reason}");
        }
        // A machine without any trusted certificate says so at once.
        Err(error) => assert!(error.to_string().contains("name a CA file"), "{error}"),
    }
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let keys = Keys::new();
    let listener = Listener::bind(keys.listener(Auth::Insecure)).unwrap();
    let mut config = keys.sender(listener.local_addr(), "gate-1");
    config.server_name = Some("rx.example".into());
    let (reason, refused) = trouble(&Sender::start(config).unwrap());
    assert!(
        refused && reason.contains("certificate") && reason.contains("rx.example"),
        "{reason}"
    );
}

/// A listener's certificate that was good until yesterday.
fn expired(keys: &Keys) -> Identity {
    let ca_key = KeyPair::from_pem(&std::fs::read_to_string(keys.path("ca.key")).unwrap()).unwrap();
    let ca = std::fs::read_to_string(keys.path("ca.pem")).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&ca, ca_key).unwrap();
    let mut params = CertificateParams::new(["localhost".into(), "127.0.0.1".into()]).unwrap();
    let now = OffsetDateTime::now_utc();
    (params.not_before, params.not_after) = (now - Duration::days(10), now - Duration::days(1));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().unwrap();
    let identity = Identity {
        certificate: keys.path("old.pem"),
        key: keys.path("old.key"),
    };
    std::fs::write(
        &identity.certificate,
        params.signed_by(&key, &issuer).unwrap().pem(),
    )
    .unwrap();
    std::fs::write(&identity.key, key.serialize_pem()).unwrap();
    identity
}

#[test]
fn an_expired_certificate_is_refused() {
    let keys = Keys::new();
    let mut config = keys.listener(Auth::Insecure);
    config.tls.identity = Some(expired(&keys));
    let listener = Listener::bind(config).unwrap();
    let (reason, refused) = trouble(&Sender::start(keys.sender(listener.local_addr(), "gate-1")).unwrap());
    assert!(refused && reason.contains("expired"), "{reason}");
}

#[test]
fn who_trusts_anybody_must_say_so() {
    let listener = insecure();
    let (_, refused) = trouble(&Sender::start(Keys::new().sender(listener.local_addr(), "a")).unwrap());
    assert!(refused);
    connected(&Sender::start(insecure_sender(listener.local_addr(), "b")).unwrap());
}

#[test]
fn another_protocol_over_quic_is_refused() {
    let listener = insecure();
    let error = block_on(raw_client(listener.local_addr(), b"h3")).unwrap_err();
    assert!(error.to_string().contains("120"), "{error}");
    let log = heard(&listener.events(), |event| match event {
        Event::Refused { reason, .. } => Some(reason),
        _ => None,
    });
    assert!(log.contains("cis/1"), "{log}");
}

#[test]
fn a_port_in_use_is_named() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut config = insecure_config();
    config.bind = taken.local_addr().unwrap();
    let error = Listener::bind(config).err().unwrap();
    assert!(matches!(error, Error::Bind { .. }));
    assert!(
        error
            .to_string()
            .contains(&taken.local_addr().unwrap().port().to_string()),
        "{error}"
    );
}

fn assert_names(error: Error, file: &Path) {
    let text = error.to_string();
    assert!(text.contains(file.to_str().unwrap()), "{text}");
}

#[test]
fn files_that_are_missing_or_something_else_are_named() {
    let keys = Keys::new();
    let (none, noise) = (keys.path("none.pem"), keys.path("noise.pem"));
    std::fs::write(&noise, "not a certificate").unwrap();
    let server = keys.identity("server");
    for wrong in [&none, &noise] {
        for identity in [
            Identity {
                certificate: wrong.clone(),
                key: server.key.clone(),
            },
            Identity {
                certificate: server.certificate.clone(),
                key: wrong.clone(),
            },
        ] {
            let mut config = keys.listener(Auth::Insecure);
            config.tls.identity = Some(identity.clone());
            assert_names(Listener::bind(config).err().unwrap(), wrong);
            let mut config = keys.sender(([127, 0, 0, 1], 9).into(), "gate-1");
            config.tls.identity = Some(identity);
            assert_names(Sender::start(config).err().unwrap(), wrong);
        }
        let mut config = keys.listener(Auth::Insecure);
        config.tls.client_ca = Some(wrong.clone());
        assert_names(Listener::bind(config).err().unwrap(), wrong);
        let mut config = keys.sender(([127, 0, 0, 1], 9).into(), "gate-1");
        config.tls.ca = Some(wrong.clone());
        assert_names(Sender::start(config).err().unwrap(), wrong);
    }
    let mut config = keys.listener(Auth::Insecure);
    let key = keys.path("ca.key");
    config.tls.identity = Some(Identity {
        certificate: server.certificate.clone(),
        key,
    });
    assert_names(Listener::bind(config).err().unwrap(), &server.certificate);
}

#[test]
fn a_pinned_certificate_is_trusted_and_no_other() {
    let (keys, others) = (Keys::new(), Keys::new());
    let listener = Listener::bind(keys.listener(Auth::Insecure)).unwrap();
    let mut config = sender_config(listener.local_addr(), "gate-1");
    config.server_name = Some("whatever.example".into());
    config.tls.fingerprint = Some(Fingerprint::of_file(&keys.path("server.pem")).unwrap());
    connected(&Sender::start(config.clone()).unwrap());
    config.tls.fingerprint = Some(Fingerprint::of_file(&others.path("server.pem")).unwrap());
    let (reason, refused) = trouble(&Sender::start(config.clone()).unwrap());
    assert!(refused && reason.contains("TLS"), "{reason}");
    config.tls.insecure = true;
    assert!(Sender::start(config).is_err());
}

#[test]
fn a_certificate_is_reloaded_without_a_restart() {
    let (keys, others) = (Keys::new(), Keys::new());
    let listener = Listener::bind(keys.listener(Auth::Insecure)).unwrap();
    let before = Sender::start(keys.sender(listener.local_addr(), "before")).unwrap();
    connected(&before);
    let server = keys.identity("server");
    std::fs::write(&server.certificate, "nothing").unwrap();
    assert!(listener.reload_certificates().is_err());
    connected(&Sender::start(keys.sender(listener.local_addr(), "still")).unwrap());
    let new = others.identity("server");
    std::fs::copy(&new.certificate, &server.certificate).unwrap();
    std::fs::copy(&new.key, &server.key).unwrap();
    listener.reload_certificates().unwrap();
    connected(&Sender::start(others.sender(listener.local_addr(), "after")).unwrap());
    assert!(before.stats().connected);
}
