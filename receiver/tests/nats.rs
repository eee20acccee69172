//! NATS against nats-server: what is published, and what happens when the server does not play along.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use cis_receiver::{Delivery, Receiver};
use common::server::{Server, free_port};
use common::{Camera, Site, wait_for};
use futures_util::StreamExt;
use std::sync::Arc;

const REST: &str = "[rtsp]\nenabled = false\n[json]\noutput = 'out.jsonl'\nevents = 'events.jsonl'\n[detect]\nwhen-full = 'wait'\n";

fn nats(receiver: &Receiver) -> Delivery {
    let outputs = receiver.outputs();
    outputs
        .into_iter()
        .find(|delivery| delivery.output == "nats")
        .unwrap()
}

fn send(site: &Site, receiver: &Receiver, camera: &str, frames: usize) {
    let ended = receiver.ended().0;
    let mut camera = Camera::start(site, camera, receiver.address(), 0).connected();
    camera.frames(frames);
    camera.finish();
    wait_for("the stream has ended", || receiver.ended().0 == ended + 1);
}

/// What a subscriber to everything got.
struct Listener {
    heard: Arc<parking_lot::Mutex<Vec<(String, serde_json::Value)>>>,
    _runtime: tokio::runtime::Runtime,
}

impl Listener {
    fn start(url: String, options: async_nats::ConnectOptions) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let heard = Arc::new(parking_lot::Mutex::new(Vec::new()));
        let mut messages = runtime.block_on(async {
            let client = options.connect(url).await.unwrap();
            let messages = client.subscribe("cis.>").await.unwrap();
            client.flush().await.unwrap();
            messages
        });
        let list = heard.clone();
        runtime.spawn(async move {
            while let Some(message) = messages.next().await {
                let value = serde_json::from_slice(&message.payload).unwrap();
                list.lock().push((message.subject.to_string(), value));
            }
        });
        Self {
            heard,
            _runtime: runtime,
        }
    }

    fn on(&self, subject: &str) -> Vec<serde_json::Value> {
        let heard = self.heard.lock();
        heard
            .iter()
            .filter(|(on, _)| on == subject)
            .map(|(_, value)| value.clone())
            .collect()
    }
}

#[test]
fn everything_is_published_and_a_server_that_was_away_gets_what_waited() {
    let site = Site::new(&["gate.1"]);
    let port = free_port();
    let config = format!("{REST}[nats]\nurl = 'nats://127.0.0.1:{port}'\ndetections-per-second = 1000\n");
    // There is no server yet.
    let receiver = site.receiver(&config);
    send(&site, &receiver, "gate.1", 30);
    let before = nats(&receiver);
    assert_eq!((before.delivered, before.lost()), (0, 0));
    assert!(before.waiting > 30);
    let mut server = Server::nats(port, &[]);
    wait_for("what waited is delivered", || nats(&receiver).waiting == 0);
    let listener = Listener::start(
        format!("nats://127.0.0.1:{port}"),
        async_nats::ConnectOptions::new(),
    );
    let (lines, events) = (site.lines("out.jsonl").len(), site.lines("events.jsonl").len());
    send(&site, &receiver, "gate.1", 50);
    wait_for("everything was heard", || {
        listener.on("cis.gate_1.detections").len() == 50
    });
    wait_for("all events were heard", || {
        listener.on("cis.gate_1.events").len() == site.lines("events.jsonl").len() - events
    });
    wait_for("it is counted", || nats(&receiver).waiting == 0);
    assert_eq!(
        listener.on("cis.gate_1.detections"),
        site.lines("out.jsonl")[lines..]
    );
    assert_eq!(
        listener.on("cis.gate_1.events"),
        site.lines("events.jsonl")[events..]
    );
    server.restart();
    wait_for("it is connected again", || nats(&receiver).reconnects == 1);
    send(&site, &receiver, "gate.1", 20);
    wait_for("everything is delivered", || nats(&receiver).waiting == 0);
    let totals = receiver.shutdown();
    let delivery = totals.outputs.iter().find(|d| d.output == "nats").unwrap();
    let events = site.lines("events.jsonl").len() as u64;
    assert_eq!((delivery.delivered, delivery.lost()), (100 + events, 0));
}

#[test]
fn a_server_that_is_not_there_holds_nobody_up_and_what_does_not_fit_is_counted() {
    let site = Site::new(&["gate-1"]);
    let config = format!(
        "{REST}[nats]\nurl = 'nats://127.0.0.1:{}'\nqueue = 16\ndetections-per-second = 1000\n",
        free_port()
    );
    let receiver = site.receiver(&config);
    send(&site, &receiver, "gate-1", 300);
    let totals = receiver.shutdown();
    assert_eq!(
        (totals.sum.frames, totals.sum.results, totals.lines),
        (300, 300, 300)
    );
    let delivery = totals.outputs.iter().find(|d| d.output == "nats").unwrap();
    let messages = 300 + site.lines("events.jsonl").len() as u64;
    assert_eq!(
        (delivery.delivered, delivery.lost(), delivery.waiting),
        (0, messages, 0),
        "{delivery}"
    );
    assert_eq!(delivery.failed, 16, "those that were in the queue at the end");
}

#[test]
fn tls_verifies_the_server_and_a_token_lets_in() {
    let site = Site::new(&["gate-1"]);
    let other = Site::new(&[]);
    std::fs::write(site.path("token"), "secret-word\n").unwrap();
    let (certificate, key) = (site.path("server.pem"), site.path("server.key"));
    let server = Server::nats(
        free_port(),
        &[
            "--tls",
            "--tlscert",
            certificate.to_str().unwrap(),
            "--tlskey",
            key.to_str().unwrap(),
            "--auth",
            "secret-word",
        ],
    );
    let receiver = |ca: &std::path::Path| {
        site.receiver(&format!(
            "{REST}[nats]\nurl = 'tls://localhost:{}'\nca = {ca:?}\ntoken-file = 'token'\n",
            server.port
        ))
    };
    let refused = receiver(&other.path("ca.pem"));
    send(&site, &refused, "gate-1", 20);
    let totals = refused.shutdown();
    let delivery = totals.outputs.iter().find(|d| d.output == "nats").unwrap();
    assert_eq!((delivery.delivered, totals.sum.results), (0, 20));
    assert!(delivery.failed > 0, "{delivery}");

    std::fs::remove_file(site.path("events.jsonl")).unwrap();
    let accepted = receiver(&site.path("ca.pem"));
    let options = async_nats::ConnectOptions::with_token("secret-word".into())
        .tls_client_config(cis_link::client_config(Some(&site.path("ca.pem")), None).unwrap());
    let listener = Listener::start(format!("tls://localhost:{}", server.port), options);
    send(&site, &accepted, "gate-1", 20);
    let lost = accepted
        .shutdown()
        .outputs
        .iter()
        .map(Delivery::lost)
        .sum::<u64>();
    assert_eq!(lost, 0);
    wait_for("all events were heard", || {
        listener.on("cis.gate-1.events") == site.lines("events.jsonl")
    });
}
