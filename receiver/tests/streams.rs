//! Cameras over the real link to a receiver in this process: JSON lines, rotation, refusals, queues.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use cis_link::sender::{Event, Sender};
use cis_receiver::{Error, Receiver};
use common::{BUNDLE, Camera, Scene, Site, runtime, wait_for};

const JSON: &str = "[rtsp]\nenabled = false\n[json]\noutput = 'out.jsonl'\n[detect]\nwhen-full = 'wait'\n";

#[test]
fn two_cameras_give_one_line_per_frame_each() {
    let site = Site::new(&["gate-1", "gate-2"]);
    let receiver = site.receiver(JSON);
    let mut cameras =
        ["gate-1", "gate-2"].map(|name| Camera::start(&site, name, receiver.address(), 10).connected());
    for _ in 0..25 {
        cameras.iter_mut().for_each(Camera::frame);
    }
    cameras.into_iter().for_each(Camera::finish);
    wait_for("both streams have ended", || receiver.ended().0 == 2);
    let totals = receiver.shutdown();
    assert_eq!(
        (totals.streams, totals.sum.frames, totals.sum.results),
        (2, 50, 50)
    );
    assert_eq!((totals.lines, totals.lines_lost), (50, 0));
    assert_eq!((totals.sum.undecoded, totals.sum.undetected), (0, 0));
    assert_eq!(totals.sum.keys, 6, "every 10th frame");
    let lines = site.lines("out.jsonl");
    for name in ["gate-1", "gate-2"] {
        let own: Vec<_> = lines.iter().filter(|line| line["stream"] == name).collect();
        let numbers: Vec<_> = own.iter().map(|line| line["frame"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (0..25).collect::<Vec<_>>());
        for (line, n) in own.iter().zip(0..) {
            assert_eq!((&line["width"], &line["height"]), (&256.into(), &144.into()));
            assert_eq!(line["key"], n % 10 == 0);
            assert_eq!(line["pts_ns"], n as u64 * 40_000_000);
            assert!(line["capture_utc"].as_str().unwrap().ends_with('Z'));
            // The bright cell of the scene, 64x64 source pixels each, moves every five frames.
            let cell = n / 5 % 8;
            let object = &line["objects"][0];
            assert_eq!(object["label"], "bright", "{line}");
            assert_eq!(object["box"][0], cell % 4 * 64, "{line}");
        }
    }
}

#[test]
fn a_repeated_frame_has_the_objects_of_the_one_before() {
    let site = Site::new(&["gate-1"]);
    let receiver = site.receiver(JSON);
    let mut camera = Camera::start(&site, "gate-1", receiver.address(), 0).connected();
    camera.frame();
    let repeat = camera.scene.repeat();
    camera.sender.send(repeat);
    camera.finish();
    wait_for("the stream has ended", || receiver.ended().0 == 1);
    receiver.shutdown();
    let lines = site.lines("out.jsonl");
    assert_eq!(lines.len(), 2);
    // Seen twice, they have track numbers besides.
    let boxes = |line: &serde_json::Value| {
        let objects = line["objects"].as_array().unwrap();
        objects
            .iter()
            .map(|object| object["box"].clone())
            .collect::<Vec<_>>()
    };
    assert!(!boxes(&lines[0]).is_empty());
    assert_eq!(boxes(&lines[0]), boxes(&lines[1]));
}

#[test]
fn damage_is_counted_and_mended_by_a_key_frame_that_is_asked_for() {
    let site = Site::new(&["gate-1"]);
    let receiver = site.receiver(JSON);
    let mut camera = Camera::start(&site, "gate-1", receiver.address(), 0).connected();
    camera.frames(3);
    wait_for("the first frames", || {
        receiver.streams().first().is_some_and(|(_, s)| s.results == 3)
    });
    camera.settle();
    let mut broken = camera.scene.next(false);
    broken.data = {
        let mut bytes = broken.data.to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        bytes.into()
    };
    camera.sender.send(broken);
    let undecoded = || receiver.streams().first().map_or(0, |(_, s)| s.undecoded);
    wait_for("the damage is seen", || undecoded() == 1);
    let mut after = 0;
    wait_for("a key frame was asked for and results go on", || {
        camera.frame();
        after += 1;
        receiver.streams()[0].1.results > 3
    });
    assert!(camera.asked >= 1);
    camera.finish();
    wait_for("the stream has ended", || receiver.ended().0 == 1);
    let sum = receiver.shutdown().sum;
    assert_eq!(sum.frames, 4 + after);
    assert_eq!(sum.results + sum.undecoded, sum.frames);
}

#[test]
fn frames_beyond_the_detectors_queue_go_without_detections_and_are_counted() {
    let site = Site::new(&["gate-1"]);
    let receiver =
        site.receiver("[rtsp]\nenabled = false\n[json]\noutput = 'out.jsonl'\n[detect]\nqueue = 1\n");
    let mut camera = Camera::start(&site, "gate-1", receiver.address(), 0).connected();
    camera.frames(200);
    camera.finish();
    wait_for("the stream has ended", || receiver.ended().0 == 1);
    let totals = receiver.shutdown();
    assert_eq!(totals.sum.frames, 200);
    assert_eq!(totals.sum.results + totals.sum.undetected, 200);
    assert_eq!((totals.lines, totals.lines_lost), (200, 0));
    let lines = site.lines("out.jsonl");
    let numbers: Vec<_> = lines.iter().map(|line| line["frame"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..200).collect::<Vec<_>>(), "every frame has its line");
    let (passed, found): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.get("detected").is_some());
    assert_eq!(passed.len() as u64, totals.sum.undetected);
    for line in passed {
        assert_eq!(
            (&line["detected"], &line["objects"]),
            (&false.into(), &serde_json::json!([]))
        );
    }
    assert!(
        found
            .iter()
            .all(|line| !line["objects"].as_array().unwrap().is_empty())
    );
}

#[test]
fn a_repeat_of_a_frame_without_detections_does_not_have_older_objects() {
    let site = Site::new(&["gate-1"]);
    let receiver =
        site.receiver("[rtsp]\nenabled = false\n[json]\noutput = 'out.jsonl'\n[detect]\nqueue = 1\n");
    let mut camera = Camera::start(&site, "gate-1", receiver.address(), 0).connected();
    // Bursts of frames with the bright cell elsewhere, each burst ended by repeats.
    for _ in 0..15 {
        camera.frames(10);
        for _ in 0..3 {
            let repeat = camera.scene.repeat();
            camera.sender.send(repeat);
        }
    }
    camera.finish();
    wait_for("the stream has ended", || receiver.ended().0 == 1);
    receiver.shutdown();
    let lines = site.lines("out.jsonl");
    assert_eq!(lines.len(), 195);
    for (line, number) in lines.iter().zip(0..) {
        // A repeat shows what the last frame of its burst showed.
        let shown = number - (number % 13 - 9i64).max(0);
        let cell = shown / 5 % 8;
        if line.get("detected").is_none() {
            assert_eq!(line["objects"][0]["box"][0], cell % 4 * 64, "{line}");
        }
    }
}

#[test]
fn lines_are_rotated_by_size_and_none_is_lost() {
    let site = Site::new(&["gate-1"]);
    // A line has about 200 bytes, so that 1 MiB needs some 5,000.
    let receiver = site.receiver(&JSON.replace(
        "'out.jsonl'",
        "'out.jsonl'\nmax-size = 1\nmax-files = 3\nqueue = 65536",
    ));
    let mut camera = Camera::start(&site, "gate-1", receiver.address(), 0).connected();
    let mut sent = 0;
    wait_for("a rotated file", || {
        camera.frames(50);
        sent += 50;
        let stats = camera.sender.stats();
        wait_for("room in the camera's queue", || {
            camera.sender.stats().queued < 100
        });
        assert_eq!(stats.units_dropped, 0);
        site.path("out.jsonl.1").exists()
    });
    camera.finish();
    wait_for("the stream has ended", || receiver.ended().0 == 1);
    assert_eq!(receiver.shutdown().lines, sent);
    let files = ["out.jsonl.3", "out.jsonl.2", "out.jsonl.1", "out.jsonl"];
    for file in &files[..3] {
        let bytes = std::fs::metadata(site.path(file)).map_or(0, |about| about.len());
        assert!(bytes <= 1 << 20, "{file} has {bytes} bytes");
    }
    let lines = files.iter().flat_map(|file| site.lines(file));
    let numbers: Vec<_> = lines.map(|line| line["frame"].as_u64().unwrap()).collect();
    assert!(
        numbers.iter().copied().eq(0..sent),
        "{} lines of {sent}, in order",
        numbers.len()
    );
}

/// What the camera is told, and that the receiver lives on.
fn refusal(site: &Site, receiver: &Receiver, config: cis_link::sender::Config) -> String {
    let sender = Sender::start(config).unwrap();
    let events = sender.events();
    let mut told = String::new();
    wait_for("the camera is refused", || {
        events.try_iter().any(|event| match event {
            Event::Refused { reason, .. } => {
                told = reason;
                true
            }
            _ => false,
        })
    });
    drop(sender);
    let mut camera = Camera::start(site, "gate-1", receiver.address(), 0).connected();
    camera.frame();
    camera.finish();
    told
}

#[test]
fn a_wrong_token_is_refused() {
    let site = Site::new(&["gate-1"]);
    let receiver = site.receiver(JSON);
    let mut config = Camera::config(&site, "gate-1", receiver.address());
    config.token = Some("0".repeat(64).parse().unwrap());
    let told = refusal(&site, &receiver, config);
    assert!(told.contains("token"), "{told}");
    wait_for("the right camera's frame", || receiver.ended().1.results == 1);
}

#[test]
fn another_bundle_is_refused_with_both_ids() {
    let site = Site::new(&["gate-1"]);
    let receiver = site.receiver(JSON);
    let mut config = Camera::config(&site, "gate-1", receiver.address());
    config.bundle = "other-bundle".into();
    let told = refusal(&site, &receiver, config);
    assert!(told.contains("other-bundle") && told.contains(BUNDLE), "{told}");
}

#[test]
fn units_of_another_bundle_than_the_hello_named_are_counted() {
    let site = Site::new(&["gate-1"]);
    let receiver = site.receiver(JSON);
    let camera = Camera::start(&site, "gate-1", receiver.address(), 0).connected();
    let other = cis_codec::encode::Config::new("other-bundle".parse().unwrap());
    let mut encoder = cis_codec::Encoder::new(other, Default::default()).unwrap();
    let input = cis_codec::encode::Input {
        latents: &[0.0; 192],
        shape: cis_codec::Shape {
            channels: 12,
            width: 4,
            height: 4,
        },
        source: common::SOURCE,
        pts_ns: 0,
        capture_utc_ns: 0,
        force_key: false,
        vectors: &[],
    };
    let packet = encoder.encode(&input).unwrap();
    camera.sender.send(cis_link::Unit {
        data: packet.data,
        key: true,
    });
    camera.finish();
    wait_for("the stream has ended", || receiver.ended().0 == 1);
    let sum = receiver.shutdown().sum;
    assert_eq!((sum.frames, sum.undecoded, sum.results), (1, 1, 0));
}

#[test]
fn a_port_in_use_is_named() {
    let site = Site::new(&["gate-1"]);
    let taken = site.receiver(JSON);
    runtime();
    let mut config = site.config(JSON);
    config.listen.address = taken.address();
    let error = Receiver::start(&config).err().expect("the port is taken");
    assert!(
        error.to_string().contains(&taken.address().port().to_string()),
        "{error}"
    );
    assert_eq!(error.exit_code(), 1);

    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let config = site.config(&format!(
        "[rtsp]\naddress = '127.0.0.1:{port}'\n[json]\noutput = 'none'\n"
    ));
    let error = Receiver::start(&config).err().expect("the port is taken");
    assert!(
        matches!(
            error,
            Error::Bind {
                what: "rtsp.address",
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains(&port.to_string()), "{error}");
}

#[test]
fn a_receiver_that_restarts_gets_the_rest_of_the_stream_from_a_key_frame() {
    let site = Site::new(&["gate-1"]);
    let first = site.receiver(JSON);
    let address = first.address();
    let mut camera = Camera::start(&site, "gate-1", address, 0).connected();
    camera.frames(5);
    wait_for("the first frames", || {
        first.streams().first().is_some_and(|(_, s)| s.results == 5)
    });
    first.shutdown();
    let again = JSON.replace("out.jsonl", "again.jsonl");
    let mut config = site.config(&again);
    config.listen.address = address;
    let second = Receiver::start(&config).unwrap();
    wait_for("results after the restart", || {
        camera.frame();
        second.streams().first().is_some_and(|(_, s)| s.results > 3)
    });
    camera.finish();
    second.shutdown();
    assert_eq!(site.lines("out.jsonl").len(), 5);
    let lines = site.lines("again.jsonl");
    assert_eq!(lines[0]["key"], true, "{}", lines[0]);
    let numbers: Vec<_> = lines.iter().map(|line| line["frame"].as_u64().unwrap()).collect();
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{numbers:?}"
    );
}

#[test]
fn classes_that_the_bundle_does_not_have_are_refused() {
    let site = Site::new(&["gate-1"]);
    runtime();
    let config = site.config(&format!("{JSON}classes = ['bright', 'dragon']\n"));
    let error = Receiver::start(&config).err().expect("no such class");
    assert!(
        error.to_string().contains("dragon") && error.to_string().contains("bright"),
        "{error}"
    );
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn scenes_have_keys_when_asked() {
    let mut scene = Scene::new(3);
    let keys: Vec<_> = (0..7).map(|n| scene.next(n == 4).key).collect();
    assert_eq!(keys, [true, false, false, true, true, false, true]);
}
