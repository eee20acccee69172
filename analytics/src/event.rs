//! What can happen to an object.

use crate::Rect;
use std::sync::Arc;

/// When a frame was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Presentation time on the camera's clock.
    pub pts_ns: u64,
    /// Capture time, UTC; 0: the camera does not know.
    pub capture_utc_ns: u64,
}

/// Something that happened to an object. Whatever it is, the whole object is with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What happened.
    pub kind: Kind,
    /// When: the moment of the frame that showed it.
    pub at: Moment,
    /// The object as it is now.
    pub object: Object,
}

/// What happened. An object's life is `New`, then any of the others, then `End`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// It has been seen often enough to be real.
    New,
    /// It is still there; its class may have changed.
    Update,
    /// It has not been seen for too long, or its stream has ended.
    End,
    /// It has come into the zone of that name.
    Enter(Arc<str>),
    /// It has left the zone of that name, or ended in it.
    Leave(Arc<str>),
    /// It has crossed the line of that name.
    Cross(Arc<str>, Direction),
}

impl Kind {
    /// `new`, `update`, `end`, `enter`, `leave`, `cross`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Update => "update",
            Self::End => "end",
            Self::Enter(_) => "enter",
            Self::Leave(_) => "leave",
            Self::Cross(..) => "cross",
        }
    }
}

/// To which side of a line an object went, for somebody at the line's first point who looks at its second one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From right to left.
    Left,
    /// From left to right.
    Right,
}

impl Direction {
    /// `left`, `right`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
        }
    }
}

/// An object that is followed.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Its number in its stream.
    pub track: u64,
    /// Number of the class that it most likely has.
    pub class_id: u32,
    /// Name of that class.
    pub label: Arc<str>,
    /// Confidence of the box it was last seen with.
    pub confidence: f32,
    /// The highest confidence so far.
    pub best: f32,
    /// Where it was last seen, in pixels of the source.
    pub bounds: Rect,
    /// When it was first seen.
    pub first: Moment,
    /// When it was last seen.
    pub last: Moment,
    /// In how many frames it was seen.
    pub frames: u64,
    /// The zones that it is in, in the order of the plan.
    pub zones: Vec<Arc<str>>,
}
