//! What goes through a lane, and what comes back.

use std::sync::Arc;
use std::time::Instant;

use crate::Error;
use crate::detect::{Detection, Params};
use crate::geometry::Geometry;

/// A frame whose objects are wanted.
#[derive(Clone, Debug)]
pub struct Request {
    /// Dequantised latents, channel-major.
    pub latents: Vec<f32>,
    /// Geometry of its stream.
    pub geometry: Geometry,
    /// What to look for.
    pub params: Arc<Params>,
}

/// What became of a task.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Answer {
    /// The objects of the frame.
    Found(Vec<Detection>),
    /// Nothing was asked: this was its turn.
    Turn,
    /// Nobody looked at the frame: the detector is behind.
    Passed(Passed),
    /// The network, or what it was given, is at fault.
    Failed(Arc<Error>),
}

/// Why a frame was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// A newer one needed its place.
    Full,
    /// It had waited too long, and a newer one was there.
    Overdue,
}

/// One step of a stream: it is done when all before it of the same lane are, and before all behind it.
pub struct Task {
    pub(super) state: State,
    pub(super) since: Instant,
    done: Box<dyn FnOnce(Answer) + Send>,
}

/// What there is to do for a task.
pub(super) enum State {
    Request(Request),
    Turn,
    Passed(Passed),
}

impl Task {
    /// Finds the objects of a frame. `done` runs on the detector's thread, so it must be quick and wait for nothing.
    pub fn detect(request: Request, done: impl FnOnce(Answer) + Send + 'static) -> Self {
        Self::new(State::Request(request), done)
    }

    /// Asks nothing, but waits for its turn among the tasks of its lane.
    pub fn turn(done: impl FnOnce(Answer) + Send + 'static) -> Self {
        Self::new(State::Turn, done)
    }

    fn new(state: State, done: impl FnOnce(Answer) + Send + 'static) -> Self {
        Self {
            state,
            since: Instant::now(),
            done: Box::new(done),
        }
    }

    /// The size of its latents, when it is a request: those of one batch have the same.
    pub(super) fn shape(&self) -> Option<(u16, u16)> {
        match &self.state {
            State::Request(request) => Some(request.geometry.latents),
            State::Turn | State::Passed(_) => None,
        }
    }

    /// Ends it with what there is to say without the network.
    pub(super) fn end(self) {
        let answer = match self.state {
            State::Passed(why) => Answer::Passed(why),
            State::Turn => Answer::Turn,
            State::Request(_) => Answer::Failed(Arc::new(Error::Ended)),
        };
        (self.done)(answer);
    }

    /// Splits a request from what is to be done with its answer.
    pub(super) fn split(self) -> (State, Box<dyn FnOnce(Answer) + Send>) {
        (self.state, self.done)
    }
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task")
            .field("shape", &self.shape())
            .finish_non_exhaustive()
    }
}
