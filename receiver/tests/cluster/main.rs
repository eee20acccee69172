//! Gateways and workers as processes, with a real broker and real cameras: whatever of them ends without a word, every frame has one result.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../common/mod.rs"]
mod common;
mod foreign;
mod nats;
mod process;
mod settings;

use common::{Camera, Site, wait_for};
use nats::Nats;
use process::Process;
use std::net::SocketAddr;

fn names(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("site.{}.gate-{i}", i % 2)).collect()
}

fn site(names: &[String]) -> Site {
    Site::new(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

fn any() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// Cameras that keep on their disk what they cannot get rid of.
fn cameras(site: &Site, names: &[String], address: SocketAddr) -> Vec<Camera> {
    let start = |name: &String| Camera::with_spool(site, name, address, 20).connected();
    names.iter().map(start).collect()
}

/// Every camera sends a frame, and waits for no more than a few of its own.
fn frames(cameras: &mut [Camera], n: usize) {
    for _ in 0..n {
        cameras.iter_mut().for_each(Camera::frame);
        for camera in &*cameras {
            wait_for("a short queue", || {
                let stats = camera.sender.stats();
                stats.queued < 20 || !stats.connected
            });
        }
    }
}

fn finish(cameras: Vec<Camera>) -> u64 {
    let sent = cameras[0].scene_frames();
    cameras.into_iter().for_each(Camera::finish);
    sent
}

#[test]
fn every_frame_has_one_result_and_every_camera_one_worker() {
    let names = names(6);
    let (site, nats) = (site(&names), Nats::start());
    let mut workers = ["a", "b"].map(|name| Process::worker(&site, name, &nats.toml(name)));
    workers.iter_mut().for_each(|worker| worker.says("2 workers"));
    let mut gateway = Process::gateway(&site, any(), &nats.toml("g"));
    let mut cameras = cameras(&site, &names, gateway.address());
    frames(&mut cameras, 60);
    let sent = finish(cameras);
    let answers = nats.every_frame_once(&names, sent);
    let mut working = std::collections::BTreeSet::new();
    for (name, answers) in &answers {
        let owner = &answers[0].worker;
        working.insert(owner.clone());
        for (answer, n) in answers.iter().zip(0..) {
            assert_eq!(&answer.worker, owner, "{name}");
            assert_eq!(answer.json["frame"], n);
            // The bright cell of the scene, 64x64 source pixels each, moves every five frames.
            assert_eq!(
                answer.json["objects"][0]["box"][0],
                n / 5 % 8 % 4 * 64,
                "{}",
                answer.json
            );
        }
    }
    assert_eq!(working.len(), 2, "both workers have cameras");
    assert_eq!(nats.messages("CIS_UNITS"), 6 * sent);
    assert_eq!(gateway.terminate().code(), Some(0));
    assert!(
        gateway.log().contains(&format!("{} units stored", 6 * sent)),
        "{}",
        gateway.log()
    );
    for worker in &mut workers {
        assert_eq!(worker.terminate().code(), Some(0));
    }
    assert_eq!(nats.messages("CIS_RESULTS"), 6 * sent);
}

#[test]
fn a_gateway_tells_how_it_is() {
    let names = names(2);
    let (site, nats) = (site(&names), Nats::start());
    let metrics = "[metrics]\naddress = '127.0.0.1:0'\n";
    let mut gateway = Process::gateway(&site, any(), &(nats.toml("g") + metrics));
    let address = gateway.address();
    let at = gateway.told("metrics and health at http://", '/');
    let mut cameras = cameras(&site, &names, address);
    frames(&mut cameras, 10);
    wait_for("twenty units with the broker", || {
        nats.messages("CIS_UNITS") == 20
    });
    let mut told = String::new();
    wait_for("as many confirmed", || {
        told = common::http::get(at, "/metrics").body;
        told.contains("\ncis_gateway_stored_units_total 20.0\n")
    });
    assert!(
        told.contains("\ncis_streams 2.0\n") && told.contains("cis_stream_rtt_seconds{"),
        "{told}"
    );
    for path in ["/healthz", "/readyz"] {
        assert_eq!(common::http::get(at, path).status, 200, "{path}");
    }
    assert_eq!(gateway.terminate().code(), Some(0));
}

#[test]
fn the_cameras_of_a_killed_worker_go_on_elsewhere() {
    let names = names(6);
    let (site, nats) = (site(&names), Nats::start());
    let [mut a, mut b] = ["a", "b"].map(|name| Process::worker(&site, name, &nats.toml(name)));
    a.says("2 workers");
    b.says("2 workers");
    let mut gateway = Process::gateway(&site, any(), &nats.toml("g"));
    let mut cameras = cameras(&site, &names, gateway.address());
    frames(&mut cameras, 30);
    wait_for("results of both workers", || {
        let of = |worker: &str| {
            nats.answers()
                .values()
                .flatten()
                .any(|answer| answer.worker == worker)
        };
        of("a") && of("b")
    });
    frames(&mut cameras, 10);
    b.kill();
    frames(&mut cameras, 40);
    let sent = finish(cameras);
    let answers = nats.every_frame_once(&names, sent);
    let moved = answers
        .values()
        .filter(|answers| answers[0].worker == "b")
        .count();
    assert!((1..6).contains(&moved), "{moved}");
    for answers in answers.values() {
        assert_eq!(answers.last().unwrap().worker, "a");
    }
    assert_eq!(a.terminate().code(), Some(0));
}

#[test]
fn a_worker_that_joins_gets_its_cameras_and_no_others_move() {
    let names = names(8);
    let (site, nats) = (site(&names), Nats::start());
    let mut a = Process::worker(&site, "a", &nats.toml("a"));
    let mut gateway = Process::gateway(&site, any(), &nats.toml("g"));
    let mut cameras = cameras(&site, &names, gateway.address());
    frames(&mut cameras, 30);
    wait_for("results of all", || nats.answers().len() == names.len());
    let mut b = Process::worker(&site, "b", &nats.toml("b"));
    b.says("stream opened");
    frames(&mut cameras, 30);
    let sent = finish(cameras);
    let answers = nats.every_frame_once(&names, sent);
    let mut moved = 0;
    for answers in answers.values() {
        assert_eq!(answers[0].worker, "a");
        let mut owners: Vec<_> = answers.iter().map(|answer| answer.worker.as_str()).collect();
        owners.dedup();
        assert!(owners == ["a"] || owners == ["a", "b"], "{owners:?}");
        moved += owners.len() - 1;
    }
    assert!((1..8).contains(&moved), "{moved} of 8 cameras moved");
    // Leaving is the same the other way round, and at once.
    assert_eq!(b.terminate().code(), Some(0));
    a.says("8 of 8 cameras, 1 workers");
    assert_eq!(nats.messages("CIS_RESULTS"), 8 * sent);
    assert_eq!(a.terminate().code(), Some(0));
}

#[test]
fn nothing_is_lost_when_the_broker_ends_and_comes_back() {
    let names = names(3);
    let (site, mut nats) = (site(&names), Nats::start());
    let mut workers = ["a", "b"].map(|name| Process::worker(&site, name, &nats.toml(name)));
    workers.iter_mut().for_each(|worker| worker.says("2 workers"));
    let mut gateway = Process::gateway(&site, any(), &nats.toml("g"));
    let mut cameras = cameras(&site, &names, gateway.address());
    frames(&mut cameras, 30);
    wait_for("results", || nats.messages("CIS_RESULTS") > 10);
    nats.kill();
    // The cameras go on.
    for _ in 0..30 {
        cameras.iter_mut().for_each(Camera::frame);
    }
    gateway.says("not taken by the broker, tried again");
    nats.restart();
    frames(&mut cameras, 30);
    let sent = finish(cameras);
    nats.every_frame_once(&names, sent);
    assert_eq!(gateway.terminate().code(), Some(0));
    for worker in &mut workers {
        assert_eq!(worker.terminate().code(), Some(0));
    }
    assert_eq!(nats.messages("CIS_RESULTS"), 3 * sent);
}

#[test]
fn nothing_is_lost_when_the_gateway_ends_and_comes_back() {
    let names = names(3);
    let (site, nats) = (site(&names), Nats::start());
    let mut worker = Process::worker(&site, "a", &nats.toml("a"));
    let mut gateway = Process::gateway(&site, any(), &nats.toml("g"));
    let address = gateway.address();
    let mut cameras = cameras(&site, &names, address);
    for _ in 0..3 {
        frames(&mut cameras, 20);
        let before = nats.messages("CIS_UNITS");
        // In the middle of what they send.
        for _ in 0..10 {
            cameras.iter_mut().for_each(Camera::frame);
        }
        wait_for("some units", || nats.messages("CIS_UNITS") > before);
        gateway.kill();
        for _ in 0..10 {
            cameras.iter_mut().for_each(Camera::frame);
        }
        gateway = Process::gateway(&site, address, &nats.toml("g"));
        gateway.address();
        wait_for("the cameras are back", || {
            cameras.iter().all(|camera| camera.sender.stats().connected)
        });
    }
    frames(&mut cameras, 20);
    let sent = finish(cameras);
    let answers = nats.every_frame_once(&names, sent);
    let late = |answer: &&nats::Answer| answer.json["late"] == true;
    assert!(
        answers.values().flatten().filter(late).count() > 0,
        "some came out of the spools"
    );
    assert_eq!(gateway.terminate().code(), Some(0));
    assert_eq!(worker.terminate().code(), Some(0));
    assert_eq!(nats.messages("CIS_RESULTS"), 3 * sent);
}

#[test]
fn what_workers_and_gateway_want_reaches_the_camera() {
    let names = names(1);
    let (site, nats) = (site(&names), Nats::start());
    let view = "[view]\nenhance = 'always'\n[record]\nfolder = 'recordings'\n";
    let mut worker = Process::worker(&site, "a", &format!("{}{view}", nats.toml("a")));
    worker.says("1 workers");
    let mut gateway = Process::gateway(&site, any(), &nats.toml("g"));
    // Key frames come when somebody asks.
    let mut camera = Camera::with_spool(&site, &names[0], gateway.address(), 0).connected();
    wait_for("the enhancement layer is wanted", || {
        camera.frame();
        camera.enhance.is_some()
    });
    camera.frames(10);
    wait_for("the frames are answered", || {
        nats.messages("CIS_RESULTS") == camera.scene_frames()
    });
    camera.settle();
    wait_for(
        "a key frame is wanted: the group is too long for whoever takes the camera over",
        || {
            camera.frame();
            camera.asked > 0
        },
    );
    let (sent, enhanced) = (camera.scene_frames(), camera.enhanced());
    assert!(enhanced > 10);
    camera.finish();
    nats.every_frame_once(&names, sent);
    assert_eq!(nats.messages("CIS_UNITS"), sent + enhanced);
    assert_eq!(gateway.terminate().code(), Some(0));
    assert_eq!(worker.terminate().code(), Some(0));
    assert!(
        worker.log().contains(&format!("enhancement: {enhanced} units")),
        "{}",
        worker.log()
    );
    assert!(!site.recordings(&names[0]).is_empty());
}
