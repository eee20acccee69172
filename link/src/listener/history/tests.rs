use super::*;
use proptest::prelude::*;

const ID: [u8; INSTANCE_LEN] = [1; INSTANCE_LEN];

fn entered() -> History {
    let mut history = History::default();
    history.enter(ID, 0);
    history
}

#[test]
fn what_is_stored_is_told_in_order_whatever_order_it_is_stored_in() {
    let mut history = entered();
    assert!(!history.begin(5, None));
    for index in 0..3 {
        assert!(!history.give(5, index));
    }
    history.release(ID, 5, 2, true);
    assert_eq!(history.take_news(), []);
    history.release(ID, 5, 0, true);
    assert_eq!(history.take_news()[0].units, 1);
    history.release(ID, 5, 1, true);
    assert_eq!(history.take_news()[0].units, 3);
    assert!(history.begin(5, Some(3)), "all of it is there");
    assert!(history.take_news()[0].whole);
    assert!(history.begin(5, Some(3)));
    assert!(history.take_news()[0].whole, "and that is told again");
}

#[test]
fn a_group_that_comes_again_is_marked_up_to_where_it_was() {
    let mut history = entered();
    history.begin(0, None);
    history.give(0, 0);
    history.give(0, 1);
    assert!(!history.begin(0, Some(3)));
    assert_eq!([0, 1, 2].map(|index| history.give(0, index)), [true, true, false]);
    assert_eq!(history.outstanding(), 3);
    (0..3).for_each(|index| history.release(ID, 0, index, true));
    assert!(history.take_news()[0].whole);
    assert_eq!(history.outstanding(), 0);
}

#[test]
fn what_could_not_be_stored_is_new_again() {
    let mut history = entered();
    history.begin(0, Some(2));
    history.give(0, 0);
    history.give(0, 1);
    history.release(ID, 0, 0, true);
    history.release(ID, 0, 1, false);
    assert!(!history.begin(0, Some(2)));
    assert_eq!([0, 1].map(|index| history.give(0, index)), [true, false]);
}

#[test]
fn what_could_not_be_stored_is_new_again_although_more_of_its_group_came_after_it() {
    let mut history = entered();
    assert!(!history.begin(3, None));
    for index in 0..5 {
        assert!(!history.give(3, index));
        // The third is lost before the fourth comes, and takes those with it that build on it.
        history.release(ID, 3, index, index < 2);
    }
    history.enter(ID, 3);
    assert!(!history.begin(3, Some(5)));
    let repeated: Vec<_> = (0..5).map(|index| history.give(3, index)).collect();
    assert_eq!(repeated, [true, true, false, false, false]);
}

#[test]
fn another_spool_is_another_story() {
    let mut history = entered();
    history.begin(0, Some(1));
    history.give(0, 0);
    history.enter([2; INSTANCE_LEN], 0);
    history.release(ID, 0, 0, true);
    assert_eq!(history.take_news(), []);
    assert!(!history.begin(0, Some(1)) && !history.give(0, 0));
}

#[test]
fn memory_is_bounded_by_what_comes_twice() {
    let mut history = entered();
    for serial in (0..10_000u64).map(|n| n * 2) {
        history.begin(serial, Some(1));
        history.give(serial, 0);
        history.release(ID, serial, 0, true);
        history.take_news();
    }
    assert_eq!((history.done.len(), history.open.len()), (MAX_RUNS, 0));
    assert!(!history.begin(0, Some(1)), "forgotten");
    assert!(history.begin(19_998, Some(1)));
    for serial in 20_000..40_000u64 {
        history.begin(serial, None);
    }
    assert_eq!(history.open.len(), MAX_OPEN);
}

/// A sender that keeps units until they are stored and a receiver that may forget everything but its summary, joined by
/// connections that break anywhere: every unit is given at least once, and only once where the receiver did not restart.
#[derive(Debug, Clone)]
enum Step {
    Send,
    Ack,
    Break,
    Restart,
    Grow,
}

proptest! {
    #[test]
    fn nothing_is_lost_and_nothing_comes_twice(
        steps in prop::collection::vec(
            prop_oneof![8 => Just(Step::Send), 3 => Just(Step::Ack), 1 => Just(Step::Break), 1 => Just(Step::Restart), 3 => Just(Step::Grow)],
            0..300),
        size in 1..6u32,
    ) {
        let mut history = entered();
        let mut kept: BTreeMap<u64, u32> = BTreeMap::new();
        let (mut next, mut cursor) = (0u64, None::<(u64, u32)>);
        let mut given: BTreeMap<(u64, u32), u32> = BTreeMap::new();
        let mut restarted = false;
        let finish = std::iter::repeat_n([Step::Send, Step::Send, Step::Ack], 3000).flatten();
        for step in steps.into_iter().chain(finish) {
            match step {
                Step::Grow => { kept.insert(next, 0); next += 1; }
                Step::Send => {
                    let after = cursor.map_or(0, |(serial, _)| serial);
                    let (serial, index) = match cursor {
                        Some((serial, index)) if index < size && kept.contains_key(&serial) => (serial, index),
                        _ => match kept.range(after..).map(|(serial, _)| *serial).find(|serial| cursor.is_none_or(|(at, _)| *serial > at)) {
                            Some(serial) => (serial, 0),
                            None => continue,
                        },
                    };
                    if index == 0 && history.begin(serial, Some(size)) {
                        cursor = Some((serial, size));
                        continue;
                    }
                    if !history.give(serial, index) {
                        *given.entry((serial, index)).or_default() += 1;
                        history.release(ID, serial, index, true);
                    }
                    cursor = Some((serial, index + 1));
                }
                Step::Ack => for news in history.take_news() {
                    if news.units >= size { kept.remove(&news.serial); }
                },
                Step::Break => {
                    history.take_news();
                    history.enter(ID, kept.keys().next().copied().unwrap_or(next));
                    cursor = None;
                }
                Step::Restart => {
                    let mut fresh = History::default();
                    history.summary().for_each(|news| fresh.recall(ID, news));
                    fresh.enter(ID, kept.keys().next().copied().unwrap_or(next));
                    history = fresh;
                    cursor = None;
                    restarted = true;
                }
            }
        }
        let _ = restarted;
        prop_assert!(kept.is_empty(), "{kept:?}");
        for serial in 0..next {
            for index in 0..size {
                prop_assert_eq!(given.get(&(serial, index)), Some(&1), "{} {}", serial, index);
            }
        }
    }
}
