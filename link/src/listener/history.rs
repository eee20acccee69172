//! Owns what the listener knows of a stream's kept groups: which units the application was given, which of them are
//! stored, and what the sender has not yet been told. No IO, no clock; memory is bounded, and what is forgotten comes
//! twice, never not at all.

use std::collections::{BTreeMap, BTreeSet};

use crate::wire::message::INSTANCE_LEN;

/// Runs of whole groups, and groups in progress, that are remembered.
const MAX_RUNS: usize = 1024;
const MAX_OPEN: usize = 1024;

/// How far a group has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Progress {
    given: u32,
    stored: u32,
    /// Stored, and not yet everything before them.
    ahead: BTreeSet<u32>,
    /// Units of the whole group, once that is known.
    units: Option<u32>,
}

/// Something stored that the sender should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct News {
    pub serial: u64,
    pub units: u32,
    pub whole: bool,
}

/// What is known of the groups of one spool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    spool: Option<[u8; INSTANCE_LEN]>,
    open: BTreeMap<u64, Progress>,
    /// Whole groups that are stored: first and last serial of each run.
    done: BTreeMap<u64, u64>,
    news: BTreeMap<u64, News>,
    /// The same for the journal.
    unwritten: BTreeMap<u64, News>,
    outstanding: u64,
}

impl History {
    /// A sender comes with a spool whose groups below `oldest` it has forgotten.
    pub fn enter(&mut self, spool: [u8; INSTANCE_LEN], oldest: u64) {
        if self.spool != Some(spool) {
            let outstanding = self.outstanding;
            *self = Self {
                spool: Some(spool),
                outstanding,
                ..Self::default()
            };
        }
        self.open = self.open.split_off(&oldest);
        self.done.retain(|_, last| *last >= oldest);
        // The sender may have missed what it was told last.
        for (&serial, progress) in &self.open {
            if progress.stored > 0 {
                let (units, whole) = (progress.stored, false);
                self.news.insert(serial, News { serial, units, whole });
            }
        }
        let done: Vec<_> = self
            .done
            .iter()
            .rev()
            .flat_map(|(first, last)| (*first.max(&oldest)..=*last).rev())
            .take(64)
            .collect();
        for serial in done {
            self.tell_whole(serial, u32::MAX);
        }
    }

    pub fn spool(&self) -> Option<[u8; INSTANCE_LEN]> {
        self.spool
    }

    /// A group comes. True: all of it is stored or was given already, so that nothing of it is wanted.
    pub fn begin(&mut self, serial: u64, units: Option<u32>) -> bool {
        if self.is_done(serial) {
            self.tell_whole(serial, u32::MAX);
            return true;
        }
        if self.open.len() >= MAX_OPEN && !self.open.contains_key(&serial) {
            self.open.pop_first();
        }
        let progress = self.open.entry(serial).or_default();
        let all_given = units.is_some_and(|units| progress.given >= units);
        if units.is_some() {
            progress.units = units;
        }
        self.settle(serial);
        all_given
    }

    /// A unit is given to the application. True: it was given before, and comes again for those that build on it.
    pub fn give(&mut self, serial: u64, index: u32) -> bool {
        let Some(progress) = self.open.get_mut(&serial) else {
            return self.is_done(serial);
        };
        let repeated = index < progress.given;
        if !repeated {
            // Beyond it there is a unit that was given and could not be stored: that one must not count as given again.
            if index == progress.given {
                progress.given += 1;
            }
            self.outstanding += 1;
        }
        repeated
    }

    /// The application is done with a unit; `stored`: it is where it should be.
    pub fn release(&mut self, spool: [u8; INSTANCE_LEN], serial: u64, index: u32, stored: bool) {
        self.outstanding = self.outstanding.saturating_sub(1);
        let Some(progress) = self.open.get_mut(&serial).filter(|_| self.spool == Some(spool)) else {
            return;
        };
        if !stored {
            // When the sender sends it again, it is new again.
            progress.given = progress.given.min(index);
            return;
        }
        if index >= progress.given {
            return;
        }
        progress.ahead.insert(index);
        while progress.ahead.remove(&progress.stored) {
            progress.stored += 1;
        }
        if progress.stored > 0 {
            let (units, whole) = (progress.stored, false);
            self.news.insert(serial, News { serial, units, whole });
            self.unwritten.insert(serial, News { serial, units, whole });
        }
        self.settle(serial);
    }

    /// What was stored since the last time.
    pub fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news).into_values().collect()
    }

    /// What was stored since this was last asked.
    pub fn take_unwritten(&mut self) -> Vec<News> {
        std::mem::take(&mut self.unwritten).into_values().collect()
    }

    /// Units that the application was given and is not done with.
    pub fn outstanding(&self) -> u64 {
        self.outstanding
    }

    /// Everything worth remembering when the process starts again.
    pub fn summary(&self) -> impl Iterator<Item = News> {
        let open = self.open.iter().filter(|(_, progress)| progress.stored > 0);
        let open = open.map(|(&serial, progress)| News {
            serial,
            units: progress.stored,
            whole: false,
        });
        let done = self.done.iter().flat_map(|(first, last)| *first..=*last);
        done.map(|serial| News {
            serial,
            units: u32::MAX,
            whole: true,
        })
        .chain(open)
    }

    /// Learns what an earlier process had stored.
    pub fn recall(&mut self, spool: [u8; INSTANCE_LEN], news: News) {
        self.spool = Some(spool);
        if news.whole {
            self.open.remove(&news.serial);
            self.add_done(news.serial);
        } else if !self.is_done(news.serial) && self.open.len() < MAX_OPEN {
            let progress = self.open.entry(news.serial).or_default();
            progress.stored = progress.stored.max(news.units);
            progress.given = progress.stored;
        }
    }

    fn is_done(&self, serial: u64) -> bool {
        let run = self.done.range(..=serial).next_back();
        run.is_some_and(|(_, last)| *last >= serial)
    }

    fn tell_whole(&mut self, serial: u64, units: u32) {
        let whole = true;
        self.news.insert(serial, News { serial, units, whole });
    }

    fn settle(&mut self, serial: u64) {
        let whole = |progress: &Progress| progress.units.is_some_and(|units| progress.stored >= units);
        if self.open.get(&serial).is_some_and(whole) {
            self.open.remove(&serial);
            self.add_done(serial);
            self.tell_whole(serial, u32::MAX);
            let (units, whole) = (u32::MAX, true);
            self.unwritten.insert(serial, News { serial, units, whole });
        }
    }

    fn add_done(&mut self, serial: u64) {
        if self.is_done(serial) {
            return;
        }
        let (mut first, mut last) = (serial, serial);
        if let Some((&before, &end)) = self.done.range(..serial).next_back()
            && end + 1 == serial
        {
            self.done.remove(&before);
            first = before;
        }
        if let Some(end) = self.done.remove(&(serial + 1)) {
            last = end;
        }
        self.done.insert(first, last);
        if self.done.len() > MAX_RUNS {
            self.done.pop_first();
        }
    }
}

#[cfg(test)]
mod tests;
