//! A sender with a spool: outages and ends of processes lose nothing, and nothing comes twice.

use std::collections::BTreeMap;
use std::path::Path;

use cis_link::listener::{self, Event, Events, Listener, Receipt};
use cis_link::sender::{self, Outcome, Sender, SpoolConfig};

use crate::common::*;

fn spooling(listener: &Listener, dir: &Path) -> sender::Config {
    let mut config = insecure_sender(listener.local_addr(), "gate-1");
    config.spool = Some(SpoolConfig {
        dir: dir.join("spool"),
        max_bytes: 4 << 20,
    });
    config
}

fn remembering(dir: &Path) -> listener::Config {
    let mut config = insecure_config();
    config.state_dir = Some(dir.join("state"));
    config
}

/// What a receiver was given that it had not before, and how often.
#[derive(Default)]
struct Given {
    live: Vec<u32>,
    late: Vec<u32>,
    times: BTreeMap<u32, u32>,
}

impl Given {
    fn take(&mut self, event: Event, keep: Option<&mut Vec<Receipt>>) {
        if let Event::Unit {
            unit,
            late,
            repeated,
            receipt,
            ..
        } = event
        {
            let n = number(&unit);
            if !repeated {
                if late { &mut self.late } else { &mut self.live }.push(n);
                *self.times.entry(n).or_default() += 1;
            }
            if let Some(keep) = keep {
                keep.push(receipt);
            }
        }
    }

    fn until(&mut self, events: &Events, what: &str, mut done: impl FnMut(&Self) -> bool) {
        until(what, || {
            while let Ok(event) = events.try_recv() {
                self.take(event, None);
            }
            done(self)
        });
    }
}

/// Takes so many units, and keeps what says that they are stored.
fn receipts_of(events: &Events, units: usize) -> Vec<Receipt> {
    let (mut given, mut receipts) = (Given::default(), Vec::new());
    until("units", || {
        while let Ok(event) = events.try_recv() {
            given.take(event, Some(&mut receipts));
        }
        given.times.len() == units
    });
    receipts
}

fn send_groups(sender: &Sender, from: u32, groups: u32) {
    for n in from..from + groups * 10 {
        let outcome = sender.send(unit(n, n % 10 == 0));
        assert!(
            matches!(outcome, Outcome::Queued | Outcome::Spooled),
            "{n}: {outcome:?}"
        );
    }
}

#[test]
fn an_outage_loses_nothing_and_the_past_comes_late_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let listener = Listener::bind(remembering(dir.path())).unwrap();
    let address = listener.local_addr();
    let sender = Sender::start(spooling(&listener, dir.path())).unwrap();
    connected(&sender);
    let mut given = Given::default();
    send_groups(&sender, 0, 3);
    given.until(&listener.events(), "live", |given| given.times.len() == 30);
    assert_eq!(given.live, (0..30).collect::<Vec<_>>());
    assert!(listener.close(DEADLINE));
    trouble(&sender);
    send_groups(&sender, 30, 20);
    let mut config = remembering(dir.path());
    config.bind = address;
    let listener = Listener::bind(config).unwrap();
    connected(&sender);
    send_groups(&sender, 230, 3);
    given.until(&listener.events(), "everything", |given| given.times.len() == 260);
    assert!(
        given.late.is_sorted() && given.late.len() >= 200,
        "{:?}",
        given.late
    );
    assert!(given.times.values().all(|times| *times == 1), "{:?}", given.times);
    let events = listener.events();
    let taker = std::thread::Builder::new()
        .name("taker".into())
        .spawn(move || events.iter().count())
        .unwrap();
    assert!(sender.finish(DEADLINE));
    drop(listener);
    taker.join().unwrap();
}

#[test]
fn what_a_process_left_is_sent_by_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let listener = Listener::bind(remembering(dir.path())).unwrap();
    let mut config = spooling(&listener, dir.path());
    // A receiver that is not there.
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let real = std::mem::replace(&mut config.port, nobody.local_addr().unwrap().port());
    let sender = Sender::start(config.clone()).unwrap();
    send_groups(&sender, 0, 5);
    assert_eq!(sender.stats().spool_units, 50);
    drop(sender);
    config.port = real;
    let sender = Sender::start(config).unwrap();
    let mut given = Given::default();
    given.until(&listener.events(), "everything", |given| given.times.len() == 50);
    assert_eq!(given.late, (0..50).collect::<Vec<_>>());
    until("all is stored", || sender.stats().spool_units == 0);
    assert_eq!(sender.stats().units_late, 50);
}

#[test]
fn units_are_kept_until_their_receipts_are_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let listener = Listener::bind(remembering(dir.path())).unwrap();
    let sender = Sender::start(spooling(&listener, dir.path())).unwrap();
    connected(&sender);
    send_groups(&sender, 0, 2);
    let events = listener.events();
    let mut receipts = receipts_of(&events, 20);
    // The sender knows that they came, and keeps them.
    until("a report", || sender.stats().units_confirmed == 20);
    assert_eq!(sender.stats().spool_units, 20);
    receipts.drain(..15);
    until("the sender forgets", || sender.stats().spool_units == 5);
    receipts[0].lost();
    drop(receipts);
    until("the rest of the second group stays", || {
        sender.stats().spool_units == 5
    });
    // A receiver that starts again gets again what it could not store, and no more of it than that.
    let address = listener.local_addr();
    assert!(listener.close(DEADLINE));
    let mut config = remembering(dir.path());
    config.bind = address;
    let listener = Listener::bind(config).unwrap();
    send_groups(&sender, 20, 1);
    let mut again = Given::default();
    again.until(&listener.events(), "the rest", |given| {
        (15..20).all(|n| given.times.contains_key(&n))
    });
    assert!(again.late.iter().all(|n| *n >= 15), "{:?}", again.late);
}

#[test]
fn a_receiver_without_memory_gets_units_again_rather_than_never() {
    let dir = tempfile::tempdir().unwrap();
    let listener = Listener::bind(insecure_config()).unwrap();
    let address = listener.local_addr();
    let sender = Sender::start(spooling(&listener, dir.path())).unwrap();
    connected(&sender);
    send_groups(&sender, 0, 2);
    let events = listener.events();
    let receipts = receipts_of(&events, 20);
    // Killed: what it had taken and not stored is gone with it.
    receipts.iter().for_each(Receipt::lost);
    drop((receipts, listener, events));
    let mut config = insecure_config();
    config.bind = address;
    let listener = Listener::bind(config).unwrap();
    send_groups(&sender, 20, 1);
    let mut again = Given::default();
    again.until(&listener.events(), "all of it", |given| {
        (0..20).all(|n| given.times.contains_key(&n))
    });
}
