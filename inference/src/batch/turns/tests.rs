//! The order of turns, without network or thread.

use super::*;
use crate::batch::{Answer, Request};
use crate::bundle::Bundle;
use crate::detect::Params;
use crate::geometry::Geometry;
use parking_lot::Mutex;
use std::sync::Arc;

const LIVE: Terms = Terms {
    background: false,
    deadline: None,
};
const WIDE: (u32, u32) = (640, 360);
const TALL: (u32, u32) = (360, 640);

/// What was answered, in order: a name, and whether it was passed over.
type Log = Arc<Mutex<Vec<(&'static str, Option<Passed>)>>>;

fn note(log: &Log, name: &'static str) -> impl FnOnce(Answer) + Send + use<> {
    let log = log.clone();
    move |answer| {
        let passed = match answer {
            Answer::Passed(why) => Some(why),
            _ => None,
        };
        log.lock().push((name, passed));
    }
}

fn request(log: &Log, name: &'static str, source: (u32, u32)) -> Task {
    let bundle = Bundle::embedded().expect("valid");
    let request = Request {
        latents: Vec::new(),
        geometry: Geometry::new(source, 416, bundle.manifest()).expect("legal"),
        params: Arc::new(Params::default()),
    };
    Task::detect(request, note(log, name))
}

/// Names of the requests of the next batches, each with those that follow them.
fn batches(turns: &mut Turns, size: usize, log: &Log) -> Vec<Vec<&'static str>> {
    let mut all = Vec::new();
    loop {
        let mut batch = turns.take_ready();
        if batch.tasks.is_empty() {
            turns.fill(&mut batch, size, Instant::now());
        }
        log.lock().clear();
        turns.done(batch.tasks.iter().map(|(id, _)| *id));
        batch.tasks.into_iter().for_each(|(_, task)| task.end());
        let names: Vec<_> = log.lock().iter().map(|(name, _)| *name).collect();
        if names.is_empty() {
            return all;
        }
        all.push(names);
    }
}

#[test]
fn lanes_take_turns_however_much_one_has() {
    let (mut turns, log) = (Turns::default(), Log::default());
    let (a, b, c) = (turns.open(LIVE), turns.open(LIVE), turns.open(LIVE));
    for name in ["a1", "a2", "a3", "a4"] {
        turns.push(a, request(&log, name, WIDE));
    }
    turns.push(b, request(&log, "b1", WIDE));
    turns.push(c, request(&log, "c1", WIDE));
    turns.push(b, request(&log, "b2", WIDE));
    assert_eq!(
        batches(&mut turns, 2, &log),
        [["a1", "b1"], ["c1", "a2"], ["b2", "a3"]]
            .map(Vec::from)
            .into_iter()
            .chain([vec!["a4"]])
            .collect::<Vec<_>>()
    );
    assert!(turns.is_idle());
}

#[test]
fn one_batch_has_one_size_and_nobody_starves() {
    let (mut turns, log) = (Turns::default(), Log::default());
    let (a, b, c) = (turns.open(LIVE), turns.open(LIVE), turns.open(LIVE));
    for name in ["a1", "a2", "a3"] {
        turns.push(a, request(&log, name, WIDE));
    }
    turns.push(b, request(&log, "b1", TALL));
    turns.push(c, request(&log, "c1", WIDE));
    assert_eq!(
        batches(&mut turns, 3, &log),
        [vec!["a1", "c1", "a2"], vec!["b1"], vec!["a3"]],
        "b1 is first of the second batch though a3 is there"
    );
}

#[test]
fn what_asks_nothing_keeps_its_place_in_its_lane() {
    let (mut turns, log) = (Turns::default(), Log::default());
    let a = turns.open(LIVE);
    turns.push(a, Task::turn(note(&log, "before")));
    turns.push(a, request(&log, "a1", WIDE));
    turns.push(a, Task::turn(note(&log, "after a1")));
    turns.push(a, request(&log, "a2", WIDE));
    turns.push(a, Task::turn(note(&log, "after a2")));
    assert_eq!(turns.open_tasks(a), 5);
    assert_eq!(
        batches(&mut turns, 1, &log),
        [vec!["before"], vec!["a1", "after a1"], vec!["a2", "after a2"]]
    );
    assert_eq!((turns.open_tasks(a), turns.waiting(a)), (0, 0));
}

#[test]
fn background_gets_one_turn_a_round_and_what_is_left() {
    let (mut turns, log) = (Turns::default(), Log::default());
    let (a, b) = (turns.open(LIVE), turns.open(LIVE));
    let late = [(); 2].map(|()| {
        turns.open(Terms {
            background: true,
            ..LIVE
        })
    });
    for (lane, names) in [(late[0], ["x1", "x2", "x3"]), (late[1], ["y1", "y2", "y3"])] {
        for name in names {
            turns.push(lane, request(&log, name, WIDE));
        }
    }
    for (lane, names) in [(a, ["a1", "a2", "a3"]), (b, ["b1", "b2", "b3"])] {
        for name in names {
            turns.push(lane, request(&log, name, WIDE));
        }
    }
    let order = batches(&mut turns, 1, &log).concat();
    assert_eq!(
        order,
        [
            "a1", "b1", "x1", "a2", "b2", "y1", "a3", "x2", "b3", "y2", "x3", "y3"
        ],
        "a round is of those that still wait: at the end of b alone"
    );
}

#[test]
fn the_oldest_makes_room_and_its_lane_keeps_its_turn() {
    let (mut turns, log) = (Turns::default(), Log::default());
    let (a, b) = (turns.open(LIVE), turns.open(LIVE));
    turns.push(a, request(&log, "a1", WIDE));
    turns.push(a, Task::turn(note(&log, "repeat of a1")));
    turns.push(b, request(&log, "b1", WIDE));
    turns.pass_oldest(a, Passed::Full);
    turns.push(a, request(&log, "a2", WIDE));
    assert_eq!(
        batches(&mut turns, 1, &log),
        [vec!["a1", "repeat of a1", "a2"], vec!["b1"]]
    );
}

#[test]
fn the_overdue_are_passed_but_for_the_newest() {
    let (mut turns, log) = (Turns::default(), Log::default());
    let deadline = Some(Duration::from_millis(100));
    let a = turns.open(Terms { deadline, ..LIVE });
    for name in ["a1", "a2", "a3"] {
        turns.push(a, request(&log, name, WIDE));
    }
    let mut batch = Batch::default();
    let later = Instant::now() + Duration::from_secs(1);
    turns.fill(&mut batch, 1, later);
    batch.tasks.into_iter().for_each(|(_, task)| task.end());
    let overdue = Some(Passed::Overdue);
    assert_eq!(*log.lock(), [("a1", overdue), ("a2", overdue), ("a3", None)]);
}

#[test]
fn a_closed_lane_goes_with_its_last_task() {
    let (mut turns, log) = (Turns::default(), Log::default());
    let (a, b) = (turns.open(LIVE), turns.open(LIVE));
    turns.push(a, request(&log, "a1", WIDE));
    turns.close(a);
    turns.close(b);
    assert_eq!(turns.lanes(), 1);
    batches(&mut turns, 1, &log);
    assert_eq!(turns.lanes(), 0);
}

#[test]
fn while_tasks_of_a_lane_are_out_its_next_ones_wait() {
    let (mut turns, log) = (Turns::default(), Log::default());
    let (a, b) = (turns.open(LIVE), turns.open(LIVE));
    turns.push(a, request(&log, "a1", WIDE));
    turns.push(a, request(&log, "a2", WIDE));
    turns.push(b, request(&log, "b1", WIDE));
    let take = |turns: &mut Turns| {
        let mut batch = Batch::default();
        turns.fill(&mut batch, 1, Instant::now());
        batch
    };
    let first = take(&mut turns);
    assert_eq!((first.tasks.len(), first.tasks[0].0), (1, a));
    // What comes meanwhile and needs no network waits for a1 too, and so does what is passed over.
    turns.push(a, Task::turn(note(&log, "after a2")));
    turns.pass_oldest(a, Passed::Full);
    turns.push(a, request(&log, "a3", WIDE));
    assert!(turns.take_ready().tasks.is_empty());
    assert_eq!(take(&mut turns).tasks[0].0, b);
    assert!(turns.is_idle(), "another thread finds nothing of a");
    turns.done([a]);
    assert_eq!(batches(&mut turns, 1, &log), [vec!["a2", "after a2"], vec!["a3"]]);
}
