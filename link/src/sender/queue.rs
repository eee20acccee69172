//! Owns what waits to be sent, and the rule for what is dropped. No IO, no clock.
//!
//! A unit can be decoded only after those before it in its group. So when one is dropped, everything up to the next key
//! is dropped too, and a key is asked for: once, and not before there is room for it, so that a slow link is not answered
//! with a storm of large units.
//! Enhancement units yield to all others (`enhancement.rs`): they wait only behind the last unit of layer 0.
//!
//! What is in the spool is not lost with a drop: it is *deferred*, and goes out late.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::enhancement::Chain;
use super::event::{DropReason, Outcome};
use crate::Unit;
use crate::spool::Number;

/// No receiver takes a larger unit.
pub const MAX_UNIT: usize = 16 << 20;

/// A unit that waits.
#[derive(Clone, Debug)]
pub struct Entry {
    pub unit: Unit,
    /// When it came.
    pub at: Instant,
    /// Its number in the spool, if it is there.
    pub number: Option<Number>,
    /// Nothing of layer 0 builds on it. Then `unit.key` is false, whatever it is in its own layer.
    pub enhancement: bool,
    /// It is a key of the enhancement layer.
    pub enhancement_key: bool,
}

#[derive(Debug)]
pub struct Queue {
    units: VecDeque<Entry>,
    bytes: usize,
    max_units: usize,
    max_bytes: usize,
    dropped: u64,
    /// Serials of groups in the spool whose rest is not sent from here. Short: one for each group that waits here.
    deferred: Vec<u64>,
    enhancement: Chain,
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
            deferred: Vec::new(),
            enhancement: Chain::default(),
            awaiting_key: true,
            asked: false,
            finishing: false,
        }
    }

    /// Takes an enhancement unit in, or drops it: when something has to yield, it does. `room`: the link has some for it.
    pub fn push_enhancement(&mut self, entry: Entry, room: bool) -> Outcome {
        let (size, key) = (entry.unit.data.len(), entry.enhancement_key);
        let fits = room
            && self.has_room()
            && !self.finishing
            && !self.awaiting_key
            && (1..=MAX_UNIT.min(self.max_bytes / 2)).contains(&size)
            && self.bytes + size <= self.max_bytes;
        if !fits || !self.enhancement.continues(key) {
            self.enhancement.drop_units(1, key, entry.at);
            return Outcome::Dropped(DropReason::Enhancement);
        }
        self.enhancement.queued(key);
        self.bytes += size;
        self.units.push_back(entry);
        Outcome::Queued
    }

    /// Drops the enhancement units that wait: something else has to go.
    pub fn yield_enhancement(&mut self, now: Instant) {
        let (mut count, mut bytes, mut key) = (0, 0, false);
        self.units.retain(|entry| {
            if entry.enhancement {
                count += 1;
                bytes += entry.unit.data.len();
                key |= entry.enhancement_key;
            }
            !entry.enhancement
        });
        self.bytes -= bytes;
        self.enhancement.drop_units(count, key, now);
    }

    /// An enhancement unit that nobody wants, or that was popped and cannot be sent.
    pub fn lose_enhancement(&mut self, key: bool, now: Instant) {
        self.enhancement.drop_units(1, key, now);
    }

    /// The encoder was told to begin the enhancement.
    pub fn enhancement_begins(&mut self) {
        self.enhancement.restarted();
    }

    /// An enhancement unit goes out.
    pub fn enhancement_sent(&mut self) {
        self.enhancement.sent();
    }

    /// Whether to ask for a key of the enhancement layer now. True once for each that is missing.
    pub fn ask_for_enhancement(&mut self, now: Instant) -> bool {
        // With the key of layer 0 that is missing the enhancement begins anew, too.
        !self.awaiting_key && !self.finishing && self.has_room() && self.enhancement.ask(now)
    }

    pub fn enhancement_dropped(&self) -> u64 {
        self.enhancement.dropped()
    }

    /// Takes a unit of layer 0 in, or drops it. The enhancement units that still wait yield to it: none is begun while a unit of
    /// layer 0 waits.
    pub fn push(&mut self, entry: Entry) -> Outcome {
        self.yield_enhancement(entry.at);
        let (size, key) = (entry.unit.data.len(), entry.unit.key);
        let reason = if self.finishing {
            DropReason::Finishing
        } else if self.awaiting_key && !key {
            DropReason::AwaitingKey
        } else if size == 0 || size > MAX_UNIT.min(self.max_bytes) {
            self.lose_group();
            DropReason::Size
        } else if self.units.len() >= self.max_units || self.bytes + size > self.max_bytes {
            self.lose_group();
            DropReason::QueueFull
        } else {
            if key {
                (self.awaiting_key, self.asked) = (false, false);
                self.enhancement.restarted();
            }
            self.bytes += size;
            self.units.push_back(entry);
            return Outcome::Queued;
        };
        match entry.number {
            Some(number) => {
                self.defer(number);
                Outcome::Spooled
            }
            None => {
                self.dropped += 1;
                Outcome::Dropped(reason)
            }
        }
    }

    pub fn pop(&mut self) -> Option<Entry> {
        let entry = self.units.pop_front()?;
        self.bytes -= entry.unit.data.len();
        Some(entry)
    }

    /// When the oldest unit came.
    pub fn oldest(&self) -> Option<Instant> {
        self.units.front().map(|entry| entry.at)
    }

    /// Whether a group begins after the first unit.
    pub fn has_later_key(&self) -> bool {
        self.units.iter().skip(1).any(|entry| entry.unit.key)
    }

    /// Nothing can continue what was sent before: drops what comes before the next key.
    pub fn skip_to_key(&mut self) {
        while self.units.front().is_some_and(|entry| !entry.unit.key)
            && let Some(entry) = self.pop()
        {
            self.lose(&entry);
        }
        if self.units.is_empty() {
            self.lose_group();
        }
    }

    /// Drops everything that waits.
    pub fn clear(&mut self) {
        while let Some(entry) = self.pop() {
            self.lose(&entry);
        }
        self.lose_group();
    }

    /// Counts a unit that was popped and cannot be sent.
    pub fn lose(&mut self, entry: &Entry) {
        if entry.enhancement {
            return self.lose_enhancement(entry.enhancement_key, entry.at);
        }
        match entry.number {
            Some(number) => self.defer(number),
            None => self.dropped += 1,
        }
    }

    /// Serials of the groups that are to be sent late.
    pub fn take_deferred(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.deferred)
    }

    /// Counts a unit that was not even queued.
    pub fn count_dropped(&mut self) {
        self.dropped += 1;
    }

    fn defer(&mut self, number: Number) {
        if self.deferred.last() != Some(&number.serial) {
            self.deferred.push(number.serial);
        }
    }

    fn has_room(&self) -> bool {
        self.units.len() <= self.max_units / 2 && self.bytes <= self.max_bytes / 2
    }

    /// Whether to ask for a key now. True once for each key that is missing.
    pub fn ask_for_key(&mut self) -> bool {
        let ask = self.awaiting_key && !self.asked && self.has_room() && !self.finishing;
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
        self.units.iter().any(|entry| entry.unit.key)
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

    pub fn finishing(&self) -> bool {
        self.finishing
    }

    /// What comes next makes no sense before the next key.
    pub fn lose_group(&mut self) {
        (self.awaiting_key, self.asked) = (true, false);
    }
}

#[cfg(test)]
mod tests;
