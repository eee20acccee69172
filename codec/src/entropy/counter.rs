//! Adaptive probability of one context, with a count that makes it fast at first and steady later.

use super::logistic::{price, stretch};

/// Probability of `true` in 1/65536 (low 16 bits), and how often the context has been seen, capped (high 16 bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter(u32);

/// By count: 65536 / (n + 1.5), the share of its error that a context moves by, in the high 16 bits; and in the low ones how far its
/// opinion is trusted, in 1/256: rare contexts are pulled towards "no idea".
const RATE_AND_TRUST: [u32; 256] = {
    let mut table = [0; 256];
    let mut n = 0;
    while n < table.len() {
        let rate = 2 * 65_536 / (2 * n + 3);
        let trust = 256 * n / (n + 1) + if n == 0 { 0 } else { 256 / (n + 1) / 2 };
        table[n] = (rate << 16 | trust) as u32;
        n += 1;
    }
    table
};

impl Default for Counter {
    fn default() -> Self {
        Self::new(32_768, 0)
    }
}

impl Counter {
    /// A counter of probability `p` that has been seen `n` times.
    pub const fn new(p: u16, n: u8) -> Self {
        Self((n as u32) << 16 | p as u32)
    }

    /// Probability of `true` in 1/65536.
    #[inline(always)]
    pub const fn p(self) -> u16 {
        self.0 as u16
    }

    /// How often the context has been seen.
    #[inline(always)]
    pub const fn n(self) -> u8 {
        (self.0 >> 16) as u8
    }

    /// Bits that a decision takes where this counter alone has its probability. For the encoder's choices only.
    pub fn bits(self, bit: bool) -> f32 {
        let p = u32::from(self.p()).max(1);
        price(if bit { p } else { 65_536 - p }) as f32 / 256.0
    }

    /// Learns one decision; `limit` caps the count.
    #[inline]
    pub fn learn(&mut self, bit: bool, limit: u8) {
        let mut learned = [*self];
        Row::new([*self]).learn(bit, limit, &mut learned);
        [*self] = learned;
    }
}

/// The counters of one decision, one lane each, laid out so that a compiler makes vector instructions of them.
#[derive(Clone, Copy, Debug)]
pub struct Row<const N: usize> {
    counters: [Counter; N],
    rate_and_trust: [u32; N],
}

impl<const N: usize> Row<N> {
    #[inline(always)]
    pub fn new(counters: [Counter; N]) -> Self {
        Self {
            counters,
            rate_and_trust: counters.map(|counter| RATE_AND_TRUST[usize::from(counter.n())]),
        }
    }

    /// The inputs that these contexts give to a mixer.
    #[inline(always)]
    pub fn opine(&self, opinions: &mut [i32; N]) {
        let stretched = self.counters.map(|counter| stretch(counter.p()));
        for i in 0..N {
            opinions[i] = (stretched[i] * (self.rate_and_trust[i] & 0xFFFF) as i32) >> 8;
        }
    }

    /// The counters after one decision; `limit` caps their counts.
    #[inline(always)]
    pub fn learn(&self, bit: bool, limit: u8, learned: &mut [Counter; N]) {
        let target = if bit { 65_535 } else { 0 };
        for (i, learned) in learned.iter_mut().enumerate() {
            let (p, n) = ((self.counters[i].0 & 0xFFFF) as i32, self.counters[i].0 >> 16);
            let rate = (self.rate_and_trust[i] >> 16) as i32;
            // |target - p| < 2^16 and rate < 2^16: halve one so that the product fits. Rounding down may end below 0, never above 65535.
            let p = (p + ((((target - p) >> 1) * rate) >> 15)).max(0);
            let n = n + u32::from(n < u32::from(limit));
            *learned = Counter(n << 16 | p as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_likely_takes_few_bits() {
        let mut counter = Counter::default();
        assert!((counter.bits(true) - 1.0).abs() < 0.01 && (counter.bits(false) - 1.0).abs() < 0.01);
        (0..200).for_each(|_| counter.learn(true, 60));
        assert!(counter.bits(true) < 0.1 && counter.bits(false) > 5.0);
    }

    #[test]
    fn a_counter_converges_and_stays_in_range() {
        let mut counter = Counter::default();
        (0..2000).for_each(|_| counter.learn(true, 255));
        assert!(counter.p() > 65_000 && counter.n() == 255);
        (0..5000).for_each(|_| counter.learn(false, 255));
        assert!(counter.p() < 500);
        let mut balanced = Counter::default();
        (0..4000).for_each(|turn| balanced.learn(turn % 4 == 0, 255));
        assert!(
            (i32::from(balanced.p()) - 16_384).abs() < 1500,
            "{}",
            balanced.p()
        );
    }
}
