//! `cisdetect model-instance-id`: elements of one process share one network, and get what they would get alone.

use std::path::Path;
use std::time::{Duration, Instant};

use cis_inference::batch::{Options, instances};
use cis_inference::bundle::Bundle;
use cis_inference::runtime::{Runtime, SessionOptions};
use gst::prelude::*;
use gstcis::regions::{self, Region};

use crate::common::{bytes, element, init, run, tiny};

/// Three cameras in one pipeline, each with `properties` at its detector: the regions of each camera's frames.
fn three(properties: &str) -> [Vec<Vec<Region>>; 3] {
    let camera = |pattern: &str, color: u32| {
        format!(
            "videotestsrc num-buffers=8 pattern={pattern} foreground-color={color} \
             ! video/x-raw,format=RGB,width=320,height=240 ! cisencode model={0} input-size=64 qindex=8 key-interval=4 \
             ! cisdetect model={0} {properties} ! queue ! funnel. ",
            tiny()
        )
    };
    let cameras = [
        camera("solid-color", 0xffff_ffff),
        camera("solid-color", 0xffff_0000),
        camera("ball", 0xffff_ffff),
    ];
    let ran = run(&format!(
        "funnel name=funnel ! appsink name=out sync=false {}",
        cameras.concat()
    ))
    .ok();
    // What a camera sent tells it from the others: white, red, and a ball on black.
    let mut all: [Vec<(Vec<u8>, Vec<Region>)>; 3] = Default::default();
    for buffer in ran.buffers() {
        let found = regions::read(buffer);
        let camera = match found.first().map(|region| region.label.as_str()) {
            Some("bright") => 0,
            Some("red") => 1,
            _ => 2,
        };
        all[camera].push((bytes(buffer), found));
    }
    all.map(|frames| frames.into_iter().map(|(_, found)| found).collect())
}

#[test]
fn elements_of_one_id_share_a_network_and_find_the_same() {
    init();
    let alone = three("");
    assert_eq!(alone.each_ref().map(Vec::len), [8; 3]);
    let options = Options {
        size: 3,
        timeout: Duration::from_millis(50),
    };
    let bundle = Bundle::load(Path::new(&tiny())).unwrap();
    let shared = instances::get(
        "three",
        &Runtime::load().unwrap(),
        &bundle,
        &SessionOptions::default(),
        options,
    )
    .unwrap();
    let together = three("model-instance-id=three batch-size=3 batch-timeout=50");
    assert_eq!(together, alone);
    let counts = shared.counts();
    assert_eq!(counts.requests, 24, "every frame went through the shared network");
    assert!(counts.runs <= counts.requests);
    let started = Instant::now();
    while shared.lanes() > 0 {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "elements that have stopped leave nothing behind"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn elements_of_one_id_must_want_the_same() {
    let first = element(&format!("cisdetect model={} model-instance-id=same", tiny()));
    first.set_state(gst::State::Paused).unwrap();
    for (property, words) in [
        ("threads=2", "in use with threads 1: legal is the same, not 2"),
        ("batch-size=4", "in use with batch-size 1"),
    ] {
        let other = element(&format!(
            "cisdetect model={} model-instance-id=same {property}",
            tiny()
        ));
        let bus = gst::Bus::new();
        other.set_bus(Some(&bus));
        assert!(other.set_state(gst::State::Paused).is_err(), "{property}");
        let message = bus.pop_filtered(&[gst::MessageType::Error]).unwrap();
        let gst::MessageView::Error(error) = message.view() else {
            unreachable!("filtered");
        };
        let error = error.error();
        assert!(error.matches(gst::ResourceError::Settings), "{error}");
        assert!(
            error.to_string().contains(words) && error.to_string().contains("\"same\""),
            "{error}"
        );
        other.set_state(gst::State::Null).unwrap();
    }
    first.set_state(gst::State::Null).unwrap();
    // Nobody uses it any more: it may be something else.
    let next = element(&format!(
        "cisdetect model={} model-instance-id=same threads=2",
        tiny()
    ));
    next.set_state(gst::State::Paused).unwrap();
    next.set_state(gst::State::Null).unwrap();
}
