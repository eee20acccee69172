//! Owns the stream of one group: what is written to it, and how it ends.

use std::time::Duration;

use bytes::Bytes;
use quinn::{Connection, SendStream, WriteError};
use tokio::time::sleep;

use super::pace::TICK;
use crate::control::Broken;
use crate::wire::group::{self, Begin, Keeping};
use crate::wire::{Close, Violation};

/// The stream of one group. Ends when dropped: orderly after a whole unit, by a reset inside one.
pub struct Group {
    stream: SendStream,
    pub number: u64,
    /// What goes before the first unit, together with it.
    preamble: Option<Bytes>,
    whole: bool,
    /// How long its key took: so much later may the others be, which came meanwhile.
    pub grace: Duration,
    /// The receiver wants nothing of it.
    pub unwanted: bool,
}

impl Group {
    pub async fn open(connection: &Connection, keeping: Keeping) -> Result<Self, Broken> {
        let stream = connection.open_uni().await.map_err(|_| Broken::Connection)?;
        let number = stream.id().index();
        // The receiver reads one group after the other: the older one first, and the past after the present.
        let age = i32::try_from(number).map_or(i32::MIN / 2, |n| -(n / 2));
        let lane = if matches!(keeping, Keeping::Late { .. }) {
            i32::MIN / 2
        } else {
            0
        };
        let _ = stream.set_priority(age / 2 + lane);
        Ok(Self {
            stream,
            number,
            preamble: Some(group::preamble(Begin { number, keeping })),
            whole: false,
            grace: Duration::ZERO,
            unwanted: false,
        })
    }

    /// What was sent is of no use.
    pub fn give_up(&mut self) {
        self.whole = false;
    }

    pub async fn write(&mut self, unit: Bytes, enhancement: bool) -> Result<(), Broken> {
        let head = match enhancement {
            true => group::enhancement_length(&unit),
            false => group::length(&unit),
        };
        self.write_piece(head, unit, true).await
    }

    /// Writes a unit in pieces of so many bytes at most. `room` is asked before each whether it may go out, and again a tick later if not.
    pub async fn write_slowly(
        &mut self,
        mut unit: Bytes,
        most: usize,
        room: impl Fn(usize) -> bool,
    ) -> Result<(), Broken> {
        let mut head = group::length(&unit);
        while !unit.is_empty() && !self.unwanted {
            let piece = unit.split_to(unit.len().min(most));
            while !room(piece.len()) {
                sleep(TICK).await;
            }
            self.write_piece(std::mem::take(&mut head), piece, unit.is_empty())
                .await?;
        }
        Ok(())
    }

    async fn write_piece(&mut self, head: Bytes, piece: Bytes, last: bool) -> Result<(), Broken> {
        let preamble = self.preamble.take().unwrap_or_default();
        self.write_all(&mut [preamble, head, piece]).await?;
        self.whole &= last;
        Ok(())
    }

    async fn write_all(&mut self, parts: &mut [Bytes]) -> Result<(), Broken> {
        self.whole = false;
        match self.stream.write_all_chunks(parts).await {
            Ok(()) => self.whole = true,
            // The receiver has all of it.
            Err(WriteError::Stopped(code)) if u64::from(code) == u64::from(Close::Finished.code()) => {
                self.unwanted = true;
            }
            Err(WriteError::Stopped(code)) => {
                return Err(Violation::new(format!("the receiver stopped a group with code {code}")).into());
            }
            Err(_) => return Err(Broken::Connection),
        }
        Ok(())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // An error means that the stream is over already.
        let _ = if self.whole {
            self.stream.finish()
        } else {
            self.stream.reset(Close::Shutdown.code().into())
        };
    }
}
