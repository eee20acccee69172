//! Whose turn it is: the waiting tasks of all lanes, and the order in which their requests reach the network. No thread, no clock.
//!
//! Lanes that have a request take turns, one request each. All background lanes together get one turn in each round of the others, or
//! whatever is left over. A batch is made of one size: who has another one keeps its place for the next batch. While tasks of a lane are
//! out, nobody else gets its next ones: that is what keeps its order.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use super::task::{Passed, State, Task};

/// Number of a lane.
pub(super) type Id = u64;

/// How a lane is treated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// It gets what the others leave.
    pub background: bool,
    /// A request that has waited so long is passed over when a newer one waits behind it.
    pub deadline: Option<Duration>,
}

/// Where a lane is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// It has nothing to do.
    Idle,
    /// In one of the queues of [`Turns`].
    Queued,
    /// Tasks of it are out.
    Out,
}

#[derive(Debug)]
struct Queue {
    terms: Terms,
    tasks: VecDeque<Task>,
    /// Requests among them.
    waiting: usize,
    /// Tasks that were pushed and are not done.
    open: usize,
    place: Place,
    closed: bool,
}

/// All lanes.
#[derive(Debug, Default)]
pub(super) struct Turns {
    lanes: HashMap<Id, Queue>,
    next: Id,
    /// Lanes whose next task needs no network.
    ready: VecDeque<Id>,
    /// Lanes that have a request, in the order of their turns.
    order: VecDeque<Id>,
    background: VecDeque<Id>,
    /// Turns since a background lane had one.
    since_background: usize,
}

/// Tasks that go out together, each lane's in its order.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub tasks: Vec<(Id, Task)>,
    pub requests: usize,
    shape: Option<(u16, u16)>,
    /// Lanes in it that have more.
    again: VecDeque<Id>,
}

impl Batch {
    /// Lanes that have something in it.
    pub fn lanes(&self) -> HashSet<Id> {
        self.tasks.iter().map(|(id, _)| *id).collect()
    }
}

impl Turns {
    /// A new lane.
    pub fn open(&mut self, terms: Terms) -> Id {
        self.next += 1;
        let lane = Queue {
            terms,
            tasks: VecDeque::new(),
            waiting: 0,
            open: 0,
            place: Place::Idle,
            closed: false,
        };
        self.lanes.insert(self.next, lane);
        self.next
    }

    /// No more tasks will come; the lane goes when the last one is done.
    pub fn close(&mut self, id: Id) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.closed = true;
            if lane.open == 0 {
                self.lanes.remove(&id);
            }
        }
    }

    /// Lanes that are there.
    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Requests of a lane that wait.
    pub fn waiting(&self, id: Id) -> usize {
        self.lanes.get(&id).map_or(0, |lane| lane.waiting)
    }

    /// Tasks of a lane that are not done.
    pub fn open_tasks(&self, id: Id) -> usize {
        self.lanes.get(&id).map_or(0, |lane| lane.open)
    }

    /// Whether there is anything to take.
    pub fn is_idle(&self) -> bool {
        self.ready.is_empty() && self.order.is_empty() && self.background.is_empty()
    }

    /// Appends a task to its lane.
    pub fn push(&mut self, id: Id, task: Task) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.open += 1;
            lane.waiting += usize::from(task.shape().is_some());
            lane.tasks.push_back(task);
            self.place(id);
        }
    }

    /// The oldest waiting request of a lane is passed over. Its turn is that of the next one, which is there or is pushed now.
    pub fn pass_oldest(&mut self, id: Id, why: Passed) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.pass_oldest(why);
        }
    }

    /// Takes what needs no network and has its turn.
    pub fn take_ready(&mut self) -> Batch {
        let mut batch = Batch::default();
        while let Some(id) = self.ready.pop_front() {
            if let Some(lane) = self.lanes.get_mut(&id) {
                lane.place = Place::Out;
                lane.take_leading(id, &mut batch);
            }
        }
        batch
    }

    /// Adds to a batch, up to `most` requests, what has the size of those in it.
    pub fn fill(&mut self, batch: &mut Batch, most: usize, now: Instant) {
        let mut other_size = Vec::new();
        while batch.requests < most {
            let Some(id) = self.next_lane().or_else(|| batch.again.pop_front()) else {
                break;
            };
            let Some(lane) = self.lanes.get_mut(&id) else {
                continue;
            };
            lane.pass_overdue(now);
            let fits = lane
                .shape()
                .is_none_or(|shape| *batch.shape.get_or_insert(shape) == shape);
            if !fits {
                if lane.place == Place::Queued {
                    other_size.push(id);
                }
                continue;
            }
            lane.place = Place::Out;
            lane.take_request(id, batch);
            if lane.waiting > 0 {
                batch.again.push_back(id);
            }
        }
        // They were not served: they are first next time, in the order in which they were.
        for id in other_size.into_iter().rev() {
            self.queue_of(id).push_front(id);
        }
    }

    /// What was taken from these lanes is done: `count` tasks of each.
    pub fn done(&mut self, tasks: impl IntoIterator<Item = Id>) {
        let mut counts = HashMap::<Id, usize>::new();
        for id in tasks {
            *counts.entry(id).or_default() += 1;
        }
        let mut ids: Vec<_> = counts.into_iter().collect();
        ids.sort_unstable();
        for (id, count) in ids {
            let Some(lane) = self.lanes.get_mut(&id) else {
                continue;
            };
            lane.open -= count;
            lane.place = Place::Idle;
            if lane.closed && lane.open == 0 {
                self.lanes.remove(&id);
            } else {
                self.place(id);
            }
        }
    }

    /// Everything that waits, in no order but that of each lane.
    pub fn drain(&mut self) -> Vec<Task> {
        self.ready.clear();
        self.order.clear();
        self.background.clear();
        let lanes = self.lanes.values_mut();
        lanes
            .flat_map(|lane| {
                (lane.waiting, lane.open, lane.place) = (0, 0, Place::Idle);
                lane.tasks.drain(..)
            })
            .collect()
    }

    /// Queues a lane that is idle and has something to do.
    fn place(&mut self, id: Id) {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        if lane.place == Place::Idle
            && let Some(head) = lane.tasks.front()
        {
            lane.place = Place::Queued;
            match head.shape() {
                None => self.ready.push_back(id),
                Some(_) => self.queue_of(id).push_back(id),
            }
        }
    }

    fn next_lane(&mut self) -> Option<Id> {
        if self.since_background >= self.order.len()
            && let Some(id) = self.background.pop_front()
        {
            self.since_background = 0;
            return Some(id);
        }
        let id = self.order.pop_front().or_else(|| self.background.pop_front())?;
        self.since_background += 1;
        Some(id)
    }

    fn queue_of(&mut self, id: Id) -> &mut VecDeque<Id> {
        match self.lanes.get(&id).is_some_and(|lane| lane.terms.background) {
            true => &mut self.background,
            false => &mut self.order,
        }
    }
}

impl Queue {
    /// Size of its oldest request.
    fn shape(&self) -> Option<(u16, u16)> {
        self.tasks.iter().find_map(Task::shape)
    }

    fn pass_oldest(&mut self, why: Passed) {
        if let Some(task) = self.tasks.iter_mut().find(|task| task.shape().is_some()) {
            task.state = State::Passed(why);
            self.waiting -= 1;
        }
    }

    fn pass_overdue(&mut self, now: Instant) {
        let Some(deadline) = self.terms.deadline else {
            return;
        };
        while self.waiting > 1
            && let Some(oldest) = self.tasks.iter().find(|task| task.shape().is_some())
            && now.saturating_duration_since(oldest.since) > deadline
        {
            self.pass_oldest(Passed::Overdue);
        }
    }

    /// Takes what comes before the oldest request.
    fn take_leading(&mut self, id: Id, batch: &mut Batch) {
        while self.tasks.front().is_some_and(|task| task.shape().is_none()) {
            batch.tasks.extend(self.tasks.pop_front().map(|task| (id, task)));
        }
    }

    /// Takes the oldest request, what comes before it, and what follows it up to the next one.
    fn take_request(&mut self, id: Id, batch: &mut Batch) {
        self.take_leading(id, batch);
        if let Some(task) = self.tasks.pop_front() {
            self.waiting -= 1;
            batch.requests += 1;
            batch.tasks.push((id, task));
        }
        self.take_leading(id, batch);
    }
}

#[cfg(test)]
mod tests;
