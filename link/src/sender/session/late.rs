//! Sends what waits in the spool, beside what is live and slower than it.

use parking_lot::Mutex;
use tokio::time::sleep;

use super::super::pace;
use super::Session;
use crate::control::Broken;
use crate::spool::{Late, Spool};
use crate::wire::group::Keeping;

impl Session<'_> {
    /// Writes what is in the spool and nobody sends, slowly enough not to get in the way, until there is nothing left and
    /// no more will come.
    pub(super) async fn write_late(&self, max_unit: usize) -> Result<(), Broken> {
        let Some(spool) = &self.shared.spool else {
            return Ok(());
        };
        // What the receiver says at once about the groups it has is heard first.
        sleep(pace::TICK).await;
        loop {
            let late = spool.lock().take_late();
            match late {
                Some(late) => self.write_late_group(spool, late, max_unit).await?,
                None if self.shared.live_drained() && !spool.lock().has_late() => return Ok(()),
                None => sleep(pace::TICK).await,
            }
        }
    }

    async fn write_late_group(
        &self,
        spool: &Mutex<Spool>,
        mut late: Late,
        max_unit: usize,
    ) -> Result<(), Broken> {
        while !self.pace.lock().take_late(64) {
            sleep(pace::TICK).await;
        }
        let (serial, units) = (late.serial, u64::from(late.units));
        let mut group = self.open_group(Keeping::Late { serial, units }).await?;
        for n in 0..units {
            let data = spool.lock().read(&mut late);
            let Some(data) = data else {
                // Gone, or damaged: the rest is lost and counted by the spool.
                group.give_up();
                return Ok(());
            };
            if data.len() > max_unit {
                tracing::warn!(
                    size = data.len(),
                    max_unit,
                    "unit in the spool larger than the receiver takes: group dropped"
                );
                spool.lock().discard(serial);
                group.give_up();
                return Ok(());
            }
            let room = |bytes| self.pace.lock().take_late(bytes);
            group.write_slowly(data.clone(), pace::LATE_PIECE, room).await?;
            if group.unwanted {
                return Ok(());
            }
            self.shared.sending(&data, n == 0, true);
        }
        Ok(())
    }
}
