//! One track: where its object is thought to be, what it is, when it was last seen.

use crate::kalman::Filter;
use crate::votes::Votes;
use crate::{Detection, Rect};

/// How much of its overlap a box of another class has: a bicycle under its rider is another object, a van that was called a truck is not.
const OTHER_CLASS: f32 = 0.5;

/// How far an object may go off its course within a second, as a share of its box's size: boxes are compared that much larger on each side, so that they
/// meet at few frames a second, too (Yang et al., "Hard to Track Objects with Irregular Motions and Similar Appearances? Make It Easier by
/// Buffering the Matching Space", WACV 2023, with a buffer that time makes).
const REACH: f32 = 2.0;
/// Beyond that, boxes of neighbours meet.
const MOST_REACH: f32 = 1.0;

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
    /// How far around where it is thought to be it is looked for, as a share of the box's size.
    reach: f32,
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
            reach: 0.0,
        }
    }

    /// Lets time pass.
    pub fn predict(&mut self, seconds: f32, hidden: bool) {
        self.filter.predict(seconds, hidden);
        self.reach = (REACH * seconds).min(MOST_REACH);
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
        let grown = |bounds: Rect| bounds.grown(self.reach);
        let share = match self.votes.class_id() == detection.class_id {
            true => 1.0,
            false => OTHER_CLASS,
        };
        grown(self.filter.bounds()).iou(&grown(detection.bounds)) * share
    }
}
