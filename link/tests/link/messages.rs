//! What the receiver tells the camera.

use cis_link::sender::{Event, Sender};

use crate::common::*;

#[test]
fn a_key_request_reaches_the_sender() {
    let listener = insecure();
    assert!(!listener.request_key(&name("gate-1")));
    let sender = Sender::start(insecure_sender(listener.local_addr(), "gate-1")).unwrap();
    sender.send(unit(0, true));
    connected(&sender);
    until("the stream is there", || !listener.stats().streams.is_empty());
    // The key is there, so that the sender itself asks for none.
    until("the unit is confirmed", || sender.stats().units_confirmed == 1);
    assert!(
        sender
            .events()
            .try_iter()
            .all(|event| event != Event::KeyRequested)
    );
    assert!(listener.request_key(&name("gate-1")));
    key_requested(&sender);
}

#[test]
fn layers_are_told() {
    let listener = insecure();
    let sender = Sender::start(insecure_sender(listener.local_addr(), "gate-1")).unwrap();
    connected(&sender);
    for (layer, on) in [(1, true), (255, true), (1, false)] {
        until("the stream is there", || {
            listener.set_layer(&name("gate-1"), layer, on)
        });
        let told = told(&sender, |event| match event {
            Event::Layer { layer, on } => Some((layer, on)),
            _ => None,
        });
        assert_eq!(told, (layer, on));
    }
    assert!(!listener.set_layer(&name("gate-2"), 1, true));
}
