//! Units: the framing of coded frames. Owns headers and checks; knows nothing of what the payload says.
//!
//! A stream, and a `.cis` file, is a plain concatenation of units.

mod crc;
mod header;
mod peek;
mod reader;
mod restamp;
pub(crate) mod varint;
mod writer;

pub(crate) use crc::crc32c;
pub use header::{DETECTION, ENHANCEMENT, Error, Header, MOVING, MOVING_ONE, VERSION, is_moving};
pub use peek::{MAX_HEADER, Peek, PeekError, find_sync, peek, set_late};
pub use reader::HeaderReader;
pub use restamp::Restamper;
pub(crate) use writer::{Fields, HeaderWriter};
