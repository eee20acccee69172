//! Owns what waits to be sent, and the rule for what is dropped. No IO, no clock.
//!
//! A unit can be decoded only after those before it in its group. So when one is dropped, everything up to the next key
//! is dropped too, and a key is asked for: once, and not before there is room for it, so that a slow link is not answered
//! with a storm of large units.

use std::collections::VecDeque;

use super::event::{DropReason, Outcome};
use crate::Unit;

/// No receiver takes a larger unit.
pub const MAX_UNIT: usize = 16 << 20;

#[derive(Debug)]
pub struct Queue {
    units: VecDeque<Unit>,
    bytes: usize,
    max_units: usize,
    max_bytes: usize,
    dropped: u64,
    /// Only a key makes sense next.
    awaiting_key: bool,
    /// A key was asked for and did not come yet.
    asked: bool,
    finishing: bool,
}

impl Queue {
    pub fn new(max_units: usize, max_bytes: usize) -> Self {
        Self {
            units: VecDeque::new(),
            bytes: 0,
            max_units,
            max_bytes,
            dropped: 0,
            awaiting_key: true,
            asked: false,
            finishing: false,
        }
    }

    /// Takes a unit in, or drops it.
    pub fn push(&mut self, unit: Unit) -> Outcome {
        let size = unit.data.len();
        let reason = if self.finishing {
            DropReason::Finishing
        } else if self.awaiting_key && !unit.key {
            DropReason::AwaitingKey
        } else if size == 0 || size > MAX_UNIT.min(self.max_bytes) {
            self.lose_group();
            DropReason::Size
        } else if self.units.len() >= self.max_units || self.bytes + size > self.max_bytes {
            self.lose_group();
            DropReason::QueueFull
        } else {
            if unit.key {
                (self.awaiting_key, self.asked) = (false, false);
            }
            self.bytes += size;
            self.units.push_back(unit);
            return Outcome::Queued;
        };
        self.dropped += 1;
        Outcome::Dropped(reason)
    }

    pub fn pop(&mut self) -> Option<Unit> {
        let unit = self.units.pop_front()?;
        self.bytes -= unit.data.len();
        Some(unit)
    }

    /// Nothing can continue what was sent before: drops what comes before the next key.
    pub fn skip_to_key(&mut self) {
        while self.units.front().is_some_and(|unit| !unit.key) {
            self.pop();
            self.dropped += 1;
        }
        if self.units.is_empty() {
            self.lose_group();
        }
    }

    /// Counts a unit that was popped and cannot be sent.
    pub fn count_dropped(&mut self) {
        self.dropped += 1;
    }

    /// Whether to ask for a key now. True once for each key that is missing.
    pub fn ask_for_key(&mut self) -> bool {
        let room = self.units.len() <= self.max_units / 2 && self.bytes <= self.max_bytes / 2;
        let ask = self.awaiting_key && !self.asked && room && !self.finishing;
        self.asked |= ask;
        ask
    }

    /// Takes nothing more in.
    pub fn finish(&mut self) {
        self.finishing = true;
    }

    /// Nothing waits, and nothing will.
    pub fn finished(&self) -> bool {
        self.finishing && self.units.is_empty()
    }

    /// Whether a key waits.
    pub fn has_key(&self) -> bool {
        self.units.iter().any(|unit| unit.key)
    }

    pub fn len(&self) -> usize {
        self.units.len()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn lose_group(&mut self) {
        (self.awaiting_key, self.asked) = (true, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unit(key: bool, size: usize) -> Unit {
        Unit {
            data: vec![0; size].into(),
            key,
        }
    }

    fn keys(queue: &mut Queue) -> Vec<bool> {
        std::iter::from_fn(|| queue.pop()).map(|unit| unit.key).collect()
    }

    #[test]
    fn begins_with_a_key() {
        let mut queue = Queue::new(4, 1000);
        assert!(queue.ask_for_key());
        assert!(!queue.ask_for_key());
        assert_eq!(
            queue.push(unit(false, 1)),
            Outcome::Dropped(DropReason::AwaitingKey)
        );
        assert_eq!(queue.push(unit(true, 1)), Outcome::Queued);
        assert_eq!(queue.push(unit(false, 1)), Outcome::Queued);
        assert!(!queue.ask_for_key());
        assert_eq!((queue.len(), queue.bytes(), queue.dropped()), (2, 2, 1));
    }

    #[test]
    fn a_full_queue_drops_the_rest_of_the_group_and_asks_when_there_is_room() {
        let mut queue = Queue::new(4, 1000);
        for key in [true, false, false, false] {
            assert_eq!(queue.push(unit(key, 1)), Outcome::Queued);
        }
        assert_eq!(
            queue.push(unit(false, 1)),
            Outcome::Dropped(DropReason::QueueFull)
        );
        queue.pop();
        assert_eq!(
            queue.push(unit(false, 1)),
            Outcome::Dropped(DropReason::AwaitingKey)
        );
        assert!(!queue.ask_for_key(), "three of four are no room");
        queue.pop();
        assert!(queue.ask_for_key());
        assert_eq!(queue.push(unit(true, 1)), Outcome::Queued);
        assert_eq!(keys(&mut queue), [false, false, true]);
        assert_eq!(queue.dropped(), 2);
    }

    #[test]
    fn a_key_that_found_no_room_is_asked_for_again() {
        let mut queue = Queue::new(1, 1000);
        queue.push(unit(true, 1));
        assert_eq!(queue.push(unit(true, 1)), Outcome::Dropped(DropReason::QueueFull));
        queue.pop();
        assert!(queue.ask_for_key());
        queue.push(unit(true, 1));
        assert_eq!(queue.push(unit(true, 1)), Outcome::Dropped(DropReason::QueueFull));
        queue.pop();
        assert!(queue.ask_for_key());
    }

    #[test]
    fn bytes_are_limited_too() {
        let mut queue = Queue::new(100, 1000);
        assert_eq!(queue.push(unit(true, 600)), Outcome::Queued);
        assert_eq!(
            queue.push(unit(false, 600)),
            Outcome::Dropped(DropReason::QueueFull)
        );
        assert_eq!(queue.push(unit(true, 1001)), Outcome::Dropped(DropReason::Size));
        assert_eq!(queue.push(unit(true, 0)), Outcome::Dropped(DropReason::Size));
    }

    #[test]
    fn a_new_connection_continues_with_a_key() {
        let mut queue = Queue::new(8, 1000);
        for key in [true, false, false, true, false] {
            queue.push(unit(key, 1));
        }
        queue.pop();
        queue.skip_to_key();
        assert!(!queue.ask_for_key());
        assert_eq!(queue.dropped(), 2);
        queue.pop();
        queue.skip_to_key();
        assert!(queue.ask_for_key());
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn finishing_takes_nothing_more() {
        let mut queue = Queue::new(8, 1000);
        queue.push(unit(true, 1));
        queue.finish();
        assert_eq!(queue.push(unit(true, 1)), Outcome::Dropped(DropReason::Finishing));
        assert!(!queue.finished());
        queue.pop();
        assert!(queue.finished());
    }

    proptest! {
        /// Whatever happens, what comes out continues what came out before, limits hold and everything is counted.
        #[test]
        fn what_comes_out_can_be_decoded(steps in prop::collection::vec((0..8u8, 0..300usize), 0..200)) {
            let mut queue = Queue::new(5, 1000);
            let (mut number, mut pushed, mut popped) = (0u32, 0u64, 0u64);
            let mut expected = None;
            for (step, size) in steps {
                match step {
                    0..=4 => {
                        let mut data = number.to_be_bytes().to_vec();
                        data.resize(4 + size, 0);
                        queue.push(Unit { data: data.into(), key: step == 0 });
                        (number, pushed) = (number + 1, pushed + 1);
                    }
                    5 | 6 => if let Some(unit) = queue.pop() {
                        let n = u32::from_be_bytes(unit.data[..4].try_into().unwrap());
                        prop_assert!(unit.key || expected == Some(n));
                        expected = Some(n + 1);
                        popped += 1;
                    },
                    _ => { queue.skip_to_key(); expected = None; }
                }
                prop_assert!(queue.len() <= 5 && queue.bytes() <= 1000);
                prop_assert_eq!(pushed, popped + queue.len() as u64 + queue.dropped());
            }
        }
    }
}
