//! Owns [`Times`], how long something took, many times over, in a fixed amount of memory.

use std::time::Duration;

/// Buckets of [`Times`].
const BUCKETS: usize = 14;
/// The upper bound of the first one. Each is twice the one before, and the last has none.
const FIRST: Duration = Duration::from_millis(2);

/// A histogram of times from 2 ms to 8 s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    sum: Duration,
    counts: [u64; BUCKETS],
}

impl Times {
    /// Something took that long.
    pub fn add(&mut self, time: Duration) {
        let bucket = (0..BUCKETS - 1).find(|&bucket| time <= bound(bucket));
        self.counts[bucket.unwrap_or(BUCKETS - 1)] += 1;
        self.sum = self.sum.saturating_add(time);
    }

    /// What others took, too.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count = count.saturating_add(more);
        }
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// All of them together.
    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// How many they are.
    pub fn count(&self) -> u64 {
        self.counts
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Upper bounds and how many took no longer, but longer than the bound before; `None`: there is no bound.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let bounds = (0..BUCKETS).map(|bucket| (bucket < BUCKETS - 1).then(|| bound(bucket)));
        bounds.zip(self.counts)
    }

    /// Counts of buckets, and the sum; counts beyond the last bucket have no place here.
    pub(crate) fn from_parts(sum: Duration, counts: &[u64]) -> Option<Self> {
        let mut times = Self {
            sum,
            ..Self::default()
        };
        times.counts.get_mut(..counts.len())?.copy_from_slice(counts);
        Some(times)
    }

    /// Counts of buckets up to the last that is not zero.
    pub(crate) fn counts(&self) -> &[u64] {
        let last = self.counts.iter().rposition(|count| *count > 0);
        &self.counts[..last.map_or(0, |last| last + 1)]
    }
}

fn bound(bucket: usize) -> Duration {
    FIRST * (1 << bucket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_the_bucket_that_it_just_fits_and_in_the_sum() {
        let mut times = Times::default();
        for ms in [0, 2, 3, 8192, 8193, 1_000_000] {
            times.add(Duration::from_millis(ms));
        }
        let buckets: Vec<_> = times.buckets().filter(|(_, count)| *count > 0).collect();
        let ms = Duration::from_millis;
        assert_eq!(
            buckets,
            [(Some(ms(2)), 2), (Some(ms(4)), 1), (Some(ms(8192)), 1), (None, 2)]
        );
        assert_eq!(times.count(), 6);
        assert_eq!(times.sum(), ms(1_016_390));
        let mut twice = times;
        twice.merge(&times);
        assert_eq!((twice.count(), twice.sum()), (12, times.sum() * 2));
    }

    #[test]
    fn empty_buckets_at_the_end_are_left_out() {
        let mut times = Times::default();
        assert_eq!(times.counts(), [0; 0]);
        times.add(Duration::from_millis(5));
        assert_eq!(times.counts(), [0, 0, 1]);
        assert_eq!(Times::from_parts(times.sum(), times.counts()), Some(times));
        assert_eq!(Times::from_parts(Duration::ZERO, &[0; BUCKETS + 1]), None);
    }
}
