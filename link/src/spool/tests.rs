use super::*;
use crate::spool::segment;
use proptest::prelude::*;

const ID: [u8; INSTANCE_LEN] = [3; INSTANCE_LEN];

fn open(dir: &Path, max_bytes: u64) -> Spool {
    Spool::open(dir, &"gate-1".parse().unwrap(), "b", max_bytes, ID).unwrap()
}

fn unit(n: u32, key: bool, size: usize) -> Unit {
    let mut data = n.to_be_bytes().to_vec();
    data.resize(size.max(4), 0);
    Unit {
        data: data.into(),
        key,
    }
}

fn append(spool: &mut Spool, n: u32, key: bool) -> Result<Number, Refused> {
    spool.append(&unit(n, key, 100), Instant::now())
}

/// Takes everything that waits, as numbers of units.
fn take_all(spool: &mut Spool) -> Vec<u32> {
    let mut all = Vec::new();
    while let Some(mut late) = spool.take_late() {
        while let Some(data) = spool.read(&mut late) {
            all.push(u32::from_be_bytes(data[..4].try_into().unwrap()));
        }
    }
    all
}

#[test]
fn what_a_killed_process_left_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path(), 1 << 20);
    for n in 0..10 {
        append(&mut spool, n, n % 5 == 0).unwrap();
    }
    spool.stored(0, 5, Instant::now());
    // Nothing is flushed or closed in order.
    drop(spool);
    let mut spool = open(dir.path(), 1 << 20);
    assert_eq!(take_all(&mut spool), [5, 6, 7, 8, 9]);
    assert_eq!((spool.id(), spool.oldest()), (ID, 1));
    assert_eq!(append(&mut spool, 10, true).unwrap().serial, 2);
}

#[test]
fn a_record_cut_anywhere_loses_only_itself() {
    let whole = tempfile::tempdir().unwrap();
    let mut spool = open(whole.path(), 1 << 20);
    for n in 0..4 {
        append(&mut spool, n, n == 0).unwrap();
    }
    let file = segment::path(&whole.path().join("gate-1"), 0);
    let bytes = std::fs::read(&file).unwrap();
    drop(spool);
    let record = HEAD_LEN + 100;
    for cut in 0..bytes.len() {
        std::fs::write(&file, &bytes[..cut]).unwrap();
        let mut spool = open(whole.path(), 1 << 20);
        let expected = cut.saturating_sub(HEADER_LEN) / record;
        assert_eq!(
            take_all(&mut spool),
            (0..expected as u32).collect::<Vec<_>>(),
            "{cut}"
        );
    }
}

#[test]
fn a_full_spool_drops_the_oldest_whole_groups_and_counts() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path(), MIN_BYTES);
    for n in 0..10_000 {
        append(&mut spool, n, n % 10 == 0).unwrap();
        assert!(spool.contents().file_bytes <= MIN_BYTES);
    }
    spool.finish();
    let contents = spool.contents();
    assert!(contents.dropped.units > 0);
    let left = take_all(&mut spool);
    assert_eq!(left.len() as u64 + contents.dropped.units, 10_000);
    assert!(left[0].is_multiple_of(10) && left.windows(2).all(|pair| pair[1] == pair[0] + 1));
    assert_eq!(*left.last().unwrap(), 9_999);
    assert!(left.len() > 1000, "{}", left.len());
}

#[test]
fn a_group_longer_than_the_spool_waits_for_the_next_key() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path(), MIN_BYTES);
    append(&mut spool, 0, true).unwrap();
    let refused = (1..5000).find_map(|n| append(&mut spool, n, false).err());
    assert!(matches!(refused, Some(Refused::AwaitingKey)));
    assert!(matches!(
        append(&mut spool, 5000, false),
        Err(Refused::AwaitingKey)
    ));
    append(&mut spool, 5001, true).unwrap();
    spool.finish();
    assert_eq!(take_all(&mut spool), [5001]);
}

#[test]
fn damaged_data_drops_its_group_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path(), 1 << 20);
    for n in 0..9 {
        append(&mut spool, n, n % 3 == 0).unwrap();
    }
    spool.finish();
    let file = segment::path(&dir.path().join("gate-1"), 0);
    let mut bytes = std::fs::read(&file).unwrap();
    // The data of unit 4.
    let at = HEADER_LEN + 4 * (HEAD_LEN + 100) + HEAD_LEN + 50;
    bytes[at] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    assert_eq!(take_all(&mut spool), [0, 1, 2, 3, 6, 7, 8]);
    assert_eq!(spool.contents().dropped, Dropped { groups: 1, units: 3 });
}

#[test]
fn two_senders_cannot_share_it_and_another_bundle_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path(), 1 << 20);
    append(&mut spool, 0, true).unwrap();
    let error = Spool::open(dir.path(), &"gate-1".parse().unwrap(), "b", 1 << 20, ID).unwrap_err();
    assert!(error.to_string().contains("another sender"), "{error}");
    drop(spool);
    let spool = Spool::open(dir.path(), &"gate-1".parse().unwrap(), "c", 1 << 20, ID).unwrap();
    assert_eq!(spool.contents().dropped, Dropped { groups: 1, units: 1 });
    assert!(spool.is_empty());
}

#[test]
fn the_disk_is_forced_only_when_nobody_confirms() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path(), 1 << 20);
    let start = Instant::now();
    spool.append(&unit(0, true, 10), start).unwrap();
    spool.append(&unit(1, false, 10), start).unwrap();
    assert!(spool.sync_due(start + SYNC_AFTER / 2).is_empty());
    spool.stored(0, 1, start + SYNC_AFTER / 2);
    assert!(spool.sync_due(start + SYNC_AFTER).is_empty());
    assert_eq!(spool.sync_due(start + SYNC_AFTER * 2).len(), 1);
    assert!(spool.sync_due(start + SYNC_AFTER * 4).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever is appended, stored and cut short by a restart: what comes out is whole groups in order, and every unit
    /// that was taken in is stored, there, or counted as dropped.
    #[test]
    fn nothing_disappears(steps in prop::collection::vec((0..20u8, 1..9000usize), 1..200)) {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = open(dir.path(), MIN_BYTES);
        let (mut taken, mut stored, mut dropped) = (0u64, 0u64, 0u64);
        for (n, (step, size)) in steps.into_iter().enumerate() {
            let n = n as u32;
            match step {
                0 => {
                    let before = spool.contents();
                    dropped += before.dropped.units;
                    drop(spool);
                    spool = open(dir.path(), MIN_BYTES);
                    // What was stored of a group that is not whole is not written down: it is sent again.
                    stored -= spool.contents().units + spool.contents().dropped.units - before.units;
                }
                1 => {
                    let oldest = spool.oldest();
                    let before = spool.contents().units;
                    spool.stored(oldest, 1000, Instant::now());
                    stored += before - spool.contents().units;
                }
                _ => taken += u64::from(spool.append(&unit(n, step < 6, size), Instant::now()).is_ok()),
            }
            prop_assert!(spool.contents().file_bytes <= MIN_BYTES);
        }
        spool.finish();
        let contents = spool.contents();
        prop_assert_eq!(taken, stored + dropped + contents.dropped.units + contents.units);
        let left = take_all(&mut spool);
        prop_assert!(left.len() as u64 >= contents.units && left.is_sorted());
    }
}

/// Opens a spool of one segment of any records, damaged by `spoil`, reads all of it and appends to it; whether something was found.
/// A record is whether it is a receipt, its serial, its index or units, and the length of its data.
pub fn fuzz(
    dir: &Path,
    next: u64,
    records: &[(bool, u64, u32, usize)],
    spoil: impl FnOnce(&mut Vec<u8>),
) -> bool {
    for number in segment::list(dir).unwrap() {
        segment::remove(dir, number);
    }
    let header = record::Header {
        spool: ID,
        bundle: "b".into(),
        next_serial: next,
    };
    let mut bytes = header.encode().to_vec();
    for &(receipt, serial, number, len) in records {
        let data = vec![number as u8; len];
        let head = if receipt {
            record::Head::Stored {
                serial,
                units: number,
            }
        } else {
            record::Head::of(serial, number, &data)
        };
        bytes.extend_from_slice(&head.encode());
        if !receipt {
            bytes.extend_from_slice(&data);
        }
    }
    spoil(&mut bytes);
    std::fs::write(segment::path(dir, 0), bytes).unwrap();
    let mut spool = open(dir, 1 << 20);
    let mut found = false;
    while let Some(mut late) = spool.take_late() {
        while spool.read(&mut late).is_some() {
            found = true;
        }
    }
    append(&mut spool, 1, true).unwrap();
    found
}
