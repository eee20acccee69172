use super::*;
use proptest::prelude::*;

fn entry(data: Vec<u8>, key: bool) -> Entry {
    Entry {
        unit: Unit {
            data: data.into(),
            key,
        },
        at: Instant::now(),
        number: None,
        enhancement: false,
        enhancement_key: false,
    }
}

/// A unit of the enhancement layer.
fn more(key: bool, size: usize) -> Entry {
    Entry {
        enhancement: true,
        enhancement_key: key,
        ..unit(false, size)
    }
}

const YIELDED: Outcome = Outcome::Dropped(DropReason::Enhancement);

fn unit(key: bool, size: usize) -> Entry {
    entry(vec![0; size], key)
}

fn keys(queue: &mut Queue) -> Vec<bool> {
    std::iter::from_fn(|| queue.pop())
        .map(|entry| entry.unit.key)
        .collect()
}

#[test]
fn begins_with_a_key() {
    let mut queue = Queue::new(4, 1000);
    assert!(queue.ask_for_key());
    assert!(!queue.ask_for_key());
    assert_eq!(
        queue.push(unit(false, 1)),
        Outcome::Dropped(DropReason::AwaitingKey)
    );
    assert_eq!(queue.push(unit(true, 1)), Outcome::Queued);
    assert_eq!(queue.push(unit(false, 1)), Outcome::Queued);
    assert!(!queue.ask_for_key());
    assert_eq!((queue.len(), queue.bytes(), queue.dropped()), (2, 2, 1));
}

#[test]
fn a_full_queue_drops_the_rest_of_the_group_and_asks_when_there_is_room() {
    let mut queue = Queue::new(4, 1000);
    for key in [true, false, false, false] {
        assert_eq!(queue.push(unit(key, 1)), Outcome::Queued);
    }
    assert_eq!(
        queue.push(unit(false, 1)),
        Outcome::Dropped(DropReason::QueueFull)
    );
    queue.pop();
    assert_eq!(
        queue.push(unit(false, 1)),
        Outcome::Dropped(DropReason::AwaitingKey)
    );
    assert!(!queue.ask_for_key(), "three of four are no room");
    queue.pop();
    assert!(queue.ask_for_key());
    assert_eq!(queue.push(unit(true, 1)), Outcome::Queued);
    assert_eq!(keys(&mut queue), [false, false, true]);
    assert_eq!(queue.dropped(), 2);
}

#[test]
fn a_key_that_found_no_room_is_asked_for_again() {
    let mut queue = Queue::new(1, 1000);
    queue.push(unit(true, 1));
    assert_eq!(queue.push(unit(true, 1)), Outcome::Dropped(DropReason::QueueFull));
    queue.pop();
    assert!(queue.ask_for_key());
    queue.push(unit(true, 1));
    assert_eq!(queue.push(unit(true, 1)), Outcome::Dropped(DropReason::QueueFull));
    queue.pop();
    assert!(queue.ask_for_key());
}

#[test]
fn bytes_are_limited_too() {
    let mut queue = Queue::new(100, 1000);
    assert_eq!(queue.push(unit(true, 600)), Outcome::Queued);
    assert_eq!(
        queue.push(unit(false, 600)),
        Outcome::Dropped(DropReason::QueueFull)
    );
    assert_eq!(queue.push(unit(true, 1001)), Outcome::Dropped(DropReason::Size));
    assert_eq!(queue.push(unit(true, 0)), Outcome::Dropped(DropReason::Size));
}

#[test]
fn a_new_connection_continues_with_a_key() {
    let mut queue = Queue::new(8, 1000);
    for key in [true, false, false, true, false] {
        queue.push(unit(key, 1));
    }
    queue.pop();
    queue.skip_to_key();
    assert!(!queue.ask_for_key());
    assert_eq!(queue.dropped(), 2);
    queue.pop();
    queue.skip_to_key();
    assert!(queue.ask_for_key());
    assert_eq!(queue.len(), 0);
}

#[test]
fn finishing_takes_nothing_more() {
    let mut queue = Queue::new(8, 1000);
    queue.push(unit(true, 1));
    queue.finish();
    assert_eq!(queue.push(unit(true, 1)), Outcome::Dropped(DropReason::Finishing));
    assert!(!queue.finished());
    queue.pop();
    assert!(queue.finished());
}

#[test]
fn what_is_in_the_spool_is_deferred_not_lost() {
    let mut queue = Queue::new(2, 1000);
    let kept = |key, serial, index| Entry {
        number: Some(Number { serial, index }),
        ..unit(key, 1)
    };
    assert_eq!(queue.push(kept(true, 4, 0)), Outcome::Queued);
    assert_eq!(queue.push(kept(false, 4, 1)), Outcome::Queued);
    assert_eq!(queue.push(kept(false, 4, 2)), Outcome::Spooled);
    assert_eq!(queue.push(kept(false, 4, 3)), Outcome::Spooled);
    assert_eq!((queue.take_deferred(), queue.dropped()), (vec![4], 0));
    queue.pop();
    queue.clear();
    assert_eq!((queue.take_deferred(), queue.len()), (vec![4], 0));
    assert!(queue.ask_for_key());
}

#[test]
fn an_enhancement_unit_that_yields_takes_its_own_layer_along_and_no_other() {
    let mut queue = Queue::new(8, 1000);
    let now = Instant::now() + std::time::Duration::from_secs(60);
    assert_eq!(
        queue.push_enhancement(more(true, 1), true),
        YIELDED,
        "nothing to enhance"
    );
    queue.push(unit(true, 1));
    assert_eq!(
        queue.push_enhancement(more(false, 1), true),
        YIELDED,
        "no key of its layer"
    );
    assert!(queue.ask_for_enhancement(now) && !queue.ask_for_enhancement(now));
    assert_eq!(queue.push_enhancement(more(true, 1), true), Outcome::Queued);
    assert_eq!(queue.push_enhancement(more(false, 1), true), Outcome::Queued);
    assert_eq!(queue.len(), 3);
    assert_eq!(
        queue.push_enhancement(more(false, 1), false),
        YIELDED,
        "no room on the link"
    );
    assert_eq!(
        queue.push_enhancement(more(false, 1), true),
        YIELDED,
        "its chain is broken"
    );
    assert!(queue.ask_for_enhancement(now) && !queue.ask_for_enhancement(now));
    assert_eq!(queue.push(unit(false, 1)), Outcome::Queued, "layer 0 goes on");
    assert!(!queue.ask_for_key());
    assert_eq!((queue.dropped(), queue.enhancement_dropped()), (0, 6));
}

#[test]
fn no_enhancement_unit_is_before_one_of_layer_0_that_waits() {
    let mut queue = Queue::new(8, 1000);
    queue.push(unit(true, 1));
    queue.push_enhancement(more(true, 100), true);
    queue.push(unit(false, 1));
    assert_eq!(
        (queue.len(), queue.bytes(), queue.enhancement_dropped()),
        (2, 2, 1)
    );
    assert_eq!(keys(&mut queue), [true, false]);
}

#[test]
fn a_key_of_the_enhancement_is_no_start_of_a_group() {
    let mut queue = Queue::new(8, 1000);
    queue.push(unit(true, 1));
    queue.pop();
    queue.push_enhancement(more(true, 1), true);
    assert!(!queue.has_key());
    queue.skip_to_key();
    assert_eq!(
        (queue.len(), queue.dropped(), queue.enhancement_dropped()),
        (0, 0, 1)
    );
    assert!(queue.ask_for_key());
}

#[test]
fn a_key_of_layer_0_needs_one_of_the_enhancement_after_it() {
    let mut queue = Queue::new(8, 1000);
    queue.push(unit(true, 1));
    queue.push_enhancement(more(true, 1), true);
    queue.pop();
    queue.pop();
    queue.push(unit(true, 1));
    assert!(!queue.ask_for_enhancement(Instant::now()), "the encoder knows");
    assert_eq!(queue.push_enhancement(more(false, 1), true), YIELDED);
    assert_eq!(queue.push_enhancement(more(true, 1), true), Outcome::Queued);
}

#[test]
fn a_queue_that_is_half_full_takes_no_enhancement() {
    let mut queue = Queue::new(4, 1000);
    queue.push(unit(true, 1));
    (0..2).for_each(|_| {
        queue.push(unit(false, 1));
    });
    assert_eq!(queue.push_enhancement(more(true, 1), true), YIELDED);
    let later = Instant::now() + std::time::Duration::from_secs(60);
    assert!(!queue.ask_for_enhancement(later), "there is no room");
    queue.pop();
    assert!(queue.ask_for_enhancement(later));
}

proptest! {
    /// Whatever happens, in both layers, what comes out continues what came out before, limits hold and everything is counted.
    #[test]
    fn what_comes_out_can_be_decoded(steps in prop::collection::vec((0..11u8, 0..300usize), 0..200)) {
        let mut queue = Queue::new(5, 1000);
        let (mut number, mut pushed, mut popped) = (0u32, 0u64, 0u64);
        let (mut expected, mut more_number, mut expected_more) = (None, 0u32, None);
        for (step, size) in steps {
            match step {
                0..=4 => {
                    let mut data = number.to_be_bytes().to_vec();
                    data.resize(4 + size, 0);
                    queue.push(entry(data, step == 0));
                    (number, pushed) = (number + 1, pushed + 1);
                }
                5 | 6 => if let Some(Entry { unit, enhancement, enhancement_key, .. }) = queue.pop() {
                    let n = u32::from_be_bytes(unit.data[..4].try_into().unwrap());
                    popped += 1;
                    if enhancement {
                        prop_assert!(enhancement_key || expected_more == Some(n));
                        expected_more = Some(n + 1);
                        continue;
                    }
                    prop_assert!(unit.key || expected == Some(n));
                    if unit.key {
                        expected_more = None;
                    }
                    expected = Some(n + 1);
                },
                7..=9 => {
                    let mut data = more_number.to_be_bytes().to_vec();
                    data.resize(4 + size, 0);
                    queue.push_enhancement(Entry { unit: Unit { data: data.into(), key: false }, ..more(step == 7, 0) }, size < 200);
                    (more_number, pushed) = (more_number + 1, pushed + 1);
                }
                _ => { queue.skip_to_key(); (expected, expected_more) = (None, None); }
            }
            prop_assert!(queue.len() <= 5 && queue.bytes() <= 1000);
            prop_assert_eq!(pushed, popped + queue.len() as u64 + queue.dropped() + queue.enhancement_dropped());
        }
    }
}
