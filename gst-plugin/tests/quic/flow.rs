//! Units flow: complete, in order, across breaks, to the end.

use crate::{Keys, STREAM, camera::Camera, element_message, eos, receiver::Receiver, stat, status, wait};
use gst::prelude::*;
use std::sync::atomic::Ordering;

#[test]
fn everything_sent_before_the_end_arrives_in_order() {
    let keys = Keys::new();
    let receiver = Receiver::new(&keys, 0, "").play();
    let camera = Camera::new(&keys, receiver.port(), "").play();
    let sent: Vec<_> = (0..200).map(|_| camera.push()).collect();
    camera.end();
    eos(&camera.bus);
    assert_eq!(stat(&camera.sink, "units-confirmed"), 200);
    assert_eq!(stat(&camera.sink, "units-dropped"), 0);
    let received: Vec<_> = sent.iter().map(|_| receiver.next()).collect();
    eos(&receiver.bus);
    assert!(
        received
            .iter()
            .zip(&sent)
            .all(|(received, sent)| received.bytes == sent[..])
    );
    assert!(received[0].key && received[0].discont);
    assert!(received[1..].iter().all(|unit| !unit.discont));
    assert!(received.windows(2).all(|pair| pair[0].pts <= pair[1].pts));
    let caps = received[0].caps.structure(0).unwrap();
    assert_eq!(caps.get::<&str>("bundle"), Ok("cis-test"));
    assert_eq!(
        (caps.get::<i32>("width"), caps.get::<i32>("height")),
        (Ok(640), Ok(360))
    );
    assert_eq!(caps.get::<&str>("alignment"), Ok("frame"));
    assert_eq!(status(&camera.sink), "idle");
}

#[test]
fn both_ends_say_who_is_there() {
    let keys = Keys::new();
    let receiver = Receiver::new(&keys, 0, "").play();
    assert_eq!(status(&receiver.src), "listening");
    let camera = Camera::new(&keys, receiver.port(), "").play();
    camera.push();
    let here = element_message(&receiver.bus, "cis-link-connected");
    assert_eq!(
        (here.get::<&str>("stream"), here.get::<&str>("bundle")),
        (Ok(STREAM), Ok("cis-test"))
    );
    let there = element_message(&camera.bus, "cis-link-connected");
    assert!(
        there
            .get::<&str>("remote")
            .unwrap()
            .ends_with(&receiver.port().to_string())
    );
    receiver.next();
    assert_eq!(
        (status(&camera.sink).as_str(), status(&receiver.src).as_str()),
        ("connected", "connected")
    );
    wait("a count", || {
        (stat(&camera.sink, "units-sent") == 1).then_some(())
    });
    assert_eq!(stat(&receiver.src, "units"), 1);
    drop(camera);
    let gone = element_message(&receiver.bus, "cis-link-disconnected");
    assert_eq!(
        (gone.get::<&str>("stream"), gone.get::<bool>("finished")),
        (Ok(STREAM), Ok(false))
    );
    assert_eq!(status(&receiver.src), "listening");
}

#[test]
fn a_key_request_reaches_the_encoder() {
    let keys = Keys::new();
    let receiver = Receiver::new(&keys, 0, "").play();
    let camera = Camera::new(&keys, receiver.port(), "").play();
    camera.push();
    assert!(receiver.next().key);
    // What the connection itself asked for has been asked by now: answer it before the real request.
    wait("silence", || {
        camera.push();
        let unit = receiver.next();
        (!unit.key).then_some(())
    });
    let before = camera.asked.load(Ordering::SeqCst);
    let event = gst_video::UpstreamForceKeyUnitEvent::builder()
        .all_headers(true)
        .build();
    assert!(receiver.out.static_pad("sink").unwrap().push_event(event));
    wait("the request", || {
        (camera.asked.load(Ordering::SeqCst) > before).then_some(())
    });
    camera.push();
    assert!(receiver.next().key);
}

#[test]
fn a_receiver_that_comes_back_goes_on_at_a_key_frame() {
    let keys = Keys::new();
    let receiver = Receiver::new(&keys, 0, "").play();
    let port = receiver.port();
    let camera = Camera::new(&keys, port, "").play();
    let mut sent = vec![camera.push(), camera.push()];
    assert_eq!(
        (receiver.next().bytes, receiver.next().bytes),
        (sent[0].to_vec(), sent[1].to_vec())
    );
    drop(receiver);
    element_message(&camera.bus, "cis-link-disconnected");
    assert_eq!(status(&camera.sink), "connecting");
    sent.extend((0..5).map(|_| camera.push()));

    let receiver = Receiver::new(&keys, port, "").play();
    let mut received: Vec<_> = Vec::new();
    wait("twenty units after the break", || {
        if sent.len() < 2000 {
            sent.push(camera.push());
        }
        received.extend(std::iter::from_fn(|| receiver.try_next()));
        (received.len() >= 20).then_some(())
    });
    assert!(received[0].key && received[0].discont);
    let numbers: Vec<_> = received
        .iter()
        .map(|unit| {
            sent.iter()
                .position(|sent| *sent == unit.bytes)
                .expect("a unit that was never sent")
        })
        .collect();
    assert!(numbers[0] >= 2, "{numbers:?}: sent twice");
    for (pair, unit) in numbers.windows(2).zip(&received[1..]) {
        assert!(
            pair[1] == pair[0] + 1 || (unit.key && pair[1] > pair[0]),
            "{numbers:?}"
        );
    }
    assert_eq!(stat(&camera.sink, "reconnects"), 1);
}

#[test]
fn without_eos_on_close_the_next_camera_is_awaited() {
    let keys = Keys::new();
    let receiver = Receiver::new(&keys, 0, "eos-on-close=false").play();
    for _ in 0..2 {
        let camera = Camera::new(&keys, receiver.port(), "").play();
        let sent = camera.push();
        let unit = receiver.next();
        assert!(unit.key && unit.discont && unit.bytes == sent);
        camera.end();
        eos(&camera.bus);
        let gone = element_message(&receiver.bus, "cis-link-disconnected");
        assert_eq!(gone.get::<bool>("finished"), Ok(true));
    }
    assert!(!receiver.out.is_eos());
}

#[test]
fn buffers_that_are_no_units_are_counted_and_the_stream_goes_on() {
    let keys = Keys::new();
    let receiver = Receiver::new(&keys, 0, "").play();
    let camera = Camera::new(&keys, receiver.port(), "").play();
    let first = camera.push();
    camera.push_buffer(&[]);
    camera.push_buffer(b"not a unit at all");
    let second = camera.push();
    camera.end();
    eos(&camera.bus);
    assert_eq!(
        (receiver.next().bytes, receiver.next().bytes),
        (first.to_vec(), second.to_vec())
    );
    assert_eq!(stat(&camera.sink, "foreign-buffers"), 2);
}

#[test]
fn damaged_units_are_dropped_and_a_key_is_asked_for() {
    let keys = Keys::new();
    let receiver = Receiver::new(&keys, 0, "").play();
    let camera = Camera::new(&keys, receiver.port(), "").play();
    let first = camera.push();
    assert_eq!(receiver.next().bytes, first);
    let before = camera.asked.load(Ordering::SeqCst);
    let mut flipped = camera.push().to_vec();
    receiver.next();
    *flipped.last_mut().unwrap() ^= 0x10;
    camera.push_buffer(&flipped);
    wait("a request", || {
        (camera.asked.load(Ordering::SeqCst) > before).then_some(())
    });
    assert_eq!(stat(&receiver.src, "units-damaged"), 1);
    let sent = camera.push();
    let unit = receiver.next();
    assert!(unit.key && unit.discont && unit.bytes == sent);
}

#[test]
fn the_latency_query_tells_the_property() {
    let keys = Keys::new();
    let receiver = Receiver::new(&keys, 0, "latency=350").play();
    let camera = Camera::new(&keys, receiver.port(), "").play();
    camera.push();
    receiver.next();
    let mut query = gst::query::Latency::new();
    assert!(receiver.src.query(&mut query));
    let (live, min, _) = query.result();
    assert!(live && min == gst::ClockTime::from_mseconds(350));
}
