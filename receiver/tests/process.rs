//! The program itself: signals, exit codes, what is on the disk afterwards, and recordings in `cisparse`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::process::Process;
use common::{Camera, DEADLINE, Site, wait_for};
use gst::prelude::*;
use std::io::Read;
use std::process::Command;

const OUTPUT: &str =
    "[rtsp]\naddress = '127.0.0.1:0'\n[detect]\nwhen-full = 'wait'\n[record]\nfolder = 'recordings'\n";

#[test]
fn everything_is_on_the_disk_after_a_signal() {
    for signal in ["-TERM", "-INT"] {
        let site = Site::new(&["gate-1"]);
        let mut process = Process::start(
            &site,
            &site.toml(&format!("{OUTPUT}[json]\noutput = 'out.jsonl'\n")),
        );
        let mut camera = Camera::start(&site, "gate-1", process.address(), 0).connected();
        camera.frames(100);
        // The link confirms what the receiver took; it is detected and written later.
        wait_for("all frames are there", || {
            camera.sender.stats().units_confirmed == 100
        });
        process.signal(signal);
        assert_eq!(process.end().code(), Some(0), "{}", process.log.lock());
        assert_eq!(site.lines("out.jsonl").len(), 100, "{}", process.log.lock());
        let log = process.log.lock().clone();
        assert!(log.contains("summary of 1 streams: 100 frames"), "{log}");
        let recordings = site.recordings("gate-1");
        assert_eq!(recordings.len(), 1);
        assert_eq!(parse(&recordings[0]), (100, 1));
    }
}

/// SIGHUP: certificate and tokens are read anew, the camera that is there stays; after an error everything is as it was.
#[test]
fn a_hangup_reloads_certificates_and_tokens() {
    let (site, other) = (Site::new(&["gate-1"]), Site::new(&["gate-2"]));
    let mut process = Process::start(&site, &site.toml(OUTPUT));
    let address = process.address();
    let before = Camera::start(&site, "gate-1", address, 0).connected();
    let certificate = std::fs::read(site.path("server.pem")).unwrap();
    std::fs::write(site.path("server.pem"), "nothing").unwrap();
    process.signal("-HUP");
    wait_for("the error is told", || {
        process.log.lock().contains("stay as they were")
    });
    assert!(
        process.log.lock().contains("server.pem"),
        "{}",
        process.log.lock()
    );
    std::fs::write(site.path("server.pem"), certificate).unwrap();
    for name in ["server.pem", "server.key", "tokens.toml"] {
        std::fs::copy(other.path(name), site.path(name)).unwrap();
    }
    process.signal("-HUP");
    wait_for("the files are read anew", || {
        process.log.lock().contains("read anew")
    });
    // A camera of the other authority, with a token of the other table.
    Camera::start(&other, "gate-2", address, 0).connected();
    assert!(before.sender.stats().connected);
    assert_eq!(before.sender.stats().reconnects, 0);
    process.signal("-TERM");
    assert_eq!(process.end().code(), Some(0));
}

#[test]
fn lines_on_the_standard_output_are_not_mixed_with_the_log() {
    let site = Site::new(&["gate-1"]);
    let mut process = Process::start(&site, &site.toml(OUTPUT));
    let mut camera = Camera::start(&site, "gate-1", process.address(), 0).connected();
    camera.frames(20);
    camera.finish();
    process.signal("-TERM");
    assert_eq!(process.end().code(), Some(0));
    let mut text = String::new();
    process
        .child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text.lines().count(), 20);
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["stream"], "gate-1");
    }
}

#[test]
fn a_port_in_use_is_exit_code_1_and_a_bad_configuration_2() {
    let site = Site::new(&["gate-1"]);
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut process = Process::start(
        &site,
        &site
            .toml(OUTPUT)
            .replace("127.0.0.1:0'\ncert", &format!("127.0.0.1:{port}'\ncert")),
    );
    assert_eq!(process.end().code(), Some(1));
    wait_for("the port is named", || {
        process.log.lock().contains(&port.to_string())
    });

    let mut process = Process::start(&site, &site.toml("[rtsp]\nbitrate = 3\n"));
    assert_eq!(process.end().code(), Some(2));
    wait_for("option and range are named", || {
        let log = process.log.lock();
        log.contains("rtsp.bitrate") && log.contains("50..=100000")
    });

    let mut process = Process::start(&site, &site.toml(OUTPUT).replace("tokens = 'tokens.toml'\n", ""));
    assert_eq!(process.end().code(), Some(2));
    wait_for("the way out is named", || {
        process.log.lock().contains("--insecure")
    });
}

#[test]
fn keys_of_the_program_let_a_camera_in() {
    let site = Site::new(&[]);
    std::fs::remove_file(site.path("ca.pem")).unwrap();
    for name in ["ca.key", "server.pem", "server.key"] {
        std::fs::remove_file(site.path(name)).unwrap();
    }
    let keys = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cis-receiver"));
        let output = command
            .arg("keys")
            .args(args)
            .arg("--dir")
            .arg(site.dir.path())
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    assert_eq!(keys(&["init", "--name", "127.0.0.1"]).0, Some(0));
    assert_eq!(keys(&["add-camera", "gate-7"]).0, Some(0));
    let (code, text) = keys(&["add-camera", "no/slash"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("no/slash"), "{text}");
    assert_eq!(
        keys(&["init", "--name", "127.0.0.1"]).0,
        Some(1),
        "nothing is overwritten"
    );
    let mut process = Process::start(&site, &site.toml(OUTPUT));
    Camera::start(&site, "gate-7", process.address(), 0)
        .connected()
        .finish();
}

#[test]
fn recordings_go_on_in_a_new_file_at_the_size_limit() {
    let site = Site::new(&["gate-1"]);
    let receiver = site.receiver(&format!("{OUTPUT}max-size = 1\n[json]\noutput = 'none'\n"));
    let mut camera = Camera::start(&site, "gate-1", receiver.address(), 0).connected();
    camera.scene.noise = true;
    camera.frame();
    wait_for("the first frame", || {
        receiver.streams().first().is_some_and(|(_, s)| s.frames == 1)
    });
    camera.settle();
    let mut sent = 1;
    wait_for("a second file", || {
        camera.frames(200);
        sent += 200;
        wait_for("room in the camera's queue", || camera.sender.stats().queued < 50);
        site.recordings("gate-1").len() >= 2
    });
    assert!(
        camera.asked >= 1,
        "a key frame was asked for, because the camera makes none by itself"
    );
    camera.finish();
    wait_for("the stream has ended", || receiver.ended().0 == 1);
    assert_eq!(receiver.shutdown().sum.unrecorded, 0);
    let parsed: Vec<_> = site.recordings("gate-1").iter().map(|path| parse(path)).collect();
    assert_eq!(parsed.iter().map(|(units, _)| units).sum::<u64>(), sent);
    assert!(parsed.iter().all(|(_, keys)| *keys >= 1), "{parsed:?}");
}

#[test]
fn a_recording_that_was_cut_off_opens_up_to_the_cut() {
    let site = Site::new(&["gate-1"]);
    let receiver = site.receiver(&format!("{OUTPUT}[json]\noutput = 'none'\n"));
    let mut camera = Camera::start(&site, "gate-1", receiver.address(), 0).connected();
    camera.frames(30);
    camera.finish();
    wait_for("the stream has ended", || receiver.ended().0 == 1);
    receiver.shutdown();
    let path = &site.recordings("gate-1")[0];
    let bytes = std::fs::read(path).unwrap();
    std::fs::write(path, &bytes[..bytes.len() - 3]).unwrap();
    assert_eq!(parse(path), (29, 1));
}

/// Units and key frames that `cisparse` finds in a file.
fn parse(path: &std::path::Path) -> (u64, u64) {
    gst::init().unwrap();
    gstcis::plugin_register_static().unwrap();
    let text = format!(
        "filesrc location={} ! cisparse ! appsink name=sink sync=false",
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
    let (mut units, mut keys) = (0, 0);
    while let Some(sample) = sink.try_pull_sample(gst::ClockTime::from_seconds(DEADLINE.as_secs())) {
        units += 1;
        keys += u64::from(
            !sample
                .buffer()
                .unwrap()
                .flags()
                .contains(gst::BufferFlags::DELTA_UNIT),
        );
    }
    pipeline.set_state(gst::State::Null).unwrap();
    (units, keys)
}
