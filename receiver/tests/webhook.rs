//! Webhooks against an HTTP server: what is posted, and what happens when the server refuses or hangs.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use cis_receiver::{Delivery, Receiver};
use common::{Camera, Site, wait_for};
use std::sync::Arc;

const REST: &str = "[rtsp]\nenabled = false\n[json]\noutput = 'out.jsonl'\nevents = 'events.jsonl'\n[detect]\nwhen-full = 'wait'\n";

fn webhook(receiver: &Receiver) -> Delivery {
    let outputs = receiver.outputs();
    outputs
        .into_iter()
        .find(|delivery| delivery.output == "webhook")
        .unwrap()
}

fn send(site: &Site, receiver: &Receiver, frames: usize) {
    let mut camera = Camera::start(site, "gate-1", receiver.address(), 0).connected();
    camera.frames(frames);
    camera.finish();
    wait_for("the stream has ended", || receiver.ended().0 == 1);
}

/// A request as it came.
#[derive(Clone)]
struct Request {
    headers: HeaderMap,
    body: Bytes,
}

impl Request {
    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// A server that answers the n-th request as it is told.
struct Server {
    requests: Arc<parking_lot::Mutex<Vec<Request>>>,
    port: u16,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    /// `answer` gets the number of the request; without an answer the request hangs.
    fn start(answer: fn(usize) -> Option<StatusCode>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let requests = Arc::new(parking_lot::Mutex::new(Vec::new()));
        let list = requests.clone();
        let handler = move |headers: HeaderMap, body: Bytes| {
            let list = list.clone();
            async move {
                let number = {
                    let mut list = list.lock();
                    list.push(Request { headers, body });
                    list.len() - 1
                };
                match answer(number) {
                    Some(status) => status,
                    None => std::future::pending().await,
                }
            }
        };
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let port = listener.local_addr().unwrap().port();
        let app = Router::new().route("/hook", post(handler));
        runtime.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            requests,
            port,
            _runtime: runtime,
        }
    }

    fn requests(&self) -> Vec<Request> {
        self.requests.lock().clone()
    }

    fn config(&self, more: &str) -> String {
        format!(
            "{REST}[webhook]\nurl = 'http://127.0.0.1:{}/hook'\n{more}",
            self.port
        )
    }
}

fn totals_of(receiver: Receiver) -> (u64, Delivery) {
    let totals = receiver.shutdown();
    let found = totals.outputs.into_iter().find(|d| d.output == "webhook");
    (totals.lines, found.unwrap())
}

#[test]
fn events_are_posted_with_token_and_signature() {
    let site = Site::new(&["gate-1"]);
    std::fs::write(site.path("token"), "abc.def\n").unwrap();
    std::fs::write(site.path("secret"), "a secret\n").unwrap();
    let server = Server::start(|_| Some(StatusCode::NO_CONTENT));
    let receiver = site
        .receiver(&server.config("token-file = 'token'\nsecret-file = 'secret'\nevents = ['new', 'end']\n"));
    send(&site, &receiver, 50);
    wait_for("everything is posted", || webhook(&receiver).waiting == 0);
    let (_, delivery) = totals_of(receiver);
    let posted: Vec<_> = server.requests().iter().map(Request::json).collect();
    let wanted = |event: &serde_json::Value| ["new", "end"].contains(&event["event"].as_str().unwrap());
    let expected: Vec<_> = site.lines("events.jsonl").into_iter().filter(wanted).collect();
    assert_eq!(posted, expected);
    assert_eq!((delivery.delivered, delivery.lost()), (expected.len() as u64, 0));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"a secret");
    for request in server.requests() {
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.header("authorization"), Some("Bearer abc.def"));
        let signature = request
            .header("x-cis-signature")
            .unwrap()
            .strip_prefix("sha256=")
            .unwrap();
        let bytes: Vec<u8> = (0..signature.len() / 2)
            .map(|i| u8::from_str_radix(&signature[2 * i..2 * i + 2], 16).unwrap())
            .collect();
        ring::hmac::verify(&key, &request.body, &bytes).unwrap();
    }
}

#[test]
fn what_may_pass_is_tried_again_and_what_will_not_is_given_up() {
    let site = Site::new(&["gate-1"]);
    // The first event is taken at the third time, the second never, the others at once.
    let server = Server::start(|number| {
        Some(match number {
            0 => StatusCode::INTERNAL_SERVER_ERROR,
            1 => StatusCode::TOO_MANY_REQUESTS,
            3 => StatusCode::BAD_REQUEST,
            _ => StatusCode::OK,
        })
    });
    let receiver = site.receiver(&server.config("events = ['new']\n"));
    send(&site, &receiver, 50);
    wait_for("everything is posted", || webhook(&receiver).waiting == 0);
    let (_, delivery) = totals_of(receiver);
    let events = site
        .lines("events.jsonl")
        .iter()
        .filter(|event| event["event"] == "new")
        .count() as u64;
    assert_eq!(
        (delivery.delivered, delivery.failed, delivery.reconnects),
        (events - 1, 1, 2)
    );
    let requests = server.requests();
    assert_eq!(requests.len() as u64, events + 2);
    assert!(requests[0].body == requests[1].body && requests[1].body == requests[2].body);
    assert_ne!(requests[2].body, requests[3].body);
}

#[test]
fn retries_have_an_end_and_a_redirection_is_not_followed() {
    let site = Site::new(&["gate-1"]);
    let server = Server::start(|number| {
        Some(match number {
            0..=1 => StatusCode::BAD_GATEWAY,
            _ => StatusCode::TEMPORARY_REDIRECT,
        })
    });
    let receiver = site.receiver(&server.config("events = ['new']\nretries = 1\n"));
    send(&site, &receiver, 50);
    wait_for("everything is given up", || webhook(&receiver).waiting == 0);
    let (_, delivery) = totals_of(receiver);
    let events = site
        .lines("events.jsonl")
        .iter()
        .filter(|event| event["event"] == "new")
        .count() as u64;
    assert_eq!(
        (delivery.delivered, delivery.failed, delivery.reconnects),
        (0, events, 1)
    );
    assert_eq!(server.requests().len() as u64, events + 1);
}

#[test]
fn a_server_that_hangs_holds_nobody_up_and_what_does_not_fit_is_counted() {
    let site = Site::new(&["gate-1"]);
    let server = Server::start(|_| None);
    let receiver = site.receiver(&server.config("queue = 2\ntimeout = 300\n"));
    send(&site, &receiver, 200);
    let (lines, delivery) = totals_of(receiver);
    assert_eq!(lines, 200, "every frame has its line");
    // Updates are not posted.
    let events = site.lines("events.jsonl");
    let events = events.iter().filter(|event| event["event"] != "update").count() as u64;
    assert_eq!(
        (delivery.delivered, delivery.dropped + delivery.failed),
        (0, events),
        "{delivery}"
    );
    assert!(delivery.dropped > 0 && delivery.failed <= 3, "{delivery}");
    assert_eq!(server.requests().len(), 1);
}

/// A server whose certificate nobody known has signed gets nothing.
#[test]
fn tls_is_verified() {
    let (site, other) = (Site::new(&["gate-1"]), Site::new(&[]));
    // The TLS of a broker does for a handshake.
    let tls = format!(
        "allow_anonymous true\ncertfile {}\nkeyfile {}\n",
        site.path("server.pem").display(),
        site.path("server.key").display()
    );
    let broker = common::server::Server::mosquitto(&site, common::server::free_port(), &tls);
    for (ca, refused) in [(other.path("ca.pem"), true), (site.path("ca.pem"), false)] {
        let more = format!(
            "{REST}[webhook]\nurl = 'https://localhost:{}/'\nca = {ca:?}\nretries = 0\n",
            broker.port
        );
        let mut process = common::process::Process::start(&site, &site.toml(&more));
        let mut camera = Camera::start(&site, "gate-1", process.address(), 0).connected();
        camera.frames(10);
        camera.finish();
        wait_for("an event is given up", || {
            process.log.lock().contains("webhook: an event was given up")
        });
        let log = process.log.lock().clone();
        let line = log.lines().find(|line| line.contains("given up")).unwrap();
        assert_eq!(line.contains("certificate"), refused, "{line}");
    }
}
