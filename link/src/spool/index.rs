//! Owns what a spool knows about its groups: where they lie, how far they are stored, which one goes out next and which
//! one has to make room. No files, no clock.

use std::collections::BTreeMap;

/// Groups that are known at a time. More would make the index itself a burden; the oldest then makes room.
pub const MAX_GROUPS: usize = 1 << 16;

/// Where the first record of a group begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub segment: u64,
    pub offset: u64,
}

/// Who is sending a group on the present connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lane {
    /// Nobody.
    #[default]
    Waiting,
    /// It goes out as it comes into being.
    Live,
    /// It was sent late, and is not stored yet.
    Late,
}

/// What is known of one group.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    pub place: Place,
    pub units: u32,
    pub bytes: u64,
    /// Units that the receiver has stored, from the first on.
    pub stored: u32,
    pub lane: Lane,
}

/// Units that were given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    pub groups: u64,
    pub units: u64,
}

impl std::ops::AddAssign for Dropped {
    fn add_assign(&mut self, other: Self) {
        self.groups += other.groups;
        self.units += other.units;
    }
}

/// The groups of a spool that are not stored yet, by serial.
#[derive(Debug, Default)]
pub struct Index {
    groups: BTreeMap<u64, Group>,
    next_serial: u64,
    /// The group that may still grow.
    open: Option<u64>,
}

impl Index {
    /// Serials below this one are in use or used up.
    pub fn reserve(&mut self, next_serial: u64) {
        self.next_serial = self.next_serial.max(next_serial);
    }

    pub fn next_serial(&self) -> u64 {
        self.next_serial
    }

    /// Serial of the oldest group, or of the next one.
    pub fn oldest(&self) -> u64 {
        self.groups.keys().next().copied().unwrap_or(self.next_serial)
    }

    /// Begins a group; the one before is whole.
    pub fn begin(&mut self, place: Place) -> u64 {
        self.close();
        let serial = self.next_serial;
        self.next_serial += 1;
        let group = Group {
            place,
            units: 0,
            bytes: 0,
            stored: 0,
            lane: Lane::Waiting,
        };
        self.groups.insert(serial, group);
        self.open = Some(serial);
        serial
    }

    /// A unit was added to the group that is open. Its index.
    pub fn add(&mut self, bytes: u64) -> Option<(u64, u32)> {
        let serial = self.open?;
        let group = self.groups.get_mut(&serial)?;
        let index = group.units;
        group.units += 1;
        group.bytes += bytes;
        Some((serial, index))
    }

    /// The group that is open gets no more units.
    pub fn close(&mut self) {
        if let Some(serial) = self.open.take() {
            self.settle(serial);
        }
    }

    /// The group that may still grow.
    pub fn open(&self) -> Option<u64> {
        self.open
    }

    /// The index that the next unit of the open group will have.
    pub fn next_index(&self) -> Option<u32> {
        Some(self.groups.get(&self.open?)?.units)
    }

    /// The receiver has so many units of a group. True if that is news.
    pub fn stored(&mut self, serial: u64, units: u32) -> bool {
        let Some(group) = self.groups.get_mut(&serial) else {
            return false;
        };
        let news = units.min(group.units) > group.stored;
        group.stored = group.stored.max(units.min(group.units));
        self.settle(serial);
        news
    }

    /// Puts a group into a lane, while it is there.
    pub fn set_lane(&mut self, serial: u64, lane: Lane) {
        if let Some(group) = self.groups.get_mut(&serial) {
            group.lane = lane;
        }
    }

    /// The connection is gone: nobody sends anything.
    pub fn all_wait(&mut self) {
        self.groups
            .values_mut()
            .for_each(|group| group.lane = Lane::Waiting);
    }

    /// The oldest whole group that nobody sends.
    pub fn next_late(&self) -> Option<u64> {
        let waits =
            |(serial, group): &(&u64, &Group)| group.lane == Lane::Waiting && Some(**serial) != self.open;
        self.groups.iter().find(waits).map(|(serial, _)| *serial)
    }

    pub fn get(&self, serial: u64) -> Option<&Group> {
        self.groups.get(&serial)
    }

    /// Drops every group that begins in a segment.
    pub fn drop_segment(&mut self, segment: u64) -> Dropped {
        self.drop_where(|group| group.place.segment == segment)
    }

    /// Drops a group.
    pub fn drop_group(&mut self, serial: u64) -> Dropped {
        if self.open == Some(serial) {
            self.open = None;
        }
        let gone = self.groups.remove(&serial);
        gone.map_or_else(Dropped::default, |group| loss(&group))
    }

    /// Drops the oldest groups until there is room for one more.
    pub fn make_room(&mut self) -> Dropped {
        let mut dropped = Dropped::default();
        while self.groups.len() >= MAX_GROUPS {
            dropped += self.drop_group(self.oldest());
        }
        dropped
    }

    /// The first segment that is still needed; `None` if no group needs any.
    pub fn first_segment(&self) -> Option<u64> {
        self.groups.values().next().map(|group| group.place.segment)
    }

    /// Units and bytes that are not stored, those on their way included.
    pub fn waiting(&self) -> (u64, u64) {
        let missing = self.groups.values().filter(|group| group.stored < group.units);
        missing.fold((0, 0), |(units, bytes), group| {
            let left = u64::from(group.units - group.stored);
            let share = group.bytes * left / u64::from(group.units.max(1));
            (units + left, bytes + share)
        })
    }

    fn drop_where(&mut self, gone: impl Fn(&Group) -> bool) -> Dropped {
        let serials: Vec<_> = self
            .groups
            .iter()
            .filter(|(_, group)| gone(group))
            .map(|(serial, _)| *serial)
            .collect();
        let mut dropped = Dropped::default();
        for serial in serials {
            dropped += self.drop_group(serial);
        }
        dropped
    }

    /// Forgets a whole group that is stored.
    fn settle(&mut self, serial: u64) {
        let done = |group: &Group| group.stored >= group.units;
        if Some(serial) != self.open && self.groups.get(&serial).is_some_and(done) {
            self.groups.remove(&serial);
        }
    }
}

/// What is lost with a group: what the receiver does not have.
fn loss(group: &Group) -> Dropped {
    let units = u64::from(group.units - group.stored);
    Dropped {
        groups: u64::from(units > 0),
        units,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(segment: u64) -> Place {
        Place { segment, offset: 0 }
    }

    fn with(groups: &[(u64, u32)]) -> Index {
        let mut index = Index::default();
        for &(segment, units) in groups {
            index.begin(place(segment));
            for _ in 0..units {
                index.add(10);
            }
        }
        index
    }

    #[test]
    fn groups_go_out_in_order_and_the_open_one_not_yet() {
        let mut index = with(&[(0, 2), (0, 3), (1, 1)]);
        assert_eq!(index.next_late(), Some(0));
        index.set_lane(0, Lane::Late);
        assert_eq!(index.next_late(), Some(1));
        index.set_lane(1, Lane::Live);
        assert_eq!(index.next_late(), None);
        index.close();
        assert_eq!(index.next_late(), Some(2));
        index.all_wait();
        assert_eq!(index.next_late(), Some(0));
    }

    #[test]
    fn what_is_stored_is_forgotten_once_the_group_is_whole() {
        let mut index = with(&[(0, 2), (3, 2)]);
        assert!(index.stored(0, 1));
        assert!(!index.stored(0, 1));
        assert_eq!((index.oldest(), index.waiting()), (0, (3, 30)));
        assert!(index.stored(0, 9));
        assert_eq!((index.oldest(), index.first_segment()), (1, Some(3)));
        assert!(index.stored(1, 2));
        assert!(index.get(1).is_some(), "it may grow");
        index.close();
        assert_eq!((index.oldest(), index.waiting()), (2, (0, 0)));
        assert!(!index.stored(77, 1));
    }

    #[test]
    fn room_is_made_by_the_oldest_and_counted() {
        let mut index = with(&[(0, 2), (0, 3), (1, 1)]);
        index.stored(0, 1);
        assert_eq!(index.drop_segment(0), Dropped { groups: 2, units: 4 });
        assert_eq!(index.oldest(), 2);
        assert_eq!(index.next_index(), Some(1));
        assert_eq!(index.drop_segment(1), Dropped { groups: 1, units: 1 });
        assert_eq!((index.add(5), index.oldest()), (None, 3));
    }

    #[test]
    fn the_number_of_groups_is_bounded() {
        let mut index = Index::default();
        for _ in 0..MAX_GROUPS + 3 {
            index.make_room();
            index.begin(place(0));
            index.add(1);
        }
        assert_eq!(index.oldest(), 3);
    }
}
