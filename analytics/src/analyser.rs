//! Joins tracker, lives of objects, zones and lines: frames in, events out.

use crate::life::Life;
use crate::tracker::{Settings, Tracker};
use crate::{Detection, Event, Kind, Moment, Numbers, Plan, Scene};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a frame brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    /// The track of each box of the frame, if it has one.
    pub tracks: Vec<Option<u64>>,
    /// What happened, in order.
    pub events: Vec<Event>,
}

/// Follows the objects of one stream and tells what they do.
#[derive(Clone, Debug)]
pub struct Analyser {
    tracker: Tracker,
    plan: Arc<Plan>,
    update_ns: u64,
    lives: BTreeMap<u64, Life>,
    /// Of the newest frame: a repeat of it shows the same.
    newest: (Vec<Detection>, (u32, u32)),
    at: Moment,
}

impl Analyser {
    /// Nothing followed yet. An object that lives is told of every `update_ns`; 0: at every frame.
    pub fn new(settings: Settings, update_ns: u64, plan: Arc<Plan>, numbers: Numbers) -> Self {
        Self {
            tracker: Tracker::new(settings, numbers),
            plan,
            update_ns,
            lives: BTreeMap::new(),
            newest: Default::default(),
            at: Moment::default(),
        }
    }

    /// The boxes of the next frame; `size`: of its picture in pixels.
    pub fn frame(&mut self, at: Moment, size: (u32, u32), detections: Vec<Detection>) -> Findings {
        self.newest = (detections, size);
        self.repeat(at)
    }

    /// A frame that shows what the one before showed.
    pub fn repeat(&mut self, at: Moment) -> Findings {
        let (detections, size) = std::mem::take(&mut self.newest);
        let tracked = self.tracker.track(at.pts_ns, &detections);
        let mut events = Vec::new();
        self.at = at;
        self.ended(tracked.ended, &mut events);
        for (detection, found) in detections.iter().zip(&tracked.numbers) {
            if let Some((track, new)) = *found {
                self.seen(track, new, detection, (size.0 as f32, size.1 as f32), &mut events);
            }
        }
        self.newest = (detections, size);
        let numbers = tracked.numbers.into_iter();
        Findings {
            tracks: numbers.map(|entry| entry.map(|(track, _)| track)).collect(),
            events,
        }
    }

    /// The stream has ended: so have its objects.
    pub fn end(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        let tracks = self.tracker.clear();
        self.ended(tracks, &mut events);
        events
    }

    /// What is there now.
    pub fn scene(&self) -> Scene {
        let mut scene = Scene::default();
        let zones = self.plan.zones.iter();
        scene.zones = zones.map(|zone| (zone.name.clone(), BTreeMap::new())).collect();
        for Life { object, .. } in self.lives.values() {
            *scene.objects.entry(object.label.clone()).or_default() += 1;
            for zone in &object.zones {
                let counts = scene.zones.entry(zone.clone()).or_default();
                *counts.entry(object.label.clone()).or_default() += 1;
            }
        }
        scene
    }

    fn seen(
        &mut self,
        track: u64,
        new: bool,
        detection: &Detection,
        size: (f32, f32),
        events: &mut Vec<Event>,
    ) {
        let at = self.at;
        let life = self
            .lives
            .entry(track)
            .or_insert_with(|| Life::new(track, detection, at, &self.plan));
        let done = life.seen(detection, at, &self.plan, size);
        let mut changed = false;
        if let Some(votes) = self.tracker.class_of(track) {
            changed = votes.class_id() != life.object.class_id;
            life.object.class_id = votes.class_id();
            life.object.label = votes.label().clone();
        }
        let due = at.pts_ns.saturating_sub(life.told_ns) >= self.update_ns;
        let first = match new {
            true => Some(Kind::New),
            false if changed || (due && done.is_empty()) => Some(Kind::Update),
            false => None,
        };
        for kind in first.into_iter().chain(done) {
            life.told_ns = at.pts_ns;
            events.push(Event {
                kind,
                at,
                object: life.object.clone(),
            });
        }
    }

    /// Tells the end of objects, at the newest frame that there was.
    fn ended(&mut self, tracks: Vec<u64>, events: &mut Vec<Event>) {
        for track in tracks {
            let Some(mut life) = self.lives.remove(&track) else {
                continue;
            };
            let zones = life.end();
            let kinds = zones.into_iter().map(Kind::Leave).chain([Kind::End]);
            events.extend(kinds.map(|kind| Event {
                kind,
                at: self.at,
                object: life.object.clone(),
            }));
        }
    }
}
