//! The enhancement layer: sent while it is wanted, in its place, and never in the way of layer 0.

use cis_link::listener::{self, Events};
use cis_link::sender::{DropReason, Event, Outcome, Sender, SpoolConfig};

use crate::common::*;

const GONE: Outcome = Outcome::Dropped(DropReason::Enhancement);

fn asked(sender: &Sender) -> bool {
    told(sender, |event| match event {
        Event::Layer { layer: 1, on } => Some(on),
        _ => None,
    })
}

fn next(events: &Events) -> (u32, bool, bool) {
    heard(events, |event| match event {
        listener::Event::Unit {
            unit, enhancement, ..
        } => Some((number(&unit), unit.key, enhancement)),
        _ => None,
    })
}

/// Sends a unit of layer 0, and waits until it is out of the queue.
fn base(sender: &Sender, n: u32, key: bool) {
    assert_eq!(sender.send(unit(n, key)), Outcome::Queued);
    until("the queue is empty", || sender.stats().queued == 0);
}

#[test]
fn nobody_wants_it_until_somebody_does() {
    let listener = insecure();
    let sender = Sender::start(insecure_sender(listener.local_addr(), "gate-1")).unwrap();
    connected(&sender);
    base(&sender, 0, true);
    assert_eq!(sender.send_enhancement(unit(1, true)), GONE);
    until("the stream is there", || {
        listener.set_layer(&name("gate-1"), 1, true)
    });
    assert!(asked(&sender));
    assert_eq!(
        sender.send_enhancement(unit(2, false)),
        GONE,
        "it begins with a key"
    );
    assert_eq!(sender.send_enhancement(unit(3, true)), Outcome::Queued);
    until("the queue is empty", || sender.stats().queued == 0);
    assert_eq!(sender.send_enhancement(unit(4, false)), Outcome::Queued);
    until("the queue is empty", || sender.stats().queued == 0);
    base(&sender, 5, false);
    let events = listener.events();
    let got: Vec<_> = (0..4).map(|_| next(&events)).collect();
    let in_place = [
        (0, true, false),
        (3, false, true),
        (4, false, true),
        (5, false, false),
    ];
    assert_eq!(got, in_place);
    until("both are confirmed", || {
        let there = listener.stats();
        let stream = &there.streams[0];
        (stream.units, stream.enhancement_units, stream.enhancement_bytes) == (2, 2, 80)
    });
    let stats = sender.stats();
    assert_eq!((stats.units_sent, stats.enhancement_units), (2, 2));
    assert_eq!((stats.units_dropped, stats.enhancement_dropped), (0, 2));
    assert!(listener.set_layer(&name("gate-1"), 1, false));
    assert!(!asked(&sender));
    assert_eq!(sender.send_enhancement(unit(6, false)), GONE);
}

#[test]
fn an_enhancement_that_had_to_yield_is_begun_again_and_layer_0_goes_on() {
    let listener = insecure();
    let sender = Sender::start(insecure_sender(listener.local_addr(), "gate-1")).unwrap();
    connected(&sender);
    until("the stream is there", || {
        listener.set_layer(&name("gate-1"), 1, true)
    });
    assert!(asked(&sender));
    base(&sender, 0, true);
    assert_eq!(sender.send_enhancement(unit(1, true)), Outcome::Queued);
    until("the queue is empty", || sender.stats().queued == 0);
    // So large a unit would keep layer 0 waiting on a thin link.
    assert_eq!(sender.send_enhancement(sized(2, false, 100_000)), GONE);
    assert_eq!(sender.send_enhancement(unit(3, false)), GONE);
    let mut broken = 0;
    told(&sender, |event| match event {
        Event::EnhancementBroken => {
            broken += 1;
            Some(())
        }
        Event::KeyRequested => panic!("layer 0 was not broken"),
        _ => None,
    });
    assert_eq!(broken, 1);
    base(&sender, 4, false);
    assert_eq!(sender.send_enhancement(unit(5, true)), Outcome::Queued);
    let events = listener.events();
    let got: Vec<_> = (0..4).map(|_| next(&events).0).collect();
    assert_eq!(got, [0, 1, 4, 5]);
}

#[test]
fn a_wish_holds_for_the_next_connection_of_the_name() {
    let listener = insecure();
    assert!(!listener.set_layer(&name("gate-1"), 1, true), "it is not there");
    for _ in 0..2 {
        let sender = Sender::start(insecure_sender(listener.local_addr(), "gate-1")).unwrap();
        assert!(asked(&sender));
        drop(sender);
    }
    listener.set_layer(&name("gate-1"), 1, false);
    let sender = Sender::start(insecure_sender(listener.local_addr(), "gate-1")).unwrap();
    connected(&sender);
    until("the stream is there", || {
        listener.set_layer(&name("gate-1"), 255, true)
    });
    let first = told(&sender, |event| match event {
        Event::Layer { layer, .. } => Some(layer),
        _ => None,
    });
    assert_eq!(first, 255, "layer 1 is wanted no longer");
}

#[test]
fn it_is_not_kept_in_the_spool_and_does_not_disturb_its_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let listener = insecure();
    let mut config = insecure_sender(listener.local_addr(), "gate-1");
    config.spool = Some(SpoolConfig {
        dir: dir.path().join("spool"),
        max_bytes: 4 << 20,
    });
    let sender = Sender::start(config).unwrap();
    connected(&sender);
    until("the stream is there", || {
        listener.set_layer(&name("gate-1"), 1, true)
    });
    assert!(asked(&sender));
    let events = listener.events();
    for n in 0..10 {
        assert_eq!(sender.send(unit(2 * n, n == 0)), Outcome::Queued);
        until("the queue is empty", || sender.stats().queued == 0);
        assert_eq!(sender.send_enhancement(unit(2 * n + 1, n == 0)), Outcome::Queued);
        assert_eq!(next(&events), (2 * n, n == 0, false));
        assert_eq!(next(&events), (2 * n + 1, false, true));
    }
    until("all of layer 0 is stored", || sender.stats().spool_units == 0);
    assert!(sender.finish(DEADLINE));
}
