//! One camera's stream: what intake, detector, view and status share of it, and the list of those that are open.

use crate::stats::{Snapshot, Stats};
use crate::tracking::Tracking;
use crate::view::View;
use cis_link::StreamName;
use gstcis::regions::Region;
use parking_lot::Mutex;
use std::sync::Arc;

/// One open stream.
pub struct Stream {
    /// Its name.
    pub name: StreamName,
    /// Its counters.
    pub stats: Stats,
    /// The operator's view, when it is served.
    pub view: Option<Arc<View>>,
    /// What the detector found last.
    pub found: Mutex<Found>,
    /// Who is followed. Locked by whoever handles the stream's frames.
    pub tracking: Mutex<Tracking>,
}

/// The objects of a stream's newest detected frame.
#[derive(Clone)]
pub struct Found {
    /// The objects.
    pub regions: Arc<[Region]>,
    /// No frame has gone without detections since: a repeated frame has the same objects.
    pub current: bool,
}

impl Default for Found {
    fn default() -> Self {
        Self {
            regions: Arc::from([]),
            current: false,
        }
    }
}

impl Stream {
    /// The counts at this moment.
    pub fn snapshot(&self) -> Snapshot {
        let watched = self.view.as_ref().is_some_and(|view| view.watched());
        Snapshot {
            watched,
            ..self.stats.snapshot()
        }
    }
}

/// The open streams, and the sum of those that have ended.
#[derive(Default)]
pub struct Registry {
    open: Mutex<Vec<Arc<Stream>>>,
    ended: Mutex<(u64, Snapshot)>,
}

impl Registry {
    /// A stream has opened.
    pub fn insert(&self, stream: Arc<Stream>) {
        self.open.lock().push(stream);
    }

    /// A stream has ended, all its frames handled. Returns whether it was open here.
    pub fn remove(&self, stream: &Arc<Stream>) -> bool {
        let mut open = self.open.lock();
        let before = open.len();
        open.retain(|open| !Arc::ptr_eq(open, stream));
        if open.len() == before {
            return false;
        }
        drop(open);
        let mut ended = self.ended.lock();
        ended.0 += 1;
        ended.1.add(&stream.snapshot());
        true
    }

    /// The open streams.
    pub fn open(&self) -> Vec<Arc<Stream>> {
        self.open.lock().clone()
    }

    /// How many streams have ended, and the sum of their counts.
    pub fn ended(&self) -> (u64, Snapshot) {
        self.ended.lock().clone()
    }
}
