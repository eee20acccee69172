//! The life of one object: what is known of it, its zones, its side of each line.

use crate::geometry::{distance, inside, meet, offset};
use crate::{Detection, Direction, Kind, Line, Moment, Object, Plan, Point};
use std::sync::Arc;

/// How far beyond a line or outside a zone an object has to be before it counts as gone there, as a share of its height: the lower edge of a box jitters by less.
const MARGIN: f32 = 0.1;

/// One object.
#[derive(Clone, Debug)]
pub struct Life {
    pub object: Object,
    /// When it was last told of.
    pub told_ns: u64,
    /// Of each zone of the plan, whether the object is in it.
    within: Vec<bool>,
    sides: Vec<Side>,
    foot: Option<Point>,
}

/// Where an object is with regard to a line.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    /// The side on which it was last clearly.
    clear: Option<Direction>,
    /// When it last changed sides at all, it did so between the ends of the line.
    through: bool,
}

impl Life {
    pub fn new(track: u64, detection: &Detection, at: Moment, plan: &Plan) -> Self {
        Self {
            object: Object {
                track,
                class_id: detection.class_id,
                label: detection.label.clone(),
                confidence: detection.confidence,
                best: detection.confidence,
                bounds: detection.bounds,
                first: at,
                last: at,
                frames: 0,
                zones: Vec::new(),
            },
            told_ns: at.pts_ns,
            within: vec![false; plan.zones.len()],
            sides: vec![Side::default(); plan.lines.len()],
            foot: None,
        }
    }

    /// It was seen; returns what it did to zones and lines. `size`: of the picture.
    pub fn seen(&mut self, detection: &Detection, at: Moment, plan: &Plan, size: (f32, f32)) -> Vec<Kind> {
        let object = &mut self.object;
        object.confidence = detection.confidence;
        object.best = object.best.max(detection.confidence);
        object.bounds = detection.bounds;
        object.last = at;
        object.frames += 1;
        let foot = detection.bounds.foot();
        let margin = MARGIN * detection.bounds.h;
        let mut done = self.cross(foot, margin, &plan.lines, size);
        done.extend(self.zones(foot, margin, plan, size));
        self.foot = Some(foot);
        done
    }

    fn cross(&mut self, foot: Point, margin: f32, lines: &[Line], size: (f32, f32)) -> Vec<Kind> {
        let mut crossed = Vec::new();
        for (side, line) in self.sides.iter_mut().zip(lines) {
            let [a, b] = line.ends.map(|end| end.scaled(size));
            let now = offset(foot, a, b);
            if let Some(before) = self.foot
                && (offset(before, a, b) <= 0.0) != (now <= 0.0)
            {
                side.through = meet(before, foot, a, b);
            }
            if now.abs() <= margin {
                continue;
            }
            let direction = if now > 0.0 {
                Direction::Right
            } else {
                Direction::Left
            };
            let before = side.clear.replace(direction);
            if before.is_some_and(|before| before != direction) && side.through {
                crossed.push(Kind::Cross(line.name.clone(), direction));
            }
        }
        crossed
    }

    fn zones(&mut self, foot: Point, margin: f32, plan: &Plan, size: (f32, f32)) -> Vec<Kind> {
        let mut changes = Vec::new();
        for (within, zone) in self.within.iter_mut().zip(&plan.zones) {
            let corners: Vec<_> = zone.corners.iter().map(|corner| corner.scaled(size)).collect();
            let is = inside(foot, &corners);
            match *within {
                false if is => changes.push(Kind::Enter(zone.name.clone())),
                true if !is && distance(foot, &corners) > margin => {
                    changes.push(Kind::Leave(zone.name.clone()))
                }
                _ => continue,
            }
            *within = is;
        }
        let names = plan.zones.iter().zip(&self.within);
        self.object.zones = names
            .filter(|(_, within)| **within)
            .map(|(zone, _)| zone.name.clone())
            .collect();
        changes
    }

    /// It ends; returns the zones that it was in.
    pub fn end(&mut self) -> Vec<Arc<str>> {
        std::mem::take(&mut self.object.zones)
    }
}
