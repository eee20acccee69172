//! Events and states as the schemas say; zones and lines of the configuration; tracks in JSON lines.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{Camera, Site, wait_for};
use serde_json::Value;

const REST: &str = "[rtsp]\nenabled = false\n[json]\noutput = 'out.jsonl'\nevents = 'events.jsonl'\n[detect]\nwhen-full = 'wait'\n";

/// The bright cell goes through the upper half of the picture, a quarter of the width at a time, and then through the lower one.
const PLACES: &str = "[[zone]]\nstream = 'gate-1'\nname = 'left'\npolygon = [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]]\n\
    [[zone]]\nstream = 'gate-2'\nname = 'elsewhere'\npolygon = [[0, 0], [1, 0], [1, 1]]\n";

fn validator(name: &str) -> jsonschema::Validator {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(name);
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

fn send(site: &Site, receiver: &cis_receiver::Receiver, frames: usize) {
    let ended = receiver.ended().0;
    let mut camera = Camera::start(site, "gate-1", receiver.address(), 0).connected();
    camera.frames(frames);
    camera.finish();
    wait_for("the stream has ended", || receiver.ended().0 == ended + 1);
}

#[test]
fn events_tell_what_the_lines_show() {
    let site = Site::new(&["gate-1"]);
    let receiver = site.receiver(&format!("{REST}{PLACES}"));
    send(&site, &receiver, 40);
    receiver.shutdown();
    let events = site.lines("events.jsonl");
    let schema = validator("events.schema.json");
    let detections = validator("detections.schema.json");
    for event in &events {
        let errors: Vec<_> = schema.iter_errors(event).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?} in {event}");
        assert_eq!(event["stream"], "gate-1");
        let capture = event["capture_utc"].as_str().unwrap();
        assert!(event["first_utc"].as_str().unwrap() <= event["last_utc"].as_str().unwrap());
        assert!(event["last_utc"].as_str().unwrap() <= capture);
    }
    let of = |kind: &str| -> Vec<_> { events.iter().filter(|event| event["event"] == kind).collect() };
    // Eight places, four of them in the zone.
    let (new, end) = (of("new"), of("end"));
    assert_eq!(
        (new.len(), end.len(), of("enter").len(), of("leave").len()),
        (8, 8, 4, 4)
    );
    assert!(of("enter").iter().all(|event| event["zone"] == "left"));
    let lines = site.lines("out.jsonl");
    assert!(lines.iter().all(|line| detections.is_valid(line)));
    for event in new {
        let line = &lines[event["frame"].as_u64().unwrap() as usize];
        let objects = line["objects"].as_array().unwrap();
        let object = objects
            .iter()
            .find(|object| object["track"] == event["track"])
            .unwrap();
        assert_eq!(
            (&object["box"], &object["label"]),
            (&event["box"], &event["label"])
        );
    }
    for event in end {
        let shown = lines.iter().filter(|line| {
            let objects = line["objects"].as_array().unwrap();
            objects.iter().any(|object| object["track"] == event["track"])
        });
        assert_eq!(event["frames"].as_u64(), Some(shown.count() as u64));
    }
    let mut ids: Vec<_> = of("new")
        .iter()
        .map(|event| event["id"].as_str().unwrap())
        .collect();
    ids.dedup();
    assert_eq!(ids.len(), 8);
}

/// Whoever moves a zone does not have to wait until all cameras have connected again.
#[test]
fn zones_that_change_count_for_cameras_that_are_connected() {
    let site = Site::new(&["gate-1"]);
    let receiver = site.receiver(REST);
    let mut camera = Camera::start(&site, "gate-1", receiver.address(), 0).connected();
    let mut send = |frames: u64| {
        let before = receiver.streams().first().map_or(0, |(_, s)| s.results);
        camera.frames(frames as usize);
        wait_for("results", || {
            receiver
                .streams()
                .first()
                .is_some_and(|(_, s)| s.results == before + frames)
        });
    };
    send(40);
    receiver.reload(&site.config(&format!("{REST}{PLACES}"))).unwrap();
    send(40);
    receiver.reload(&site.config(&format!("{REST}{PLACES}"))).unwrap();
    send(40);
    receiver.reload(&site.config(REST)).unwrap();
    send(40);
    camera.finish();
    wait_for("the stream has ended", || receiver.ended().0 == 1);
    receiver.shutdown();
    let events = site.lines("events.jsonl");
    let enters: Vec<_> = events.iter().filter(|event| event["event"] == "enter").collect();
    let (first, last) = (&enters[0]["frame"], &enters[enters.len() - 1]["frame"]);
    assert!(
        first.as_u64() >= Some(40) && last.as_u64() < Some(120),
        "{enters:?}"
    );
    assert!(enters.len() >= 4, "{enters:?}");
    let count = |kind: &str| events.iter().filter(|event| event["event"] == kind).count();
    // Eight places, and all begin again with each of two changes; the same zones once more are no change.
    assert_eq!((count("new"), count("end")), (24, 24), "{events:?}");
}

#[test]
fn a_camera_that_comes_back_goes_on_counting_and_a_receiver_that_does_has_new_ids() {
    let site = Site::new(&["gate-1"]);
    let tracks = || -> Vec<(u64, String)> {
        let events = site
            .lines("events.jsonl")
            .into_iter()
            .filter(|event| event["event"] == "new");
        events
            .map(|event| {
                (
                    event["track"].as_u64().unwrap(),
                    event["id"].as_str().unwrap().into(),
                )
            })
            .collect()
    };
    let receiver = site.receiver(REST);
    send(&site, &receiver, 5);
    send(&site, &receiver, 5);
    receiver.shutdown();
    assert_eq!(
        tracks().iter().map(|(track, _)| *track).collect::<Vec<_>>(),
        [1, 2]
    );
    let receiver = site.receiver(REST);
    send(&site, &receiver, 5);
    receiver.shutdown();
    let tracks = tracks();
    assert_eq!(tracks[2].0, 1);
    assert!(
        tracks[2].1 != tracks[0].1 && tracks[2].1 != tracks[1].1,
        "{tracks:?}"
    );
}

#[test]
fn nobody_is_followed_when_tracking_is_off() {
    let site = Site::new(&["gate-1"]);
    let receiver = site.receiver(&format!("{REST}[track]\nenabled = false\n"));
    send(&site, &receiver, 20);
    receiver.shutdown();
    assert!(site.lines("events.jsonl").is_empty());
    let lines = site.lines("out.jsonl");
    assert_eq!(lines.len(), 20);
    assert!(
        lines
            .iter()
            .flat_map(|line| line["objects"].as_array().unwrap())
            .all(|object| object.get("track").is_none())
    );
}

#[test]
fn a_repeat_keeps_tracks() {
    let site = Site::new(&["gate-1"]);
    let receiver = site.receiver(REST);
    let mut camera = Camera::start(&site, "gate-1", receiver.address(), 0).connected();
    camera.frames(2);
    for _ in 0..3 {
        let repeat = camera.scene.repeat();
        camera.sender.send(repeat);
    }
    camera.finish();
    wait_for("the stream has ended", || receiver.ended().0 == 1);
    receiver.shutdown();
    let lines = site.lines("out.jsonl");
    assert_eq!(lines.len(), 5);
    assert!(
        lines[1..].iter().all(|line| line["objects"][0]["track"] == 1),
        "{lines:?}"
    );
    assert_eq!(site.lines("events.jsonl").last().unwrap()["frames"], 4);
}
