//! When an object counts as having appeared: its class, of which there was none, is seen in a few frames one after the other. A tracker that
//! knows when objects are new can say so instead: it hands [`Appeared`] to the worker, and this file goes.

use gstcis::regions::Region;
use serde::Serialize;
use std::collections::HashMap;

/// Frames in which a class must be seen one after the other.
const FRAMES: u32 = 3;
/// How long a class must not be seen until it can appear again.
const GONE_NS: u64 = 2_000_000_000;

/// An object appeared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Appeared {
    /// Number of its class.
    pub class_id: u32,
    /// Name of its class.
    pub label: String,
    /// How sure the detector was, at best.
    pub confidence: f64,
    /// Its track, when somebody follows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// The first frame that it was seen in.
    pub pts_ns: u64,
    /// When that was captured.
    #[serde(serialize_with = "super::clip::rfc3339", rename = "capture_utc")]
    pub capture_utc_ns: u64,
}

/// What is seen in one stream.
#[derive(Debug, Default)]
pub struct Presence(HashMap<u32, Class>);

#[derive(Debug)]
struct Class {
    /// Frames one after the other; how it was in the first of them.
    frames: u32,
    first: Appeared,
    /// It counts as there.
    there: bool,
    last_ns: u64,
}

impl Presence {
    /// Takes note of a frame's objects, those that count; returns what appeared with it.
    pub fn see<'a>(
        &mut self,
        pts_ns: u64,
        capture_utc_ns: u64,
        objects: impl Iterator<Item = &'a Region>,
    ) -> Vec<Appeared> {
        let mut best: HashMap<u32, &Region> = HashMap::new();
        for object in objects {
            let known = best.entry(object.class_id).or_insert(object);
            if object.confidence > known.confidence {
                *known = object;
            }
        }
        self.0.retain(|id, class| {
            if !best.contains_key(id) {
                class.frames = 0;
            }
            best.contains_key(id) || class.there && pts_ns.saturating_sub(class.last_ns) < GONE_NS
        });
        let mut appeared = Vec::new();
        for (id, object) in best {
            let now = || Appeared {
                class_id: id,
                label: object.label.clone(),
                confidence: object.confidence,
                id: None,
                pts_ns,
                capture_utc_ns,
            };
            let class = self.0.entry(id).or_insert_with(|| Class {
                frames: 0,
                first: now(),
                there: false,
                last_ns: pts_ns,
            });
            class.frames = class.frames.saturating_add(1);
            class.last_ns = pts_ns;
            class.first.confidence = class.first.confidence.max(object.confidence);
            if class.frames >= FRAMES && !class.there {
                class.there = true;
                appeared.push(class.first.clone());
            }
        }
        appeared.sort_by_key(|object| object.class_id);
        appeared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME_NS: u64 = 100_000_000;

    fn region(class_id: u32, confidence: f64) -> Region {
        Region {
            class_id,
            label: format!("class {class_id}"),
            confidence,
            x: 0,
            y: 0,
            w: 1,
            h: 1,
            track: None,
        }
    }

    /// The frames in which something appears, with the frame it was first seen in; each letter of `seen` is a frame: `.` nothing, `a` and `b` classes, `c` both.
    fn appearances(seen: &str) -> Vec<(u64, u64, u32)> {
        let mut presence = Presence::default();
        let mut found = Vec::new();
        for (frame, what) in (0..).zip(seen.chars()) {
            let objects: Vec<_> = match what {
                'a' => vec![region(0, 0.5)],
                'b' => vec![region(1, 0.5)],
                'c' => vec![region(0, 0.4), region(1, 0.5), region(0, 0.9)],
                _ => Vec::new(),
            };
            let new = presence.see(frame * FRAME_NS, 1, objects.iter());
            found.extend(new.iter().map(|a| (frame, a.pts_ns / FRAME_NS, a.class_id)));
        }
        found
    }

    #[test]
    fn three_frames_make_an_appearance_and_one_only() {
        assert_eq!(appearances("..aa..aa.a.a"), []);
        assert_eq!(appearances("..aaaaaaaaa"), [(4, 2, 0)]);
        assert_eq!(appearances("accccb"), [(2, 0, 0), (3, 1, 1)]);
    }

    #[test]
    fn what_flickers_is_still_there_and_what_was_gone_appears_again() {
        assert_eq!(appearances("aaa...aaa.aaa"), [(2, 0, 0)]);
        let long = format!("aaa{}aaa", ".".repeat(25));
        assert_eq!(appearances(&long), [(2, 0, 0), (30, 28, 0)]);
        let other = format!("aaa{}aaa", "b".repeat(25));
        assert_eq!(appearances(&other), [(2, 0, 0), (5, 3, 1), (30, 28, 0)]);
    }

    #[test]
    fn the_surest_of_a_class_counts() {
        let mut presence = Presence::default();
        let objects = [region(0, 0.4), region(0, 0.9), region(0, 0.5)];
        let new: Vec<_> = (0..3)
            .flat_map(|n| presence.see(n * FRAME_NS, 0, objects.iter()))
            .collect();
        assert_eq!(new.len(), 1);
        assert_eq!(new[0].confidence, 0.9);
    }
}
