//! The operator's view: an RTSP player of GStreamer against the receiver's RTSP server.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use cis_receiver::{Receiver, Snapshot};
use common::{Camera, Site, wait_for};
use gst::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

const JSON: &str = "[rtsp]\naddress = '127.0.0.1:0'\n[json]\noutput = 'none'\n";

/// A camera that sends frames as fast as the test's machine takes them, on a thread of its own, until it is dropped.
struct Live {
    stop: crossbeam_channel::Sender<()>,
    thread: Option<JoinHandle<Camera>>,
}

impl Live {
    fn start(mut camera: Camera) -> Self {
        let (stop, stopped) = crossbeam_channel::bounded(0);
        let run = move || {
            let tick = crossbeam_channel::tick(std::time::Duration::from_millis(40));
            loop {
                crossbeam_channel::select! {
                    recv(tick) -> _ => camera.frame(),
                    recv(stopped) -> _ => return camera,
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("camera".into())
            .spawn(run)
            .unwrap();
        Self {
            stop,
            thread: Some(thread),
        }
    }

    /// Stops sending and gives the camera back.
    fn stop(mut self) -> Camera {
        drop(self.stop);
        self.thread.take().unwrap().join().unwrap()
    }
}

/// A player that counts pictures.
struct Player {
    pipeline: gst::Pipeline,
    pictures: Arc<AtomicU64>,
    size: Arc<parking_lot::Mutex<Option<(i32, i32)>>>,
}

impl Player {
    fn start(receiver: &Receiver, stream: &str, protocol: &str) -> Self {
        gst::init().unwrap();
        let url = format!("rtsp://{}/{stream}", receiver.rtsp_address().unwrap());
        let text = format!(
            "rtspsrc location={url} protocols={protocol} timeout=30000000 latency=0 ! rtph264depay ! avdec_h264 ! \
             fakesink name=sink sync=false signal-handoffs=true"
        );
        let pipeline = gst::parse::launch(&text)
            .unwrap()
            .downcast::<gst::Pipeline>()
            .unwrap();
        let pictures = Arc::new(AtomicU64::new(0));
        let size = Arc::new(parking_lot::Mutex::new(None));
        let sink = pipeline.by_name("sink").unwrap();
        let (count, seen) = (pictures.clone(), Arc::clone(&size));
        sink.connect("handoff", false, move |values| {
            let caps = values[2].get::<gst::Pad>().unwrap().current_caps().unwrap();
            let caps = caps.structure(0).unwrap();
            *seen.lock() = Some((caps.get("width").unwrap(), caps.get("height").unwrap()));
            count.fetch_add(1, Ordering::Relaxed);
            None
        });
        pipeline.set_state(gst::State::Playing).unwrap();
        Self {
            pipeline,
            pictures,
            size,
        }
    }

    fn pictures(&self) -> u64 {
        if let Some(message) = self
            .pipeline
            .bus()
            .unwrap()
            .pop_filtered(&[gst::MessageType::Error])
        {
            panic!("the player failed: {message:?}");
        }
        self.pictures.load(Ordering::Relaxed)
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.pipeline.set_state(gst::State::Null).unwrap();
    }
}

fn stream(receiver: &Receiver) -> Snapshot {
    receiver
        .streams()
        .first()
        .map(|(_, s)| s.clone())
        .unwrap_or_default()
}

/// A camera whose only key frame lies behind, so that a view can start from the kept group alone.
fn watched_camera(site: &Site, receiver: &Receiver) -> Live {
    let mut camera = Camera::start(site, "gate-1", receiver.address(), 0).connected();
    camera.frames(10);
    wait_for("the first frames", || stream(receiver).frames == 10);
    camera.settle();
    Live::start(camera)
}

fn plays(protocol: &str) {
    let site = Site::new(&["gate-1"]);
    let receiver = site.receiver(JSON);
    let live = watched_camera(&site, &receiver);
    assert!(!stream(&receiver).watched, "nobody watches yet");
    let keys = stream(&receiver).keys;
    let player = Player::start(&receiver, "gate-1", protocol);
    wait_for("pictures", || player.pictures() > 10);
    assert!(stream(&receiver).watched);
    assert_eq!(
        *player.size.lock(),
        Some((256, 144)),
        "pictures have the source's size"
    );
    drop(player);
    wait_for("the restoring pipeline has ended", || !stream(&receiver).watched);
    let again = Player::start(&receiver, "gate-1", protocol);
    wait_for("pictures again", || again.pictures() > 3);
    drop(again);
    let camera = live.stop();
    assert_eq!(camera.asked, 0, "views cost the uplink no key frame");
    assert_eq!(receiver.shutdown().sum.keys, keys);
}

#[test]
fn pictures_come_over_tcp_while_somebody_watches() {
    plays("tcp");
}

#[test]
fn pictures_come_over_udp() {
    plays("udp");
}

#[test]
fn two_viewers_share_one_pipeline() {
    let site = Site::new(&["gate-1"]);
    let receiver = site.receiver(JSON);
    let live = watched_camera(&site, &receiver);
    let first = Player::start(&receiver, "gate-1", "tcp");
    wait_for("pictures of the first", || first.pictures() > 3);
    let second = Player::start(&receiver, "gate-1", "tcp");
    wait_for("pictures of the second", || second.pictures() > 3);
    drop(first);
    let before = second.pictures();
    wait_for("the second goes on", || second.pictures() > before + 3);
    drop(second);
    wait_for("the restoring pipeline has ended", || !stream(&receiver).watched);
    live.stop();
    receiver.shutdown();
}

#[test]
fn viewers_are_told_when_the_camera_goes_and_its_path_is_gone() {
    let site = Site::new(&["gate-1"]);
    let receiver = site.receiver(JSON);
    let live = watched_camera(&site, &receiver);
    let player = Player::start(&receiver, "gate-1", "tcp");
    wait_for("pictures", || player.pictures() > 3);
    live.stop().finish();
    wait_for("the stream has ended", || receiver.ended().0 == 1);
    let bus = player.pipeline.bus().unwrap();
    wait_for("the end of the stream", || {
        bus.pop_filtered(&[gst::MessageType::Eos]).is_some()
    });
    drop(player);
    assert_eq!(describe(&receiver, "gate-1"), 404);
}

#[test]
fn unknown_streams_are_404() {
    let site = Site::new(&["gate-1"]);
    let receiver = site.receiver(JSON);
    assert_eq!(describe(&receiver, "gate-1"), 404, "its camera is not there");
    assert_eq!(describe(&receiver, "nobody"), 404);
}

#[test]
fn a_shutdown_while_somebody_watches_ends_cleanly() {
    let site = Site::new(&["gate-1"]);
    let receiver = site.receiver(JSON);
    let live = watched_camera(&site, &receiver);
    let player = Player::start(&receiver, "gate-1", "tcp");
    wait_for("pictures", || player.pictures() > 3);
    let totals = receiver.shutdown();
    assert_eq!(totals.streams, 1);
    live.stop();
}

/// Status of a DESCRIBE.
fn describe(receiver: &Receiver, stream: &str) -> u16 {
    use std::io::{BufRead, BufReader, Write};
    let address = receiver.rtsp_address().unwrap();
    let mut socket = std::net::TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(common::DEADLINE)).unwrap();
    write!(
        socket,
        "DESCRIBE rtsp://{address}/{stream} RTSP/1.0\r\nCSeq: 1\r\n\r\n"
    )
    .unwrap();
    let mut line = String::new();
    BufReader::new(socket).read_line(&mut line).unwrap();
    line.split(' ').nth(1).unwrap().parse().unwrap()
}
