//! Percentiles of the newest latencies, in a fixed amount of memory.

use std::time::Duration;

/// How many of the newest samples count.
const WINDOW: usize = 512;

/// The newest samples, as a ring.
#[derive(Debug, Default)]
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
