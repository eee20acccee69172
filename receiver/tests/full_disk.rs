//! A disk that is full: a real small one, in a mount namespace of the receiver's own (`unshare`, user namespaces or root).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::process::Process;
use common::{Camera, Site, wait_for};
use std::path::PathBuf;
use std::process::Command;

const RECORD: &str = "[rtsp]\nenabled = false\n[json]\noutput = 'none'\n[status]\ninterval = 0\n[record]\nfolder = 'recordings'\n";

/// A receiver whose recordings lie on a disk of that many KiB, and where they are as it sees them.
fn start(site: &Site, more: &str, kib: u32) -> (Process, PathBuf) {
    std::fs::create_dir(site.path("recordings")).unwrap();
    let script = format!("mount -t tmpfs -o size={kib}k tmpfs recordings && exec \"$0\" \"$@\"");
    let toml = site.toml(&format!("{RECORD}{more}"));
    let process = Process::run(site, "receiver.toml", &toml, |command| {
        let program = command.get_program().to_owned();
        *command = Command::new("unshare");
        command
            .args(["--map-root-user", "--mount", "sh", "-c", &script])
            .arg(program)
            .current_dir(site.dir.path())
    });
    let root = PathBuf::from(format!("/proc/{}/root", process.child.id()));
    let recordings = site.path("recordings/gate-1");
    let recordings = root.join(recordings.strip_prefix("/").unwrap());
    (process, recordings)
}

fn says(process: &Process, text: &str) -> usize {
    process.log.lock().matches(text).count()
}

/// Ends it once the camera is gone; returns what it logged.
fn end(mut process: Process) -> String {
    wait_for("the stream is closed", || says(&process, "stream closed") > 0);
    process.signal("-TERM");
    assert_eq!(process.end().code(), Some(0), "{}", process.log.lock());
    wait_for("the summary", || says(&process, "summary of 1 streams") > 0);
    process.log.lock().clone()
}

fn send(camera: &mut Camera, frames: usize) {
    camera.frames(frames);
    wait_for("room in the camera's queue", || camera.sender.stats().queued < 50);
}

#[test]
fn recording_goes_on_when_there_is_room_again() {
    let site = Site::new(&["gate-1"]);
    let (mut process, recordings) = start(&site, "", 512);
    let mut camera = Camera::start(&site, "gate-1", process.address(), 0).connected();
    camera.scene.noise = true;
    wait_for("the disk is full", || {
        send(&mut camera, 100);
        says(&process, "recording: ") > 0
    });
    let log = process.log.lock().clone();
    assert!(log.contains("No space left on device"), "{log}");
    // What is there is whole, and nothing empty lies beside it.
    let files: Vec<_> = std::fs::read_dir(&recordings)
        .unwrap()
        .map(|entry| entry.unwrap())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let bytes = std::fs::read(files[0].path()).unwrap();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let unit = cis_codec::frame::peek(rest, &Default::default())
            .unwrap()
            .unit_len;
        rest = rest.get(unit..).expect("whole units");
    }
    send(&mut camera, 100);
    assert_eq!(says(&process, "recording goes on"), 0);
    std::fs::remove_file(files[0].path()).unwrap();
    wait_for("recording goes on", || {
        send(&mut camera, 1);
        says(&process, "recording goes on") > 0
    });
    assert_eq!(std::fs::read_dir(&recordings).unwrap().count(), 1);
    assert_eq!(says(&process, "recording: "), 1, "told once");
    camera.finish();
    let log = end(process);
    assert!(!log.contains(" 0 unrecorded"), "what was lost is counted: {log}");
}

#[test]
fn the_oldest_recordings_make_room_where_they_may() {
    let site = Site::new(&["gate-1"]);
    // More than the disk has.
    let (mut process, recordings) = start(&site, "max-total = 1\n", 400);
    let mut camera = Camera::start(&site, "gate-1", process.address(), 20).connected();
    camera.scene.noise = true;
    wait_for("files were deleted", || {
        send(&mut camera, 100);
        says(&process, "the disk is full") >= 3
    });
    assert!(std::fs::read_dir(&recordings).unwrap().count() >= 1);
    camera.finish();
    let log = end(process);
    assert!(log.contains(" 0 unrecorded"), "{log}");
    assert!(!log.contains("recording: "), "{log}");
}
