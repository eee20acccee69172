//! Owns the arithmetic of reconnecting: how long to wait before which attempt. Chance and time are arguments.

use std::time::Duration;

/// Waits that double from `min` to `max`, each shortened by chance to between a half and the whole, so that a hundred
/// cameras do not come back in the same instant.
#[derive(Clone, Debug)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    /// Starts at `min`.
    pub fn new(min: Duration, max: Duration) -> Self {
        let max = max.max(min);
        Self { min, max, next: min }
    }

    /// The wait before the next attempt; `chance` is any number, uniformly drawn.
    pub fn next(&mut self, chance: u32) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(self.max);
        jitter(whole, chance)
    }

    /// The wait after a refusal, which only a person can cure: the longest.
    pub fn slow(&mut self, chance: u32) -> Duration {
        self.next = self.max;
        jitter(self.max, chance)
    }

    /// A connection ended after `lived`. Only one that outlived the wait for it counts as success: a receiver that
    /// accepts and fails at once must not be hammered.
    pub fn ended(&mut self, lived: Duration) {
        if lived > self.next {
            self.next = self.min;
        }
    }
}

fn jitter(whole: Duration, chance: u32) -> Duration {
    whole.mul_f64(0.5 + 0.5 * f64::from(chance) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: Duration = Duration::from_millis(250);
    const MAX: Duration = Duration::from_secs(30);

    #[test]
    fn doubles_up_to_the_longest() {
        let mut backoff = Backoff::new(MIN, MAX);
        let waits: Vec<_> = (0..10).map(|_| backoff.next(u32::MAX).as_millis()).collect();
        assert_eq!(
            waits,
            [250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]
        );
    }

    #[test]
    fn chance_takes_off_up_to_a_half() {
        assert_eq!(Backoff::new(MIN, MAX).next(0), MIN / 2);
        assert_eq!(Backoff::new(MIN, MAX).slow(0), MAX / 2);
        assert_eq!(Backoff::new(MIN, MAX).slow(u32::MAX), MAX);
    }

    #[test]
    fn only_a_connection_that_lasted_starts_over() {
        let mut backoff = Backoff::new(MIN, MAX);
        for _ in 0..3 {
            backoff.next(u32::MAX);
        }
        backoff.ended(Duration::from_secs(1));
        assert_eq!(backoff.next(u32::MAX), Duration::from_secs(2));
        backoff.ended(Duration::from_secs(60));
        assert_eq!(backoff.next(u32::MAX), MIN);
    }

    #[test]
    fn a_longest_below_the_shortest_is_lifted() {
        let mut backoff = Backoff::new(MAX, MIN);
        assert_eq!(backoff.next(u32::MAX), MAX);
        assert_eq!(backoff.next(u32::MAX), MAX);
    }
}
