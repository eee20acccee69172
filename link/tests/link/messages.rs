//! What the receiver tells the camera.

use cis_link::listener::{self, Listener};
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
fn a_key_that_is_on_its_way_answers_the_request() {
    let mut config = insecure_config();
    config.limits.queue = 1;
    let listener = Listener::bind(config).unwrap();
    let sender = Sender::start(insecure_sender(listener.local_addr(), "gate-1")).unwrap();
    // The application takes nothing yet, so that the second key is sent and waits behind the first.
    for n in 0..3 {
        sender.send(unit(n, n != 1));
    }
    until("all are sent", || {
        let stats = sender.stats();
        (stats.units_sent, stats.units_confirmed) == (3, 1)
    });
    assert!(listener.request_key(&name("gate-1")));
    assert!(listener.set_layer(&name("gate-1"), 1, true));
    told(&sender, |event| match event {
        Event::KeyRequested => panic!("asked for a key while one was on its way"),
        Event::Layer { .. } => Some(()),
        _ => None,
    });
    for n in 0..3 {
        let unit = heard(&listener.events(), |event| match event {
            listener::Event::Unit { unit, .. } => Some(unit),
            _ => None,
        });
        assert_eq!(number(&unit), n);
    }
    until("all are confirmed", || sender.stats().units_confirmed == 3);
    assert!(!sender.key_wanted());
    assert!(listener.request_key(&name("gate-1")));
    key_requested(&sender);
    assert!(sender.key_wanted());
    sender.send(unit(3, true));
    assert!(!sender.key_wanted());
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
