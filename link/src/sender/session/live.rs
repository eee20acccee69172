//! Writes units as they come, and gives up what is too old for that.

use tokio::time::{Duration, Instant, timeout_at};

use super::super::group::Group;
use super::super::queue::Entry;
use super::Session;
use crate::control::Broken;
use crate::wire::group::Keeping;

impl Session<'_> {
    /// Writes units as they come, until there are no more.
    pub(super) async fn write_live(&self, max_unit: usize) -> Result<(), Broken> {
        let mut open: Option<Group> = None;
        while let Some(entry) = self.shared.next().await {
            let (size, key) = (entry.unit.data.len(), entry.unit.key);
            if entry.enhancement {
                let begun = open.as_mut().filter(|_| size <= max_unit);
                let Some(group) = begun.filter(|group| !self.is_late(&entry, group.grace)) else {
                    self.shared.enhancement(&entry, false);
                    continue;
                };
                let written = self.write_in_time(group, &entry).await?;
                self.shared.enhancement(&entry, written);
                if !written {
                    // Half of it is on the stream: what follows there would have to wait for the rest.
                    open = None;
                    self.shared.count_reset();
                    self.shared.give_up_group_after();
                }
                continue;
            }
            if size > max_unit {
                tracing::warn!(
                    size,
                    max_unit,
                    "unit larger than the receiver takes: group dropped"
                );
                self.shared.give_up_group(&entry);
                continue;
            }
            if key {
                drop(open.take());
                if self.is_late(&entry, Duration::ZERO) && self.shared.has_later_key() {
                    self.shared.count_reset();
                    self.shared.give_up_group(&entry);
                    continue;
                }
                let keeping = entry.number.map_or(Keeping::No, |number| Keeping::Live {
                    serial: number.serial,
                });
                open = Some(self.open_group(keeping).await?);
            }
            let Some(group) = &mut open else {
                self.shared.give_up_group(&entry);
                continue;
            };
            if !self.write_in_time(group, &entry).await? {
                // The stream is reset: nothing of it gets in the way of the next key.
                open = None;
                self.shared.count_reset();
                self.shared.give_up_group(&entry);
                continue;
            }
            self.shared.sending(&entry.unit.data, key, false);
        }
        Ok(())
    }

    /// False: it took longer than the budget allows.
    async fn write_in_time(&self, group: &mut Group, entry: &Entry) -> Result<bool, Broken> {
        let budget = self.config.latency_budget;
        let now = Instant::now();
        // A key is large, and without one there is nothing at all: it gets more time, and counts from now.
        let deadline = match entry.unit.key {
            _ if budget.is_zero() => None,
            true => Some(now + self.pace.lock().key_patience(entry.unit.data.len())),
            false if self.is_late(entry, group.grace) => return Ok(false),
            false => Some(now + (budget + group.grace).saturating_sub(self.shared.age(now, Some(entry.at)))),
        };
        self.writing.lock().now = Some((entry.at, now));
        let write = group.write(entry.unit.data.clone(), entry.enhancement);
        let written = match deadline {
            Some(deadline) => timeout_at(deadline, write).await,
            None => Ok(write.await),
        };
        {
            let mut writing = self.writing.lock();
            let since = writing.now.take().map_or(now, |(_, since)| since);
            writing.waited += since.elapsed();
        }
        if entry.unit.key {
            group.grace = self.pace.lock().grace(entry.unit.data.len(), now.elapsed());
        }
        match written {
            Ok(result) => result.map(|()| true),
            Err(_) => Ok(false),
        }
    }

    /// `grace`: time that its group is late already.
    fn is_late(&self, entry: &Entry, grace: Duration) -> bool {
        let budget = self.config.latency_budget;
        !budget.is_zero() && self.shared.age(Instant::now(), Some(entry.at)) > budget + grace
    }
}
