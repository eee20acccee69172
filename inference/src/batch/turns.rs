//! Whose turn it is: the waiting tasks of all lanes, and the order in which they reach the network. No thread, no clock.
//!
//! Lanes that have a request at their head take turns, one request each. All background lanes together get one turn in each round of
//! the others, or whatever is left over. A batch is made of one size: who has another one keeps its place for the next batch.

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

#[derive(Debug)]
struct Queue {
    terms: Terms,
    /// The head is a request: what asks nothing does not stay there.
    tasks: VecDeque<Task>,
    /// Requests among them.
    waiting: usize,
    /// Tasks that were pushed and are not done.
    open: usize,
    /// It is among those that take turns.
    queued: bool,
    closed: bool,
}

/// All lanes.
#[derive(Debug, Default)]
pub(super) struct Turns {
    lanes: HashMap<Id, Queue>,
    next: Id,
    /// Lanes that have requests, in the order of their turns.
    order: VecDeque<Id>,
    background: VecDeque<Id>,
    /// Turns since a background lane had one.
    since_background: usize,
    /// What is at the head of its lane and asks nothing.
    ready: VecDeque<(Id, Task)>,
}

/// Tasks that go through the network together, each with what follows it in its lane up to the next request.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub tasks: Vec<(Id, Task)>,
    pub requests: usize,
    pub shape: Option<(u16, u16)>,
}

impl Batch {
    /// Lanes that have something in it.
    pub fn lanes(&self) -> usize {
        let ids: HashSet<Id> = self.tasks.iter().map(|(id, _)| *id).collect();
        ids.len()
    }
}

impl Turns {
    /// A new lane.
    pub fn open(&mut self, terms: Terms) -> Id {
        self.next += 1;
        self.lanes.insert(
            self.next,
            Queue {
                terms,
                tasks: VecDeque::new(),
                waiting: 0,
                open: 0,
                queued: false,
                closed: false,
            },
        );
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

    /// Whether there is anything to do.
    pub fn is_idle(&self) -> bool {
        self.ready.is_empty() && self.order.is_empty() && self.background.is_empty()
    }

    /// Appends a task to its lane.
    pub fn push(&mut self, id: Id, task: Task) {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        lane.open += 1;
        let asks = task.shape().is_some();
        if !asks && lane.tasks.is_empty() {
            self.ready.push_back((id, task));
            return;
        }
        lane.tasks.push_back(task);
        if asks {
            lane.waiting += 1;
            if !std::mem::replace(&mut lane.queued, true) {
                match lane.terms.background {
                    true => self.background.push_back(id),
                    false => self.order.push_back(id),
                }
            }
        }
    }

    /// The oldest waiting request of a lane is passed over. Its turn is that of the next one, which is there or is pushed now.
    pub fn pass_oldest(&mut self, id: Id, why: Passed) {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        if let Some(mut task) = lane.tasks.pop_front() {
            task.state = State::Passed(why);
            lane.waiting -= 1;
            self.ready.push_back((id, task));
            while lane.tasks.front().is_some_and(|task| task.shape().is_none()) {
                self.ready.extend(lane.tasks.pop_front().map(|task| (id, task)));
            }
        }
    }

    /// What needs no network and has its turn.
    pub fn take_ready(&mut self) -> Vec<(Id, Task)> {
        self.ready.drain(..).collect()
    }

    /// Whether there is such.
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Adds to a batch, up to `most` requests, what has the size of those in it.
    pub fn fill(&mut self, batch: &mut Batch, most: usize, now: Instant) {
        let mut passed_by = Vec::new();
        while batch.requests < most
            && let Some(id) = self.next_lane()
        {
            match self.take(id, batch, now) {
                true => self.requeue(id),
                false => passed_by.push(id),
            }
        }
        // They were not served: they are first next time, in the order in which they were.
        for id in passed_by.into_iter().rev() {
            match self.is_background(id) {
                true => self.background.push_front(id),
                false => self.order.push_front(id),
            }
        }
    }

    /// These tasks are done.
    pub fn done(&mut self, ids: impl IntoIterator<Item = Id>) {
        for id in ids {
            if let Some(lane) = self.lanes.get_mut(&id) {
                lane.open -= 1;
                if lane.closed && lane.open == 0 {
                    self.lanes.remove(&id);
                }
            }
        }
    }

    /// Everything that is there, in no order but that of each lane.
    pub fn drain(&mut self) -> Vec<Task> {
        let mut all: Vec<Task> = self.ready.drain(..).map(|(_, task)| task).collect();
        for lane in self.lanes.values_mut() {
            all.extend(lane.tasks.drain(..));
            (lane.waiting, lane.open, lane.queued) = (0, 0, false);
        }
        self.order.clear();
        self.background.clear();
        all
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

    fn requeue(&mut self, id: Id) {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        lane.queued = lane.waiting > 0;
        match (lane.queued, lane.terms.background) {
            (true, true) => self.background.push_back(id),
            (true, false) => self.order.push_back(id),
            (false, _) => {}
        }
    }

    fn is_background(&self, id: Id) -> bool {
        self.lanes.get(&id).is_some_and(|lane| lane.terms.background)
    }

    /// Takes the request at the head of a lane and what follows it; `false`: it has another size.
    fn take(&mut self, id: Id, batch: &mut Batch, now: Instant) -> bool {
        self.pass_overdue(id, now);
        let Some(lane) = self.lanes.get_mut(&id) else {
            return true;
        };
        let Some(shape) = lane.tasks.front().and_then(Task::shape) else {
            return true;
        };
        if *batch.shape.get_or_insert(shape) != shape {
            return false;
        }
        batch.requests += 1;
        lane.waiting -= 1;
        batch.tasks.extend(lane.tasks.pop_front().map(|task| (id, task)));
        while lane.tasks.front().is_some_and(|task| task.shape().is_none()) {
            batch.tasks.extend(lane.tasks.pop_front().map(|task| (id, task)));
        }
        true
    }

    fn pass_overdue(&mut self, id: Id, now: Instant) {
        while let Some(lane) = self.lanes.get(&id)
            && let Some(deadline) = lane.terms.deadline
            && lane.waiting > 1
            && let Some(head) = lane.tasks.front()
            && now.saturating_duration_since(head.since) > deadline
        {
            self.pass_oldest(id, Passed::Overdue);
        }
    }
}

#[cfg(test)]
mod tests;
