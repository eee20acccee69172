//! A camera whose process dies without a word, and the one that comes after it.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cis_link::listener::{Event, Listener};
use cis_link::sender::{self, Sender};

use crate::common::*;

/// Carries packets between one sender and a listener, until it is cut: then the sender is gone without a word.
struct Wire {
    address: SocketAddr,
    cut: Arc<AtomicBool>,
}

impl Wire {
    fn to(listener: SocketAddr) -> Self {
        let near = UdpSocket::bind("127.0.0.1:0").unwrap();
        let far = UdpSocket::bind("127.0.0.1:0").unwrap();
        far.connect(listener).unwrap();
        let address = near.local_addr().unwrap();
        let cut = Arc::new(AtomicBool::new(false));
        let is_cut = cut.clone();
        for socket in [&near, &far] {
            socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        }
        let forward = move || {
            let (mut packet, mut sender) = ([0; 2048], None);
            while !is_cut.load(Ordering::Relaxed) {
                if let Ok((len, from)) = near.recv_from(&mut packet) {
                    sender = Some(from);
                    far.send(&packet[..len]).unwrap();
                }
                if let (Ok(len), Some(sender)) = (far.recv(&mut packet), sender) {
                    near.send_to(&packet[..len], sender).unwrap();
                }
            }
        };
        std::thread::Builder::new()
            .name("relay".into())
            .spawn(forward)
            .unwrap();
        Self { address, cut }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.cut.store(true, Ordering::Relaxed);
    }
}

/// Ends that wait for each other far longer than the tests do.
fn patient() -> (Listener, impl Fn(SocketAddr) -> sender::Config) {
    let long = Duration::from_secs(600);
    let mut config = insecure_config();
    config.limits.idle_timeout = long;
    let sender = move |to| {
        let mut config = insecure_sender(to, "gate-1");
        config.idle_timeout = long;
        config
    };
    (Listener::bind(config).unwrap(), sender)
}

#[test]
fn the_name_of_a_camera_that_is_gone_without_a_word_is_free_at_once() {
    let (listener, config) = patient();
    let wire = Wire::to(listener.local_addr());
    let first = Sender::start(config(wire.address)).unwrap();
    first.send(unit(1, true));
    until("its unit is there", || first.stats().units_confirmed == 1);
    drop(wire);
    let second = Sender::start(config(listener.local_addr())).unwrap();
    second.send(unit(2, true));
    told(&second, |event| match event {
        sender::Event::Connected { .. } => Some(()),
        other => panic!("{other:?} before it was let in"),
    });
    let mut seen = Vec::new();
    heard(&listener.events(), |event| {
        let last = matches!(&event, Event::Unit { unit, .. } if number(unit) == 2);
        seen.push(match event {
            Event::Opened { .. } => "opened",
            Event::Unit { .. } => "unit",
            Event::Closed { finished: false, .. } => "closed",
            _ => "other",
        });
        last.then_some(())
    });
    assert_eq!(seen, ["opened", "unit", "closed", "opened", "unit"]);
    drop(first);
}

#[test]
fn a_camera_that_is_there_keeps_its_name() {
    let (listener, config) = patient();
    let wire = Wire::to(listener.local_addr());
    let first = Sender::start(config(wire.address)).unwrap();
    connected(&first);
    let second = Sender::start(config(listener.local_addr())).unwrap();
    for _ in 0..3 {
        let (reason, refused) = trouble(&second);
        assert!(refused && reason.contains("already"), "{reason}");
    }
    first.send(unit(1, true));
    until("its unit is there", || first.stats().units_confirmed == 1);
    assert_eq!(first.stats().reconnects, 0);
    drop(wire);
}
