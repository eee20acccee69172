//! Which class an object has, when the detector is of two minds.

use crate::Detection;
use std::sync::Arc;

/// What a vote is worth one frame later: some twenty frames count.
const FADE: f32 = 0.95;
/// What is worth less is forgotten.
const FORGOTTEN: f32 = 0.01;

/// Confidences by class, the older the less.
#[derive(Clone, Debug)]
pub struct Votes {
    /// The class that won last.
    leader: (u32, Arc<str>),
    all: Vec<(u32, Arc<str>, f32)>,
}

impl Votes {
    /// One vote.
    pub fn new(detection: &Detection) -> Self {
        Self {
            leader: (detection.class_id, detection.label.clone()),
            all: vec![(detection.class_id, detection.label.clone(), detection.confidence)],
        }
    }

    /// One more.
    pub fn add(&mut self, detection: &Detection) {
        self.all.retain_mut(|vote| {
            vote.2 *= FADE;
            vote.2 > FORGOTTEN
        });
        match self.all.iter_mut().find(|vote| vote.0 == detection.class_id) {
            Some(vote) => vote.2 += detection.confidence,
            None => self
                .all
                .push((detection.class_id, detection.label.clone(), detection.confidence)),
        }
        if let Some(best) = self.all.iter().max_by(|a, b| a.2.total_cmp(&b.2)) {
            self.leader = (best.0, best.1.clone());
        }
    }

    /// Number of the class that leads.
    pub fn class_id(&self) -> u32 {
        self.leader.0
    }

    /// Its name.
    pub fn label(&self) -> &Arc<str> {
        &self.leader.1
    }
}
