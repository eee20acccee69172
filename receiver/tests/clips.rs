//! Event clips: where they begin and end, what is told of them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use cis_codec::frame::{HeaderReader, peek};
use cis_receiver::library::{Library, Segment};
use cis_receiver::{Error, Receiver, Totals};
use common::{Camera, Site, wait_for};
use serde_json::Value;

/// Classes make clips: the bright cell jumps to another place every five frames, and is another object there.
const CLIPS: &str = "[rtsp]\nenabled = false\n[json]\noutput = 'none'\n[detect]\nwhen-full = 'wait'\n\
                     [track]\nenabled = false\n[clips]\nfolder = 'clips'\nbefore = 1\n";
const FRAME_NS: u64 = 40_000_000;

/// Sends so many frames of nothing, something bright, something dark, both: a letter of `scenes` each.
fn play(site: &Site, more: &str, key_interval: u64, scenes: &[(char, usize)]) -> (Totals, Vec<Segment>) {
    play_with(site, &format!("{CLIPS}{more}"), key_interval, scenes)
}

fn play_with(
    site: &Site,
    config: &str,
    key_interval: u64,
    scenes: &[(char, usize)],
) -> (Totals, Vec<Segment>) {
    let receiver = site.receiver(config);
    let mut camera = Camera::start(site, "gate-1", receiver.address(), key_interval).connected();
    for (scene, frames) in scenes {
        (camera.scene.bright, camera.scene.dark) = (matches!(scene, 'b' | '2'), matches!(scene, 'd' | '2'));
        for _ in 0..*frames {
            camera.frame();
            wait_for("room in the camera's queue", || {
                camera.sender.stats().queued < 100
            });
        }
    }
    camera.finish();
    wait_for("the stream has ended", || receiver.ended().0 == 1);
    let totals = receiver.shutdown();
    let clips = Library::new(site.path("clips"));
    let clips = clips.segments(&"gate-1".parse().unwrap()).unwrap();
    assert!(clips.iter().all(|segment| segment.clip));
    (totals, clips)
}

/// Numbers of the frames of a clip.
fn frames(clip: &Segment) -> Vec<u64> {
    let bytes = std::fs::read(&clip.path).unwrap();
    let (mut rest, mut headers) = (&bytes[..], HeaderReader::new(Default::default()));
    let mut numbers = Vec::new();
    while !rest.is_empty() {
        let (unit, after) = rest.split_at(peek(rest, &Default::default()).unwrap().unit_len);
        numbers.push(headers.read(unit).unwrap().number);
        rest = after;
    }
    numbers
}

fn about(clip: &Segment) -> Value {
    serde_json::from_slice(&std::fs::read(clip.path.with_extension("json")).unwrap()).unwrap()
}

#[test]
fn a_clip_has_the_seconds_before_and_after() {
    let site = Site::new(&["gate-1"]);
    let scenes = [('.', 102), ('b', 20), ('.', 100)];
    let (totals, clips) = play(&site, "after = 2\n", 5, &scenes);
    assert_eq!((totals.clips, clips.len()), (1, 1));
    // It appeared in frame 102; a second before is 77, whose key frame is 75; two seconds after is 152.
    assert_eq!(frames(&clips[0]), (75..=152).collect::<Vec<_>>());
    let about = about(&clips[0]);
    assert_eq!(about["stream"], "gate-1");
    assert_eq!(about["complete"], true);
    assert_eq!(about["frames"], 78);
    assert_eq!(about["bytes"], clips[0].bytes);
    assert_eq!(about["begins_pts_ns"], 75 * FRAME_NS);
    assert_eq!(about["ends_pts_ns"], 152 * FRAME_NS);
    assert_eq!(about["triggers"].as_array().unwrap().len(), 1);
    let trigger = &about["triggers"][0];
    assert_eq!(
        (&trigger["label"], &trigger["class_id"]),
        (&"bright".into(), &0.into())
    );
    assert_eq!(trigger["pts_ns"], 102 * FRAME_NS);
    assert!(trigger["confidence"].as_f64().unwrap() > 0.9);
    assert!(trigger["capture_utc"].as_str().unwrap().ends_with('Z'));
    let files = std::fs::read_dir(site.path("clips/gate-1")).unwrap();
    assert_eq!(files.count(), 2, "the clip and what is told of it");
}

#[test]
fn each_object_that_is_followed_appears_by_itself() {
    let site = Site::new(&["gate-1"]);
    let scenes = [('.', 100), ('b', 20), ('.', 150)];
    let config = CLIPS.replace("enabled = false\n[clips]", "enabled = true\n[clips]");
    let (_, clips) = play_with(&site, &format!("{config}after = 2\n"), 25, &scenes);
    assert_eq!(clips.len(), 1);
    // A track counts with its second frame, and the fourth of them is the last.
    assert_eq!(frames(&clips[0]), (75..=116 + 50).collect::<Vec<_>>());
    let about = about(&clips[0]);
    let told = about["triggers"].as_array().unwrap().iter();
    let told: Vec<_> = told
        .map(|t| {
            (
                t["track"].as_u64().unwrap(),
                t["pts_ns"].as_u64().unwrap() / FRAME_NS,
            )
        })
        .collect();
    assert_eq!(told, [(1, 101), (2, 106), (3, 111), (4, 116)]);
}

#[test]
fn what_appears_meanwhile_extends_a_clip() {
    let site = Site::new(&["gate-1"]);
    let scenes = [('.', 100), ('b', 30), ('d', 20), ('.', 150)];
    let (_, clips) = play(&site, "after = 2\n", 25, &scenes);
    assert_eq!(clips.len(), 1);
    // Dark in frame 130.
    assert_eq!(frames(&clips[0]), (75..=180).collect::<Vec<_>>());
    let about = about(&clips[0]);
    let labels: Vec<_> = about["triggers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| &t["label"])
        .collect();
    assert_eq!(labels, ["bright", "dark"]);
}

#[test]
fn a_clip_ends_when_it_is_long_enough_and_the_next_one_begins() {
    let site = Site::new(&["gate-1"]);
    let scenes = [('.', 25), ('b', 40), ('2', 60), ('.', 150)];
    let (_, clips) = play(&site, "after = 2\nmax-seconds = 3\n", 5, &scenes);
    let ends: Vec<_> = clips
        .iter()
        .map(|clip| (frames(clip)[0], *frames(clip).last().unwrap()))
        .collect();
    // Bright in 25: a second before is 0. Dark in 65 would have it go on to 115, but three seconds are over at 100.
    assert_eq!(ends, [(0, 100)]);
    let site = Site::new(&["gate-1"]);
    let scenes = [('.', 25), ('b', 60), ('2', 60), ('.', 150)];
    let (_, clips) = play(&site, "after = 2\nmax-seconds = 3\n", 5, &scenes);
    let ends: Vec<_> = clips
        .iter()
        .map(|clip| (frames(clip)[0], *frames(clip).last().unwrap()))
        .collect();
    assert_eq!(ends, [(0, 75), (60, 135)], "dark in 85");
}

#[test]
fn only_what_is_wanted_makes_clips() {
    let scenes = [('.', 30), ('b', 30), ('.', 30)];
    for (more, expected) in [
        ("classes = ['dark']\n", 0),
        ("classes = ['dark', 'bright']\n", 1),
        ("min-confidence = 0.999\n", 0),
    ] {
        let site = Site::new(&["gate-1"]);
        let (totals, clips) = play(&site, more, 5, &scenes);
        assert_eq!(
            (totals.clips, clips.len()),
            (expected, expected as usize),
            "{more}"
        );
    }
    let site = Site::new(&["gate-1"]);
    let config = site.config(&format!("{CLIPS}classes = ['dragon']\n"));
    common::runtime();
    let error = Receiver::start(&config).err().expect("no such class");
    assert!(matches!(error, Error::Config(_)), "{error}");
    assert!(error.to_string().contains("dragon"), "{error}");
}

#[test]
fn a_camera_without_key_frames_is_asked_for_one_and_a_stream_that_ends_ends_its_clip() {
    let site = Site::new(&["gate-1"]);
    let receiver = site.receiver(&format!("{CLIPS}after = 60\n"));
    let mut camera = Camera::start(&site, "gate-1", receiver.address(), 0).connected();
    camera.scene.bright = false;
    camera.frame();
    wait_for("the first frame", || {
        receiver.streams().first().is_some_and(|(_, s)| s.frames == 1)
    });
    camera.settle();
    wait_for("a key frame was asked for", || {
        camera.frames(25);
        wait_for("room in the camera's queue", || camera.sender.stats().queued < 50);
        camera.asked > 0
    });
    let asked = camera.scene_frames();
    assert!(asked > 500, "not before 20 s");
    camera.frames(50);
    camera.scene.bright = true;
    let appeared = camera.scene_frames();
    camera.frames(10);
    camera.finish();
    wait_for("the stream has ended", || receiver.ended().0 == 1);
    assert_eq!(receiver.shutdown().clips, 1);
    let clips = Library::new(site.path("clips"));
    let clips = clips.segments(&"gate-1".parse().unwrap()).unwrap();
    assert_eq!(clips.len(), 1);
    let frames = frames(&clips[0]);
    assert!(
        frames[0] > 500 && frames[0] <= appeared - 25,
        "{} {asked} {appeared}",
        frames[0]
    );
    assert_eq!(frames.last(), Some(&(appeared + 9)));
}

#[test]
fn old_clips_go_with_what_is_told_of_them() {
    let site = Site::new(&["gate-1"]);
    let scenes = [('b', 30)];
    play(&site, "", 5, &scenes);
    let folder = site.path("clips/gate-1");
    let old = folder.join("gate-1-clip-20200101T000000Z.cis");
    let recording = folder.join("gate-1-20200101T000000Z.cis");
    for path in [old.clone(), old.with_extension("json"), recording.clone()] {
        std::fs::write(path, "old").unwrap();
    }
    let receiver = site.receiver(&format!("{CLIPS}max-age = 1\n"));
    wait_for("the old one is gone", || {
        !old.exists() && !old.with_extension("json").exists()
    });
    receiver.shutdown();
    assert!(recording.exists());
    let files = std::fs::read_dir(folder).unwrap();
    assert_eq!(files.count(), 3, "the young one and the recording");
}
