//! The enhancement layer in the receiver: asked for while somebody watches, counted, recorded, never detected.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use cis_codec::frame::{self, ENHANCEMENT, HeaderReader};
use cis_codec::{Limits, frame::peek};
use cis_receiver::{Receiver, Snapshot};
use common::{Camera, Site, wait_for};
use gst::prelude::*;
use std::time::{Duration, Instant};

const RTSP: &str = "[rtsp]\naddress = '127.0.0.1:0'\n[json]\noutput = 'none'\n";
/// What the switch may take on loopback. Not asserted: the machine may be busy.
const SWITCH: Duration = Duration::from_millis(200);

fn stream(receiver: &Receiver) -> Snapshot {
    let streams = receiver.streams();
    streams.first().map(|(_, s)| s.clone()).unwrap_or_default()
}

/// A player of that stream; it plays until it is dropped.
struct Player(gst::Pipeline);

impl Player {
    fn start(receiver: &Receiver) -> Self {
        gst::init().unwrap();
        let url = format!("rtsp://{}/gate-1", receiver.rtsp_address().unwrap());
        let text = format!("rtspsrc location={url} protocols=tcp latency=0 ! fakesink sync=false");
        let pipeline = gst::parse::launch(&text)
            .unwrap()
            .downcast::<gst::Pipeline>()
            .unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        Self(pipeline)
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.0.set_state(gst::State::Null).unwrap();
    }
}

#[test]
fn a_camera_enhances_while_somebody_watches() {
    let site = Site::new(&["gate-1"]);
    let receiver = site.receiver(RTSP);
    let mut camera = Camera::start(&site, "gate-1", receiver.address(), 0).connected();
    camera.frames(10);
    wait_for("the first frames", || stream(&receiver).frames == 10);
    camera.hear();
    assert!(camera.enhance.is_none(), "nobody watches");

    let player = Player::start(&receiver);
    let mut watched = None;
    wait_for("the wish", || {
        camera.frame();
        watched = watched.or_else(|| stream(&receiver).watched.then(Instant::now));
        camera.enhance.is_some() && watched.is_some()
    });
    let took = camera
        .enhance
        .unwrap()
        .saturating_duration_since(watched.unwrap());
    println!("on {took:?} after the pipeline was there (target {SWITCH:?})");
    let before = camera.scene_frames();
    wait_for("enhancement units", || {
        camera.frame();
        stream(&receiver).enhancement_units >= 20
    });
    let seen = stream(&receiver);
    assert_eq!(seen.unenhanced, 0, "each came behind its frame");
    assert!(seen.enhancement_bytes > 20 && camera.scene_frames() > before);

    let since = Instant::now();
    drop(player);
    wait_for("the wish to end", || {
        camera.frame();
        camera.enhance.is_none()
    });
    println!(
        "off {:?} after the player ended",
        camera.plain.unwrap().duration_since(since)
    );
    wait_for("the units that were on their way", || {
        stream(&receiver).enhancement_units == camera.enhanced()
    });
    assert!(
        camera.asked <= 1,
        "of layer 0 its first key frame was asked for at most"
    );
    let frames = camera.scene_frames();
    camera.finish();
    let totals = receiver.shutdown();
    assert_eq!((totals.sum.frames, totals.sum.keys), (frames, totals.sum.keys));
    assert_eq!(
        totals.sum.results + totals.sum.undetected,
        frames,
        "the detector saw frames and nothing else"
    );
}

#[test]
fn recordings_have_it_in_its_place() {
    let site = Site::new(&["gate-1"]);
    let more = "[rtsp]\nenabled = false\n[json]\noutput = 'none'\n[record]\nfolder = 'recordings'\n\
                [view]\nenhance = 'always'\n";
    let receiver = site.receiver(more);
    let mut camera = Camera::start(&site, "gate-1", receiver.address(), 8).connected();
    wait_for("the wish", || {
        camera.hear();
        camera.enhance.is_some()
    });
    camera.frames(30);
    wait_for("the last of them", || camera.enhanced() == 30);
    let (frames, enhanced) = (camera.scene_frames(), 30);
    camera.finish();
    let sum = receiver.shutdown().sum;
    assert_eq!(
        (sum.frames, sum.enhancement_units, sum.unenhanced),
        (frames, enhanced, 0)
    );
    assert_eq!((sum.unrecorded, sum.undecoded), (0, 0));
    let recording = std::fs::read(&site.recordings("gate-1")[0]).unwrap();
    let (mut rest, limits) = (&recording[..], Limits::default());
    let (mut base, mut above) = (
        HeaderReader::new(limits),
        HeaderReader::of_layer(ENHANCEMENT, limits),
    );
    let (mut newest, mut counts) = (None, (0, 0));
    while !rest.is_empty() {
        let unit = peek(rest, &limits).unwrap();
        let (bytes, tail) = rest.split_at(unit.unit_len);
        rest = tail;
        if unit.layer == frame::DETECTION {
            let header = base.read(bytes).unwrap();
            newest = Some(header.pts_ns);
            counts.0 += 1;
        } else {
            assert_eq!(Some(above.read(bytes).unwrap().pts_ns), newest);
            counts.1 += 1;
        }
    }
    assert_eq!(counts, (frames, enhanced));
}

#[test]
fn never_is_never() {
    let site = Site::new(&["gate-1"]);
    let receiver = site.receiver(&format!("{RTSP}[view]\nenhance = 'never'\n"));
    let mut camera = Camera::start(&site, "gate-1", receiver.address(), 0).connected();
    camera.frames(5);
    let player = Player::start(&receiver);
    wait_for("a viewer", || {
        camera.frame();
        stream(&receiver).watched
    });
    camera.frames(10);
    wait_for("these frames", || stream(&receiver).frames >= 15);
    camera.hear();
    assert!(camera.enhance.is_none());
    drop(player);
    camera.finish();
    assert_eq!(receiver.shutdown().sum.enhancement_units, 0);
}
