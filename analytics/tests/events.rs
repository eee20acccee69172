//! What is told of objects, zones and lines.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use cis_analytics::{Event, Kind};
use common::{SIZE, analyser, at, person, told, walk};
use std::collections::HashMap;

const NEVER: u64 = u64::MAX;

#[test]
fn a_life_begins_is_updated_now_and_then_and_ends() {
    let mut analyser = analyser(1_000_000_000);
    let mut events = walk(&mut analyser, 0, (0..35).map(|n| (100.0 + 4.0 * n as f32, 150.0)));
    for n in 35..60 {
        events.extend(analyser.frame(at(n), SIZE, Vec::new()).events);
    }
    let kinds: Vec<_> = events.iter().map(|event| event.kind.name()).collect();
    assert_eq!(kinds, ["new", "update", "update", "update", "end"]);
    let moments: Vec<_> = events.iter().map(|event| event.at.pts_ns / 100_000_000).collect();
    assert_eq!(
        moments,
        [1, 11, 21, 31, 55],
        "an end is known when the memory ends"
    );
    let object = &events[4].object;
    assert_eq!((object.track, object.frames), (1, 34));
    assert_eq!((object.first, object.last), (at(1), at(34)));
    assert_eq!(object.bounds, person(100.0 + 4.0 * 34.0, 150.0, 0.9).bounds);
    assert!(analyser.scene().objects.is_empty());
}

#[test]
fn a_line_is_crossed_to_a_side() {
    // The line goes down: its right is the left of the picture.
    let mut analyser = analyser(NEVER);
    let events = walk(&mut analyser, 0, (0..30).map(|n| (400.0 + 8.0 * n as f32, 300.0)));
    assert_eq!(told(&events), ["new", "enter door", "cross gate left"]);
    let back = walk(
        &mut analyser,
        30,
        (0..30).map(|n| (632.0 - 8.0 * n as f32, 300.0)),
    );
    assert_eq!(told(&back), ["cross gate right", "leave door"]);
}

#[test]
fn a_box_that_jitters_on_a_line_counts_once() {
    let mut analyser = analyser(NEVER);
    let come = (0..10).map(|n| (400.0 + 10.0 * n as f32, 300.0));
    let stay = (0..200).map(|n| (500.0 + [-9.0, 4.0, 9.0, -3.0, 8.0][n % 5], 300.0));
    let go = (0..10).map(|n| (505.0 + 10.0 * n as f32, 300.0));
    let events = walk(&mut analyser, 0, come.chain(stay).chain(go));
    assert_eq!(told(&events), ["new", "enter door", "cross gate left"]);
}

#[test]
fn whoever_turns_back_at_a_line_has_not_crossed_it() {
    let mut analyser = analyser(NEVER);
    let there = (0..11).map(|n| (400.0 + 10.0 * n as f32, 300.0));
    let back = (0..11).map(|n| (505.0 - 10.0 * n as f32, 300.0));
    let events = walk(&mut analyser, 0, there.chain(back));
    assert!(
        !told(&events).iter().any(|event| event.starts_with("cross")),
        "{events:?}"
    );
}

#[test]
fn a_way_around_the_end_of_a_line_does_not_cross_it() {
    let mut analyser = analyser(NEVER);
    let events = walk(&mut analyser, 0, (0..30).map(|n| (400.0 + 8.0 * n as f32, 450.0)));
    assert_eq!(told(&events), ["new"]);
}

#[test]
fn a_line_is_crossed_by_somebody_who_was_hidden_meanwhile() {
    let mut analyser = analyser(NEVER);
    let mut events = walk(&mut analyser, 0, (0..12).map(|n| (400.0 + 6.0 * n as f32, 300.0)));
    for n in 12..20 {
        events.extend(analyser.frame(at(n), SIZE, Vec::new()).events);
    }
    events.extend(walk(
        &mut analyser,
        20,
        (20..25).map(|n| (400.0 + 6.0 * n as f32, 300.0)),
    ));
    assert_eq!(told(&events), ["new", "cross gate left", "enter door"]);
}

#[test]
fn a_zone_knows_who_is_in_it() {
    let mut analyser = analyser(NEVER);
    let people = |n: u64| {
        vec![
            person(600.0, 300.0, 0.9),
            person(800.0, 300.0, 0.9),
            person(100.0, 300.0 + n as f32, 0.9),
        ]
    };
    let events: Vec<_> = (0..5)
        .flat_map(|n| analyser.frame(at(n), SIZE, people(n)).events)
        .collect();
    assert_eq!(told(&events), ["new", "enter door", "new", "enter door", "new"]);
    let scene = analyser.scene();
    assert_eq!((scene.objects["person"], scene.zones["door"]["person"]), (3, 2));
    let ends = analyser.end();
    assert_eq!(told(&ends), ["leave door", "end", "leave door", "end", "end"]);
    let scene = analyser.scene();
    assert!(
        scene.objects.is_empty() && scene.zones["door"].is_empty(),
        "{scene:?}"
    );
}

#[test]
fn a_box_that_jitters_at_the_edge_of_a_zone_enters_once() {
    let mut analyser = analyser(NEVER);
    let events = walk(
        &mut analyser,
        0,
        (0..100).map(|n| (600.0, 200.0 + [-6.0, 5.0, -8.0, 1.0][n % 4])),
    );
    assert_eq!(told(&events), ["new", "enter door"]);
}

#[test]
fn a_change_of_class_is_told() {
    let mut analyser = analyser(NEVER);
    let mut events = Vec::new();
    for n in 0..60 {
        let mut found = person(300.0, 150.0, 0.8);
        if n >= 10 {
            (found.class_id, found.label) = (7, "truck".into());
        }
        events.extend(analyser.frame(at(n), SIZE, vec![found]).events);
    }
    let kinds: Vec<_> = events.iter().map(|event| event.kind.name()).collect();
    assert_eq!(kinds, ["new", "update"]);
    assert_eq!(
        (&*events[1].object.label, events[1].object.class_id),
        ("truck", 7)
    );
}

#[test]
fn a_repeated_frame_shows_who_was_there() {
    let mut analyser = analyser(NEVER);
    walk(&mut analyser, 0, [(300.0, 150.0), (300.0, 150.0)]);
    for n in 2..100 {
        assert_eq!(analyser.repeat(at(n)).tracks, [Some(1)]);
    }
    assert_eq!(analyser.scene().objects["person"], 1);
}

proptest::proptest! {
    /// Whatever the boxes do: a life is new, anything, end; enters and leaves alternate; what is inside now has entered and not left.
    #[test]
    fn lives_are_whole(
        frames in proptest::collection::vec(
            (1u64..15, proptest::collection::vec((300f32..700.0, 150f32..450.0, 0f32..1.0), 0..6)), 1..40),
    ) {
        let mut analyser = analyser(500_000_000);
        let mut time = 0;
        let mut lives: HashMap<u64, (bool, bool)> = HashMap::new();
        let check = |lives: &mut HashMap<u64, (bool, bool)>, events: Vec<Event>| {
            for event in events {
                let track = event.object.track;
                match event.kind {
                    Kind::New => assert!(lives.insert(track, (true, false)).is_none()),
                    Kind::End => assert_eq!(lives.insert(track, (false, false)), Some((true, false))),
                    Kind::Enter(_) => assert_eq!(lives.insert(track, (true, true)), Some((true, false))),
                    Kind::Leave(_) => assert_eq!(lives.insert(track, (true, false)), Some((true, true))),
                    _ => assert!(lives[&track].0),
                }
            }
        };
        for (step, boxes) in frames {
            time += step;
            let boxes: Vec<_> = boxes.into_iter().map(|(x, y, c)| person(x, y, c)).collect();
            check(&mut lives, analyser.frame(at(time), SIZE, boxes).events);
            let scene = analyser.scene();
            let alive = lives.values().filter(|life| life.0).count();
            proptest::prop_assert_eq!(scene.objects.values().sum::<u32>() as usize, alive);
            let inside = lives.values().filter(|life| life.1).count();
            proptest::prop_assert_eq!(scene.zones["door"].values().sum::<u32>() as usize, inside);
        }
        check(&mut lives, analyser.end());
        proptest::prop_assert!(lives.values().all(|life| *life == (false, false)));
    }
}
