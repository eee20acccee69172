//! `cistrack`: numbers on regions, unsure boxes that only it sees, settings.

use gst_check::Harness;
use gstcis::regions::{self, Region};

use crate::common::{Ran, element, run, stat, stream, tiny, unit_buffer, unit_caps};

/// Frames of one colour through a detector and what comes behind it.
fn follow(color: u32, detect: &str, behind: &str) -> Ran {
    run(&format!(
        "videotestsrc num-buffers=5 pattern=solid-color foreground-color={color} \
         ! video/x-raw,format=RGB,width=320,height=240,framerate=10/1 ! cisencode model={0} input-size=64 qindex=8 \
         ! cisdetect model={0} {detect} ! {behind} appsink name=out sync=false",
        tiny()
    ))
}

fn numbers(buffer: &gst::BufferRef) -> Vec<Option<u64>> {
    regions::read(buffer)
        .into_iter()
        .map(|region| region.track)
        .collect()
}

/// Regions of whatever kind.
fn metas(buffer: &gst::BufferRef) -> usize {
    buffer.iter_meta::<gst_video::VideoRegionOfInterestMeta>().count()
}

#[test]
fn each_object_has_a_number_from_the_second_frame_on() {
    // Twelve cells, each of them bright.
    let ran = follow(0xffff_ffff, "", "queue ! cistrack !").ok();
    let frames: Vec<_> = ran.buffers().into_iter().map(numbers).collect();
    assert_eq!(frames.len(), 5);
    assert_eq!(frames[0], [None; 12]);
    let mut second: Vec<_> = frames[1].iter().map(|number| number.unwrap()).collect();
    assert!(frames[1..].iter().all(|frame| *frame == frames[1]), "{frames:?}");
    second.sort_unstable();
    assert_eq!(second, (1..=12).collect::<Vec<_>>());
    let last = ran.buffers()[4];
    for (meta, region) in last
        .iter_meta::<gst_video::VideoRegionOfInterestMeta>()
        .zip(regions::read(last))
    {
        assert_eq!(u64::try_from(meta.id()).ok(), region.track);
    }
}

#[test]
fn lines_have_the_numbers() {
    let ran = follow(0xffff_ffff, "", "cistrack confirm-frames=1 ! cisjson !").ok();
    for line in ran.units() {
        let line: serde_json::Value = serde_json::from_slice(&line).unwrap();
        let objects = line["objects"].as_array().unwrap();
        assert!(
            objects.len() == 12 && objects.iter().all(|object| object["track"].is_u64()),
            "{line}"
        );
    }
}

#[test]
fn unsure_boxes_are_for_the_tracker_alone() {
    // The confidence of cells of this red is 0.5.
    let red = |detect: &str, behind: &str| {
        let ran = follow(0xffa0_7070, detect, behind).ok();
        let last = ran.buffers()[4];
        (regions::read(last).len(), metas(last))
    };
    assert_eq!(red("threshold=0.3 classes=red", ""), (12, 12));
    assert_eq!(red("threshold=0.8 classes=red", ""), (0, 0), "nobody wants them");
    assert_eq!(
        red("threshold=0.8 classes=red", "cistrack !"),
        (0, 0),
        "they are gone again"
    );

    // Asked for them, the detector attaches them beside the same detections.
    let counts = |wish: bool| {
        let detector = element(&format!("cisdetect model={} threshold=0.999", tiny()));
        let mut harness = Harness::with_element(&detector, Some("sink"), Some("src"));
        harness.set_src_caps(unit_caps());
        if wish {
            let wish = gst::Structure::builder("cis-candidates").field("threshold", 0.1f32);
            assert!(harness.push_upstream_event(gst::event::CustomUpstream::new(wish.build())));
        }
        let units = stream(2, 0);
        let counts = [0, 1].map(|index| {
            harness.push(unit_buffer(&units[index], index as u64)).unwrap();
            let buffer = harness.pull().unwrap();
            (
                regions::read(&buffer).len(),
                regions::read_candidates(&buffer).len(),
            )
        });
        let sure = counts.iter().map(|(sure, _)| sure).sum::<usize>();
        assert_eq!(stat::<u64>(&detector, "objects"), sure as u64);
        counts
    };
    let (alone, asked) = (counts(false), counts(true));
    for ((sure, none), (same, unsure)) in alone.into_iter().zip(asked) {
        assert_eq!((sure, none), (same, 0));
        assert!(unsure > 0, "the background is dark, but not that surely");
    }
}

#[test]
fn regions_of_others_stay_as_they_are() {
    let tracker = element("cistrack confirm-frames=1");
    let mut harness = Harness::with_element(&tracker, Some("sink"), Some("src"));
    harness.set_src_caps(unit_caps());
    let mut buffer = unit_buffer(&stream(1, 0)[0], 0);
    let writable = buffer.get_mut().unwrap();
    gst_video::VideoRegionOfInterestMeta::add(writable, "face", (1, 2, 3, 4));
    let own = Region {
        class_id: 2,
        label: "red".into(),
        confidence: 0.9,
        x: 10,
        y: 10,
        w: 50,
        h: 50,
        track: None,
    };
    regions::attach(writable, &own);
    harness.push(buffer).unwrap();
    let buffer = harness.pull().unwrap();
    let found: Vec<_> = regions::read(&buffer)
        .into_iter()
        .map(|region| (region.label, region.track))
        .collect();
    assert_eq!(found, [("face".into(), None), ("red".into(), Some(1))]);
    assert_eq!(stat::<u64>(&tracker, "tracks"), 1);
}

#[test]
fn thresholds_out_of_order_are_refused_with_their_values() {
    let ran = follow(0xffff_ffff, "", "cistrack low-threshold=0.6 !");
    assert!(ran.error.is_some());
    assert!(
        ran.error_text
            .contains("low-threshold is 0.6, high-threshold 0.4"),
        "{}",
        ran.error_text
    );
}
