//! Units arrive whole, in order, and all of them.

use std::time::Duration;

use cis_link::Unit;
use cis_link::listener::{Event, Listener};
use cis_link::sender::{DropReason, Outcome, Sender};

use crate::common::*;

/// Numbered units, a key every `group`.
fn some(count: u32, group: u32) -> Vec<Unit> {
    (0..count)
        .map(|n| sized(n, n % group == 0, 5 + (n as usize * 37) % 900))
        .collect()
}

fn send_all(sender: &Sender, units: &[Unit]) {
    for unit in units {
        assert_eq!(sender.send(unit.clone()), Outcome::Queued);
    }
}

#[test]
fn finish_delivers_everything_that_was_queued_before_there_was_a_connection() {
    let listener = insecure();
    let sender = Sender::start(insecure_sender(listener.local_addr(), "gate-1")).unwrap();
    let sent = some(200, 7);
    send_all(&sender, &sent);
    let events = listener.events();
    let receiver = std::thread::Builder::new()
        .spawn(move || units_until_closed(&events, "gate-1"))
        .unwrap();
    assert!(sender.finish(DEADLINE));
    let (units, finished, reason) = receiver.join().unwrap();
    assert!(finished, "{reason}");
    assert_eq!(units, sent);
}

#[test]
fn everything_is_counted_on_both_ends() {
    let listener = insecure();
    let sender = Sender::start(insecure_sender(listener.local_addr(), "gate-1")).unwrap();
    let sent = some(30, 10);
    send_all(&sender, &sent);
    until("all are confirmed", || sender.stats().units_confirmed == 30);
    let bytes: u64 = sent.iter().map(|unit| unit.data.len() as u64).sum();
    let stats = sender.stats();
    assert_eq!((stats.units_sent, stats.groups, stats.unit_bytes), (30, 3, bytes));
    assert_eq!((stats.units_dropped, stats.units_lost, stats.queued), (0, 0, 0));
    assert!(stats.udp_bytes_sent > bytes && stats.rtt.is_some());
    let there = listener.stats();
    let stream = &there.streams[0];
    assert_eq!((stream.units, stream.unit_bytes, stream.queued), (30, bytes, 30));
    assert!(stream.udp_bytes_received > bytes);
    assert_eq!((there.connections, there.accepted, there.refused), (1, 1, 0));
}

#[test]
fn groups_and_keys_are_told_with_each_unit() {
    let listener = insecure();
    let sender = Sender::start(insecure_sender(listener.local_addr(), "gate-1")).unwrap();
    send_all(&sender, &some(9, 3));
    let events = listener.events();
    for n in 0..9 {
        let (unit, group) = heard(&events, |event| match event {
            Event::Unit { unit, group, .. } => Some((unit, group)),
            _ => None,
        });
        assert_eq!(
            (number(&unit), unit.key, group),
            (n, n % 3 == 0, u64::from(n / 3))
        );
    }
}

#[test]
fn twenty_streams_at_once_do_not_mix() {
    let listener = insecure();
    let events = listener.events();
    let senders: Vec<_> = (0..20)
        .map(|n| Sender::start(insecure_sender(listener.local_addr(), &format!("cam-{n}"))).unwrap())
        .collect();
    for n in 0..100 {
        for (camera, sender) in (0u8..).zip(&senders) {
            let mut data = vec![camera; 200];
            data[..4].copy_from_slice(&u32::to_be_bytes(n));
            sender.send(Unit {
                data: data.into(),
                key: n % 25 == 0,
            });
        }
    }
    let enders: Vec<_> = senders
        .into_iter()
        .map(|sender| {
            std::thread::Builder::new()
                .spawn(move || sender.finish(DEADLINE))
                .unwrap()
        })
        .collect();
    let (mut next, mut finished) = ([0u32; 20], 0);
    while finished < 20 {
        match events.recv_timeout(DEADLINE).unwrap() {
            Event::Unit { stream, unit, .. } => {
                let camera: usize = stream.as_str().trim_start_matches("cam-").parse().unwrap();
                assert_eq!(number(&unit), next[camera]);
                assert!(unit.data[4..].iter().all(|&byte| usize::from(byte) == camera));
                next[camera] += 1;
            }
            Event::Closed {
                finished: whole,
                reason,
                ..
            } => {
                assert!(whole, "{reason}");
                finished += 1;
            }
            _ => {}
        }
    }
    assert_eq!(next, [100; 20]);
    assert!(enders.into_iter().all(|ender| ender.join().unwrap()));
}

#[test]
fn a_slow_application_makes_the_sender_wait_and_loses_nothing() {
    let mut config = insecure_config();
    config.limits.queue = 4;
    let listener = Listener::bind(config).unwrap();
    let mut config = insecure_sender(listener.local_addr(), "gate-1");
    (config.queue, config.queue_bytes) = (1000, 64 << 20);
    // A receiver this slow has its cameras give up groups, unless they are patient without end.
    config.latency_budget = std::time::Duration::ZERO;
    let sender = Sender::start(config).unwrap();
    // More than all windows between the two ends hold.
    let sent: Vec<_> = (0..300).map(|n| sized(n, n % 50 == 0, 20_000)).collect();
    send_all(&sender, &sent);
    until("reading stalls", || {
        listener
            .stats()
            .streams
            .first()
            .is_some_and(|stream| stream.stalls > 0)
    });
    until("units wait at the sender, and the listener knows", || {
        listener
            .stats()
            .streams
            .first()
            .is_some_and(|stream| stream.backlog.units > 0)
    });
    let waiting = listener.stats().streams[0].queued;
    assert!(waiting <= 4, "{waiting} units wait where 4 may");
    let events = listener.events();
    let receiver = std::thread::Builder::new()
        .spawn(move || units_until_closed(&events, "gate-1"))
        .unwrap();
    assert!(sender.finish(DEADLINE));
    let (units, finished, _) = receiver.join().unwrap();
    assert!(finished);
    assert_eq!(units.len(), 300);
    assert!(units == sent);
}

#[test]
fn a_full_queue_drops_to_the_next_key_and_asks_for_it() {
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    let mut config = insecure_sender(address, "gate-1");
    config.queue = 8;
    let sender = Sender::start(config).unwrap();
    for n in 0..8 {
        assert_eq!(sender.send(unit(n, n == 0)), Outcome::Queued);
    }
    assert_eq!(
        sender.send(unit(8, false)),
        Outcome::Dropped(DropReason::QueueFull)
    );
    assert_eq!(
        sender.send(unit(9, false)),
        Outcome::Dropped(DropReason::AwaitingKey)
    );
    let stats = sender.stats();
    assert_eq!(
        (stats.queued, stats.units_dropped, stats.connected),
        (8, 2, false)
    );
    // Somebody listens after all: what waited goes out, and the sender asks how to go on.
    drop(nobody);
    let mut config = insecure_config();
    config.bind = address;
    let listener = Listener::bind(config).unwrap();
    key_requested(&sender);
    assert_eq!(
        sender.send(unit(10, false)),
        Outcome::Dropped(DropReason::AwaitingKey)
    );
    assert_eq!(sender.send(unit(11, true)), Outcome::Queued);
    assert!(sender.finish(DEADLINE));
    let (units, finished, _) = units_until_closed(&listener.events(), "gate-1");
    assert!(finished);
    assert_eq!(
        units.iter().map(number).collect::<Vec<_>>(),
        [0, 1, 2, 3, 4, 5, 6, 7, 11]
    );
}

#[test]
fn finish_without_a_receiver_gives_up_at_the_deadline() {
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let config = || insecure_sender(nobody.local_addr().unwrap(), "gate-1");
    let sender = Sender::start(config()).unwrap();
    sender.send(unit(0, true));
    assert!(!sender.finish(Duration::from_millis(50)));
    // With nothing to deliver there is nothing to wait for.
    assert!(Sender::start(config()).unwrap().finish(DEADLINE));
}

#[test]
fn a_name_that_does_not_resolve_is_tried_again() {
    let mut config = insecure_sender(([127, 0, 0, 1], 9).into(), "gate-1");
    config.address = "no-such-host.invalid".into();
    let sender = Sender::start(config).unwrap();
    for _ in 0..2 {
        let (reason, refused) = trouble(&sender);
        assert!(!refused && reason.contains("no-such-host.invalid"), "{reason}");
    }
}
