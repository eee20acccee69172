//! `cisdetect`: regions on buffers, allow list, repeats, damage.

use gst::prelude::*;
use gst_check::Harness;
use gstcis::regions::{self, Region};

use crate::common::{element, headers, run, stat, stream, tiny, unit_buffer, unit_caps};

/// Regions of every frame of a picture of one colour, behind a queue.
fn detect(color: u32, properties: &str) -> Vec<Vec<Region>> {
    let ran = run(&format!(
        "videotestsrc num-buffers=3 pattern=solid-color foreground-color={color} \
         ! video/x-raw,format=RGB,width=320,height=240 ! cisencode model={0} input-size=64 qindex=8 \
         ! cisdetect model={0} {properties} ! queue ! appsink name=out sync=false",
        tiny()
    ))
    .ok();
    headers(&ran.units());
    ran.buffers().into_iter().map(regions::read).collect()
}

#[test]
fn objects_are_attached_in_source_pixels() {
    // 320x240 becomes 128x96 pixels of x: 4x3 cells of 80x80 source pixels, each of them bright.
    let frames = detect(0xffff_ffff, "");
    assert_eq!(frames.len(), 3);
    for found in frames {
        assert_eq!(found.len(), 12);
        let mut corners: Vec<(u32, u32)> = found.iter().map(|region| (region.x, region.y)).collect();
        corners.sort_unstable();
        corners.dedup();
        assert_eq!(corners.len(), 12);
        for region in found {
            assert_eq!((region.class_id, region.label.as_str()), (0, "bright"));
            assert!(region.confidence > 0.9 && region.confidence <= 1.0);
            assert_eq!((region.x % 80, region.y % 80, region.w, region.h), (0, 0, 80, 80));
        }
    }
}

#[test]
fn classes_threshold_and_count_narrow_the_result() {
    let label = |color, properties: &str| {
        detect(color, properties)[0]
            .iter()
            .map(|region| region.label.clone())
            .collect::<Vec<_>>()
    };
    assert!(label(0xff00_0000, "").iter().all(|label| label == "dark"));
    assert_eq!(label(0xff00_0000, "classes=dark max-objects=5").len(), 5);
    assert_eq!(label(0xff00_0000, "classes=\"bright, 2\"").len(), 0);
    assert_eq!(label(0xff80_8080, "").len(), 0, "grey is nothing");
    // The confidence of cells of this red is 0.5.
    assert!(!label(0xffa0_7070, "threshold=0.3 classes=red").is_empty());
    assert!(label(0xffa0_7070, "threshold=0.999 classes=red").is_empty());
}

#[test]
fn a_repeat_has_the_objects_of_the_frame_that_it_repeats() {
    let ran = run(&format!(
        "videotestsrc num-buffers=4 pattern=white ! video/x-raw,format=RGB,width=320,height=240 \
         ! cisencode model={0} input-size=64 skip-threshold=2 ! cisdetect name=d model={0} ! appsink name=out sync=false",
        tiny()
    ))
    .ok();
    assert_eq!(
        headers(&ran.units())
            .iter()
            .filter(|header| header.repeat)
            .count(),
        3
    );
    let found: Vec<Vec<Region>> = ran.buffers().into_iter().map(regions::read).collect();
    assert_eq!(found[0].len(), 12);
    assert!(found.iter().all(|regions| *regions == found[0]));
}

#[test]
fn settings_change_while_it_runs() {
    let detector = element(&format!("cisdetect model={}", tiny()));
    let mut harness = Harness::with_element(&detector, Some("sink"), Some("src"));
    harness.set_src_caps(unit_caps());
    let units = stream(3, 0);
    let mut count = |index: usize| {
        harness.push(unit_buffer(&units[index], index as u64)).unwrap();
        regions::read(&harness.pull().unwrap()).len()
    };
    assert!(count(0) > 0, "the background is dark");
    detector.set_property("classes", "red");
    assert_eq!(count(1), 0);
    detector.set_property("classes", "");
    assert!(count(2) > 0);
}

#[test]
fn damage_is_reported_and_ends_at_the_next_key_frame() {
    let detector = element(&format!("cisdetect model={}", tiny()));
    let bus = gst::Bus::new();
    detector.set_bus(Some(&bus));
    let mut harness = Harness::with_element(&detector, Some("sink"), Some("src"));
    harness.set_src_caps(unit_caps());
    let mut units = stream(10, 5);
    let middle = units[2].len() / 2;
    units[2][middle] ^= 0x10;
    for (index, unit) in units.iter().enumerate() {
        // A zero-length buffer among them is no unit either.
        let unit: &[u8] = if index == 7 { &[] } else { unit };
        harness.push(unit_buffer(unit, index as u64)).unwrap();
    }
    let through: Vec<u64> = std::iter::from_fn(|| harness.try_pull())
        .map(|buffer| buffer.pts().unwrap().mseconds() / 100)
        .collect();
    assert_eq!(through, [0, 1, 5, 6]);
    assert_eq!(stat::<u64>(&detector, "damaged"), 2);
    assert_eq!(stat::<u64>(&detector, "dropped"), 6);
    let warnings = std::iter::from_fn(|| bus.pop())
        .filter(|m| m.type_() == gst::MessageType::Warning)
        .count();
    assert_eq!(warnings, 2);
    let asked = std::iter::from_fn(|| harness.try_pull_upstream_event())
        .filter(|event| gst_video::UpstreamForceKeyUnitEvent::parse(event).is_ok())
        .count();
    assert_eq!(asked, 2);
}

#[test]
fn a_stream_joined_in_the_middle_asks_for_a_key_frame_without_a_warning() {
    let detector = element(&format!("cisdetect model={}", tiny()));
    let bus = gst::Bus::new();
    detector.set_bus(Some(&bus));
    let mut harness = Harness::with_element(&detector, Some("sink"), Some("src"));
    harness.set_src_caps(unit_caps());
    for (index, unit) in stream(6, 4).iter().enumerate().skip(2) {
        harness.push(unit_buffer(unit, index as u64)).unwrap();
    }
    assert_eq!(std::iter::from_fn(|| harness.try_pull()).count(), 2);
    let asked = std::iter::from_fn(|| harness.try_pull_upstream_event())
        .filter(|event| gst_video::UpstreamForceKeyUnitEvent::parse(event).is_ok())
        .count();
    assert_eq!(asked, 1);
    assert!(!std::iter::from_fn(|| bus.pop()).any(|m| m.type_() == gst::MessageType::Warning));
}

#[test]
fn units_pass_unchanged() {
    let units = stream(6, 3);
    let detector = element(&format!("cisdetect model={}", tiny()));
    let mut harness = Harness::with_element(&detector, Some("sink"), Some("src"));
    harness.set_src_caps(unit_caps());
    for (index, unit) in units.iter().enumerate() {
        harness.push(unit_buffer(unit, index as u64)).unwrap();
        let out = harness.pull().unwrap();
        assert_eq!(out.map_readable().unwrap().as_slice(), unit.as_slice());
        assert_eq!(out.pts().unwrap().mseconds(), index as u64 * 100);
    }
}
