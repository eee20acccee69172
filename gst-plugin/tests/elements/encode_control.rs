//! `cisencode` under control: events, changes while it runs, odd input.

use gst::prelude::*;
use gst_check::Harness;

use crate::common::{bytes, element, headers, stat, tiny};

fn harness(properties: &str) -> (Harness, gst::Element) {
    let encoder = element(&format!("cisencode model={} input-size=64 {properties}", tiny()));
    let harness = Harness::with_element(&encoder, Some("sink"), Some("src"));
    (harness, encoder)
}

fn raw_caps(width: i32, height: i32, fps: i32) -> gst::Caps {
    gst_video::VideoCapsBuilder::new()
        .format(gst_video::VideoFormat::Gray8)
        .width(width)
        .height(height)
        .framerate(gst::Fraction::new(fps, 1))
        .build()
}

/// A frame of one grey level; rows of GRAY8 are padded to multiples of 4.
fn frame(width: usize, height: usize, level: u8, pts_ms: u64) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_slice(vec![level; width.next_multiple_of(4) * height]);
    buffer
        .get_mut()
        .unwrap()
        .set_pts(gst::ClockTime::from_mseconds(pts_ms));
    buffer
}

fn pull(harness: &mut Harness, count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|_| bytes(&harness.pull().unwrap())).collect()
}

fn keys(units: &[Vec<u8>]) -> Vec<bool> {
    headers(units).iter().map(|header| header.key).collect()
}

#[test]
fn variable_frame_rate_keeps_every_time_stamp() {
    let (mut harness, _) = harness("");
    harness.set_src_caps(raw_caps(160, 120, 0));
    let times = [0, 40, 41, 1000, 60_000, 60_010];
    for time in times {
        harness.push(frame(160, 120, 50, time)).unwrap();
    }
    let units = pull(&mut harness, times.len());
    let found: Vec<u64> = headers(&units)
        .iter()
        .map(|header| header.pts_ns / 1_000_000)
        .collect();
    assert_eq!(found, times);
}

#[test]
fn key_frames_on_request() {
    let (mut harness, encoder) = harness("key-interval=0");
    harness.set_src_caps(raw_caps(160, 120, 10));
    for index in 0..3 {
        harness.push(frame(160, 120, 50, index * 100)).unwrap();
    }
    harness.push_upstream_event(
        gst_video::UpstreamForceKeyUnitEvent::builder()
            .all_headers(true)
            .build(),
    );
    for index in 3..6 {
        harness.push(frame(160, 120, 50, index * 100)).unwrap();
    }
    let units = pull(&mut harness, 6);
    assert_eq!(keys(&units), [true, false, false, true, false, false]);
    encoder.set_property("key-interval", 2u32);
    for index in 6..10 {
        harness.push(frame(160, 120, 50, index * 100)).unwrap();
    }
    let more = pull(&mut harness, 4);
    let all: Vec<Vec<u8>> = units.into_iter().chain(more).collect();
    assert_eq!(keys(&all)[6..].iter().filter(|key| **key).count(), 2);
}

#[test]
fn new_caps_in_mid_stream_start_a_new_group() {
    let (mut harness, _) = harness("key-interval=0");
    harness.set_src_caps(raw_caps(160, 120, 10));
    harness.push(frame(160, 120, 50, 0)).unwrap();
    harness.push(frame(160, 120, 50, 100)).unwrap();
    harness.set_src_caps(raw_caps(120, 160, 10));
    harness.push(frame(120, 160, 50, 200)).unwrap();
    harness.push(frame(120, 160, 50, 300)).unwrap();
    let units = pull(&mut harness, 4);
    let found = headers(&units);
    assert_eq!(keys(&units), [true, false, true, false]);
    assert_eq!((found[3].source.width, found[3].source.height), (120, 160));
    let caps = harness.sinkpad().unwrap().current_caps().unwrap();
    assert_eq!(caps.structure(0).unwrap().get::<i32>("height"), Ok(160));
}

#[test]
fn after_a_flush_comes_a_key_frame() {
    let (mut harness, _) = harness("key-interval=0");
    harness.set_src_caps(raw_caps(160, 120, 10));
    harness.push(frame(160, 120, 50, 0)).unwrap();
    harness.push(frame(160, 120, 50, 100)).unwrap();
    let before = pull(&mut harness, 2);
    assert!(harness.push_event(gst::event::FlushStart::new()));
    assert!(harness.push_event(gst::event::FlushStop::new(true)));
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    assert!(harness.push_event(gst::event::Segment::new(&segment)));
    // Back in time, as after a seek.
    harness.push(frame(160, 120, 50, 50)).unwrap();
    let after = pull(&mut harness, 1);
    assert_eq!(keys(&before), [true, false]);
    assert_eq!(keys(&after), [true]);
    assert_eq!(headers(&after)[0].pts_ns, 50_000_000);
}

#[test]
fn late_frames_are_dropped_when_downstream_says_so() {
    let (mut harness, encoder) = harness("qos=true key-interval=0");
    harness.set_src_caps(raw_caps(160, 120, 10));
    harness.push(frame(160, 120, 50, 0)).unwrap();
    let bus = gst::Bus::new();
    encoder.set_bus(Some(&bus));
    // The frame of second 5 came 200 ms too late: there is no use in anything before that.
    harness.push_upstream_event(
        gst::event::Qos::builder(gst::QOSType::Underflow, 2.0, 200_000_000)
            .timestamp(gst::ClockTime::from_seconds(5))
            .build(),
    );
    for time in [100, 200, 300] {
        harness.push(frame(160, 120, 50, time)).unwrap();
    }
    harness.push(frame(160, 120, 50, 10_000)).unwrap();
    let units = pull(&mut harness, 2);
    assert_eq!(headers(&units)[1].pts_ns, 10_000_000_000);
    assert_eq!(stat::<u64>(&encoder, "dropped"), 3);
    let told = std::iter::from_fn(|| bus.pop())
        .filter(|m| m.type_() == gst::MessageType::Qos)
        .count();
    assert_eq!(told, 3);
}

#[test]
fn frames_without_change_are_repeats_without_a_network() {
    let (mut harness, encoder) = harness("skip-threshold=3 key-interval=5");
    harness.set_src_caps(raw_caps(160, 120, 10));
    // Noise below the threshold, one real change.
    for (index, level) in [50, 51, 50, 90, 91, 90, 90].into_iter().enumerate() {
        harness.push(frame(160, 120, level, index as u64 * 100)).unwrap();
    }
    let units = pull(&mut harness, 7);
    let found: Vec<bool> = headers(&units).iter().map(|header| header.repeat).collect();
    assert_eq!(found, [false, true, true, false, true, false, true]);
    assert_eq!(keys(&units), [true, false, false, false, false, true, false]);
    assert_eq!(stat::<u64>(&encoder, "skipped"), 4);
    assert_eq!(stat::<f64>(&encoder, "front-ms-last"), 0.0);
}

#[test]
fn settings_change_while_it_runs() {
    let (mut harness, encoder) = harness("qindex=8");
    harness.set_src_caps(raw_caps(160, 120, 10));
    harness.push(frame(160, 120, 50, 0)).unwrap();
    encoder.set_property("qindex", 40i32);
    encoder.set_property("sticky", 0.1f32);
    encoder.set_property("max-frame-bytes", 4000u32);
    harness.push(frame(160, 120, 90, 100)).unwrap();
    let units = pull(&mut harness, 2);
    let found: Vec<u8> = headers(&units).iter().map(|header| header.qindex).collect();
    assert_eq!(found, [8, 40]);
}

#[test]
fn a_buffer_that_is_no_frame_is_a_warning_and_the_stream_goes_on() {
    let (mut harness, encoder) = harness("");
    let bus = gst::Bus::new();
    encoder.set_bus(Some(&bus));
    harness.set_src_caps(raw_caps(160, 120, 10));
    harness.push(gst::Buffer::new()).unwrap();
    harness.push(gst::Buffer::from_slice(vec![0u8; 100])).unwrap();
    harness.push(frame(160, 120, 50, 200)).unwrap();
    let units = pull(&mut harness, 1);
    assert_eq!(keys(&units), [true]);
    assert_eq!(stat::<u64>(&encoder, "failed"), 2);
    let warned = std::iter::from_fn(|| bus.pop()).any(|m| m.type_() == gst::MessageType::Warning);
    assert!(warned);
}

#[test]
fn capture_time_is_taken_from_the_reference_time_stamp() {
    let (mut harness, _) = harness("");
    harness.set_src_caps(raw_caps(160, 120, 10));
    let told = gst::ClockTime::from_nseconds(1_700_000_000_123_456_789);
    let mut first = frame(160, 120, 50, 0);
    let reference = gst::Caps::new_empty_simple("timestamp/x-unix");
    gst::ReferenceTimestampMeta::add(first.get_mut().unwrap(), &reference, told, gst::ClockTime::NONE);
    let before = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    harness.push(first).unwrap();
    harness.push(frame(160, 120, 50, 100)).unwrap();
    let units = pull(&mut harness, 2);
    let found = headers(&units);
    assert_eq!(found[0].capture_utc_ns, told.nseconds());
    // Without one: the clock on the wall, to within an hour.
    let difference = found[1].capture_utc_ns.abs_diff(before.as_nanos() as u64);
    assert!(difference < 3_600_000_000_000, "{difference}");
}

#[test]
fn latency_is_a_frame_at_most() {
    let (mut harness, _) = harness("");
    harness.set_src_caps(raw_caps(160, 120, 10));
    harness.set_upstream_latency(gst::ClockTime::from_mseconds(7));
    harness.push(frame(160, 120, 50, 0)).unwrap();
    assert_eq!(harness.query_latency(), Some(gst::ClockTime::from_mseconds(107)));
}

#[test]
fn a_link_that_carries_little_gets_fewer_frames_until_it_carries_more() {
    let (mut harness, encoder) = harness("key-interval=0");
    harness.set_src_caps(raw_caps(160, 120, 10));
    harness.push(frame(160, 120, 50, 0)).unwrap();
    let told = |target: Option<u64>| {
        let link = gst::Structure::builder("cis-link-congestion")
            .field("congested", target.is_some())
            .field_if_some("target-bitrate", target)
            .build();
        gst::event::CustomUpstream::new(link)
    };
    assert!(harness.push_upstream_event(told(Some(100))));
    for n in 1..10 {
        harness.push(frame(160, 120, 50 + n, u64::from(n) * 100)).unwrap();
    }
    let few: u64 = stat(&encoder, "frames");
    assert!((1..4).contains(&few), "{few}");
    assert_eq!(few + stat::<u64>(&encoder, "dropped"), 10);
    assert!(harness.push_upstream_event(told(None)));
    for n in 10..20 {
        harness.push(frame(160, 120, 50 + n, u64::from(n) * 100)).unwrap();
    }
    assert_eq!(stat::<u64>(&encoder, "frames"), few + 10);
}

#[test]
fn a_link_that_carries_much_makes_no_frame_finer_than_was_asked_for() {
    let finest = |bound: Option<u64>| {
        let (mut harness, _) = harness("key-interval=0 qindex=44");
        harness.set_src_caps(raw_caps(160, 120, 10));
        if let Some(bound) = bound {
            let link = gst::Structure::builder("cis-link-congestion").field("target-bitrate", bound);
            assert!(harness.push_upstream_event(gst::event::CustomUpstream::new(link.build())));
        }
        let frames = (0..10).map(|n| {
            harness
                .push(frame(160, 120, 50 + 15 * n, u64::from(n) * 100))
                .unwrap();
            let unit = harness.pull().unwrap();
            unit.map_readable().unwrap().to_vec()
        });
        headers(&frames.collect::<Vec<_>>())
            .iter()
            .map(|header| header.qindex)
            .min()
    };
    assert_eq!(finest(None), Some(44));
    assert_eq!(finest(Some(1_000_000)), Some(44));
}
