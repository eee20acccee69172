//! Peers that speak QUIC and not our protocol. The listener refuses them and lives on.

use std::net::SocketAddr;

use cis_link::listener::{Event, Listener};
use cis_link::sender::Sender;
use cis_link::wire::message::{Hello, INSTANCE_LEN};
use cis_link::wire::{ALPN, Close, Message, VERSION, group};
use quinn::{Connection, ConnectionError, RecvStream, SendStream};

use crate::common::*;

fn plain(number: u64) -> bytes::Bytes {
    let keeping = group::Keeping::No;
    group::preamble(group::Begin { number, keeping })
}

/// The code that the listener closed with, and what it said.
async fn closed(connection: &Connection) -> (Close, String) {
    match connection.closed().await {
        ConnectionError::ApplicationClosed(close) => {
            let text = String::from_utf8_lossy(&close.reason).into_owned();
            (Close::from_code(close.error_code.into_inner()), text)
        }
        other => panic!("ended by {other}"),
    }
}

fn hello(stream: &str) -> Vec<u8> {
    let (stream, bundle) = (stream.to_owned(), BUNDLE.to_owned());
    let instance = [3; INSTANCE_LEN];
    Message::Hello(Hello {
        version: VERSION,
        stream,
        bundle,
        token: Vec::new(),
        instance,
        spool: None,
    })
    .encode()
}

/// A raw client that is let in.
async fn admitted(to: SocketAddr, stream: &str) -> (Connection, SendStream, RecvStream) {
    let connection = raw_client(to, ALPN).await.unwrap();
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    send.write_all(&hello(stream)).await.unwrap();
    assert!(recv.read_chunk(64, true).await.unwrap().is_some());
    (connection, send, recv)
}

/// An honest sender is served.
fn lives(listener: &Listener) {
    let sender = Sender::start(insecure_sender(listener.local_addr(), "honest")).unwrap();
    sender.send(unit(0, true));
    assert!(sender.finish(DEADLINE));
    let (units, finished, _) = units_until_closed(&listener.events(), "honest");
    assert!(finished && units.len() == 1);
}

#[test]
fn garbage_in_place_of_a_hello() {
    let listener = insecure();
    let mut noise = 7u32;
    let mut garbage = |len| -> Vec<u8> {
        let mut byte = || {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 24) as u8
        };
        (0..len).map(|_| byte()).collect()
    };
    let mut refused = 0;
    for (bytes, word) in [
        (vec![1, 0x60, 0], "4096"),
        (vec![1, 0], "missing"),
        (vec![3, 0], "in place of the hello"),
        (vec![1, 2, 1, 9], "past the end"),
        ([vec![0xc0; 8], garbage(4000)].concat(), ""),
        ([vec![1, 0x50, 0], garbage(4096)].concat(), ""),
    ] {
        let (close, text) = block_on(async {
            let connection = raw_client(listener.local_addr(), ALPN).await.unwrap();
            let (mut send, _recv) = connection.open_bi().await.unwrap();
            send.write_all(&bytes).await.unwrap();
            // Whatever length the garbage promised, there is no more.
            send.finish().unwrap();
            closed(&connection).await
        });
        assert_eq!(close, Close::Violation, "{text}");
        assert!(text.contains(word), "{text}");
        refused += 1;
    }
    until("all are counted", || listener.stats().refused == refused);
    lives(&listener);
}

#[test]
fn garbage_after_the_hello() {
    let listener = insecure();
    for (bytes, word) in [
        (hello("gate-1"), "not for a listener"),
        (Message::Finished.encode(), "not for a listener"),
        (vec![7, 3, 1, 1, 0xff], "not a number"),
    ] {
        let (close, text) = block_on(async {
            let (connection, mut send, _recv) = admitted(listener.local_addr(), "gate-1").await;
            send.write_all(&bytes).await.unwrap();
            closed(&connection).await
        });
        assert_eq!(close, Close::Violation);
        assert!(text.contains(word), "{text}");
        let (_, finished, reason) = units_until_closed(&listener.events(), "gate-1");
        assert!(!finished && reason.contains(word), "{reason}");
    }
    lives(&listener);
}

#[test]
fn groups_that_are_none() {
    let mut config = insecure_config();
    config.limits.unit_bytes = 1024;
    let listener = Listener::bind(config).unwrap();
    let head = plain(0).to_vec();
    for (bytes, word) in [
        ([&head[..], &[0x44, 0x01]].concat(), "unit of 1025 bytes"),
        ([&head[..], &[0xff; 8]].concat(), "unit of"),
        ([&head[..], &[0]].concat(), "enhancement unit first"),
        ([&head[..], &[1, 7, 0, 0]].concat(), "unit of 0 bytes"),
        ([&head[..], &[1, 7, 0, 3, 1]].concat(), "inside a unit"),
        ([&head[..], &[9, 1, 2, 3]].concat(), "inside a unit"),
        (plain(5).to_vec(), "group 5 in place of group 0"),
        (vec![8, 0], "type 0x8"),
        (vec![], "inside its preamble"),
    ] {
        let (close, text) = block_on(async {
            let (connection, _send, _recv) = admitted(listener.local_addr(), "gate-1").await;
            let mut stream = connection.open_uni().await.unwrap();
            stream.write_all(&bytes).await.unwrap();
            stream.finish().unwrap();
            closed(&connection).await
        });
        assert_eq!(close, Close::Violation);
        assert!(text.contains(word), "{text}");
        let (units, _, _) = units_until_closed(&listener.events(), "gate-1");
        assert!(units.iter().all(|unit| unit.data[..] == [7]));
    }
    lives(&listener);
}

#[test]
fn groups_given_up_and_groups_that_come_early() {
    let listener = insecure();
    let bytes = |n: u64, unit: &'static [u8]| {
        let unit = bytes::Bytes::from_static(unit);
        [&plain(n)[..], &group::length(&unit), &unit].concat()
    };
    let events = listener.events();
    block_on(async {
        let (connection, _send, _recv) = admitted(listener.local_addr(), "gate-1").await;
        let mut first = connection.open_uni().await.unwrap();
        let mut second = connection.open_uni().await.unwrap();
        let mut third = connection.open_uni().await.unwrap();
        // The third is there first and waits; the second is given up before it said anything.
        third.write_all(&bytes(2, b"three")).await.unwrap();
        third.finish().unwrap();
        second.reset(0u32.into()).unwrap();
        third.stopped().await.unwrap();
        first.write_all(&bytes(0, b"one")).await.unwrap();
        first.finish().unwrap();
        let mut seen = Vec::new();
        while seen.len() < 3 {
            match events.try_recv() {
                Ok(Event::Unit { unit, group, .. }) => seen.push((group, unit.key, unit.data.to_vec())),
                Ok(Event::GroupReset { group, .. }) => seen.push((group, false, Vec::new())),
                Ok(_) => {}
                Err(_) => tokio::task::yield_now().await,
            }
        }
        assert_eq!(
            seen,
            [
                (0, true, b"one".to_vec()),
                (1, false, Vec::new()),
                (2, true, b"three".to_vec())
            ]
        );
    });
    assert_eq!(events.try_recv().map(|_| ()).ok(), None);
}

#[test]
fn a_client_that_says_nothing_is_put_out() {
    let mut config = insecure_config();
    config.limits.hello_timeout = std::time::Duration::from_millis(100);
    let listener = Listener::bind(config).unwrap();
    let (close, _) = block_on(async {
        let connection = raw_client(listener.local_addr(), ALPN).await.unwrap();
        closed(&connection).await
    });
    assert_eq!(close, Close::Timeout);
    let reason = heard(&listener.events(), |event| match event {
        Event::Refused { reason, .. } => Some(reason),
        _ => None,
    });
    assert!(reason.contains("no hello"), "{reason}");
}

#[test]
fn another_version_is_refused_by_name() {
    let listener = insecure();
    let (close, text) = block_on(async {
        let connection = raw_client(listener.local_addr(), ALPN).await.unwrap();
        let (mut send, _recv) = connection.open_bi().await.unwrap();
        send.write_all(&[1, 3, 1, 1, 2]).await.unwrap();
        closed(&connection).await
    });
    assert_eq!(close, Close::Refused(cis_link::wire::Refusal::Version));
    assert!(text.contains("version 2") && text.contains("version 1"), "{text}");
}

#[test]
fn datagrams_of_noise_do_nothing() {
    let listener = insecure();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut noise = 1u32;
    for len in (0..1200).step_by(7) {
        let datagram: Vec<u8> = (0..len)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (noise >> 24) as u8
            })
            .collect();
        socket.send_to(&datagram, listener.local_addr()).unwrap();
    }
    lives(&listener);
}

#[test]
fn the_same_sender_replaces_its_older_connection_and_nobody_elses() {
    let listener = insecure();
    let to = listener.local_addr();
    block_on(async {
        let (older, _send, _recv) = admitted(to, "gate-1").await;
        let (_newer, _send, _recv) = admitted(to, "gate-1").await;
        assert_eq!(closed(&older).await.0, Close::Replaced);
        let Ok(stranger) = raw_client(to, ALPN).await else {
            panic!()
        };
        let (mut send, _recv) = stranger.open_bi().await.unwrap();
        let (stream, bundle) = ("gate-1".to_owned(), BUNDLE.to_owned());
        let hello = Hello {
            version: VERSION,
            stream,
            bundle,
            token: Vec::new(),
            instance: [4; INSTANCE_LEN],
            spool: None,
        };
        send.write_all(&Message::Hello(hello).encode()).await.unwrap();
        assert_eq!(
            closed(&stranger).await.0,
            Close::Refused(cis_link::wire::Refusal::NameTaken)
        );
    });
    // The older connection is over for the application before the newer one begins.
    let kinds: Vec<_> = (0..3)
        .map(|_| {
            heard(&listener.events(), |event| match event {
                Event::Opened { .. } => Some("opened"),
                Event::Closed { .. } => Some("closed"),
                _ => None,
            })
        })
        .collect();
    assert_eq!(kinds, ["opened", "closed", "opened"]);
}
