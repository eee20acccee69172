//! Reads detections and labels.

use crate::measure::Label;
use anyhow::{Context, Result};
use cis_analytics::{Detection, Rect};
use serde::Deserialize;
use std::collections::HashMap;
use std::path::Path;

/// The boxes of one frame.
pub struct Frame {
    pub number: u64,
    pub pts_ns: u64,
    pub boxes: Vec<Detection>,
}

#[derive(Deserialize)]
struct Line {
    frame: u64,
    pts_ns: u64,
    objects: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    class_id: u32,
    label: String,
    confidence: f32,
    #[serde(rename = "box")]
    area: [f32; 4],
}

#[derive(Deserialize)]
struct Labels {
    annotations: Vec<Annotation>,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: u64,
    track_id: u64,
    bbox: [f32; 4],
    #[serde(default)]
    iscrowd: u8,
}

/// Lines of `cisjson`, one class of them.
pub fn boxes(path: &Path, class: &str) -> Result<Vec<Frame>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let frame = |line: &str| {
        let line: Line = serde_json::from_str(line)?;
        let wanted = line.objects.into_iter().filter(|object| object.label == class);
        let boxes = wanted.map(|object| Detection {
            class_id: object.class_id,
            label: object.label.into(),
            confidence: object.confidence,
            bounds: rect(object.area),
        });
        Ok(Frame {
            number: line.frame,
            pts_ns: line.pts_ns,
            boxes: boxes.collect(),
        })
    };
    text.lines().map(frame).collect()
}

/// Labels by frame.
pub fn labels(path: &Path) -> Result<HashMap<u64, Vec<Label>>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let all: Labels = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
    let mut frames: HashMap<u64, Vec<Label>> = HashMap::new();
    for label in all.annotations {
        frames.entry(label.image_id).or_default().push(Label {
            person: label.track_id,
            bounds: rect(label.bbox),
            ignored: label.iscrowd != 0,
        });
    }
    Ok(frames)
}

fn rect([x, y, w, h]: [f32; 4]) -> Rect {
    Rect { x, y, w, h }
}
