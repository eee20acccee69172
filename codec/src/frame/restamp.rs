//! The same frames at another time: headers are written anew, payloads stay. For whoever sends a recording as if it were live.

use super::{Error, Header, HeaderReader, HeaderWriter, writer::Fields};
use crate::Limits;

/// Reads units of one layer in order and writes them with other times; frame numbers run on. The input may go back to a key frame at any unit.
#[derive(Clone, Debug)]
pub struct Restamper {
    reader: HeaderReader,
    writer: HeaderWriter,
}

impl Restamper {
    /// A restamper of the features for detection.
    pub fn new(limits: Limits) -> Self {
        Self {
            reader: HeaderReader::new(limits),
            writer: HeaderWriter::default(),
        }
    }

    /// The unit with these times, and its header.
    ///
    /// # Errors
    /// What is wrong with the unit; [`Error::NoKeyFrame`] before the first key frame.
    pub fn restamp(
        &mut self,
        unit: &[u8],
        pts_ns: u64,
        capture_utc_ns: u64,
    ) -> Result<(Vec<u8>, Header), Error> {
        let (header, payload) = self.reader.read_with_payload(unit)?;
        let fields = Fields {
            version: header.version,
            layer: header.layer,
            pts_ns,
            capture_utc_ns,
            bundle: header.bundle,
            source: header.source,
            shape: header.shape,
            qindex: header.qindex,
        };
        if header.key {
            return Ok(self.writer.key(&fields, payload));
        }
        let payload = (!header.repeat).then_some(payload);
        self.writer.inter(&fields, payload).ok_or(Error::NoKeyFrame)
    }
}
