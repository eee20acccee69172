//! Receivers that go away and come back.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use cis_link::Unit;
use cis_link::listener::{Auth, Event, Events, Listener};
use cis_link::sender::Sender;
use parking_lot::Mutex;

use crate::common::*;

fn next_unit(events: &Events) -> Unit {
    heard(events, |event| match event {
        Event::Unit { unit, .. } => Some(unit),
        _ => None,
    })
}

#[test]
fn a_stream_goes_on_with_a_key_after_the_receiver_was_restarted() {
    let mut listener = insecure();
    let address = listener.local_addr();
    let sender = Sender::start(insecure_sender(address, "gate-1")).unwrap();
    let mut next = 0;
    let mut send = |key: bool| {
        sender.send(unit(next, key));
        next += 1;
    };
    connected(&sender);
    let mut last = None;
    for round in 0..3 {
        send(true);
        (0..5).for_each(|_| send(false));
        let events = listener.events();
        for n in 0..6 {
            let unit = next_unit(&events);
            assert_eq!(unit.key, n == 0);
            assert!(last < Some(number(&unit)), "{last:?} came before {unit:?}");
            last = Some(number(&unit));
        }
        // The encoder goes on within its group while nobody listens.
        assert!(listener.close(DEADLINE));
        let (reason, refused) = trouble(&sender);
        assert!(!refused && reason.contains("going away"), "{reason}");
        send(false);
        let mut config = insecure_config();
        config.bind = address;
        listener = Listener::bind(config).unwrap();
        key_requested(&sender);
        // What continues the old group is of no use to a receiver that does not have it.
        send(false);
        assert_eq!(sender.stats().reconnects, round + 1);
    }
    assert!(sender.stats().units_dropped >= 6);
}

#[test]
fn whole_groups_that_waited_are_delivered() {
    let listener = insecure();
    let address = listener.local_addr();
    let sender = Sender::start(insecure_sender(address, "gate-1")).unwrap();
    sender.send(unit(0, true));
    next_unit(&listener.events());
    assert!(listener.close(DEADLINE));
    trouble(&sender);
    for n in 1..8 {
        sender.send(unit(n, n == 4));
    }
    let mut config = insecure_config();
    config.bind = address;
    let listener = Listener::bind(config).unwrap();
    assert!(sender.finish(DEADLINE));
    let (units, finished, _) = units_until_closed(&listener.events(), "gate-1");
    assert!(finished);
    assert_eq!(units.iter().map(number).collect::<Vec<_>>(), [4, 5, 6, 7]);
}

#[test]
fn the_first_connection_may_come_late() {
    let place = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut config = insecure_config();
    config.bind = place.local_addr().unwrap();
    let mut patience = insecure_sender(config.bind, "gate-1");
    patience.connect_timeout = std::time::Duration::from_millis(300);
    let sender = Sender::start(patience).unwrap();
    let (reason, refused) = trouble(&sender);
    assert!(!refused && reason.contains("300 ms"), "{reason}");
    drop(place);
    let _listener = Listener::bind(config).unwrap();
    connected(&sender);
    assert!(sender.stats().failed_attempts >= 1);
    assert_eq!(sender.stats().reconnects, 0);
}

#[test]
fn a_listener_sees_that_a_sender_was_dropped_without_finishing() {
    let listener = insecure();
    let sender = Sender::start(insecure_sender(listener.local_addr(), "gate-1")).unwrap();
    sender.send(unit(0, true));
    next_unit(&listener.events());
    drop(sender);
    let (units, finished, reason) = units_until_closed(&listener.events(), "gate-1");
    assert!(
        units.is_empty() && !finished && reason.contains("shut down"),
        "{reason}"
    );
}

#[test]
fn events_that_wait_can_be_taken_after_the_close() {
    let listener = insecure();
    let sender = Sender::start(insecure_sender(listener.local_addr(), "gate-1")).unwrap();
    sender.send(unit(0, true));
    until("it is confirmed", || sender.stats().units_confirmed == 1);
    let events = listener.events();
    assert!(listener.close(DEADLINE));
    let kinds: Vec<_> = events
        .iter()
        .map(|event| match event {
            Event::Opened { .. } => "opened",
            Event::Unit { .. } => "unit",
            Event::Closed { finished: false, .. } => "closed",
            _ => "other",
        })
        .collect();
    assert_eq!(kinds, ["opened", "unit", "closed"]);
}

#[test]
fn every_address_of_a_name_is_tried() {
    // Nobody listens on the IPv6 address, which comes first where there is one.
    let listener = insecure();
    let mut config = insecure_sender(listener.local_addr(), "gate-1");
    config.address = "localhost".into();
    connected(&Sender::start(config).unwrap());
}

#[test]
fn an_ipv6_address_may_have_brackets() {
    let mut config = insecure_config();
    config.bind = (std::net::Ipv6Addr::LOCALHOST, 0).into();
    let listener = match Listener::bind(config) {
        Ok(listener) => listener,
        Err(error) => return eprintln!("SKIPPED: this machine has no IPv6: {error}"),
    };
    let keys = Keys::new();
    let mut config = insecure_sender(listener.local_addr(), "gate-1");
    config.address = "[::1]".into();
    connected(&Sender::start(config.clone()).unwrap());
    config.tls.insecure = false;
    config.tls.ca = Some(keys.path("ca.pem"));
    config.stream = name("gate-2");
    let (reason, refused) = trouble(&Sender::start(config).unwrap());
    assert!(refused, "{reason}");
}

/// The first listener falls silent as if it had been killed; the second has its keys and, by a relay, its address.
#[test]
fn a_receiver_that_was_killed_and_started_again_tells_its_cameras() {
    let keys = Keys::new();
    let before = Listener::bind(keys.listener(Auth::Insecure)).unwrap();
    let after = Listener::bind(keys.listener(Auth::Insecure)).unwrap();
    let relay = Relay::start(before.local_addr());
    let mut config = keys.sender(relay.address, "gate-1");
    // Silence would not tell for a long time.
    config.idle_timeout = Duration::from_secs(600);
    config.keep_alive = Duration::from_millis(200);
    let sender = Sender::start(config).unwrap();
    connected(&sender);
    relay.lead_to(after.local_addr());
    until("it is connected again", || sender.stats().reconnects == 1);
    until("the second has let it in", || after.stats().accepted == 1);
}

/// Carries packets of one sender to a listener, and the answers back.
struct Relay {
    address: SocketAddr,
    to: Arc<Mutex<SocketAddr>>,
}

impl Relay {
    fn start(to: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let to = Arc::new(Mutex::new(to));
        let target = to.clone();
        let carry = move || {
            let (mut packet, mut sender, mut listeners) = ([0; 2048], None, vec![]);
            while let Ok((length, from)) = socket.recv_from(&mut packet) {
                let target = *target.lock();
                if !listeners.contains(&target) {
                    listeners.push(target);
                }
                let next = match listeners.contains(&from) {
                    // One that was killed says nothing.
                    true if from != target => continue,
                    true => sender,
                    false => Some(target),
                };
                if !listeners.contains(&from) {
                    sender = Some(from);
                }
                if let Some(next) = next {
                    let _ = socket.send_to(&packet[..length], next);
                }
            }
        };
        std::thread::Builder::new()
            .name("relay".into())
            .spawn(carry)
            .unwrap();
        Self { address, to }
    }

    fn lead_to(&self, to: SocketAddr) {
        *self.to.lock() = to;
    }
}
