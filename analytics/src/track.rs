//! One track: where its object is thought to be, what it is, when it was last seen.

use crate::kalman::Filter;
use crate::votes::Votes;
use crate::{Detection, Rect};

/// How much of its overlap a box of another class has: a bicycle under its rider is another object, a van that was called a truck is not.
const OTHER_CLASS: f32 = 0.5;

/// A track.
#[derive(Clone, Debug)]
pub struct Track {
    /// Its number, once it is confirmed.
    pub number: Option<u64>,
    /// How often it was seen.
    pub hits: u32,
    /// When it was last seen.
    pub seen_ns: u64,
    /// Its class.
    pub votes: Votes,
    filter: Filter,
}

impl Track {
    /// A box that belongs to no track begins one.
    pub fn new(detection: &Detection, now_ns: u64) -> Self {
        Self {
            number: None,
            hits: 1,
            seen_ns: now_ns,
            votes: Votes::new(detection),
            filter: Filter::new(&detection.bounds),
        }
    }

    /// Lets time pass.
    pub fn predict(&mut self, seconds: f32, hidden: bool) {
        self.filter.predict(seconds, hidden);
    }

    /// Its box was seen.
    pub fn update(&mut self, detection: &Detection, now_ns: u64) {
        self.filter.update(&detection.bounds);
        self.votes.add(detection);
        self.hits = self.hits.saturating_add(1);
        self.seen_ns = now_ns;
    }

    /// How well a box fits, 0..=1.
    pub fn fit(&self, detection: &Detection) -> f32 {
        let bounds: Rect = self.filter.bounds();
        let share = match self.votes.class_id() == detection.class_id {
            true => 1.0,
            false => OTHER_CLASS,
        };
        bounds.iou(&detection.bounds) * share
    }
}
