//! What every output is made of: what became of one frame, and what happened to an object.

use crate::stream::Stream;
use cis_codec::Size;
use cis_codec::frame::Header;
use gstcis::regions::Region;
use std::sync::Arc;

/// One frame of one stream and its objects. Reports of a stream come in the order of its frames; late ones (`header.late`) in an order of their own.
#[derive(Clone)]
pub struct Report {
    /// The stream.
    pub stream: Arc<Stream>,
    /// What the frame's unit says.
    pub header: Header,
    /// Its objects; `None` when nobody looked for them.
    pub objects: Option<Arc<[Region]>>,
}

/// Something that happened to an object. An event comes before the report of the frame that showed it.
#[derive(Clone)]
pub struct Event {
    /// The stream.
    pub stream: Arc<Stream>,
    /// Names the object: no other of any stream or receiver has it.
    pub id: String,
    /// Number of the frame.
    pub frame: u64,
    /// Size of the camera's picture.
    pub source: Size,
    /// The frame waited in the camera's spool: this tells of the past.
    pub late: bool,
    /// What happened, when, and the object.
    pub what: cis_analytics::Event,
}
