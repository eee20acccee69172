//! The enhancement layer through both elements: asked for, sent behind its frames, begun anew.

use crate::{Keys, camera::Camera, element_message, receiver::Receiver, stat, wait};
use gst::prelude::*;
use std::time::Instant;

fn wished(camera: &Camera, wish: (bool, bool)) {
    wait("a wish", || {
        (camera.wishes.lock().last() == Some(&wish)).then_some(())
    });
}

/// Pushes the next frame and what enhances it, the one when the other is out.
fn both(camera: &Camera, receiver: &Receiver, key: bool) -> [crate::receiver::Received; 2] {
    camera.push();
    let frame = receiver.next();
    wait("an empty queue", || {
        (stat(&camera.sink, "queued") == 0).then_some(())
    });
    let sent = camera.enhance(key);
    let enhancement = receiver.next();
    assert_eq!(enhancement.bytes, sent[..]);
    [frame, enhancement]
}

#[test]
fn it_comes_behind_its_frames_while_it_is_wanted() {
    let keys = Keys::new();
    let receiver = Receiver::new(&keys, 0, "").play();
    let camera = Camera::new(&keys, receiver.port(), "").play();
    camera.push();
    receiver.next();
    // Nobody wants it: it does not even leave the camera.
    camera.enhance(true);
    wait("a count", || {
        (stat(&camera.sink, "enhancement-dropped") == 1).then_some(())
    });
    assert!(camera.wishes.lock().is_empty());

    let since = Instant::now();
    receiver.src.set_property("enhancement", true);
    wished(&camera, (true, false));
    println!("switched on in {:?}", since.elapsed());
    for n in 0..10 {
        let [frame, enhancement] = both(&camera, &receiver, n == 0);
        assert_eq!(enhancement.pts, frame.pts);
        assert!(!enhancement.key && !enhancement.discont);
    }
    assert_eq!(stat(&receiver.src, "enhancement-units"), 10);
    assert_eq!(
        (stat(&receiver.src, "units"), stat(&receiver.src, "units-damaged")),
        (11, 0)
    );

    let since = Instant::now();
    receiver.src.set_property("enhancement", false);
    wished(&camera, (false, false));
    println!("switched off in {:?}", since.elapsed());
    camera.push();
    assert!(!receiver.next().key, "layer 0 noticed nothing");
}

#[test]
fn a_unit_that_continues_nothing_is_dropped_and_a_new_beginning_asked_for() {
    let keys = Keys::new();
    let receiver = Receiver::new(&keys, 0, "enhancement=true").play();
    let camera = Camera::new(&keys, receiver.port(), "").play();
    wished(&camera, (true, false));
    camera.push();
    receiver.next();
    // The first frame may have come before the encoder heard of the request for a key.
    let [_, enhancement] = both(&camera, &receiver, true);
    camera.push();
    receiver.next();
    wait("an empty queue", || {
        (stat(&camera.sink, "queued") == 0).then_some(())
    });
    // A key of the layer, but damaged.
    let mut damaged = enhancement.bytes.clone();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    camera.push_buffer(&damaged);
    wished(&camera, (true, true));
    assert!(stat(&receiver.src, "enhancement-dropped") >= 1);
    both(&camera, &receiver, true);
    assert_eq!(stat(&receiver.src, "units-damaged"), 0);
}

#[test]
fn a_decoder_downstream_can_ask_for_a_new_beginning() {
    let keys = Keys::new();
    let receiver = Receiver::new(&keys, 0, "").play();
    let camera = Camera::new(&keys, receiver.port(), "").play();
    camera.push();
    receiver.next();
    for wish in [(true, false), (true, true), (false, false)] {
        let structure = gst::Structure::builder("cis-layer")
            .field("layer", 1u32)
            .field("on", wish.0)
            .field("restart", wish.1);
        let event = gst::event::CustomUpstream::new(structure.build());
        assert!(receiver.out.static_pad("sink").unwrap().push_event(event));
        wished(&camera, wish);
        assert_eq!(receiver.src.property::<bool>("enhancement"), wish.0);
    }
}

#[test]
fn without_a_receiver_nobody_wants_it_and_a_receiver_that_comes_back_says_so_again() {
    let keys = Keys::new();
    let receiver = Receiver::new(&keys, 0, "enhancement=true").play();
    let port = receiver.port();
    let camera = Camera::new(&keys, port, "").play();
    wished(&camera, (true, false));
    drop(receiver);
    element_message(&camera.bus, "cis-link-disconnected");
    wished(&camera, (false, false));
    let _receiver = Receiver::new(&keys, port, "enhancement=true").play();
    wished(&camera, (true, false));
    assert_eq!(
        *camera.wishes.lock(),
        [(true, false), (false, false), (true, false)]
    );
}
