//! `cisdecode`: pictures, regions, repeats, lateness, damage.

use gst::prelude::*;
use gst_check::Harness;
use gstcis::regions;

use crate::common::{bytes, element, init, run, run_pipeline, stat, stream, tiny, unit_buffer, unit_caps};

fn harness() -> (Harness, gst::Element) {
    let decoder = element(&format!("cisdecode model={}", tiny()));
    let mut harness = Harness::with_element(&decoder, Some("sink"), Some("src"));
    harness.set_src_caps(unit_caps());
    (harness, decoder)
}

fn out_times(harness: &mut Harness) -> Vec<u64> {
    std::iter::from_fn(|| harness.try_pull())
        .map(|buffer| buffer.pts().unwrap().mseconds() / 100)
        .collect()
}

#[test]
fn pictures_have_the_source_size_and_format_that_is_asked_for() {
    for (format, pixel) in [("RGB", 3), ("RGBx", 4), ("BGRx", 4)] {
        let ran = run(&format!(
            "videotestsrc num-buffers=5 pattern=solid-color foreground-color=0xffc08040 \
             ! video/x-raw,format=RGB,width=322,height=242,framerate=10/1 \
             ! cisencode model={0} input-size=64 qindex=8 ! cisdecode model={0} ! video/x-raw,format={format} \
             ! appsink name=out sync=false",
            tiny()
        ))
        .ok();
        assert_eq!(ran.pts(), [0, 100_000_000, 200_000_000, 300_000_000, 400_000_000]);
        let caps = ran.samples[0].caps().unwrap();
        let info = gst_video::VideoInfo::from_caps(caps).unwrap();
        assert_eq!(
            (info.width(), info.height(), info.fps()),
            (322, 242, gst::Fraction::new(10, 1))
        );
        let picture = bytes(ran.buffers()[2]);
        assert_eq!(picture.len(), info.size());
        let middle = 120 * info.stride()[0] as usize + 160 * pixel;
        let wanted = if format == "BGRx" {
            [0x40, 0x80, 0xc0]
        } else {
            [0xc0, 0x80, 0x40]
        };
        for (found, wanted) in picture[middle..].iter().zip(wanted) {
            assert!(
                found.abs_diff(wanted) <= 3,
                "{format}: {:?}",
                &picture[middle..middle + pixel]
            );
        }
    }
}

#[test]
fn regions_are_carried_over_once() {
    let ran = run(&format!(
        "videotestsrc num-buffers=3 pattern=white ! video/x-raw,format=RGB,width=320,height=240 \
         ! cisencode model={0} input-size=64 skip-threshold=1 ! cisdetect model={0} ! queue ! cisdecode model={0} ! queue \
         ! appsink name=out sync=false",
        tiny()
    ))
    .ok();
    for buffer in ran.buffers() {
        let found = regions::read(buffer);
        assert_eq!(found.len(), 12);
        assert!(
            found
                .iter()
                .all(|region| region.label == "bright" && region.confidence > 0.9)
        );
    }
}

#[test]
fn a_repeat_shows_the_last_picture_without_the_network() {
    init();
    let pipeline = gst::parse::launch(&format!(
        "videotestsrc num-buffers=5 pattern=gradient ! video/x-raw,format=RGB,width=320,height=240 \
         ! cisencode model={0} input-size=64 skip-threshold=1 ! cisdecode name=decoder model={0} \
         ! appsink name=out sync=false",
        tiny()
    ));
    let pipeline = pipeline.unwrap().downcast::<gst::Pipeline>().unwrap();
    let decoder = pipeline.by_name("decoder").unwrap();
    let ran = run_pipeline(&pipeline).ok();
    let pictures = ran.units();
    assert_eq!(pictures.len(), 5);
    assert!(pictures.iter().all(|picture| *picture == pictures[0]));
    assert_eq!(stat::<u64>(&decoder, "restored"), 1);
    assert_eq!(stat::<u64>(&decoder, "repeats"), 4);
}

#[test]
fn fewer_pictures_can_be_restored_than_there_are_frames() {
    let units = stream(9, 0);
    let (mut harness, decoder) = harness();
    decoder.set_property("restore-interval", 3u32);
    let mut pictures = Vec::new();
    for (index, unit) in units.iter().enumerate() {
        harness.push(unit_buffer(unit, index as u64)).unwrap();
        pictures.push(bytes(&harness.pull().unwrap()));
    }
    assert_eq!(stat::<u64>(&decoder, "restored"), 3);
    for group in pictures.chunks(3) {
        assert!(group[1] == group[0] && group[2] == group[0]);
    }
    assert!(pictures[3] != pictures[0], "the ball moves");
}

#[test]
fn late_frames_are_decoded_but_not_restored() {
    let units = stream(8, 0);
    let (mut reference, _) = harness();
    let (mut harness, decoder) = harness();
    let mut wanted = Vec::new();
    for (index, unit) in units.iter().enumerate() {
        reference.push(unit_buffer(unit, index as u64)).unwrap();
        wanted.push(bytes(&reference.pull().unwrap()));
    }
    harness.push(unit_buffer(&units[0], 0)).unwrap();
    harness.push_upstream_event(
        gst::event::Qos::builder(gst::QOSType::Underflow, 2.0, 100_000_000)
            .timestamp(gst::ClockTime::from_mseconds(400))
            .build(),
    );
    for (index, unit) in units.iter().enumerate().skip(1) {
        harness.push(unit_buffer(unit, index as u64)).unwrap();
    }
    let mut last = None;
    let mut times = Vec::new();
    while let Some(buffer) = harness.try_pull() {
        times.push(buffer.pts().unwrap().mseconds() / 100);
        last = Some(bytes(&buffer));
    }
    let late = stat::<u64>(&decoder, "late");
    assert!(late > 0 && late < 7, "{times:?}");
    assert_eq!(times.len() as u64 + late, 8);
    assert_eq!(stat::<u64>(&decoder, "frames"), 8);
    assert_eq!(
        last.as_ref(),
        wanted.last(),
        "what builds on a dropped frame is right"
    );
}

#[test]
fn damage_is_reported_and_ends_at_the_next_key_frame() {
    let (mut harness, decoder) = harness();
    let bus = gst::Bus::new();
    decoder.set_bus(Some(&bus));
    let mut units = stream(10, 5);
    let middle = units[2].len() / 2;
    units[2][middle] ^= 0x10;
    for (index, unit) in units.iter().enumerate() {
        harness.push(unit_buffer(unit, index as u64)).unwrap();
    }
    assert_eq!(out_times(&mut harness), [0, 1, 5, 6, 7, 8, 9]);
    assert_eq!(stat::<u64>(&decoder, "damaged"), 1);
    assert_eq!(stat::<u64>(&decoder, "dropped"), 3);
    assert!(std::iter::from_fn(|| bus.pop()).any(|m| m.type_() == gst::MessageType::Warning));
    let asked = std::iter::from_fn(|| harness.try_pull_upstream_event())
        .filter(|event| gst_video::UpstreamForceKeyUnitEvent::parse(event).is_ok())
        .count();
    assert_eq!(asked, 1);
}

#[test]
fn a_new_size_in_mid_stream_renegotiates() {
    let small = "video/x-raw,format=RGB,width=320,height=240";
    let tall = "video/x-raw,format=RGB,width=240,height=320";
    let ran = run(&format!(
        "concat name=c ! cisencode model={0} input-size=64 ! cisdecode model={0} ! appsink name=out sync=false \
         videotestsrc num-buffers=2 ! {small} ! c. videotestsrc num-buffers=2 ! {tall} ! c.",
        tiny()
    ))
    .ok();
    let widths: Vec<i32> = ran
        .samples
        .iter()
        .map(|s| s.caps().unwrap().structure(0).unwrap().get("width").unwrap())
        .collect();
    assert_eq!(widths, [320, 320, 240, 240]);
}

#[test]
fn after_a_flush_it_waits_for_a_key_frame() {
    let (mut harness, decoder) = harness();
    let units = stream(6, 3);
    for (index, unit) in units.iter().enumerate().take(2) {
        harness.push(unit_buffer(unit, index as u64)).unwrap();
    }
    assert_eq!(out_times(&mut harness), [0, 1]);
    assert!(harness.push_event(gst::event::FlushStart::new()));
    assert!(harness.push_event(gst::event::FlushStop::new(true)));
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    assert!(harness.push_event(gst::event::Segment::new(&segment)));
    for (index, unit) in units.iter().enumerate().skip(2) {
        harness.push(unit_buffer(unit, index as u64)).unwrap();
    }
    assert_eq!(out_times(&mut harness), [3, 4, 5]);
    assert_eq!(stat::<u64>(&decoder, "damaged"), 0);
}
