//! Events and states as JSON. docs/events.schema.json and docs/state.schema.json describe them; a test holds them together.

use crate::report::Event;
use crate::tracking::Crossings;
use cis_analytics::{Kind, Object, Scene};
use cis_inference::detect::Detection;
use gstcis::regions::Region;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    event: &'static str,
    stream: &'a str,
    track: u64,
    frame: u64,
    pts_ns: u64,
    capture_utc: Option<String>,
    width: u32,
    height: u32,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    late: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<&'static str>,
    class_id: u32,
    label: &'a str,
    confidence: f64,
    best_confidence: f64,
    #[serde(rename = "box")]
    area: [u32; 4],
    first_pts_ns: u64,
    first_utc: Option<String>,
    last_pts_ns: u64,
    last_utc: Option<String>,
    frames: u64,
    zones: Vec<&'a str>,
}

/// An event.
pub fn event(event: &Event) -> Result<Vec<u8>, serde_json::Error> {
    let (what, object) = (&event.what, &event.what.object);
    let (zone, line, direction) = match &what.kind {
        Kind::Enter(zone) | Kind::Leave(zone) => (Some(zone), None, None),
        Kind::Cross(line, direction) => (None, Some(line), Some(direction.name())),
        _ => (None, None, None),
    };
    let region = region(object, (event.source.width, event.source.height));
    serde_json::to_vec(&Line {
        id: &event.id,
        event: what.kind.name(),
        stream: event.stream.name.as_str(),
        track: object.track,
        frame: event.frame,
        pts_ns: what.at.pts_ns,
        capture_utc: gstcis::rfc3339(what.at.capture_utc_ns),
        width: event.source.width,
        height: event.source.height,
        late: event.late,
        zone: zone.map(|name| &**name),
        line: line.map(|name| &**name),
        direction,
        class_id: object.class_id,
        label: &object.label,
        confidence: digits(object.confidence),
        best_confidence: digits(object.best),
        area: [region.x, region.y, region.w, region.h],
        first_pts_ns: object.first.pts_ns,
        first_utc: gstcis::rfc3339(object.first.capture_utc_ns),
        last_pts_ns: object.last.pts_ns,
        last_utc: gstcis::rfc3339(object.last.capture_utc_ns),
        frames: object.frames,
        zones: object.zones.iter().map(|name| &**name).collect(),
    })
}

#[derive(Serialize)]
struct State<'a> {
    stream: &'a str,
    online: bool,
    objects: BTreeMap<&'a str, u32>,
    zones: BTreeMap<&'a str, BTreeMap<&'a str, u32>>,
    lines: BTreeMap<&'a str, BTreeMap<&'a str, Counts>>,
}

#[derive(Serialize)]
struct Counts {
    left: u64,
    right: u64,
}

/// The state of a stream.
pub fn state(
    stream: &str,
    online: bool,
    scene: &Scene,
    crossings: &Crossings,
) -> Result<Vec<u8>, serde_json::Error> {
    let counts = |counts: &[u64; 2]| Counts {
        left: counts[0],
        right: counts[1],
    };
    serde_json::to_vec(&State {
        stream,
        online,
        objects: scene.objects.iter().map(|(label, n)| (&**label, *n)).collect(),
        zones: scene
            .zones
            .iter()
            .map(|(zone, objects)| (&**zone, objects.iter().map(|(label, n)| (&**label, *n)).collect()))
            .collect(),
        lines: crossings
            .iter()
            .map(|(line, classes)| {
                (
                    &**line,
                    classes.iter().map(|(label, n)| (&**label, counts(n))).collect(),
                )
            })
            .collect(),
    })
}

/// Four digits, as in detections.
fn digits(confidence: f32) -> f64 {
    (f64::from(confidence) * 1e4).round() / 1e4
}

/// The object's box on the pixel grid, as detections have it.
fn region(object: &Object, source: (u32, u32)) -> Region {
    let cis_analytics::Rect { x, y, w, h } = object.bounds;
    let detection = Detection {
        class_id: object.class_id,
        label: object.label.clone(),
        confidence: object.confidence,
        x,
        y,
        w,
        h,
    };
    Region::on_grid(&detection, source)
}
