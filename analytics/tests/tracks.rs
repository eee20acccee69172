//! Who is who: crossings, gaps, doubt, frame rates, hostile input.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use cis_analytics::{Detection, MAX_TRACKS, Numbers, Rect, Settings, Tracker};
use common::{at, person};

fn tracker() -> Tracker {
    Tracker::new(Settings::default(), Numbers::default())
}

/// The numbers of each frame.
fn run(
    tracker: &mut Tracker,
    from: u64,
    frames: impl IntoIterator<Item = Vec<Detection>>,
) -> Vec<Vec<Option<u64>>> {
    let frames = frames.into_iter().zip(from..);
    frames
        .map(|(boxes, n)| tracker.frame(at(n).pts_ns, &boxes))
        .collect()
}

#[test]
fn a_number_comes_with_the_second_sight_and_stays() {
    let walker = (0..20).map(|n| vec![person(100.0 + 8.0 * n as f32, 300.0, 0.9)]);
    let numbers = run(&mut tracker(), 0, walker);
    assert_eq!(numbers[0], [None]);
    assert!(
        numbers[1..].iter().all(|frame| frame == &[Some(1)]),
        "{numbers:?}"
    );
}

#[test]
fn two_who_pass_each_other_keep_their_numbers() {
    let frames = (0..40).map(|n| {
        let x = 10.0 * n as f32;
        vec![person(100.0 + x, 300.0, 0.9), person(500.0 - x, 330.0, 0.9)]
    });
    let numbers = run(&mut tracker(), 0, frames);
    assert_eq!(numbers[1], [Some(1), Some(2)]);
    assert_eq!(numbers[39], [Some(1), Some(2)]);
}

#[test]
fn somebody_half_hidden_is_followed_by_unsure_boxes_that_begin_nothing() {
    let unsure = |n: u64| if (5..15).contains(&n) { 0.15 } else { 0.9 };
    let frames = (0..20).map(|n| {
        vec![
            person(100.0 + 8.0 * n as f32, 300.0, unsure(n)),
            person(700.0, 300.0, 0.2),
        ]
    });
    let numbers = run(&mut tracker(), 0, frames);
    assert!(
        numbers[1..].iter().all(|frame| frame == &[Some(1), None]),
        "{numbers:?}"
    );
}

#[test]
fn somebody_hidden_is_remembered_for_a_while_and_no_number_comes_twice() {
    let walker = |n: u64| vec![person(100.0 + 4.0 * n as f32, 300.0, 0.9)];
    let mut tracker = tracker();
    run(&mut tracker, 0, (0..20).map(walker));
    run(&mut tracker, 20, (20..38).map(|_| Vec::new()));
    assert_eq!(
        run(&mut tracker, 38, (38..40).map(walker)),
        [[Some(1)], [Some(1)]]
    );
    run(&mut tracker, 40, (40..61).map(|_| Vec::new()));
    assert_eq!(run(&mut tracker, 61, (61..63).map(walker)), [[None], [Some(2)]]);
}

#[test]
fn frames_may_come_seldom_or_be_left_out() {
    // At two frames a second and fewer a walker has left most of their own box, or all of it, before the next one.
    for step in [1, 2, 3, 5, 10] {
        let mut tracker = tracker();
        let mut last = None;
        // Every frame but those whose number a camera under load would leave out.
        for n in (0..60).step_by(step).filter(|n| n % 7 != 3) {
            last = tracker.frame(at(n).pts_ns, &[person(100.0 + 5.0 * n as f32, 300.0, 0.9)])[0];
        }
        assert_eq!(last, Some(1), "every {step}");
    }
}

#[test]
fn a_clock_that_goes_back_begins_anew_with_new_numbers() {
    let mut tracker = tracker();
    let stands = |_| vec![person(100.0, 300.0, 0.9)];
    run(&mut tracker, 100, (0..5).map(stands));
    assert_eq!(run(&mut tracker, 0, (0..2).map(stands)), [[None], [Some(2)]]);
}

#[test]
fn another_class_at_the_same_place_is_another_object_and_a_doubtful_class_is_not() {
    let ride = |n: u64| {
        let rider = person(100.0 + 5.0 * n as f32, 300.0, 0.9);
        let mut bicycle = rider.clone();
        bicycle.class_id = 1;
        bicycle.bounds.y += 30.0;
        vec![bicycle, rider]
    };
    let numbers = run(&mut tracker(), 0, (0..20).map(ride));
    assert_eq!(numbers[1], [Some(1), Some(2)]);
    assert_eq!(numbers[19], [Some(1), Some(2)]);
    let doubtful = |n: u64| {
        let mut van = person(100.0 + 5.0 * n as f32, 300.0, 0.9);
        van.class_id = (n % 4 == 3).into();
        vec![van]
    };
    let numbers = run(&mut tracker(), 0, (0..20).map(doubtful));
    assert!(
        numbers[1..].iter().all(|frame| frame == &[Some(1)]),
        "{numbers:?}"
    );
}

#[test]
fn nonsense_is_followed_by_nobody_and_there_is_an_end_to_what_is_followed() {
    let mut tracker = tracker();
    let odd = [f32::NAN, f32::INFINITY, -1.0, 0.0, f32::MAX];
    for n in 0..4 {
        let mut boxes = Vec::new();
        for w in odd {
            for x in odd {
                let bounds = Rect {
                    x,
                    y: 0.0,
                    w,
                    h: 10.0,
                };
                boxes.push(Detection {
                    bounds,
                    ..person(0.0, 0.0, w)
                });
            }
        }
        tracker.frame(at(n).pts_ns, &boxes);
    }
    let crowd: Vec<_> = (0..1000).map(|n| person(50.0 * n as f32, 300.0, 0.9)).collect();
    tracker.frame(at(10).pts_ns, &crowd);
    let followed = tracker.frame(at(11).pts_ns, &crowd);
    assert!(followed.iter().flatten().count() <= MAX_TRACKS);
    assert!(followed.iter().flatten().count() > MAX_TRACKS / 2);
}

proptest::proptest! {
    #[test]
    fn a_number_is_on_one_box_of_a_frame_and_numbers_only_grow(
        frames in proptest::collection::vec(
            (0u64..30, proptest::collection::vec((0f32..300.0, 100f32..200.0, 0f32..1.0), 0..8)), 1..40),
    ) {
        let mut tracker = tracker();
        let (mut time, mut newest) = (0, 0);
        for (step, boxes) in frames {
            time += step;
            let boxes: Vec<_> = boxes.into_iter().map(|(x, y, c)| person(x, y, c)).collect();
            let mut numbers: Vec<_> = tracker.frame(at(time).pts_ns, &boxes).into_iter().flatten().collect();
            numbers.sort_unstable();
            let count = numbers.len();
            numbers.dedup();
            proptest::prop_assert_eq!(numbers.len(), count);
            let last = numbers.last().copied().unwrap_or(newest);
            proptest::prop_assert!(last <= newest + 8);
            newest = newest.max(last);
        }
    }
}
