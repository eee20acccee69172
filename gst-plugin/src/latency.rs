//! How long ago something was captured, and percentiles of the newest such latencies in a fixed amount of memory.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The system's time since the Unix epoch.
pub fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// How long ago `utc_ns` (ns since the Unix epoch) was; zero when it lies ahead, `None` when it is 0, which says that it is not known. Means something where the clocks of both machines agree.
pub fn since(utc_ns: u64) -> Option<Duration> {
    (utc_ns != 0).then(|| now().saturating_sub(Duration::from_nanos(utc_ns)))
}

/// How many of the newest samples count.
const WINDOW: usize = 512;

/// The newest samples, as a ring.
#[derive(Clone, Debug, Default)]
pub struct Window {
    millis: Vec<u32>,
    next: usize,
}

impl Window {
    /// Takes a sample.
    pub fn add(&mut self, latency: Duration) {
        let millis = u32::try_from(latency.as_millis()).unwrap_or(u32::MAX);
        match self.millis.get_mut(self.next) {
            Some(slot) => *slot = millis,
            None => self.millis.push(millis),
        }
        self.next = (self.next + 1) % WINDOW;
    }

    /// The value below which `percent` of the samples lie; `None` before the first sample.
    pub fn percentile(&self, percent: usize) -> Option<Duration> {
        let mut sorted = self.millis.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).map(|&ms| Duration::from_millis(ms.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_the_newest_samples() {
        let mut window = Window::default();
        assert_eq!(window.percentile(50), None);
        (0..10_000).for_each(|_| window.add(Duration::from_secs(9)));
        for ms in (1..=WINDOW as u64).rev() {
            window.add(Duration::from_millis(ms));
        }
        assert_eq!(window.percentile(50), Some(Duration::from_millis(256)));
        assert_eq!(window.percentile(95), Some(Duration::from_millis(487)));
        assert_eq!(window.percentile(100), Some(Duration::from_millis(512)));
        assert_eq!(window.percentile(0), Some(Duration::from_millis(1)));
    }
}
