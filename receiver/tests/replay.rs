//! Recordings played again: new detections from stored features, and video files of them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use cis_receiver::Receiver;
use common::{BUNDLE, Camera, DEADLINE, Scene, Site, runtime, tiny, wait_for};
use gst::prelude::*;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const RECORD: &str = "[rtsp]\nenabled = false\n[json]\noutput = 'out.jsonl'\n[detect]\nwhen-full = 'wait'\n\
                      [record]\nfolder = 'recordings'\nsegment = 1\n";
/// Frames of 40 ms.
const FRAMES: usize = 60;

/// Sixty frames as the receiver records them, in files of a second, and the lines that it wrote.
fn recorded(site: &Site) -> (Vec<PathBuf>, Vec<Value>) {
    let receiver = site.receiver(RECORD);
    let mut camera = Camera::start(site, "gate-1", receiver.address(), 5).connected();
    camera.frames(FRAMES);
    camera.finish();
    wait_for("the stream has ended", || receiver.ended().0 == 1);
    receiver.shutdown();
    (site.recordings("gate-1"), site.lines("out.jsonl"))
}

fn program(site: &Site, task: &str, files: &[PathBuf], more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cis-receiver"))
        .current_dir(site.dir.path())
        .env("CIS_ONNXRUNTIME", runtime().library())
        .arg(task)
        .args(files)
        .args(more)
        .output()
        .unwrap()
}

#[track_caller]
fn good(output: &Output) -> String {
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{log}");
    log
}

#[track_caller]
fn refused(output: &Output, words: &[&str]) {
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{log}");
    for word in words {
        assert!(log.contains(word), "{word:?} is not in: {log}");
    }
}

fn bundle(name: &str) -> String {
    tiny().with_file_name(name).display().to_string()
}

/// Lines without track numbers: nobody follows objects when a recording is detected again.
fn untracked(lines: &[serde_json::Value]) -> Vec<serde_json::Value> {
    let mut lines = lines.to_vec();
    for object in lines
        .iter_mut()
        .flat_map(|line| line["objects"].as_array_mut().unwrap())
    {
        object.as_object_mut().unwrap().remove("track");
    }
    lines
}

#[test]
fn the_same_bundle_finds_again_what_the_receiver_found() {
    let site = Site::new(&["gate-1"]);
    let (mut files, lines) = recorded(&site);
    assert_eq!(files.len(), 3, "a second each, and the rest: {files:?}");
    // Whatever the order in which they are given.
    files.reverse();
    let bundle = bundle("tiny");
    let log = good(&program(
        &site,
        "redetect",
        &files,
        &["--bundle", &bundle, "--output", "new.jsonl"],
    ));
    assert!(log.contains("60 frames") && log.contains(BUNDLE), "{log}");
    assert_eq!(site.lines("new.jsonl"), untracked(&lines));
}

#[test]
fn another_bundles_back_end_finds_what_it_looks_for_in_the_same_recording() {
    let site = Site::new(&["gate-1"]);
    let (files, lines) = recorded(&site);
    let bundle = bundle("tinyback");
    let output = program(&site, "redetect", &files, &["--bundle", &bundle, "--output", "-"]);
    good(&output);
    let new: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(new.len(), FRAMES);
    for (old, new) in lines.iter().zip(&new) {
        for field in [
            "stream",
            "frame",
            "pts_ns",
            "capture_utc",
            "width",
            "height",
            "key",
            "bytes",
        ] {
            assert_eq!(old[field], new[field], "{field}");
        }
        let (was, is) = (&old["objects"][0], &new["objects"][0]);
        assert_eq!((&was["label"], &is["label"]), (&"bright".into(), &"lit".into()));
        // Four pixels of x on each side; a source pixel is half as large.
        let inner: Vec<_> = was["box"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_i64().unwrap())
            .collect();
        let inner = [inner[0] + 8, inner[1] + 8, inner[2] - 16, inner[3] - 16];
        assert_eq!(is["box"], serde_json::json!(inner), "{is}");
    }
}

#[test]
fn a_camera_with_a_bundle_that_is_understood_is_let_in() {
    let site = Site::new(&["gate-1"]);
    let mut config = site.config(RECORD);
    config.model.folder = Some(tiny().with_file_name("tinyback"));
    runtime();
    let receiver = Receiver::start(&config).unwrap();
    let mut camera = Camera::start(&site, "gate-1", receiver.address(), 5).connected();
    camera.frames(5);
    camera.finish();
    wait_for("the stream has ended", || receiver.ended().0 == 1);
    assert_eq!(receiver.shutdown().sum.undecoded, 0);
    let lines = site.lines("out.jsonl");
    assert_eq!(lines.len(), 5);
    assert!(
        lines.iter().all(|line| line["objects"][0]["label"] == "lit"),
        "{lines:?}"
    );
    // Its picture and boxes, too.
    let args = ["--bundle", &bundle("tinyback"), "--output", "out.mp4"];
    good(&program(&site, "export", &site.recordings("gate-1"), &args));
    assert_eq!(Video::read(&site.path("out.mp4")).times.len(), 5);
}

#[test]
fn a_part_begins_and_ends_where_it_is_told() {
    let site = Site::new(&["gate-1"]);
    let (files, lines) = recorded(&site);
    let bundle = bundle("tiny");
    let more = |from: &str, to: &str| {
        let args = [
            "--bundle",
            &bundle,
            "--output",
            "part.jsonl",
            "--force",
            "--from",
            from,
            "--to",
            to,
        ];
        let output = program(&site, "redetect", &files, &args);
        good(&output);
        site.lines("part.jsonl")
    };
    assert_eq!(
        more("0.5", "0:01.5"),
        untracked(&lines[13..38]),
        "in the middle of groups and files"
    );
    let time = |n: usize| lines[n]["capture_utc"].as_str().unwrap();
    assert_eq!(more(time(17), time(18)), untracked(&lines[17..18]));
    let none = program(
        &site,
        "redetect",
        &files,
        &["--bundle", &bundle, "--output", "none.jsonl", "--from", "1:00"],
    );
    refused(&none, &["no frame"]);
    assert!(!site.path("none.jsonl").exists());
}

#[test]
fn what_cannot_be_used_is_named() {
    let site = Site::new(&[]);
    let file = site.path("gate-1.cis");
    let mut scene = Scene::new(0);
    let units: Vec<u8> = (0..3).flat_map(|_| scene.next(false).data.to_vec()).collect();
    std::fs::write(&file, &units).unwrap();
    std::fs::write(site.path("text.cis"), "no units").unwrap();
    std::fs::write(site.path("there.jsonl"), "precious").unwrap();
    let (tiny, tiny4) = (bundle("tiny"), bundle("tiny4"));
    let run = |file: &Path, more: &[&str]| program(&site, "redetect", &[file.to_owned()], more);
    refused(
        &run(&file, &["--bundle", &tiny4, "--output", "new.jsonl"]),
        &["gate-1.cis", BUNDLE, "cis-tiny4-fixture"],
    );
    refused(
        &run(
            &site.path("text.cis"),
            &["--bundle", &tiny, "--output", "new.jsonl"],
        ),
        &["text.cis", "does not begin with a key frame"],
    );
    refused(
        &run(&site.path("none.cis"), &["--output", "new.jsonl"]),
        &["none.cis", "No such file"],
    );
    refused(
        &run(&file, &["--bundle", &tiny, "--output", "there.jsonl"]),
        &["there.jsonl", "--force"],
    );
    refused(
        &run(&file, &["--bundle", &tiny, "--output", "nowhere/new.jsonl"]),
        &["nowhere/new.jsonl.part", "No such file"],
    );
    refused(
        &run(
            &file,
            &["--bundle", &tiny, "--output", "new.jsonl", "--classes", "dragon"],
        ),
        &["dragon", "bright"],
    );
    refused(
        &run(&file, &["--output", "new.jsonl", "--threshold", "1.5"]),
        &["1.5", "0.0..=1.0"],
    );
    refused(
        &run(&file, &["--output", "new.jsonl", "--from", "2", "--to", "1"]),
        &["--to is not after --from"],
    );
    assert_eq!(
        std::fs::read_to_string(site.path("there.jsonl")).unwrap(),
        "precious"
    );
    let left = std::fs::read_dir(site.dir.path()).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        left.iter()
            .all(|name| !name.to_string_lossy().contains("new.jsonl")),
        "{left:?}"
    );
    // Damage is passed over and said.
    let mut damaged = units.clone();
    let second = damaged.len() - 20;
    damaged[second] ^= 1;
    std::fs::write(&file, [&damaged[..], &units[..]].concat()).unwrap();
    let log = good(&run(&file, &["--bundle", &tiny, "--output", "new.jsonl"]));
    assert!(log.contains("1 damaged places"), "{log}");
    assert!(site.lines("new.jsonl").len() >= 4);
}

#[test]
fn an_exported_file_has_the_frames_and_says_what_they_are() {
    let site = Site::new(&["gate-1"]);
    let (files, _) = recorded(&site);
    let bundle = bundle("tiny");
    let log = good(&program(
        &site,
        "export",
        &files,
        &["--bundle", &bundle, "--output", "out.mp4"],
    ));
    assert!(log.contains("60 frames"), "{log}");
    let whole = Video::read(&site.path("out.mp4"));
    assert_eq!((whole.width, whole.height), (256, 144));
    assert_eq!(whole.times.len(), FRAMES);
    assert!(
        whole.times.windows(2).all(|pair| pair[0] < pair[1]),
        "{:?}",
        whole.times
    );
    assert_eq!(whole.times.first(), Some(&0));
    assert!(whole.comment.contains("generated"), "{}", whole.comment);
    let bytes = std::fs::read(site.path("out.mp4")).unwrap();
    let at = |name: &[u8]| bytes.windows(4).position(|window| window == name).unwrap();
    assert!(
        at(b"moov") < at(b"mdat"),
        "players can begin before they have all of it"
    );

    // Boxes are to be seen, and only where they are wanted.
    let args = ["--bundle", &bundle, "--output", "plain.mp4", "--no-boxes"];
    good(&program(&site, "export", &files, &args));
    let plain = Video::read(&site.path("plain.mp4"));
    assert_eq!(plain.times, whole.times);
    let differ = whole
        .luma
        .iter()
        .zip(&plain.luma)
        .filter(|(a, b)| a.abs_diff(**b) > 40);
    assert!(differ.count() > 100, "the box of the first frame");

    // From the middle of a group to the middle of another one.
    let args = [
        "--bundle", &bundle, "--output", "part.mp4", "--from", "0.5", "--to", "1.5",
    ];
    good(&program(&site, "export", &files, &args));
    let part = Video::read(&site.path("part.mp4"));
    assert_eq!(part.times.len(), 25);
    assert_eq!(part.times.first(), Some(&0));
}

#[test]
fn an_export_that_fails_leaves_nothing() {
    let site = Site::new(&[]);
    let file = site.path("gate-1.cis");
    let mut scene = Scene::new(0);
    let units: Vec<u8> = (0..30).flat_map(|_| scene.next(false).data.to_vec()).collect();
    std::fs::write(&file, &units).unwrap();
    let tiny4 = bundle("tiny4");
    for more in [["--boxes"], ["--no-boxes"]] {
        let args = [&["--bundle", &tiny4, "--output", "out.mp4"][..], &more].concat();
        let output = program(&site, "export", std::slice::from_ref(&file), &args);
        refused(&output, &[BUNDLE, "cis-tiny4-fixture"]);
    }
    let args = ["--output", "out.mp4", "--bundle", "nowhere"];
    refused(
        &program(&site, "export", std::slice::from_ref(&file), &args),
        &["nowhere"],
    );
    let left = std::fs::read_dir(site.dir.path()).unwrap();
    let mp4 = left.filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .contains("mp4")
    });
    assert_eq!(mp4.count(), 0);
}

#[test]
fn an_export_that_is_interrupted_leaves_nothing() {
    let site = Site::new(&[]);
    let mut scene = Scene::new(0);
    let units: Vec<u8> = (0..5000).flat_map(|_| scene.next(false).data.to_vec()).collect();
    std::fs::write(site.path("gate-1.cis"), &units).unwrap();
    for (signal, code) in [("-INT", 1), ("-TERM", 1)] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cis-receiver"))
            .current_dir(site.dir.path())
            .env("CIS_ONNXRUNTIME", runtime().library())
            .args(["export", "gate-1.cis", "--output", "out.mp4", "--bundle"])
            .arg(tiny())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // What the muxer keeps while it works.
        let index = site.path("out.mp4.part.index");
        wait_for("a half-written file", || index.exists());
        let kill = Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
        let mut told = String::new();
        std::io::Read::read_to_string(child.stderr.as_mut().unwrap(), &mut told).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{told}");
        assert!(told.contains("interrupted"), "{told}");
        let left = std::fs::read_dir(site.dir.path()).unwrap();
        let names: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        assert!(
            !names.iter().any(|name| name.to_string_lossy().contains("mp4")),
            "{names:?}"
        );
    }
}

/// What a player sees of an MP4 file.
struct Video {
    width: i32,
    height: i32,
    times: Vec<u64>,
    /// Brightness of the first picture.
    luma: Vec<u8>,
    comment: String,
}

impl Video {
    fn read(path: &Path) -> Self {
        gst::init().unwrap();
        let text = format!(
            "filesrc location={} ! qtdemux ! h264parse ! avdec_h264 ! videoconvert ! video/x-raw,format=I420 ! appsink name=sink sync=false",
            path.display()
        );
        let pipeline = gst::parse::launch(&text)
            .unwrap()
            .downcast::<gst::Pipeline>()
            .unwrap();
        let sink = pipeline
            .by_name("sink")
            .unwrap()
            .downcast::<gst_app::AppSink>()
            .unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let mut video = Self {
            width: 0,
            height: 0,
            times: Vec::new(),
            luma: Vec::new(),
            comment: String::new(),
        };
        while let Some(sample) = sink.try_pull_sample(gst::ClockTime::from_seconds(DEADLINE.as_secs())) {
            let caps = sample.caps().unwrap().structure(0).unwrap();
            (video.width, video.height) = (caps.get("width").unwrap(), caps.get("height").unwrap());
            let buffer = sample.buffer().unwrap();
            if video.times.is_empty() {
                let map = buffer.map_readable().unwrap();
                video.luma = map[..(video.width * video.height) as usize].to_vec();
            }
            video.times.push(buffer.pts().unwrap().nseconds());
        }
        for message in pipeline.bus().unwrap().iter() {
            if let gst::MessageView::Tag(tag) = message.view()
                && let Some(comment) = tag.tags().get::<gst::tags::Comment>()
            {
                video.comment = comment.get().to_owned();
            }
        }
        pipeline.set_state(gst::State::Null).unwrap();
        video
    }
}
