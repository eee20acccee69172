//! When an object counts as having appeared: with its track's first frame, or, where nobody follows objects, when its class, of which there was none, is
//! seen in a few frames one after the other.

use gstcis::regions::Region;
use serde::Serialize;
use std::collections::HashMap;

/// Frames in which a class must be seen one after the other. A track was confirmed by its tracker.
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
    /// Its track, where objects are followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub track: Option<u64>,
    /// The first frame that it was seen in.
    pub pts_ns: u64,
    /// When that was captured.
    #[serde(serialize_with = "super::clip::rfc3339", rename = "capture_utc")]
    pub capture_utc_ns: u64,
}

/// What appears by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Subject {
    Track(u64),
    Class(u32),
}

/// What is seen in one stream.
#[derive(Debug)]
pub struct Presence {
    subjects: HashMap<Subject, Sighting>,
    followed: bool,
    frames: u32,
    gone_ns: u64,
}

#[derive(Debug)]
struct Sighting {
    /// Frames one after the other in which it counted; how it was in the first of them.
    frames: u32,
    first: Appeared,
    /// It has appeared.
    there: bool,
    last_ns: u64,
}

impl Presence {
    /// Nothing seen yet. Tracks that are not seen for `lost_ns` have ended; `None`: nobody follows objects.
    pub fn new(lost_ns: Option<u64>) -> Self {
        Self {
            subjects: HashMap::new(),
            followed: lost_ns.is_some(),
            frames: if lost_ns.is_some() { 1 } else { FRAMES },
            gone_ns: lost_ns.unwrap_or(GONE_NS),
        }
    }

    /// Takes note of a frame's objects; returns what appeared with it, of what is `wanted`.
    pub fn see(
        &mut self,
        pts_ns: u64,
        capture_utc_ns: u64,
        objects: &[Region],
        wanted: impl Fn(&Region) -> bool,
    ) -> Vec<Appeared> {
        let mut best: HashMap<Subject, (bool, &Region)> = HashMap::new();
        for object in objects {
            let subject = match object.track {
                Some(track) if self.followed => Subject::Track(track),
                // Its track is not confirmed yet.
                None if self.followed => continue,
                _ => Subject::Class(object.class_id),
            };
            let seen = (wanted(object), object);
            let known = best.entry(subject).or_insert(seen);
            if (seen.0, object.confidence) > (known.0, known.1.confidence) {
                *known = seen;
            }
        }
        self.subjects.retain(|subject, sighting| {
            if !best.contains_key(subject) {
                sighting.frames = 0;
            }
            pts_ns.saturating_sub(sighting.last_ns) < self.gone_ns
        });
        let mut appeared = Vec::new();
        for (subject, (counts, object)) in best {
            let now = || Appeared {
                class_id: object.class_id,
                label: object.label.clone(),
                confidence: object.confidence,
                track: object.track,
                pts_ns,
                capture_utc_ns,
            };
            let sighting = self.subjects.entry(subject).or_insert_with(|| Sighting {
                frames: 0,
                first: now(),
                there: false,
                last_ns: pts_ns,
            });
            sighting.last_ns = pts_ns;
            if !counts {
                sighting.frames = 0;
                continue;
            }
            if sighting.frames == 0 {
                sighting.first = now();
            }
            sighting.frames = sighting.frames.saturating_add(1);
            sighting.first.confidence = sighting.first.confidence.max(object.confidence);
            if sighting.frames >= self.frames && !sighting.there {
                sighting.there = true;
                appeared.push((subject, sighting.first.clone()));
            }
        }
        appeared.sort_by_key(|(subject, _)| *subject);
        appeared.into_iter().map(|(_, object)| object).collect()
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
        let mut presence = Presence::new(None);
        let mut found = Vec::new();
        for (frame, what) in (0..).zip(seen.chars()) {
            let objects: Vec<_> = match what {
                'a' => vec![region(0, 0.5)],
                'b' => vec![region(1, 0.5)],
                'c' => vec![region(0, 0.4), region(1, 0.5), region(0, 0.9)],
                _ => Vec::new(),
            };
            let new = presence.see(frame * FRAME_NS, 1, &objects, |_| true);
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
        let mut presence = Presence::new(None);
        let objects = [region(0, 0.4), region(0, 0.9), region(0, 0.5)];
        let new: Vec<_> = (0..3)
            .flat_map(|n| presence.see(n * FRAME_NS, 0, &objects, |_| true))
            .collect();
        assert_eq!(new.len(), 1);
        assert_eq!(new[0].confidence, 0.9);
    }
    #[test]
    fn each_track_appears_once_when_it_counts() {
        const NONE: [u64; 0] = [];
        let mut presence = Presence::new(Some(GONE_NS));
        let mut frame = |n: u64, seen: &[(Option<u64>, f64)]| {
            let objects: Vec<_> = seen
                .iter()
                .map(|&(track, confidence)| Region {
                    track,
                    ..region(0, confidence)
                })
                .collect();
            let new = presence.see(n * FRAME_NS, 0, &objects, |object| object.confidence >= 0.5);
            new.iter().map(|a| a.track.unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(frame(0, &[(None, 0.9)]), NONE, "not confirmed");
        assert_eq!(frame(1, &[(Some(7), 0.9), (Some(3), 0.4)]), [7]);
        assert_eq!(frame(2, &[(Some(7), 0.9), (Some(3), 0.4)]), NONE);
        assert_eq!(
            frame(3, &[(Some(8), 0.6), (Some(3), 0.5)]),
            [3, 8],
            "another of its class, and one that is sure now"
        );
        assert_eq!(frame(20, &[(Some(7), 0.9)]), NONE, "it was hidden");
        assert_eq!(
            frame(39, &[(Some(8), 0.9), (Some(7), 0.2)]),
            [8],
            "seen by nobody for longer than tracks live"
        );
        assert_eq!(frame(58, &[(Some(7), 0.9)]), NONE, "unsure, but there");
    }
}
