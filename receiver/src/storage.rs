//! Where units are kept: recordings and clips, each if it is wanted. Neither holds up the other, or a stream.

use crate::clips::{Clips, Feed};
use crate::record::{Recorder, Tape};
use crate::stats::Counter;
use bytes::Bytes;
use cis_codec::frame::Header;
use cis_link::StreamName;
use cis_link::listener::Receipt;
use std::sync::Arc;

/// Of all streams.
pub struct Storage {
    /// Recordings.
    pub recorder: Option<Recorder>,
    /// Clips.
    pub clips: Option<Clips>,
}

impl Storage {
    /// Of one stream; `lost` counts the units that are missing in its recording. What comes late is kept apart.
    pub fn shelf(&self, stream: &StreamName, late: bool, lost: &Arc<Counter>) -> Shelf {
        let recorder = self.recorder.as_ref();
        Shelf {
            tape: recorder.map(|recorder| recorder.tape(stream.clone(), late, lost.clone())),
            clips: self.clips.as_ref().map(|clips| clips.feed(stream.clone(), late)),
        }
    }
}

/// Where the units of one stream go in.
pub struct Shelf {
    tape: Option<Tape>,
    clips: Option<Feed>,
}

impl Shelf {
    /// Takes a frame's unit. Its receipt is dropped when it is recorded.
    pub fn write(&mut self, data: &Bytes, header: &Header, receipt: &Receipt) {
        if let Some(tape) = &mut self.tape {
            tape.write(data, header, receipt);
        }
        if let Some(clips) = &mut self.clips {
            clips.write(data, header);
        }
    }

    /// Takes a unit of the enhancement layer; `lost` counts it if it is not recorded.
    pub fn enhance(&mut self, data: &Bytes, header: &Header, lost: &Arc<Counter>) {
        if let Some(tape) = &mut self.tape {
            tape.enhance(data, header, lost);
        }
        if let Some(clips) = &mut self.clips {
            clips.enhance(data, header);
        }
    }

    /// What follows does not continue what came before.
    pub fn gap(&mut self) {
        if let Some(tape) = &mut self.tape {
            tape.gap();
        }
        if let Some(clips) = &mut self.clips {
            clips.gap();
        }
    }
}
