//! What became of one frame: the one thing that every output is made of.

use crate::stream::Stream;
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
