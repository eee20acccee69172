//! MQTT against mosquitto: what is published, and what happens when the broker does not play along.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use cis_receiver::{Delivery, Receiver};
use common::process::Process;
use common::server::{Listener, Server, free_port};
use common::{Camera, Site, wait_for};
use rumqttc::v5::MqttOptions;
use rumqttc::{TlsConfiguration, Transport};
use std::sync::Arc;

/// All frames are detected, and in lines that can be counted.
const REST: &str = "[rtsp]\nenabled = false\n[json]\noutput = 'out.jsonl'\nevents = 'events.jsonl'\n[detect]\nwhen-full = 'wait'\n";

fn config(port: u16, more: &str) -> String {
    format!("{REST}[mqtt]\nurl = 'mqtt://127.0.0.1:{port}'\n{more}")
}

fn mqtt(receiver: &Receiver) -> Delivery {
    let outputs = receiver.outputs();
    outputs
        .into_iter()
        .find(|delivery| delivery.output == "mqtt")
        .unwrap()
}

/// Sends frames and says goodbye; returns when all of them are through.
fn send(site: &Site, receiver: &Receiver, frames: usize) {
    let ended = receiver.ended().0;
    let mut camera = Camera::start(site, "gate-1", receiver.address(), 0).connected();
    camera.frames(frames);
    camera.finish();
    wait_for("the stream has ended", || receiver.ended().0 == ended + 1);
}

#[test]
fn everything_is_published_and_states_are_retained() {
    let site = Site::new(&["gate-1"]);
    let broker = Server::open_mosquitto(&site, free_port());
    let listener = Listener::start(broker.port);
    let zone = "[[zone]]\nstream = 'gate-1'\nname = 'left'\npolygon = [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]]\n";
    let receiver = site.receiver(&config(
        broker.port,
        &format!("detections-per-second = 1000\n{zone}"),
    ));
    wait_for("the receiver is online", || {
        listener.last("cis/status").as_deref() == Some("online")
    });
    let mut camera = Camera::start(&site, "gate-1", receiver.address(), 0).connected();
    camera.frames(50);
    // Only the newest state waits for the broker: it is seen before the camera goes.
    wait_for("a state with somebody there", || {
        let states = listener.json("cis/gate-1/state");
        states
            .iter()
            .any(|state| state["online"] == true && state["objects"]["bright"].as_u64() >= Some(1))
    });
    camera.finish();
    wait_for("the stream has ended", || receiver.ended().0 == 1);
    wait_for("everything is confirmed", || mqtt(&receiver).waiting == 0);
    let totals = receiver.shutdown();
    wait_for("the receiver is offline", || {
        listener.last("cis/status").as_deref() == Some("offline")
    });

    let detections = listener.json("cis/gate-1/detections");
    assert_eq!(detections, site.lines("out.jsonl"));
    assert_eq!(detections.len(), 50);
    let events = listener.json("cis/gate-1/events");
    assert_eq!(events, site.lines("events.jsonl"));
    let count = |kind: &str| events.iter().filter(|event| event["event"] == kind).count();
    // The bright cell is at eight places, five frames each, and comes back before it is forgotten.
    assert_eq!((count("new"), count("end")), (8, 8), "{events:?}");
    assert!(count("enter") > 0 && count("enter") == count("leave"));
    let states = listener.json("cis/gate-1/state");
    let schema = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/state.schema.json");
    let schema = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    assert!(states.iter().all(|state| schema.is_valid(state)), "{states:?}");
    assert_eq!(states.last().unwrap()["online"], false);

    let delivery = totals.outputs.iter().find(|d| d.output == "mqtt").unwrap();
    let messages = detections.len() + events.len() + states.len();
    assert_eq!((delivery.delivered, delivery.lost()), (messages as u64, 0));
    // Somebody who comes later learns how things are.
    let late = Listener::start(broker.port);
    wait_for("the retained messages", || {
        late.last("cis/gate-1/state").is_some() && late.last("cis/status").is_some()
    });
    assert!(late.on("cis/gate-1/state")[0].retained && late.on("cis/status")[0].retained);
    assert!(late.on("cis/gate-1/events").is_empty());
}

#[test]
fn a_broker_that_goes_and_comes_back_gets_everything() {
    for qos in [1, 0] {
        let site = Site::new(&["gate-1"]);
        let mut broker = Server::open_mosquitto(&site, free_port());
        let receiver = site.receiver(&config(broker.port, &format!("qos = {qos}\n")));
        send(&site, &receiver, 20);
        wait_for("everything is delivered", || mqtt(&receiver).waiting == 0);
        let before = mqtt(&receiver);
        assert_eq!((before.lost(), before.reconnects), (0, 0));
        broker.kill();
        send(&site, &receiver, 20);
        if qos == 1 {
            assert!(mqtt(&receiver).waiting > 0);
        }
        broker.restart();
        wait_for("everything is delivered again", || {
            let now = mqtt(&receiver);
            now.waiting == 0 && now.reconnects == 1
        });
        assert_eq!(mqtt(&receiver).lost(), 0);
        // The broker has forgotten its retained messages: they are there again.
        let late = Listener::start(broker.port);
        wait_for("the retained messages", || {
            late.last("cis/gate-1/state").is_some() && late.last("cis/status").as_deref() == Some("online")
        });
        receiver.shutdown();
    }
}

#[test]
fn a_broker_that_hangs_holds_nobody_up_and_what_does_not_fit_is_counted() {
    let site = Site::new(&["gate-1"]);
    let broker = Server::open_mosquitto(&site, free_port());
    let receiver = site.receiver(&config(broker.port, "queue = 16\ndetections-per-second = 1000\n"));
    send(&site, &receiver, 1);
    wait_for("a first delivery", || {
        mqtt(&receiver).delivered > 0 && mqtt(&receiver).waiting == 0
    });
    broker.signal("-STOP");
    send(&site, &receiver, 400);
    let now = mqtt(&receiver);
    assert!(now.dropped > 0, "{now}");
    broker.signal("-CONT");
    wait_for("what waited is delivered", || mqtt(&receiver).waiting == 0);
    let totals = receiver.shutdown();
    assert_eq!(
        (totals.sum.frames, totals.sum.results, totals.lines),
        (401, 401, 401)
    );
    let events = site.lines("events.jsonl").len() as u64;
    let delivery = totals.outputs.iter().find(|d| d.output == "mqtt").unwrap();
    assert_eq!(delivery.failed, 0, "{delivery}");
    // Besides events and detections there are states, which are never dropped.
    assert!(
        delivery.delivered + delivery.dropped >= 401 + events,
        "{delivery}"
    );
}

/// The client breaks the connection over a packet that is too large: were it sent again, nothing else would ever be delivered.
#[test]
fn a_message_that_is_too_large_for_the_broker_does_not_stop_the_others() {
    let site = Site::new(&["gate-1"]);
    let small = "allow_anonymous true\nmax_packet_size 250\n";
    let broker = Server::mosquitto(&site, free_port(), small);
    let receiver = site.receiver(&config(broker.port, ""));
    // Some of them wait already when the broker says how much it takes.
    send(&site, &receiver, 50);
    wait_for("every message is through or given up", || {
        mqtt(&receiver).waiting == 0
    });
    let events = site.lines("events.jsonl").len() as u64;
    let before = mqtt(&receiver);
    assert!(events > 0 && before.failed == events, "{before}, {events} events");
    send(&site, &receiver, 50);
    wait_for("so are those after them", || mqtt(&receiver).waiting == 0);
    let after = mqtt(&receiver);
    assert!(after.delivered > before.delivered, "{before}, then {after}");
    assert_eq!(after.reconnects, before.reconnects, "{before}, then {after}");
    let late = Listener::start(broker.port);
    wait_for("a state, which is small", || {
        late.last("cis/gate-1/state").is_some()
    });
    receiver.shutdown();
}

#[test]
fn tls_verifies_the_broker_and_a_password_lets_in() {
    let site = Site::new(&["gate-1"]);
    let other = Site::new(&[]);
    let passwords = site.path("passwords");
    let made = std::process::Command::new("mosquitto_passwd")
        .args(["-b", "-c", passwords.to_str().unwrap(), "cis", "secret word"])
        .status();
    assert!(made.unwrap().success());
    std::fs::write(site.path("password"), "secret word\n").unwrap();
    std::fs::write(site.path("wrong"), "another word\n").unwrap();
    let tls = format!(
        "certfile {}\nkeyfile {}\npassword_file {}\n",
        site.path("server.pem").display(),
        site.path("server.key").display(),
        passwords.display()
    );
    let broker = Server::mosquitto(&site, free_port(), &tls);
    let receiver = |ca: &std::path::Path, password: &str| {
        site.receiver(&format!(
            "{REST}[mqtt]\nurl = 'mqtts://localhost:{}'\nca = {ca:?}\nuser = 'cis'\npassword-file = '{password}'\n",
            broker.port
        ))
    };
    for (ca, password) in [(other.path("ca.pem"), "password"), (site.path("ca.pem"), "wrong")] {
        let refused = receiver(&ca, password);
        send(&site, &refused, 20);
        let totals = refused.shutdown();
        let delivery = totals.outputs.iter().find(|d| d.output == "mqtt").unwrap();
        assert_eq!((delivery.delivered, totals.sum.results), (0, 20));
        assert!(delivery.failed > 0, "{delivery}");
    }
    let accepted = receiver(&site.path("ca.pem"), "password");
    send(&site, &accepted, 20);
    wait_for("everything is delivered", || {
        mqtt(&accepted).waiting == 0 && mqtt(&accepted).delivered > 0
    });
    let mut options = MqttOptions::new("late", "localhost", broker.port);
    options.set_credentials("cis", "secret word");
    let config = cis_link::client_config(Some(&site.path("ca.pem")), None).unwrap();
    options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(
        config,
    ))));
    let late = Listener::with(options);
    wait_for("the state", || late.last("cis/gate-1/state").is_some());
    assert_eq!(
        accepted
            .shutdown()
            .outputs
            .iter()
            .map(Delivery::lost)
            .sum::<u64>(),
        0
    );
}

#[test]
fn the_last_will_tells_of_a_receiver_that_was_killed() {
    let site = Site::new(&["gate-1"]);
    let broker = Server::open_mosquitto(&site, free_port());
    let listener = Listener::start(broker.port);
    let mut process = Process::start(&site, &site.toml(&config(broker.port, "")));
    let mut camera = Camera::start(&site, "gate-1", process.address(), 0).connected();
    camera.frames(5);
    wait_for("it is online", || {
        listener.last("cis/status").as_deref() == Some("online")
    });
    wait_for("so is the camera", || listener.last("cis/gate-1/state").is_some());
    process.signal("-KILL");
    process.end();
    wait_for("it is offline", || {
        listener.last("cis/status").as_deref() == Some("offline")
    });
    assert_eq!(listener.on("cis/status").len(), 2);
}
