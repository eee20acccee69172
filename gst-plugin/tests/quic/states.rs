//! State changes return, whatever the network does or does not do.

use crate::{DEADLINE, Keys, camera::Camera, eos, message, receiver::Receiver, stat, status};
use gst::prelude::*;
use std::time::{Duration, Instant};

/// A port where nobody answers: bound, so that nobody else takes it.
fn silent() -> (std::net::UdpSocket, u16) {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

#[test]
fn a_camera_without_receiver_neither_blocks_nor_hangs() {
    let keys = Keys::new();
    let (_socket, port) = silent();
    let camera = Camera::new(&keys, port, "queue-size=16 eos-timeout=100").play();
    for _ in 0..600 {
        camera.push();
    }
    // Its thread may not have begun on a busy machine.
    let patience = Instant::now() + DEADLINE;
    while status(&camera.sink) != "connecting" {
        assert!(Instant::now() < patience, "it is {}", status(&camera.sink));
        std::thread::sleep(Duration::from_millis(5));
    }
    camera.end();
    let warning = message(&camera.bus, "warning of the end", |message| {
        match message.view() {
            gst::MessageView::Warning(warning) if warning.error().matches(gst::ResourceError::Write) => {
                Some(warning.error().message().to_owned())
            }
            _ => None,
        }
    });
    assert!(warning.contains("not confirmed"), "{warning}");
    eos(&camera.bus);
    // The first sixteen wait; nothing was lost in silence.
    assert_eq!(
        stat(&camera.sink, "units-dropped") + stat(&camera.sink, "queued"),
        600
    );
    camera.pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn a_camera_that_ends_can_be_stopped_at_once() {
    let keys = Keys::new();
    let (_socket, port) = silent();
    // Waiting this long would be killed as a hanging test.
    let camera = Camera::new(&keys, port, "eos-timeout=600000").play();
    camera.push();
    camera.end();
    camera.pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(status(&camera.sink), "idle");
}

#[test]
fn a_camera_can_be_started_again() {
    let keys = Keys::new();
    let receiver = Receiver::new(&keys, 0, "eos-on-close=false").play();
    let port = receiver.port();
    let camera = Camera::new(&keys, port, "").play();
    let sent = camera.push();
    assert_eq!(receiver.next().bytes, sent);
    for state in [gst::State::Null, gst::State::Playing] {
        camera.pipeline.set_state(state).unwrap();
    }
    // The link asks for the key frame that a new connection needs.
    let unit = crate::wait("a unit of the second run", || {
        camera.push();
        receiver.try_next()
    });
    assert!(unit.key && unit.discont);
}

#[test]
fn a_receiver_without_camera_changes_states_at_once() {
    let keys = Keys::new();
    let receiver = Receiver::new(&keys, 0, "");
    // A sink that waits for its first buffer would wait for a camera.
    receiver.out.set_property("async", false);
    use gst::State::{Null, Paused, Playing, Ready};
    for state in [
        Ready, Paused, Playing, Paused, Playing, Ready, Playing, Null, Playing, Null,
    ] {
        receiver.pipeline.set_state(state).unwrap();
        let (result, now, _) = receiver.pipeline.state(gst::ClockTime::from_seconds(30));
        assert!(result.is_ok() && now == state, "{state:?}: {result:?} {now:?}");
    }
    assert_eq!(status(&receiver.src), "idle");
}

#[test]
fn a_paused_receiver_goes_on() {
    let keys = Keys::new();
    let receiver = Receiver::new(&keys, 0, "").play();
    let camera = Camera::new(&keys, receiver.port(), "").play();
    let first = camera.push();
    assert_eq!(receiver.next().bytes, first);
    receiver.pipeline.set_state(gst::State::Paused).unwrap();
    let second = camera.push();
    receiver.pipeline.set_state(gst::State::Playing).unwrap();
    assert_eq!(receiver.next().bytes, second);
}
