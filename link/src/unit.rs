//! Owns [`Unit`], what the link carries.

use bytes::Bytes;

/// One coded frame as the codec made it. The link does not look inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// The bytes.
    pub data: Bytes,
    /// Whether decoding can begin here. A key begins a group.
    pub key: bool,
}
