//! Owns the reading of groups. There are two lanes, what is live and what comes late; each is read in order, and neither
//! waits for the other.

use bytes::Bytes;
use quinn::{ReadError, RecvStream};
use tokio::sync::mpsc;

use super::event::{Event, Slot};
use super::receipt::Receipt;
use super::session::Session;
use crate::Unit;
use crate::control::Broken;
use crate::wire::group::{self, Begin, Item, Keeping};
use crate::wire::{Close, Violation};

/// Groups of a lane that have begun and wait for those before them.
pub const LANE: usize = 4;
/// Most bytes taken from QUIC at once.
const CHUNK: usize = 64 << 10;
/// The same before it is a group's turn.
const FIRST_CHUNK: usize = 64;

/// A group that has begun.
pub struct Group {
    begin: Begin,
    recv: RecvStream,
    reader: group::Reader,
    /// The camera gave it up before it said which it is.
    reset: bool,
}

impl Group {
    pub fn is_late(&self) -> bool {
        matches!(self.begin.keeping, Keeping::Late { .. })
    }

    fn serial(&self) -> Option<u64> {
        match self.begin.keeping {
            Keeping::No => None,
            Keeping::Live { serial } | Keeping::Late { serial, .. } => Some(serial),
        }
    }
}

enum End {
    /// In order. A live group may still be continued in the sender's spool: the sender knows, and says how many units a
    /// group has when it sends it late.
    Whole,
    Reset,
}

impl Session<'_> {
    /// Reads what a stream begins with.
    pub async fn begin_group(&self, number: u64, recv: RecvStream) -> Result<Group, Broken> {
        let mut group = Group {
            begin: Begin {
                number,
                keeping: Keeping::No,
            },
            recv,
            reader: group::Reader::new(self.shared.config.limits.unit_bytes),
            reset: false,
        };
        let begin = loop {
            match group.recv.read_chunk(FIRST_CHUNK, true).await {
                Ok(Some(chunk)) => group.reader.push(chunk.bytes),
                Ok(None) => return Err(Violation::new("a group ended inside its preamble").into()),
                Err(ReadError::Reset(_)) => {
                    group.reset = true;
                    return Ok(group);
                }
                Err(_) => return Err(Broken::Connection),
            }
            match group.reader.take()? {
                Some(Item::Begin(begin)) => break begin,
                Some(Item::Unit(_) | Item::Enhancement(_)) | None => {}
            }
        };
        if begin.number != number {
            let text = format!("group {} in place of group {number}", begin.number);
            return Err(Violation::new(text).into());
        }
        if begin.keeping != Keeping::No && self.stream.ledger.is_none() {
            return Err(Violation::new("a kept group of a sender that keeps none").into());
        }
        group.begin = begin;
        Ok(group)
    }

    /// Reads the groups of a lane, one after the other.
    pub async fn read_lane(&self, groups: &mut mpsc::Receiver<Group>) -> Result<(), Broken> {
        while let Some(mut group) = groups.recv().await {
            let (number, late) = (group.begin.number, group.is_late());
            let end = if group.reset {
                End::Reset
            } else {
                self.read_group(&mut group).await?
            };
            if matches!(end, End::Reset) {
                self.group_reset(number, late).await?;
            }
            self.stream.counters.lock().groups += 1;
            self.groups.send_modify(|groups| *groups += 1);
        }
        Ok(())
    }

    async fn read_group(&self, group: &mut Group) -> Result<End, Broken> {
        let wanted = match (&self.stream.ledger, group.begin.keeping) {
            (Some(ledger), Keeping::Live { serial }) => !ledger.history.lock().begin(serial, None),
            (Some(ledger), Keeping::Late { serial, units }) => {
                let units = u32::try_from(units)
                    .map_err(|_| Violation::new(format!("a group of {units} units: must be below 2^32")))?;
                !ledger.history.lock().begin(serial, Some(units))
            }
            _ => true,
        };
        if !wanted {
            // All of it is here. Nobody needs to send the rest.
            let _ = group.recv.stop(Close::Finished.code().into());
            return Ok(End::Whole);
        }
        let mut index = 0;
        loop {
            while let Some(item) = group.reader.take()? {
                match item {
                    Item::Unit(data) => {
                        self.deliver(group, Some(index), data).await?;
                        index += 1;
                    }
                    Item::Enhancement(data) => self.deliver(group, None, data).await?,
                    Item::Begin(_) => {}
                }
            }
            match group.recv.read_chunk(CHUNK, true).await {
                Ok(Some(chunk)) => group.reader.push(chunk.bytes),
                Ok(None) if group.reader.at_boundary() => return Ok(End::Whole),
                Ok(None) => return Err(Violation::new("a group ended inside a unit").into()),
                Err(ReadError::Reset(_)) => return Ok(End::Reset),
                Err(_) => return Err(Broken::Connection),
            }
        }
    }

    /// Hands a unit to the application, as soon as there is room. `index`: its place in the group, if it has one.
    async fn deliver(&self, group: &Group, index: Option<u64>, data: Bytes) -> Result<(), Broken> {
        let late = group.is_late();
        let room = if late {
            &self.stream.late
        } else {
            &self.stream.live
        };
        let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
        if room.units.available_permits() == 0 || room.bytes.available_permits() < data.len() {
            self.stream.counters.lock().stalls += 1;
        }
        let wait = self.allowance.as_ref().map(|allowance| {
            let mut allowance = allowance.lock();
            allowance.pay(size.into(), tokio::time::Instant::now())
        });
        if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
            self.stream.counters.lock().throttled += 1;
            tokio::time::sleep(wait).await;
        }
        let gone = |_| Broken::Connection;
        let event = room.units.clone().acquire_owned().await.map_err(gone)?;
        let bytes = room.bytes.clone().acquire_many_owned(size).await.map_err(gone)?;
        let slot = Slot::with_bytes(event, bytes);
        // What comes late takes its room until it is stored: an application that puts it aside for the sake of what is
        // live need not put aside without end.
        let (mut slot, mut kept) = match late {
            true => (None, Some(slot)),
            false => (Some(slot), None),
        };
        let (repeated, receipt) = match (&self.stream.ledger, group.serial(), index) {
            (Some(ledger), Some(serial), Some(index)) => {
                let index = u32::try_from(index).unwrap_or(u32::MAX);
                ledger.give(serial, index, &mut kept)
            }
            _ => (false, Receipt::default()),
        };
        slot = slot.or(kept);
        {
            let mut counters = self.stream.counters.lock();
            let (units, bytes) = match index {
                Some(_) => (1, size.into()),
                None => (0, 0),
            };
            counters.units += units;
            counters.unit_bytes += bytes;
            counters.enhancement_units += 1 - units;
            counters.enhancement_bytes += u64::from(size) - bytes;
            counters.late += u64::from(late);
            counters.repeated += u64::from(repeated);
        }
        let unit = Event::Unit {
            stream: self.stream.name.clone(),
            unit: Unit {
                data,
                key: index == Some(0),
            },
            group: group.begin.number,
            enhancement: index.is_none(),
            late,
            repeated,
            last: matches!((group.begin.keeping, index), (Keeping::Late { units, .. }, Some(n)) if n + 1 == units),
            receipt,
        };
        self.shared.sink.put(unit, slot.unwrap_or_default());
        Ok(())
    }

    async fn group_reset(&self, group: u64, late: bool) -> Result<(), Broken> {
        let room = if late {
            &self.stream.late
        } else {
            &self.stream.live
        };
        let slot = room.units.clone().acquire_owned().await;
        let slot = slot.map_err(|_| Broken::Connection)?;
        self.stream.counters.lock().groups_reset += 1;
        let stream = self.stream.name.clone();
        self.shared
            .sink
            .put(Event::GroupReset { stream, group, late }, Slot::new(slot));
        Ok(())
    }
}
