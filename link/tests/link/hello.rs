//! Who is let in: tokens, certificates, names, bundles.

use cis_link::listener::{Auth, Event, Listener};
use cis_link::sender::{self, Sender};
use cis_link::wire::Refusal;
use cis_link::{Error, keys};

use crate::common::*;

/// What the sender was told and what the listener says about it.
fn refused(listener: &Listener, sender: &Sender) -> (Option<Refusal>, String, String) {
    let (refusal, to_sender) = told(sender, |event| match event {
        sender::Event::Refused { refusal, reason, .. } => Some((refusal, reason)),
        sender::Event::Connected { .. } => panic!("was let in"),
        _ => None,
    });
    let in_log = heard(&listener.events(), |event| match event {
        Event::Refused { reason, .. } => Some(reason),
        Event::Opened { .. } => panic!("let somebody in"),
        _ => None,
    });
    assert!(listener.stats().refused >= 1);
    (refusal, to_sender, in_log)
}

#[test]
fn the_right_token_opens_the_stream() {
    let keys = Keys::new();
    let token = keys.token("gate-1");
    let listener = Listener::bind(keys.listener(keys.tokens())).unwrap();
    let mut config = keys.sender(listener.local_addr(), "gate-1");
    config.token = Some(token);
    let sender = Sender::start(config).unwrap();
    connected(&sender);
    let (stream, bundle) = heard(&listener.events(), |event| match event {
        Event::Opened { stream, bundle, .. } => Some((stream, bundle)),
        _ => None,
    });
    assert_eq!((stream.as_str(), bundle.as_str()), ("gate-1", BUNDLE));
    let stats = sender.stats();
    assert!(stats.connected && stats.remote == Some(listener.local_addr()) && stats.udp_bytes_sent > 0);
}

#[test]
fn a_wrong_token_is_refused_in_words() {
    let keys = Keys::new();
    keys.token("gate-1");
    let other = keys.token("gate-2");
    let listener = Listener::bind(keys.listener(keys.tokens())).unwrap();
    for (stream, token, in_log) in [
        ("gate-1", Some(other), "wrong token"),
        ("gate-1", None, "no token"),
        ("hall", None, "no such stream"),
    ] {
        let mut config = keys.sender(listener.local_addr(), stream);
        config.token = token;
        let (refusal, to_sender, log) = refused(&listener, &Sender::start(config).unwrap());
        assert_eq!(refusal, Some(Refusal::Unauthorized));
        assert!(to_sender.contains("token"), "{to_sender}");
        assert!(log.contains(in_log), "{log}");
    }
}

#[test]
fn a_camera_added_later_is_let_in_without_a_restart() {
    let keys = Keys::new();
    keys.token("gate-1");
    let listener = Listener::bind(keys.listener(keys.tokens())).unwrap();
    let mut config = keys.sender(listener.local_addr(), "gate-2");
    config.token = Some(keys.token("gate-2"));
    let sender = Sender::start(config).unwrap();
    refused(&listener, &sender);
    let Auth::Tokens(tokens) = keys.tokens() else {
        unreachable!()
    };
    listener.set_tokens(tokens);
    connected(&sender);
}

#[test]
fn a_certificate_opens_the_stream_it_names_and_no_other() {
    let keys = Keys::new();
    let mut config = keys.listener(Auth::ClientCertificates);
    config.tls.client_ca = Some(keys.path("ca.pem"));
    let listener = Listener::bind(config).unwrap();
    let identity = keys.camera("gate-1");
    for (stream, fits) in [("gate-1", true), ("gate-2", false)] {
        let mut config = keys.sender(listener.local_addr(), stream);
        config.tls.identity = Some(identity.clone());
        let sender = Sender::start(config).unwrap();
        if fits {
            connected(&sender);
            drop(sender);
            heard(&listener.events(), |event| {
                matches!(event, Event::Closed { .. }).then_some(())
            });
        } else {
            let (refusal, _, log) = refused(&listener, &sender);
            assert_eq!(refusal, Some(Refusal::Unauthorized));
            assert!(log.contains("another stream"), "{log}");
        }
    }
}

#[test]
fn who_has_no_certificate_is_refused_by_tls() {
    let keys = Keys::new();
    let strangers = Keys::new();
    let mut config = keys.listener(Auth::ClientCertificates);
    config.tls.client_ca = Some(keys.path("ca.pem"));
    let listener = Listener::bind(config).unwrap();
    for (identity, words) in [
        (None, "client certificate is required"),
        (Some(strangers.camera("gate-1")), "certificate"),
    ] {
        let mut config = keys.sender(listener.local_addr(), "gate-1");
        config.tls.identity = identity;
        let (refusal, to_sender, _) = refused(&listener, &Sender::start(config).unwrap());
        assert_eq!(refusal, None);
        assert!(to_sender.contains(words), "{to_sender}");
    }
}

#[test]
fn with_tokens_and_a_client_ca_either_will_do() {
    let keys = Keys::new();
    let token = keys.token("gate-1");
    let mut config = keys.listener(keys.tokens());
    config.tls.client_ca = Some(keys.path("ca.pem"));
    let listener = Listener::bind(config).unwrap();
    let mut by_token = keys.sender(listener.local_addr(), "gate-1");
    by_token.token = Some(token);
    let mut by_certificate = keys.sender(listener.local_addr(), "gate-2");
    by_certificate.tls.identity = Some(keys.camera("gate-2"));
    let senders = [
        Sender::start(by_token).unwrap(),
        Sender::start(by_certificate).unwrap(),
    ];
    senders.iter().for_each(connected);
}

#[test]
fn a_bundle_the_receiver_does_not_have_is_named_with_the_one_it_has() {
    let mut config = insecure_config();
    config.bundles = Some(vec!["cis-nano-v1".into()]);
    let listener = Listener::bind(config).unwrap();
    let sender = Sender::start(insecure_sender(listener.local_addr(), "gate-1")).unwrap();
    let (refusal, to_sender, log) = refused(&listener, &sender);
    assert_eq!(refusal, Some(Refusal::Bundle));
    for text in [to_sender, log] {
        assert!(text.contains(BUNDLE) && text.contains("cis-nano-v1"), "{text}");
    }
}

#[test]
fn a_second_publisher_of_a_name_waits_until_the_first_is_gone() {
    let listener = insecure();
    let first = Sender::start(insecure_sender(listener.local_addr(), "gate-1")).unwrap();
    connected(&first);
    let second = Sender::start(insecure_sender(listener.local_addr(), "gate-1")).unwrap();
    let (refusal, to_sender, _) = refused_after_opened(&listener, &second);
    assert_eq!(refusal, Some(Refusal::NameTaken));
    assert!(
        to_sender.contains("gate-1") && to_sender.contains("127.0.0.1"),
        "{to_sender}"
    );
    assert!(first.stats().connected);
    drop(first);
    connected(&second);
}

fn refused_after_opened(listener: &Listener, sender: &Sender) -> (Option<Refusal>, String, String) {
    heard(&listener.events(), |event| {
        matches!(event, Event::Opened { .. }).then_some(())
    });
    refused(listener, sender)
}

#[test]
fn streams_that_are_not_wanted_and_streams_too_many() {
    let mut config = insecure_config();
    config.streams = Some(vec![name("gate-1"), name("gate-2")]);
    config.limits.streams = 1;
    let listener = Listener::bind(config).unwrap();
    let hall = Sender::start(insecure_sender(listener.local_addr(), "hall")).unwrap();
    assert_eq!(refused(&listener, &hall).0, Some(Refusal::Unwanted));
    drop(hall);
    let one = Sender::start(insecure_sender(listener.local_addr(), "gate-1")).unwrap();
    connected(&one);
    let two = Sender::start(insecure_sender(listener.local_addr(), "gate-2")).unwrap();
    let (refusal, _, _) = refused_after_opened(&listener, &two);
    assert_eq!(refusal, Some(Refusal::Busy));
}

#[test]
fn a_listener_that_could_let_nobody_in_does_not_start() {
    let keys = Keys::new();
    for auth in [no_tokens(), Auth::ClientCertificates] {
        let error = Listener::bind(keys.listener(auth)).err().unwrap();
        assert!(matches!(error, Error::NoAuthentication(_)), "{error}");
        assert!(error.to_string().contains("insecure"), "{error}");
    }
    let mut nameless = keys.listener(keys_with_one_token(&keys));
    nameless.tls.identity = None;
    assert!(matches!(Listener::bind(nameless), Err(Error::Tls(_))));
    Listener::bind(keys.listener(Auth::Insecure)).unwrap();
}

fn keys_with_one_token(keys: &Keys) -> Auth {
    keys.token("gate-1");
    keys.tokens()
}

#[test]
fn a_ca_serves_to_sign_cameras_of_later_days() {
    let keys = Keys::new();
    let dir = keys.path("");
    keys::add_camera_certificate(&dir, &name("one")).unwrap();
    keys::add_camera_certificate(&dir, &name("two")).unwrap();
    let error = keys::add_camera_certificate(&dir, &name("two"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("two.pem"), "{error}");
}
