use super::*;
use crate::record::name::Name;
use std::cell::Cell;

const HOUR: u64 = 3600;

fn entry(stream: &str, begun: i64, bytes: u64) -> Entry {
    let name = Name {
        begun: Timestamp::from_second(begun).unwrap(),
        ..Name::now(stream.parse().unwrap(), false, false)
    };
    Entry::new(name, bytes)
}

/// What goes, by the second in which it was begun. Files go on for 60 s.
fn gone(entries: &[Entry], limits: Limits, now: u64, open: &[i64]) -> Vec<i64> {
    let second = |entry: &Entry| entry.name.begun.as_second();
    let is_open = |path: &Path| {
        let entry = entries.iter().find(|entry| entry.path == path).unwrap();
        open.contains(&second(entry))
    };
    let now = Timestamp::from_second(now as i64).unwrap();
    let ended = |entry: &Entry| Timestamp::from_second(second(entry) + 60).unwrap();
    let gone = excess(entries, &limits, now, is_open, ended);
    gone.iter().map(|(entry, _)| second(entry)).collect()
}

#[test]
fn nothing_goes_without_limits() {
    assert!(!Limits::new(0, 0, 0).any());
    let entries = [entry("a", 0, u64::MAX / 4), entry("a", 1, u64::MAX / 4)];
    assert_eq!(gone(&entries, Limits::default(), 1 << 33, &[]), [0; 0]);
}

#[test]
fn what_ended_too_long_ago_goes() {
    let entries: Vec<_> = (0..5).map(|n| entry("a", i64::from(n) * 60, 10)).collect();
    let limits = Limits::new(1, 0, 0);
    assert_eq!(gone(&entries, limits, HOUR, &[]), [0; 0], "60 s too early");
    assert_eq!(gone(&entries, limits, HOUR + 60, &[]), [0; 0], "the very second");
    assert_eq!(gone(&entries, limits, HOUR + 61, &[]), [0]);
    assert_eq!(gone(&entries, limits, HOUR + 181, &[]), [0, 60, 120]);
    assert_eq!(
        gone(&entries, limits, 9 * HOUR, &[240]),
        [0, 60, 120, 180],
        "never what is open"
    );
}

#[test]
fn no_file_is_opened_that_is_young() {
    let entries = [entry("a", 0, 10), entry("a", 9000, 10)];
    let opened = Cell::new(0);
    let ended = |_: &Entry| {
        opened.set(opened.get() + 1);
        Timestamp::MAX
    };
    let now = Timestamp::from_second(10_000).unwrap();
    assert!(excess(&entries, &Limits::new(1, 0, 0), now, |_| false, ended).is_empty());
    assert_eq!(opened.get(), 1);
}

#[test]
fn the_oldest_of_all_streams_goes_first() {
    let mib = 1 << 20;
    let entries: Vec<_> = (0..8)
        .map(|n| entry(["a", "b"][n as usize % 2], n, mib))
        .collect();
    // 8 MiB, of which a sixteenth stays free.
    assert_eq!(gone(&entries, Limits::new(0, 8, 0), 0, &[]), [0]);
    assert_eq!(gone(&entries, Limits::new(0, 9, 0), 0, &[]), [0; 0]);
    assert_eq!(
        gone(&entries, Limits::new(0, 3, 0), 0, &[0, 7]),
        [1, 2, 3, 4, 5, 6]
    );
}

#[test]
fn a_stream_with_too_much_takes_nothing_from_others() {
    let mib = 1 << 20;
    let entries = [
        entry("a", 0, mib),
        entry("b", 1, 3 * mib),
        entry("b", 2, 3 * mib),
        entry("a", 3, mib),
    ];
    assert_eq!(gone(&entries, Limits::new(0, 0, 4), 0, &[]), [1]);
    assert_eq!(gone(&entries, Limits::new(0, 5, 4), 0, &[]), [0, 1]);
}

#[test]
fn files_are_a_part_of_what_may_be_kept() {
    let limits = Limits::new(24, 160, 80);
    assert_eq!((limits.part(), limits.slack()), (10 << 20, 5 << 20));
    assert!(Limits::new(24, 0, 0).part() > 1 << 60);
}
