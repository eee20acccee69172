//! `cisjson`: its lines against the published schema, field by field, and after damage.

use cis_codec::{Encoder, Prior, Shape, Size, encode};
use gst::prelude::*;
use gstcis::caps::StreamCaps;
use gstcis::generated::{self, Quality};
use gstcis::regions::{self, Region};
use serde_json::{Value, json};
use std::sync::Arc;

/// Coded frames of 640x360, a key frame every `key_interval`.
fn units(count: u32, key_interval: u32) -> Vec<encode::Packet> {
    layer(cis_codec::frame::DETECTION, count, key_interval)
}

fn layer(layer: u8, count: u32, key_interval: u32) -> Vec<encode::Packet> {
    let mut config = encode::Config::new("cis-test".parse().unwrap());
    config.layer = layer;
    config.key_interval = key_interval;
    let mut encoder = Encoder::new(config, Arc::new(Prior::default())).unwrap();
    let shape = Shape {
        channels: 4,
        width: 8,
        height: 6,
    };
    (0..count)
        .map(|frame| {
            let latents: Vec<f32> = (0..shape.len())
                .map(|i| ((i as u32 + frame) % 7) as f32)
                .collect();
            let input = encode::Input {
                latents: &latents,
                shape,
                source: Size {
                    width: 640,
                    height: 360,
                },
                pts_ns: 100_000_000 * u64::from(frame),
                capture_utc_ns: 1_795_464_000_000_000_000 + 100_000_000 * u64::from(frame),
                force_key: false,
                vectors: &[],
            };
            encoder.encode(&input).unwrap()
        })
        .collect()
}

fn region(label: &str, class_id: u32, confidence: f64, area: [u32; 4]) -> Region {
    let [x, y, w, h] = area;
    Region {
        class_id,
        label: label.into(),
        confidence,
        x,
        y,
        w,
        h,
        track: None,
    }
}

fn buffer(unit: &[u8], found: &[Region]) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_slice(unit.to_vec());
    let writable = buffer.get_mut().unwrap();
    writable.set_pts(gst::ClockTime::from_seconds(7));
    found.iter().for_each(|region| regions::attach(writable, region));
    buffer
}

fn harness(stream: &str) -> gst_check::Harness {
    super::init();
    let element = gst::ElementFactory::make("cisjson")
        .property("stream", stream)
        .build()
        .unwrap();
    let mut harness = gst_check::Harness::with_element(&element, Some("sink"), Some("src"));
    let caps = StreamCaps {
        bundle: "cis-test".into(),
        width: 640,
        height: 360,
        framerate: None,
    };
    harness.set_src_caps(caps.to_caps());
    harness
}

fn text(buffer: &gst::BufferRef) -> String {
    String::from_utf8(buffer.map_readable().unwrap().to_vec()).unwrap()
}

/// Checks a line against the schema and returns it.
fn valid(line: &str) -> Value {
    let schema = std::fs::read_to_string(super::docs().join("detections.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let value: Value = serde_json::from_str(line).unwrap();
    let errors: Vec<_> = validator
        .iter_errors(&value)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?} in {line}");
    value
}

#[test]
fn a_line_says_everything_in_the_published_order() {
    let units = units(2, 0);
    let mut harness = harness("gate-1");
    let found = [
        region("person", 0, 0.876_543_21, [10, 20, 30, 40]),
        region("say \"hi\"\n", 79, f64::NAN, [0, 0, u32::MAX, 1]),
    ];
    harness.push(buffer(&units[0].data, &found)).unwrap();
    harness.push(buffer(&units[1].data, &[])).unwrap();

    let first = harness.pull().unwrap();
    assert_eq!(first.pts(), Some(gst::ClockTime::from_seconds(7)));
    let line = text(&first);
    assert!(
        line.ends_with("}\n") && line.matches('\n').count() == 1,
        "{line:?}"
    );
    let wanted = json!({
        "stream": "gate-1", "frame": 0, "pts_ns": 0, "capture_utc": "2026-11-23T20:00:00.000000000Z",
        "width": 640, "height": 360, "key": true, "bytes": units[0].data.len(),
        "objects": [
            {"class_id": 0, "label": "person", "confidence": 0.8765, "box": [10, 20, 30, 40]},
            {"class_id": 79, "label": "say \"hi\"\n", "confidence": 0.0, "box": [0, 0, u32::MAX, 1]},
        ],
    });
    assert_eq!(valid(&line), wanted);
    let order = [
        "\"stream\"",
        "\"frame\"",
        "\"pts_ns\"",
        "\"capture_utc\"",
        "\"width\"",
        "\"height\"",
        "\"key\"",
        "\"bytes\"",
        "\"objects\"",
        "\"class_id\"",
        "\"label\"",
        "\"confidence\"",
        "\"box\"",
    ];
    let places: Vec<_> = order.iter().map(|field| line.find(field).unwrap()).collect();
    assert!(places.is_sorted(), "{line}");

    let second = valid(&text(&harness.pull().unwrap()));
    assert_eq!(second["frame"], 1);
    assert_eq!(second["pts_ns"], 100_000_000);
    assert_eq!(second["capture_utc"], "2026-11-23T20:00:00.100000000Z");
    assert_eq!((&second["key"], &second["objects"]), (&json!(false), &json!([])));
}

#[test]
fn the_schema_refuses_what_is_no_line() {
    let schema = std::fs::read_to_string(super::docs().join("detections.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let good = json!({
        "stream": "", "frame": 0, "pts_ns": 0, "capture_utc": null, "width": 1, "height": 1, "key": true, "bytes": 1,
        "objects": [],
    });
    assert!(validator.is_valid(&good));
    let mut passed = good.clone();
    passed["detected"] = json!(false);
    assert!(validator.is_valid(&passed));
    let wrong = [
        ("frame", json!(-1)),
        ("capture_utc", json!("yesterday")),
        ("width", json!(0)),
        ("key", json!(1)),
        (
            "objects",
            json!([{"class_id": 0, "label": "a", "confidence": 2, "box": [0, 0, 1, 1]}]),
        ),
        (
            "objects",
            json!([{"class_id": 0, "label": "a", "confidence": 1, "box": [0, 0, 1]}]),
        ),
        ("detected", json!(true)),
        ("more", json!(1)),
    ];
    for (field, value) in wrong {
        let mut line = good.clone();
        line[field] = value;
        assert!(!validator.is_valid(&line), "{line}");
    }
}

#[test]
fn what_cannot_be_read_is_counted_and_the_next_key_goes_on() {
    let units = units(8, 4);
    let mut harness = harness("");
    let element = harness.element().unwrap();
    let mut push = |unit: &[u8]| harness.push(buffer(unit, &[])).unwrap();
    push(&units[0].data);
    push(&[]);
    // Frame 2 refers to frame 1, which never comes.
    push(&units[2].data);
    push(&units[3].data);
    let mut flipped = units[4].data.to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    push(&flipped);
    push(&units[5].data);
    push(&units[4].data);
    push(&units[5].data);
    let frames: Vec<_> = std::iter::from_fn(|| harness.try_pull())
        .map(|buffer| valid(&text(&buffer))["frame"].as_u64().unwrap())
        .collect();
    assert_eq!(frames, [0, 4, 5]);
    let stats = element.property::<gst::Structure>("stats");
    assert_eq!(
        (stats.get::<u64>("lines"), stats.get::<u64>("skipped")),
        (Ok(3), Ok(5))
    );
}

#[test]
fn a_stream_without_name_takes_the_announced_title() {
    let units = units(2, 1);
    let mut harness = harness("");
    harness.push(buffer(&units[0].data, &[])).unwrap();
    let mut tags = gst::TagList::new();
    tags.get_mut()
        .unwrap()
        .add::<gst::tags::Title>(&"gate-7", gst::TagMergeMode::Replace);
    harness.push_event(gst::event::Tag::new(tags));
    harness.push(buffer(&units[1].data, &[])).unwrap();
    let name = |buffer: gst::Buffer| valid(&text(&buffer))["stream"].clone();
    assert_eq!(name(harness.pull().unwrap()), "");
    assert_eq!(name(harness.pull().unwrap()), "gate-7");
}

#[test]
fn a_line_says_what_its_picture_was_made_from() {
    let mut harness = harness("gate-1");
    for (unit, quality) in units(3, 0)
        .iter()
        .zip([None, Some(Quality::Features), Some(Quality::Enhanced)])
    {
        let mut buffer = buffer(&unit.data, &[]);
        if let Some(quality) = quality {
            generated::mark(buffer.get_mut().unwrap(), quality);
        }
        harness.push(buffer).unwrap();
        let line = valid(&text(&harness.pull().unwrap()));
        assert_eq!(
            line.get("generated").and_then(Value::as_str),
            quality.map(Quality::nick)
        );
    }
}

#[test]
fn an_enhancement_unit_makes_no_line_and_is_no_damage() {
    let mut harness = harness("gate-1");
    let above = layer(cis_codec::frame::ENHANCEMENT, 4, 2);
    for (frame, enhancement) in units(4, 0).iter().zip(&above) {
        harness.push(buffer(&frame.data, &[])).unwrap();
        harness.push(buffer(&enhancement.data, &[])).unwrap();
    }
    let lines: Vec<_> = std::iter::from_fn(|| harness.try_pull()).collect();
    assert_eq!(lines.len(), 4);
    let stats = harness.element().unwrap().property::<gst::Structure>("stats");
    assert_eq!(
        (stats.get::<u64>("lines"), stats.get::<u64>("skipped")),
        (Ok(4), Ok(0))
    );
}

#[test]
fn a_followed_object_has_its_number() {
    let mut harness = harness("gate-1");
    let followed = Region {
        track: Some(u64::MAX),
        ..region("person", 0, 0.5, [10, 20, 30, 40])
    };
    harness
        .push(buffer(
            &units(1, 0)[0].data,
            &[followed, region("car", 2, 0.5, [1, 2, 3, 4])],
        ))
        .unwrap();
    let line = valid(&text(&harness.pull().unwrap()));
    assert_eq!(line["objects"][0]["track"], u64::MAX);
    assert_eq!(line["objects"][1].get("track"), None);
}
