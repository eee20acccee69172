//! The shared detector: answers are those of a detector of one's own, whatever is put together; order, ends, names.

mod common;

use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use cis_inference::batch::{
    Answer, Batcher, Lane, LaneOptions, Options, Passed, Request, Task, WhenFull, instances,
};
use cis_inference::bundle::Bundle;
use cis_inference::detect::{Detection, Detector, Item, Params};
use cis_inference::front::Front;
use cis_inference::geometry::Geometry;
use cis_inference::picture::{Colorimetry, PixelFormat, Preparer};
use cis_inference::runtime::SessionOptions;
use common::{Frame, runtime, tiny};

const LANE: LaneOptions = LaneOptions {
    places: 4,
    when_full: WhenFull::Wait,
    deadline: None,
    background: false,
};

fn batcher(bundle: &Bundle, size: usize, timeout: Duration) -> Batcher {
    let detector = Detector::new(&runtime(), bundle, &SessionOptions::default()).expect("opens");
    Batcher::start(vec![detector], Options { size, timeout }, "test").expect("starts")
}

fn request(latents: &[f32], geometry: Geometry, params: &Params) -> Request {
    Request {
        latents: latents.to_vec(),
        geometry,
        params: Arc::new(params.clone()),
    }
}

/// Latents of a picture with a few rectangles, different for each `seed`.
fn latents(bundle: &Bundle, g: &Geometry, seed: u32) -> Vec<f32> {
    let colour = |x: u32, y: u32| {
        let (cx, cy) = (x / 64 + seed, y / 48);
        [
            (cx * 53 % 256) as u8,
            (cy * 91 % 256) as u8,
            ((cx * cy * 37 + seed * 11) % 256) as u8,
        ]
    };
    let frame = Frame::paint(PixelFormat::Rgb, Colorimetry::default(), g.source, 0, colour);
    let mut preparer = Preparer::new(bundle.manifest());
    let x = frame.view(|view| preparer.prepare(view, g).expect("good").to_vec());
    let mut front = Front::new(&runtime(), bundle, &SessionOptions::default()).expect("opens");
    front
        .run(&x, g)
        .expect("runs")
        .iter()
        .map(|y| y.round())
        .collect()
}

fn submit(lane: &Lane, request: Request) -> mpsc::Receiver<Answer> {
    let (sender, receiver) = mpsc::sync_channel(1);
    lane.submit(Task::detect(request, move |answer| {
        let _ = sender.send(answer);
    }));
    receiver
}

fn found(answer: &mpsc::Receiver<Answer>) -> Vec<Detection> {
    match answer.recv().expect("an answer comes") {
        Answer::Found(found) => found,
        other => panic!("{other:?}"),
    }
}

/// The same objects, but for the last bits of a float.
fn same(a: &[Detection], b: &[Detection]) -> bool {
    let near = |a: f32, b: f32, most: f32| (a - b).abs() <= most;
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| {
            let boxes = [(a.x, b.x), (a.y, b.y), (a.w, b.w), (a.h, b.h)];
            a.class_id == b.class_id
                && near(a.confidence, b.confidence, 1e-4)
                && boxes.iter().all(|&(a, b)| near(a, b, 0.05))
        })
}

/// The bundle that cameras use, streams of three sizes, batches as they come: what each gets is what it would get alone.
#[test]
fn batched_answers_are_the_unbatched_ones() {
    let bundle = Bundle::embedded().expect("valid");
    let params = Params {
        threshold: 0.05,
        ..Params::default()
    };
    let mut alone = Detector::new(&runtime(), &bundle, &SessionOptions::default()).expect("opens");
    let batcher = batcher(&bundle, 8, Duration::from_millis(200));
    let streams: Vec<_> = (0..6_u32)
        .map(|n| {
            let size = [(640, 272), (640, 480), (1280, 720)][n as usize % 3];
            let geometry = Geometry::new(size, 416, bundle.manifest()).expect("legal");
            (batcher.lane(LANE), geometry, n)
        })
        .collect();
    let mut pending = Vec::new();
    let mut expected = Vec::new();
    for round in 0..3 {
        for (lane, geometry, n) in &streams {
            let latents = latents(&bundle, geometry, n + 10 * round);
            expected.push(alone.detect(&latents, geometry, &params).expect("runs"));
            pending.push(submit(lane, request(&latents, *geometry, &params)));
        }
    }
    let found: Vec<_> = pending.iter().map(found).collect();
    for (found, expected) in found.iter().zip(&expected) {
        assert!(same(found, expected), "{found:#?}\n{expected:#?}");
    }
    assert!(
        expected.iter().map(Vec::len).sum::<usize>() > 20,
        "there was something to find"
    );
    assert_eq!(batcher.counts().requests, 18);
}

/// The graph of the embedded bundle takes several items in a run, and each is its own.
#[test]
fn a_batch_of_the_embedded_bundle_is_what_single_runs_give() {
    let bundle = Bundle::embedded().expect("valid");
    let geometry = Geometry::new((640, 272), 416, bundle.manifest()).expect("legal");
    let params = Params {
        threshold: 0.05,
        ..Params::default()
    };
    let all: Vec<Vec<f32>> = (0..4).map(|seed| latents(&bundle, &geometry, seed)).collect();
    let items: Vec<Item<'_>> = all
        .iter()
        .map(|latents| Item {
            latents,
            geometry: &geometry,
            params: &params,
        })
        .collect();
    let mut detector = Detector::new(&runtime(), &bundle, &SessionOptions::default()).expect("opens");
    let batch = detector.detect_batch(&items).expect("runs");
    for (item, found) in items.iter().zip(&batch) {
        let single = detector
            .detect(item.latents, item.geometry, item.params)
            .expect("runs");
        assert!(!single.is_empty());
        assert!(same(found, &single), "{found:#?}\n{single:#?}");
    }
}

/// While the first answer is being given out nothing runs, so what comes meanwhile is put together.
#[test]
fn what_waits_goes_through_the_network_together() {
    let bundle = tiny();
    let batcher = batcher(&bundle, 4, Duration::ZERO);
    let geometry = Geometry::new((832, 512), 416, bundle.manifest()).expect("legal");
    let latents = vec![-2.0; 12 * 26 * 16];
    let lanes: Vec<Lane> = (0..4).map(|_| batcher.lane(LANE)).collect();
    let (holding, held) = mpsc::sync_channel::<()>(0);
    lanes[0].submit(Task::turn(move |_| {
        let _ = held.recv();
    }));
    let params = Params::default();
    let pending: Vec<_> = lanes
        .iter()
        .map(|lane| submit(lane, request(&latents, geometry, &params)))
        .collect();
    holding.send(()).expect("the first one waits for it");
    for answer in &pending {
        assert_eq!(found(answer), []);
    }
    let counts = batcher.counts();
    assert_eq!((counts.runs, counts.requests), (1, 4));
}

#[test]
fn answers_of_a_lane_come_in_its_order_and_the_newest_is_answered() {
    let bundle = tiny();
    let detectors =
        (0..3).map(|_| Detector::new(&runtime(), &bundle, &SessionOptions::default()).expect("opens"));
    let options = Options {
        size: 2,
        timeout: Duration::from_millis(1),
    };
    let batcher = Batcher::start(detectors.collect(), options, "test").expect("starts");
    let geometry = Geometry::new((832, 512), 416, bundle.manifest()).expect("legal");
    let latents = vec![-2.0; 12 * 26 * 16];
    let lane = batcher.lane(LaneOptions {
        places: 2,
        when_full: WhenFull::PassOldest,
        ..LANE
    });
    let (sender, receiver) = mpsc::sync_channel(1000);
    let params = Params::default();
    for n in 0..300 {
        let sender = sender.clone();
        let done = move |answer| {
            let _ = sender.send((n, answer));
        };
        lane.submit(match n % 3 {
            2 => Task::turn(done),
            _ => Task::detect(request(&latents, geometry, &params), done),
        });
    }
    drop((lane, sender));
    let all: Vec<_> = receiver.iter().collect();
    assert_eq!(
        all.iter().map(|(n, _)| *n).collect::<Vec<_>>(),
        (0..300).collect::<Vec<_>>(),
        "a lane that is dropped is served to its end"
    );
    let asked = all.iter().filter(|(_, answer)| !matches!(answer, Answer::Turn));
    let (found, passed): (Vec<_>, Vec<_>) = asked.partition(|(_, answer)| matches!(answer, Answer::Found(_)));
    assert_eq!(found.len() + passed.len(), 200);
    assert!(
        passed
            .iter()
            .all(|(_, answer)| matches!(answer, Answer::Passed(Passed::Full)))
    );
    assert!(
        found.iter().any(|(n, _)| *n == 298),
        "the newest one never has to go"
    );
    let counts = batcher.counts();
    assert_eq!(
        (counts.requests, counts.passed),
        (found.len() as u64, passed.len() as u64)
    );
    // The thread takes note of its last answer a moment after giving it.
    let started = Instant::now();
    while batcher.lanes() > 0 {
        assert!(started.elapsed() < Duration::from_secs(60), "the lane goes");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What is wrong with one stream's request is told to that stream, though it was in a batch with others.
#[test]
fn a_bad_request_spoils_nobody_elses() {
    let bundle = tiny();
    let batcher = batcher(&bundle, 3, Duration::from_secs(1));
    let geometry = Geometry::new((832, 512), 416, bundle.manifest()).expect("legal");
    let latents = vec![-2.0; 12 * 26 * 16];
    let lanes: Vec<Lane> = (0..3).map(|_| batcher.lane(LANE)).collect();
    let params = Params::default();
    let good = submit(&lanes[0], request(&latents, geometry, &params));
    let bad = submit(&lanes[1], request(&latents[1..], geometry, &params));
    let also_good = submit(&lanes[2], request(&latents, geometry, &params));
    assert_eq!((found(&good), found(&also_good)), (vec![], vec![]));
    match bad.recv().expect("an answer") {
        Answer::Failed(error) => assert!(error.to_string().contains("number of latents is 4991"), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_batcher_that_ends_answers_what_waits_and_says_so_afterwards() {
    let bundle = tiny();
    let batcher = batcher(&bundle, 2, Duration::ZERO);
    let geometry = Geometry::new((832, 512), 416, bundle.manifest()).expect("legal");
    let latents = vec![-2.0; 12 * 26 * 16];
    let lane = batcher.lane(LANE);
    let params = Params::default();
    let pending: Vec<_> = (0..4)
        .map(|_| submit(&lane, request(&latents, geometry, &params)))
        .collect();
    drop(batcher);
    pending.iter().for_each(|answer| assert_eq!(found(answer), []));
    let error = lane
        .detect(request(&latents, geometry, &params))
        .expect_err("over");
    assert!(error.to_string().contains("has ended"), "{error}");
}

#[test]
fn options_are_checked() {
    let bundle = tiny();
    let open = || vec![Detector::new(&runtime(), &bundle, &SessionOptions::default()).expect("opens")];
    for (size, timeout, words) in [
        (0, 0, "batch-size is 0: legal is 1..=64"),
        (65, 0, "batch-size is 65: legal is 1..=64"),
        (1, 1001, "batch-timeout is 1001 ms: legal is 0..=1000 ms"),
    ] {
        let timeout = Duration::from_millis(timeout);
        let error = Batcher::start(open(), Options { size, timeout }, "test").expect_err("refused");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn instances_are_shared_by_name_as_long_as_they_are_used() {
    let (runtime, bundle) = (runtime(), tiny());
    let (session, batch) = (SessionOptions::default(), Options::default());
    let get = |name, session: &SessionOptions, batch| instances::get(name, &runtime, &bundle, session, batch);
    let first = get("a", &session, batch).expect("opens");
    let second = get("a", &session, batch).expect("the same");
    let other = get("b", &session, batch).expect("opens");
    assert!(Arc::ptr_eq(&first, &second) && !Arc::ptr_eq(&first, &other));
    let two = SessionOptions {
        threads: 2,
        ..SessionOptions::default()
    };
    let error = get("a", &two, batch).expect_err("refused").to_string();
    assert!(
        error.contains("\"a\" is in use with threads 1: legal is the same, not 2"),
        "{error}"
    );
    let larger = Options { size: 4, ..batch };
    let error = get("a", &session, larger).expect_err("refused").to_string();
    assert!(error.contains("batch-size 1"), "{error}");
    drop((first, second));
    get("a", &two, larger).expect("nobody uses it any more");
}
