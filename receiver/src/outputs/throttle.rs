//! Lets so many frames of each stream and second through, by the time stamps of the frames.

use parking_lot::Mutex;
use std::collections::HashMap;

/// Says which frames go on.
#[derive(Debug)]
pub struct Throttle {
    /// Least time between two frames; `None`: none go on.
    pause_ns: Option<u64>,
    /// By stream: the time stamp of the last that went on.
    last: Mutex<HashMap<String, u64>>,
}

impl Throttle {
    /// At most `per_second` frames; 0: none.
    pub fn new(per_second: f64) -> Self {
        Self {
            pause_ns: (per_second > 0.0).then(|| (1e9 / per_second) as u64),
            last: Mutex::default(),
        }
    }

    /// Whether a frame of `stream` goes on.
    pub fn pass(&self, stream: &str, pts_ns: u64) -> bool {
        let Some(pause_ns) = self.pause_ns else {
            return false;
        };
        let mut last = self.last.lock();
        match last.get_mut(stream) {
            // A clock that goes back begins anew.
            Some(before) if pts_ns >= *before && pts_ns - *before < pause_ns => return false,
            Some(before) => *before = pts_ns,
            None => {
                last.insert(stream.into(), pts_ns);
            }
        }
        true
    }

    /// The stream has ended.
    pub fn forget(&self, stream: &str) {
        self.last.lock().remove(stream);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_by_time_stamp_and_stream() {
        let passed = |per_second: f64| {
            let throttle = Throttle::new(per_second);
            (0..50).filter(|n| throttle.pass("a", n * 40_000_000)).count()
        };
        assert_eq!((passed(0.0), passed(5.0), passed(1000.0)), (0, 10, 50));
        let throttle = Throttle::new(1.0);
        assert!(throttle.pass("a", 5_000_000_000));
        assert!(throttle.pass("b", 5_000_000_000));
        assert!(!throttle.pass("a", 5_500_000_000));
        assert!(throttle.pass("a", 0), "the camera has begun anew");
        throttle.forget("b");
        assert!(throttle.pass("b", 5_000_000_001));
    }
}
