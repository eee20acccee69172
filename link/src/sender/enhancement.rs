//! Owns the chain of enhancement units: which of them make sense to send, and when the encoder is to begin it anew. No IO;
//! times are arguments.
//!
//! An enhancement unit can be used only after those before it, back to a key of its layer; nothing of layer 0 builds on it. So
//! when one is dropped, those up to the next key of the layer are dropped too, and one such key is asked for: once, when
//! there is room, and each time later when that key has to be dropped as well.

use std::time::Duration;

use tokio::time::Instant;

/// Wait between a key that was dropped and the next request, doubled each time.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(32);

#[derive(Debug)]
pub struct Chain {
    /// Only a key of the layer makes sense next.
    broken: bool,
    /// Somebody has to say so.
    untold: bool,
    /// When that may be said.
    not_before: Option<Instant>,
    pause: Duration,
    dropped: u64,
}

impl Default for Chain {
    fn default() -> Self {
        Self {
            broken: true,
            untold: false,
            not_before: None,
            pause: PAUSE,
            dropped: 0,
        }
    }
}

impl Chain {
    /// Whether this unit continues what was sent, or begins anew. If not, it is to be dropped.
    pub fn continues(&self, key: bool) -> bool {
        key || !self.broken
    }

    /// A unit was queued.
    pub fn queued(&mut self, key: bool) {
        if key {
            (self.broken, self.untold, self.not_before) = (false, false, None);
        }
    }

    /// A unit was sent: the link takes units of its kind.
    pub fn sent(&mut self) {
        self.pause = PAUSE;
    }

    /// Units were dropped: counts them and breaks the chain. `key`: a key of the layer was among them.
    pub fn drop_units(&mut self, count: u64, key: bool, now: Instant) {
        if count == 0 {
            return;
        }
        self.dropped += count;
        if key {
            self.not_before = Some(now + self.pause);
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
        // A unit that continues nothing changes nothing, but that nobody may have been told yet.
        self.untold |= key || !self.broken || self.not_before.is_none();
        if self.not_before.is_none() {
            self.not_before = Some(now);
        }
        self.broken = true;
    }

    /// Layer 0 begins anew, and the encoder the enhancement with it: nobody has to be asked.
    pub fn restarted(&mut self) {
        (self.broken, self.untold, self.not_before) = (true, false, None);
    }

    /// Whether to ask for a key of the layer now. True once for each that is missing.
    pub fn ask(&mut self, now: Instant) -> bool {
        let ask = self.broken && self.untold && self.not_before.is_none_or(|at| now >= at);
        self.untold &= !ask;
        ask
    }

    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drop_breaks_the_chain_until_a_key_and_is_told_once() {
        let (mut chain, now) = (Chain::default(), Instant::now());
        assert!(!chain.continues(false) && chain.continues(true) && !chain.ask(now));
        chain.queued(true);
        assert!(chain.continues(false));
        chain.drop_units(1, false, now);
        assert!(!chain.continues(false));
        assert!(chain.ask(now) && !chain.ask(now));
        // What still comes of the old chain asks for nothing more.
        chain.drop_units(3, false, now);
        assert!(!chain.ask(now));
        chain.queued(true);
        assert!(chain.continues(false));
        assert_eq!(chain.dropped(), 4);
    }

    #[test]
    fn a_key_that_is_dropped_is_asked_for_again_ever_later() {
        let (mut chain, mut now) = (Chain::default(), Instant::now());
        chain.queued(true);
        chain.drop_units(1, false, now);
        assert!(chain.ask(now));
        for wait in [1, 2, 4, 8, 16, 32, 32] {
            chain.drop_units(1, true, now);
            now += Duration::from_secs(wait);
            assert!(!chain.ask(now - Duration::from_millis(1)), "{wait}");
            assert!(chain.ask(now) && !chain.ask(now), "{wait}");
        }
        chain.queued(true);
        chain.sent();
        chain.drop_units(1, true, now);
        assert!(chain.ask(now + PAUSE));
    }

    #[test]
    fn a_key_of_layer_0_begins_it_anew_without_being_asked() {
        let (mut chain, now) = (Chain::default(), Instant::now());
        chain.queued(true);
        chain.drop_units(1, false, now);
        chain.restarted();
        assert!(!chain.ask(now) && !chain.continues(false));
        // An encoder that does not begin anew is asked.
        chain.drop_units(1, false, now);
        assert!(chain.ask(now) && !chain.ask(now));
        chain.drop_units(1, false, now);
        assert!(!chain.ask(now));
    }
}
