//! What detections mean over time: which boxes are one object, when it came and went, which zones it was in and which lines it
//! crossed. No GStreamer, no files, no clock: time is an argument.
//!
//! [`Tracker`] gives boxes of one stream their track numbers; [`Analyser`] makes [`Event`]s and a [`Scene`] of that, with the zones
//! and lines of a [`Plan`].

mod analyser;
mod assign;
mod event;
mod geometry;
mod kalman;
mod life;
mod plan;
mod scene;
mod track;
mod tracker;
mod votes;

pub use analyser::{Analyser, Findings};
pub use event::{Direction, Event, Kind, Moment, Object};
pub use geometry::{Point, Rect};
pub use plan::{Line, Plan, PlanError, Zone};
pub use scene::Scene;
pub use tracker::{MAX_TRACKS, Settings, Tracker};

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One box of the detector, in pixels of the source.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// Number of its class.
    pub class_id: u32,
    /// Name of its class.
    pub label: Arc<str>,
    /// 0..=1.
    pub confidence: f32,
    /// Where it is.
    pub bounds: Rect,
}

/// Gives track numbers out, from 1, each once. Clones count on together.
#[derive(Clone, Debug, Default)]
pub struct Numbers(Arc<AtomicU64>);

impl Numbers {
    /// The next number.
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, Relaxed) + 1
    }
}
