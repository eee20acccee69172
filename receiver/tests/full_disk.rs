//! A disk that is full: a real small one, in a mount namespace of the receiver's own (`unshare`, user namespaces or root).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{Camera, DEADLINE, Site, runtime, wait_for};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const RECORD: &str = "[rtsp]\nenabled = false\n[json]\noutput = 'none'\n[status]\ninterval = 0\n[record]\nfolder = 'recordings'\n";

/// A receiver whose recordings lie on a disk of that many KiB.
struct Process {
    child: Child,
    log: Arc<parking_lot::Mutex<String>>,
    recordings: PathBuf,
}

impl Process {
    fn start(site: &Site, more: &str, kib: u32) -> Self {
        std::fs::write(site.path("receiver.toml"), site.toml(&format!("{RECORD}{more}"))).unwrap();
        std::fs::create_dir(site.path("recordings")).unwrap();
        let script =
            format!("mount -t tmpfs -o size={kib}k tmpfs recordings && exec \"$0\" --config receiver.toml");
        let mut child = Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh", "-c", &script])
            .arg(env!("CARGO_BIN_EXE_cis-receiver"))
            .current_dir(site.dir.path())
            .env("CIS_ONNXRUNTIME", runtime().library())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(parking_lot::Mutex::new(String::new()));
        let (lines, stderr) = (log.clone(), child.stderr.take().unwrap());
        let read = move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().push_str(&(line + "\n"));
            }
        };
        std::thread::Builder::new()
            .name("log".into())
            .spawn(read)
            .unwrap();
        // As the receiver sees it.
        let root = PathBuf::from(format!("/proc/{}/root", child.id()));
        let inside = site.path("recordings");
        let recordings = root.join(inside.strip_prefix("/").unwrap()).join("gate-1");
        Self {
            child,
            log,
            recordings,
        }
    }

    fn address(&mut self) -> SocketAddr {
        let mut found = None;
        wait_for("the receiver listens", || {
            assert_eq!(self.child.try_wait().unwrap(), None, "{}", self.log.lock());
            let log = self.log.lock();
            let line = log
                .lines()
                .find_map(|line| line.split_once("listening for cameras on "));
            found = line.and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
            found.is_some()
        });
        found.unwrap()
    }

    fn says(&self, text: &str) -> usize {
        self.log.lock().matches(text).count()
    }

    fn wait_for(&self, text: &str) {
        let started = Instant::now();
        while self.says(text) == 0 {
            assert!(
                started.elapsed() < DEADLINE,
                "waited for {text:?}: {}",
                self.log.lock()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn end(mut self) -> String {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        let mut status = None;
        wait_for("the process has ended", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        assert_eq!(status.unwrap().code(), Some(0), "{}", self.log.lock());
        self.wait_for("summary of 1 streams");
        self.log.lock().clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn send(camera: &mut Camera, frames: usize) {
    camera.frames(frames);
    wait_for("room in the camera's queue", || camera.sender.stats().queued < 50);
}

#[test]
fn recording_goes_on_when_there_is_room_again() {
    let site = Site::new(&["gate-1"]);
    let mut process = Process::start(&site, "", 512);
    let mut camera = Camera::start(&site, "gate-1", process.address(), 0).connected();
    camera.scene.noise = true;
    wait_for("the disk is full", || {
        send(&mut camera, 100);
        process.says("recording: ") > 0
    });
    let log = process.log.lock().clone();
    assert!(log.contains("No space left on device"), "{log}");
    // What is there is whole, and nothing empty lies beside it.
    let files: Vec<_> = std::fs::read_dir(&process.recordings)
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
    assert_eq!(process.says("recording goes on"), 0);
    std::fs::remove_file(files[0].path()).unwrap();
    wait_for("recording goes on", || {
        send(&mut camera, 1);
        process.says("recording goes on") > 0
    });
    assert_eq!(std::fs::read_dir(&process.recordings).unwrap().count(), 1);
    assert_eq!(process.says("recording: "), 1, "told once");
    camera.finish();
    process.wait_for("stream closed");
    let log = process.end();
    assert!(!log.contains(" 0 unrecorded"), "what was lost is counted: {log}");
}

#[test]
fn the_oldest_recordings_make_room_where_they_may() {
    let site = Site::new(&["gate-1"]);
    // More than the disk has.
    let mut process = Process::start(&site, "max-total = 1\n", 400);
    let mut camera = Camera::start(&site, "gate-1", process.address(), 20).connected();
    camera.scene.noise = true;
    wait_for("files were deleted", || {
        send(&mut camera, 100);
        process.says("the disk is full") >= 3
    });
    assert!(std::fs::read_dir(&process.recordings).unwrap().count() >= 1);
    camera.finish();
    process.wait_for("stream closed");
    let log = process.end();
    assert!(log.contains(" 0 unrecorded"), "{log}");
    assert!(!log.contains("recording: "), "{log}");
}
