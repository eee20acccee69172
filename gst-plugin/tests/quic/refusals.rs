//! Who is not let in, and what cannot start: told in words, with a code.

use crate::{Keys, camera::Camera, element_message, error, message, receiver::Receiver, status, wait};
use gst::prelude::*;

fn refused(camera: &Camera) -> String {
    camera.push();
    let text = message(&camera.bus, "warning", |message| match message.view() {
        gst::MessageView::Warning(warning) => Some((warning.error(), warning.error().message().to_owned())),
        _ => None,
    });
    assert!(text.0.matches(gst::ResourceError::NotAuthorized), "{text:?}");
    wait("the status", || (status(&camera.sink) == "refused").then_some(()));
    text.1
}

#[test]
fn a_wrong_token() {
    let keys = Keys::new();
    let receiver = Receiver::new(&keys, 0, "").play();
    let wrong = keys.write("wrong.token", "0123456789abcdef0123456789abcdef");
    let camera = Camera::new(&keys, receiver.port(), &format!("token-file={}", wrong.display())).play();
    let text = refused(&camera);
    assert!(text.contains("not authorized"), "{text}");
    let there = element_message(&receiver.bus, "cis-link-refused");
    assert!(there.get::<&str>("reason").is_ok_and(|reason| !reason.is_empty()));
    assert!(receiver.try_next().is_none());
}

#[test]
fn a_receiver_of_an_unknown_ca() {
    let (keys, others) = (Keys::new(), Keys::new());
    let receiver = Receiver::new(&keys, 0, "").play();
    let camera = Camera::new(
        &keys,
        receiver.port(),
        &format!("ca-file={}", others.path("ca.pem")),
    )
    .play();
    let text = refused(&camera);
    assert!(text.to_lowercase().contains("ca"), "{text}");
    assert!(text.contains("unknown"), "{text}");
}

#[test]
fn a_receiver_of_another_name() {
    let keys = Keys::new();
    let receiver = Receiver::new(&keys, 0, "").play();
    let camera = Camera::new(&keys, receiver.port(), "server-name=elsewhere.example").play();
    assert!(refused(&camera).contains("certificate"));
}

#[test]
fn a_camera_that_is_not_wanted() {
    let keys = Keys::new();
    cis_link::keys::add_camera(keys.dir(), &"hall".parse().unwrap()).unwrap();
    let receiver = Receiver::new(&keys, 0, "stream=hall").play();
    let camera = Camera::new(&keys, receiver.port(), "").play();
    let text = refused(&camera);
    assert!(text.contains("not wanted"), "{text}");
}

#[test]
fn a_camera_with_a_certificate_needs_no_token() {
    let keys = Keys::new();
    cis_link::keys::add_camera_certificate(keys.dir(), &"gate-1".parse().unwrap()).unwrap();
    let [ca, server, key] = ["ca.pem", "server.pem", "server.key"].map(|name| keys.path(name));
    let receiver = Receiver::with(&format!(
        "address=127.0.0.1 port=0 cert-file={server} key-file={key} client-ca-file={ca}"
    ))
    .play();
    let camera = Camera::with(&format!(
        "address=127.0.0.1 port={} stream=gate-1 ca-file={ca} cert-file={} key-file={}",
        receiver.port(),
        keys.path("gate-1.pem"),
        keys.path("gate-1.key"),
    ))
    .play();
    let sent = camera.push();
    assert_eq!(receiver.next().bytes, sent);
}

#[test]
fn insecure_on_both_ends_works_without_files() {
    let receiver = Receiver::with("address=127.0.0.1 port=0 insecure=true").play();
    let port = receiver.port();
    let camera = Camera::with(&format!("address=127.0.0.1 port={port} stream=x insecure=true")).play();
    let sent = camera.push();
    assert_eq!(receiver.next().bytes, sent);
}

/// The error of a pipeline that cannot start.
fn cannot_start(pipeline: &gst::Pipeline, bus: &gst::Bus, code: gst::ResourceError, words: &[&str]) {
    assert!(pipeline.set_state(gst::State::Playing).is_err());
    let (found, text) = error(bus);
    assert!(found.matches(code), "{found:?}, not {code:?}: {text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
}

#[test]
fn what_a_camera_cannot_start_with() {
    use gst::ResourceError::{NotFound, Read, Settings};
    let keys = Keys::new();
    let [ca, token, key] = ["ca.pem", "gate-1.token", "server.key"].map(|name| keys.path(name));
    let short = keys.write("short.token", "short");
    let cases = [
        (
            "stream=gate-1 ca-file=/nowhere/ca.pem".to_owned(),
            NotFound,
            vec!["/nowhere/ca.pem"],
        ),
        (
            format!("stream=gate-1 ca-file={ca} token-file=/nowhere/token"),
            NotFound,
            vec!["/nowhere/token"],
        ),
        (
            format!("stream=gate-1 token-file={}", short.display()),
            Read,
            vec!["short.token", "16 to 256"],
        ),
        (
            format!("ca-file={ca} token-file={token}"),
            Settings,
            vec!["stream name", "1 to 64"],
        ),
        (
            format!("stream=.. ca-file={ca} token-file={token}"),
            Settings,
            vec!["stream name", "\"..\""],
        ),
        (
            format!("stream=gate-1 key-file={key}"),
            Settings,
            vec!["cert-file", "unset"],
        ),
    ];
    for (properties, code, words) in cases {
        let camera = Camera::with(&properties);
        cannot_start(&camera.pipeline, &camera.bus, code, &words);
    }
}

#[test]
fn a_file_that_is_no_certificate_is_named() {
    let keys = Keys::new();
    let wrong = keys.write("wrong.pem", "hello");
    let camera = Camera::new(&keys, 4443, &format!("ca-file={}", wrong.display())).play();
    camera.push();
    let (found, text) = error(&camera.bus);
    assert!(
        found.matches(gst::ResourceError::Read) && text.contains("wrong.pem"),
        "{found:?} {text}"
    );
}

#[test]
fn what_a_receiver_cannot_start_with() {
    use gst::ResourceError::{Busy, NotAuthorized, NotFound, Settings};
    let keys = Keys::new();
    let [server, key, tokens] = ["server.pem", "server.key", "tokens.toml"].map(|name| keys.path(name));
    let identity = format!("port=0 cert-file={server} key-file={key}");
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let busy = format!("address=127.0.0.1 {identity} tokens-file={tokens} port={port}");
    let number = port.to_string();
    let cases = [
        (identity.clone(), NotAuthorized, vec!["authenticated", "insecure"]),
        (
            format!("{identity} tokens-file={tokens} insecure=true"),
            Settings,
            vec!["insecure", "tokens-file"],
        ),
        (
            format!("{identity} tokens-file=/nowhere/tokens.toml"),
            NotFound,
            vec!["/nowhere/tokens.toml"],
        ),
        (
            format!("port=0 cert-file={server} tokens-file={tokens}"),
            Settings,
            vec!["key-file"],
        ),
        (
            format!("port=0 tokens-file={tokens}"),
            Settings,
            vec!["certificate"],
        ),
        (
            format!("{identity} tokens-file={tokens} address=localhost"),
            Settings,
            vec!["localhost", "IP address"],
        ),
        (busy, Busy, vec![&number]),
    ];
    for (properties, code, words) in cases {
        let receiver = Receiver::with(&properties);
        cannot_start(&receiver.pipeline, &receiver.bus, code, &words);
    }
}
