//! Settings out of range, and peers too many.

use std::net::UdpSocket;
use std::time::Duration;

use cis_link::Error;
use cis_link::listener::Listener;
use cis_link::sender::{BackoffRange, Sender};
use cis_link::wire::ALPN;

use crate::common::*;

#[test]
fn connections_have_a_limit() {
    let mut config = insecure_config();
    config.limits.connections = 2;
    config.limits.retry = false;
    let listener = Listener::bind(config).unwrap();
    let to = listener.local_addr();
    block_on(async {
        // The second has to show first that its address is its own.
        let held = [
            raw_client(to, ALPN).await.unwrap(),
            raw_client(to, ALPN).await.unwrap(),
        ];
        let error = raw_client(to, ALPN).await.unwrap_err();
        assert!(error.to_string().contains("refused"), "{error}");
        held.iter()
            .for_each(|connection| connection.close(0u32.into(), b""));
    });
    until("they are gone", || listener.stats().connections == 0);
    let sender = Sender::start(insecure_sender(to, "gate-1")).unwrap();
    connected(&sender);
}

#[test]
fn a_unit_too_large_for_the_receiver_is_dropped_with_its_group() {
    let mut config = insecure_config();
    config.limits.unit_bytes = 1024;
    let listener = Listener::bind(config).unwrap();
    let sender = Sender::start(insecure_sender(listener.local_addr(), "gate-1")).unwrap();
    for (n, key, size) in [
        (0, true, 1024),
        (1, false, 1025),
        (2, false, 10),
        (3, true, 2000),
        (4, true, 10),
    ] {
        sender.send(sized(n, key, size));
    }
    until("the last is confirmed", || sender.stats().units_confirmed == 2);
    assert_eq!(sender.stats().units_dropped, 3);
    assert!(sender.finish(DEADLINE));
    let (units, finished, _) = units_until_closed(&listener.events(), "gate-1");
    assert!(finished);
    assert_eq!(units.iter().map(number).collect::<Vec<_>>(), [0, 4]);
}

#[test]
fn settings_of_a_sender_out_of_range_are_named() {
    type Change = fn(&mut cis_link::sender::Config);
    let cases: [(&str, Change); 9] = [
        ("address", |c| c.address.clear()),
        ("port", |c| c.port = 0),
        ("bundle", |c| c.bundle = "x".repeat(64)),
        ("queue = 0", |c| c.queue = 0),
        ("queue_bytes", |c| c.queue_bytes = 1),
        ("send_window", |c| c.send_window = 1),
        ("backoff", |c| {
            c.backoff = BackoffRange {
                min: Duration::ZERO,
                max: Duration::ZERO,
            }
        }),
        ("idle_timeout", |c| c.idle_timeout = Duration::from_millis(999)),
        ("keep_alive", |c| c.keep_alive = c.idle_timeout),
    ];
    for (word, change) in cases {
        let mut config = insecure_sender(([127, 0, 0, 1], 9).into(), "gate-1");
        change(&mut config);
        let error = Sender::start(config).err().unwrap();
        assert!(matches!(error, Error::Setting { .. }), "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn settings_of_a_listener_out_of_range_are_named() {
    type Change = fn(&mut cis_link::listener::Config);
    let cases: [(&str, Change); 7] = [
        ("connections = 0", |c| c.limits.connections = 0),
        ("streams = 0", |c| c.limits.streams = 0),
        ("unit_bytes", |c| c.limits.unit_bytes = 100),
        ("queue = 0", |c| c.limits.queue = 0),
        ("queue_bytes", |c| c.limits.queue_bytes = 100),
        ("multiplied", |c| {
            (c.limits.streams, c.limits.queue) = (65536, 4096)
        }),
        ("idle_timeout", |c| {
            c.limits.idle_timeout = Duration::from_secs(601)
        }),
    ];
    for (word, change) in cases {
        let mut config = insecure_config();
        change(&mut config);
        let error = Listener::bind(config).err().unwrap();
        assert!(matches!(error, Error::Setting { .. }), "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn handshakes_of_one_address_have_a_limit() {
    let mut config = insecure_config();
    config.limits.handshakes_per_second = 1;
    let listener = Listener::bind(config).unwrap();
    let senders: Vec<_> = (0..15)
        .map(|n| Sender::start(insecure_sender(listener.local_addr(), &format!("gate-{n}"))).unwrap())
        .collect();
    until("some are ignored", || listener.stats().refused > 0);
    until("ten are in", || listener.stats().accepted >= 10);
    drop(senders);
}

#[test]
fn a_stream_that_sends_more_than_its_bytes_per_second_is_made_to_wait() {
    let mut config = insecure_config();
    config.limits.bytes_per_second = 8 << 10;
    let listener = Listener::bind(config).unwrap();
    let sender = Sender::start(insecure_sender(listener.local_addr(), "gate-1")).unwrap();
    connected(&sender);
    let throttled = || {
        listener
            .stats()
            .streams
            .iter()
            .map(|stream| stream.throttled)
            .sum::<u64>()
    };
    // Two seconds' worth may come at once.
    for n in 0..8 {
        sender.send(sized(n, n == 0, 1 << 10));
    }
    until("all of it came", || sender.stats().units_confirmed == 8);
    assert_eq!(throttled(), 0);
    for n in 8..40 {
        sender.send(sized(n, false, 1 << 10));
    }
    until("the rest came", || sender.stats().units_confirmed == 40);
    assert!(throttled() >= 8, "{}", throttled());
    assert_eq!(sender.stats().units_dropped, 0);
}

/// Hands the first packet of a client to the listener, and looks at the first one of the answer.
#[test]
fn an_address_shows_first_that_it_is_its_own() {
    let answered_by_retry = |retry| {
        let mut config = insecure_config();
        config.limits.retry = retry;
        let listener = Listener::bind(config).unwrap();
        let between = UdpSocket::bind("127.0.0.1:0").unwrap();
        between.set_read_timeout(Some(DEADLINE)).unwrap();
        let sender = Sender::start(insecure_sender(between.local_addr().unwrap(), "gate-1")).unwrap();
        let mut packet = [0; 2048];
        let (length, _) = between.recv_from(&mut packet).unwrap();
        drop(sender);
        between.send_to(&packet[..length], listener.local_addr()).unwrap();
        loop {
            let (_, from) = between.recv_from(&mut packet).unwrap();
            if from == listener.local_addr() {
                // Long header, type 3 (RFC 9000, section 17.2.5).
                return packet[0] & 0xF0 == 0xF0;
            }
        }
    };
    assert!(answered_by_retry(true));
    assert!(!answered_by_retry(false));
}
