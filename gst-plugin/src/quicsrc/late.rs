//! Groups that come late are held until they are whole, and pushed before the next live key frame: one decoder then reads
//! both, one after the other. Bounded; what finds no room stays with the camera.

use cis_link::{Unit, listener::Receipt};
use std::collections::VecDeque;

/// Most units and bytes that are held.
const MAX_UNITS: usize = 8192;
const MAX_BYTES: usize = 8 << 20;

/// One unit on its way into the pipeline.
#[derive(Debug)]
pub struct Item {
    pub unit: Unit,
    pub late: bool,
    /// It was pushed before, and is here for those that build on it.
    pub repeated: bool,
    /// Dropped when the unit was pushed.
    pub receipt: Receipt,
}

/// What waits.
#[derive(Debug, Default)]
pub struct Hold {
    whole: VecDeque<Item>,
    open: Vec<Item>,
    bytes: usize,
    /// The rest of the open group is of no use.
    skipping: bool,
}

impl Hold {
    /// Takes a late unit in. False: there was no room, and its group stays with the camera.
    pub fn push(&mut self, item: Item, last: bool) -> bool {
        if item.unit.key {
            self.give_up();
            self.skipping = false;
        }
        let full =
            self.whole.len() + self.open.len() >= MAX_UNITS || self.bytes + item.unit.data.len() > MAX_BYTES;
        if self.skipping || full {
            item.receipt.lost();
            self.give_up();
            self.skipping = true;
            return false;
        }
        self.bytes += item.unit.data.len();
        self.open.push(item);
        if last {
            self.whole.extend(self.open.drain(..));
        }
        true
    }

    /// The open group does not become whole.
    pub fn give_up(&mut self) {
        for item in self.open.drain(..) {
            item.receipt.lost();
            self.bytes -= item.unit.data.len();
        }
    }

    /// The next unit of whole groups.
    pub fn pop(&mut self) -> Option<Item> {
        let item = self.whole.pop_front()?;
        self.bytes -= item.unit.data.len();
        Some(item)
    }

    /// Whether whole groups wait.
    pub fn is_ready(&self) -> bool {
        !self.whole.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(key: bool, size: usize) -> Item {
        let data = vec![0; size].into();
        Item {
            unit: Unit { data, key },
            late: true,
            repeated: false,
            receipt: Receipt::default(),
        }
    }

    #[test]
    fn only_whole_groups_come_out() {
        let mut hold = Hold::default();
        assert!(hold.push(item(true, 10), false) && !hold.is_ready());
        assert!(hold.push(item(false, 10), true) && hold.is_ready());
        hold.push(item(true, 10), false);
        hold.push(item(true, 10), false);
        assert_eq!(std::iter::from_fn(|| hold.pop()).count(), 2);
        hold.give_up();
        assert_eq!((hold.bytes, hold.pop().is_none()), (0, true));
    }

    #[test]
    fn what_finds_no_room_is_not_held() {
        let mut hold = Hold::default();
        assert!(hold.push(item(true, 1), true));
        assert!(!hold.push(item(true, MAX_BYTES), true));
        assert!(!hold.push(item(false, 1), false));
        assert_eq!((hold.bytes, hold.whole.len(), hold.open.len()), (1, 1, 0));
    }
}
