//! Random access to what lies upstream of the parser, in pull mode.

use gst::prelude::*;

use super::locate::ReadAt;

/// Reads through the sink pad, which is in pull mode.
pub struct Upstream {
    pad: gst::Pad,
    size: u64,
}

impl Upstream {
    /// `None` in push mode, or when the length is not known.
    pub fn new(pad: &gst::Pad) -> Option<Self> {
        if pad.mode() != gst::PadMode::Pull {
            return None;
        }
        let size = pad.peer_query_duration::<gst::format::Bytes>()?;
        Some(Self {
            pad: pad.clone(),
            size: u64::from(size),
        })
    }
}

impl ReadAt for Upstream {
    fn read_at(&mut self, offset: u64, len: usize) -> Vec<u8> {
        let len = self.size.saturating_sub(offset).min(len as u64) as u32;
        if len == 0 {
            return Vec::new();
        }
        let Ok(buffer) = self.pad.pull_range(offset, len) else {
            return Vec::new();
        };
        buffer.map_readable().map(|map| map.to_vec()).unwrap_or_default()
    }

    fn size(&self) -> u64 {
        self.size
    }
}
