//! A batcher's thread: takes what has its turn, runs the network and gives the answers out.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use super::task::{Request, State, Task};
use super::turns::{Batch, Id};
use super::{Answer, Observer, Options, Shared};
use crate::detect::{Detection, Detector, Item};
use crate::{Error, Result};

/// Works until the batcher is dropped and nothing waits.
pub(super) fn run(
    shared: &Shared,
    mut detector: Detector,
    options: Options,
    (observer, number): (&dyn Observer, usize),
) {
    let _last = Last(shared);
    let mut done = Vec::new();
    while let Some(batch) = shared.next(options, &mut done) {
        done.extend(batch.tasks.iter().map(|(id, _)| *id));
        let _work = Work::begin(observer, number);
        answer(shared, &mut detector, batch, observer);
    }
}

/// A batch in work, as the observer sees it.
struct Work<'a>(&'a dyn Observer, usize);

impl<'a> Work<'a> {
    fn begin(observer: &'a dyn Observer, number: usize) -> Self {
        observer.begins(number);
        Self(observer, number)
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.0.ends(self.1);
    }
}

/// However a thread ends, nobody waits for it afterwards.
struct Last<'a>(&'a Shared);

impl Drop for Last<'_> {
    fn drop(&mut self) {
        let left = {
            let mut state = self.0.state.lock();
            state.threads -= 1;
            if state.threads > 0 && !std::thread::panicking() {
                return;
            }
            state.ended = true;
            state.turns.drain()
        };
        self.0.room.notify_all();
        self.0.work.notify_all();
        left.into_iter().for_each(Task::end);
    }
}

impl Shared {
    /// Takes note of what is `done` and waits for more; `None`: the end.
    fn next(&self, options: Options, done: &mut Vec<Id>) -> Option<Batch> {
        let mut state = self.state.lock();
        if !done.is_empty() {
            state.turns.done(done.drain(..));
            self.room.notify_all();
        }
        while state.turns.is_idle() {
            if state.ending || state.ended {
                return None;
            }
            self.work.wait(&mut state);
        }
        // What needs no network does not wait for it.
        let mut batch = state.turns.take_ready();
        if batch.tasks.is_empty() {
            state.turns.fill(&mut batch, options.size, Instant::now());
            let since = batch.tasks.iter().map(|(_, task)| task.since).min();
            let deadline = since.map(|since| since + options.timeout);
            while let Some(deadline) = deadline
                && batch.requests < options.size
                && batch.lanes().len() < state.turns.lanes()
                && !state.ending
                && !self.work.wait_until(&mut state, deadline).timed_out()
            {
                state.turns.fill(&mut batch, options.size, Instant::now());
            }
        }
        if !state.turns.is_idle() {
            // For another thread.
            self.work.notify_one();
        }
        // Their places are free: who waits for one may come while the network runs.
        self.room.notify_all();
        Some(batch)
    }
}

/// Runs the network on a batch. What is wrong with one request is no other one's trouble.
fn answer(shared: &Shared, detector: &mut Detector, batch: Batch, observer: &dyn Observer) {
    if batch.requests > 0 {
        shared.runs.fetch_add(1, Relaxed);
        shared.requests.fetch_add(batch.requests as u64, Relaxed);
    }
    for (_, task) in batch.tasks.iter().filter(|(_, task)| task.shape().is_some()) {
        observer.waited(task.since.elapsed());
    }
    let (states, done): (Vec<State>, Vec<_>) = batch.tasks.into_iter().map(|(_, task)| task.split()).unzip();
    let started = Instant::now();
    let mut found = objects(detector, &states).into_iter();
    if batch.requests > 0 {
        observer.ran(started.elapsed());
    }
    for (state, done) in states.into_iter().zip(done) {
        done(match state {
            State::Request(_) => match found.next() {
                Some(Ok(found)) => Answer::Found(found),
                Some(Err(error)) => Answer::Failed(Arc::new(error)),
                None => Answer::Failed(Arc::new(Error::Ended)),
            },
            State::Turn => Answer::Turn,
            State::Passed(why) => {
                shared.passed.fetch_add(1, Relaxed);
                Answer::Passed(why)
            }
        });
    }
}

/// One result a request, in their order.
fn objects(detector: &mut Detector, states: &[State]) -> Vec<Result<Vec<Detection>>> {
    let items: Vec<Item<'_>> = states.iter().filter_map(State::item).collect();
    if let [_, _, ..] = items[..]
        && let Ok(found) = detector.detect_batch(&items)
    {
        return found.into_iter().map(Ok).collect();
    }
    items
        .iter()
        .map(|item| detector.detect(item.latents, item.geometry, item.params))
        .collect()
}

impl State {
    fn item(&self) -> Option<Item<'_>> {
        let Self::Request(Request {
            latents,
            geometry,
            params,
        }) = self
        else {
            return None;
        };
        Some(Item {
            latents,
            geometry,
            params,
        })
    }
}
