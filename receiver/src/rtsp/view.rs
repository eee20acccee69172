//! The operator's view of one stream: feeds the restoring pipeline while there is one, and keeps the current group of
//! frames, so that a new viewer sees a picture at once without asking the camera's thin uplink for a key frame.

use crate::stats::Counter;
use bytes::Bytes;
use cis_codec::frame::Header;
use gst_app::AppSrc;
use gstcis::caps::StreamCaps;
use gstcis::regions::{self, Region};
use parking_lot::Mutex;
use std::sync::Arc;

/// Bounds of the group that is kept: what entropy decoding replays in well under a second.
const GROUP_UNITS: usize = 300;
const GROUP_BYTES: usize = 2 << 20;
/// Units in the pipeline beyond which pictures are left out: they are decoded, because others build on them, but not restored.
const BACKLOG: u64 = 2;
/// Units in the pipeline beyond which it is stuck: nothing more goes in before the next key frame.
const STUCK: u64 = 600;

/// One frame for the viewer.
#[derive(Clone, Debug)]
pub struct Frame {
    /// What the unit says.
    pub header: Header,
    /// The unit.
    pub unit: Bytes,
    /// The objects in it.
    pub regions: Arc<[Region]>,
}

/// The view of one stream.
pub struct View {
    state: Mutex<State>,
    unrestored: Arc<Counter>,
    ask_key: Box<dyn Fn() + Send + Sync>,
}

#[derive(Debug, Default)]
struct State {
    /// The frames since the last key frame; empty when they are not all there.
    group: Vec<Frame>,
    bytes: usize,
    /// Caps of the current group.
    caps: Option<gst::Caps>,
    /// The pipeline's entrance while somebody watches.
    entrance: Option<AppSrc>,
    /// The pipeline has everything since a key frame.
    fed: bool,
}

impl View {
    /// A view that nobody watches. `unrestored` counts frames left out of the picture; `ask_key` asks the camera for a key frame.
    pub fn new(unrestored: Arc<Counter>, ask_key: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            state: Mutex::default(),
            unrestored,
            ask_key: Box::new(ask_key),
        }
    }

    /// Whether a restoring pipeline runs.
    pub fn watched(&self) -> bool {
        self.state.lock().entrance.is_some()
    }

    /// The next frame of the stream.
    pub fn push(&self, frame: Frame) {
        let mut state = self.state.lock();
        if frame.header.key {
            state.group.clear();
            state.bytes = 0;
            state.caps = Some(caps(&frame.header));
        }
        if let Some(entrance) = state.entrance.clone() {
            let level = entrance.current_level_buffers();
            if frame.header.key {
                state.fed = level < STUCK;
                entrance.set_caps(state.caps.as_ref());
            } else if level >= STUCK {
                state.fed = false;
            }
            let shown = state.fed && level < BACKLOG;
            if !shown {
                self.unrestored.add(1);
            }
            if state.fed {
                send(&entrance, &frame, shown);
            } else if level < STUCK {
                // A camera may make no key frame by itself.
                (self.ask_key)();
            }
        }
        state.keep(frame);
    }

    /// Frames are missing: what follows makes sense from its next key frame on.
    pub fn gap(&self) {
        let mut state = self.state.lock();
        state.forget();
        state.fed = false;
    }

    /// A pipeline starts: it gets the current group, of which only the newest frame is shown.
    pub fn attach(&self, entrance: AppSrc) {
        let mut state = self.state.lock();
        entrance.set_caps(state.caps.as_ref());
        state.fed = !state.group.is_empty();
        for (left, frame) in (0..state.group.len()).rev().zip(&state.group) {
            send(&entrance, frame, left == 0);
        }
        state.entrance = Some(entrance);
        if !state.fed {
            (self.ask_key)();
        }
    }

    /// The pipeline of that entrance has ended.
    pub fn detach(&self, entrance: &AppSrc) {
        let mut state = self.state.lock();
        if state.entrance.as_ref() == Some(entrance) {
            state.entrance = None;
            state.fed = false;
        }
    }

    /// The stream has ended: viewers are told.
    pub fn end(&self) {
        let mut state = self.state.lock();
        state.forget();
        if let Some(entrance) = state.entrance.take() {
            // An error says that the pipeline is going down already.
            let _ = entrance.end_of_stream();
        }
    }
}

impl State {
    fn keep(&mut self, frame: Frame) {
        let complete = frame.header.key || !self.group.is_empty();
        self.bytes += frame.unit.len();
        if complete && self.group.len() < GROUP_UNITS && self.bytes <= GROUP_BYTES {
            self.group.push(frame);
        } else {
            self.forget();
        }
    }

    fn forget(&mut self) {
        self.group = Vec::new();
        self.bytes = 0;
    }
}

fn caps(header: &Header) -> gst::Caps {
    let (width, height) = (header.source.width, header.source.height);
    // The camera's rate is not in its units, and the view leaves frames out anyway.
    let framerate = Some(gst::Fraction::new(0, 1));
    StreamCaps {
        bundle: header.bundle.to_string(),
        width,
        height,
        framerate,
    }
    .to_caps()
}

fn send(entrance: &AppSrc, frame: &Frame, shown: bool) {
    let mut buffer = gst::Buffer::from_slice(frame.unit.clone());
    if let Some(buffer) = buffer.get_mut() {
        if !frame.header.key {
            buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
        if !shown {
            buffer.set_flags(gst::BufferFlags::DECODE_ONLY);
        }
        frame
            .regions
            .iter()
            .for_each(|region| regions::attach(buffer, region));
    }
    // An error says that the pipeline is going down; `detach` follows.
    let _ = entrance.push_buffer(buffer);
}
