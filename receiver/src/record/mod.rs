//! Recordings: `FOLDER/STREAM/STREAM-TIME.cis`, written by one thread behind a bounded queue. A file begins with a key
//! frame and is never overwritten. When the queue is full, the rest of the stream's group is dropped and counted.

mod file;
pub mod library;
mod name;
mod retention;
pub mod span;
mod tape;
mod writer;

pub use file::{Open, is_full};
pub use name::{Name, stream_of};
pub use retention::{Limits, Retention};
pub use tape::{Recorder, Tape};

use crate::stats::Counter;

/// What became of recorded files, of all streams.
#[derive(Debug, Default)]
pub struct Stats {
    /// Files that were begun.
    pub begun: Counter,
    /// Files that were deleted to keep within `record.max-age`, `record.max-total` and `record.max-stream`, or because the disk was full.
    pub deleted: Counter,
    /// Their bytes.
    pub deleted_bytes: Counter,
}
