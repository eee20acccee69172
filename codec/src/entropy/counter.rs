//! Adaptive probability of one context, with a count that makes it fast at first and steady later.

use super::logistic::stretch;

/// Probability of `true` in 1/65536, and how often the context has been seen (capped).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    pub p: u16,
    pub n: u8,
}

/// Most that a count is worth: beyond it a context forgets exponentially.
pub const COUNT_MAX: u8 = u8::MAX;

/// 65536 / (n + 1.5), the share of its error that a context moves by.
const RATE: [i32; COUNT_MAX as usize + 1] = {
    let mut table = [0; COUNT_MAX as usize + 1];
    let mut n = 0;
    while n < table.len() {
        table[n] = (2 * 65_536 / (2 * n + 3)) as i32;
        n += 1;
    }
    table
};

/// How far a context's opinion is trusted, in 1/256, by its count: rare contexts are pulled towards "no idea".
const TRUST: [i32; COUNT_MAX as usize + 1] = {
    let mut table = [0; COUNT_MAX as usize + 1];
    let mut n = 0;
    while n < table.len() {
        table[n] = (256 * n / (n + 1)) as i32 + if n == 0 { 0 } else { 256 / (n as i32 + 1) / 2 };
        n += 1;
    }
    table
};

impl Default for Counter {
    fn default() -> Self {
        Self { p: 32_768, n: 0 }
    }
}

impl Counter {
    /// The input that this context gives to a mixer.
    #[inline]
    pub fn opinion(self) -> i32 {
        (stretch(self.p) * TRUST[usize::from(self.n)]) >> 8
    }

    /// Learns one decision; `limit` caps the count.
    #[inline]
    pub fn learn(&mut self, bit: bool, limit: u8) {
        let rate = RATE[usize::from(self.n)];
        let target = if bit { 65_535 } else { 0 };
        let error = target - i32::from(self.p);
        // |error| < 2^16 and rate < 2^16: halve one so that the product fits.
        self.p = (i32::from(self.p) + (((error >> 1) * rate) >> 15)).clamp(0, 65_535) as u16;
        self.n += u8::from(self.n < limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_converges_and_stays_in_range() {
        let mut counter = Counter::default();
        (0..2000).for_each(|_| counter.learn(true, 255));
        assert!(counter.p > 65_000 && counter.n == 255);
        (0..5000).for_each(|_| counter.learn(false, 255));
        assert!(counter.p < 500);
        let mut balanced = Counter::default();
        (0..4000).for_each(|turn| balanced.learn(turn % 4 == 0, 255));
        assert!((i32::from(balanced.p) - 16_384).abs() < 1500, "{}", balanced.p);
    }
}
