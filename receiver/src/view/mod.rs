//! The operator's view of one stream: runs and feeds the restoring pipeline while somebody watches, and keeps the current group of
//! frames, so that a new viewer sees a picture at once without asking the camera's thin uplink for a key frame. Transports
//! (RTSP, the web page) encode the pictures for their viewers.

pub mod encode;
pub mod restore;

use crate::stats::Counter;
use bytes::Bytes;
use cis_codec::frame::Header;
use gst::glib;
use gst::prelude::*;
use gst_app::AppSrc;
use gstcis::caps::StreamCaps;
use gstcis::regions::{self, Region};
use parking_lot::Mutex;
use restore::{Restoration, Viewers};
use std::sync::{Arc, LazyLock};

/// Bounds of the group that is kept: what entropy decoding replays in well under a second.
const GROUP_UNITS: usize = 300;
const GROUP_BYTES: usize = 2 << 20;
/// Units in the pipeline beyond which pictures are left out: they are decoded, because others build on them, but not restored.
const BACKLOG: u64 = 2;
/// Units in the pipeline beyond which it is stuck: nothing more goes in before the next key frame.
const STUCK: u64 = 600;

/// What the reference time stamp of each picture means: when its frame was captured.
pub static CAPTURED: LazyLock<gst::Caps> = LazyLock::new(|| gst::Caps::new_empty_simple("timestamp/x-unix"));

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

/// One unit of the enhancement layer.
#[derive(Clone, Debug)]
pub struct Enhancement {
    /// Time stamp of its frame.
    pub pts_ns: u64,
    /// Whether it is a key of its layer.
    pub key: bool,
    /// The unit.
    pub unit: Bytes,
}

/// A frame that is kept, with what enhances it.
#[derive(Debug)]
struct Kept {
    frame: Frame,
    enhancement: Option<Bytes>,
}

/// The view of one stream.
pub struct View {
    /// Held while the pipeline starts and ends. The pipeline's own threads never take it.
    running: Mutex<Option<Restoration>>,
    viewers: Viewers,
    settings: restore::Settings,
    state: Mutex<State>,
    unrestored: Arc<Counter>,
    ask_key: Box<dyn Fn() + Send + Sync>,
    enhance: Box<dyn Fn(bool, bool) + Send + Sync>,
}

#[derive(Debug, Default)]
struct State {
    /// The frames since the last key frame; empty when they are not all there.
    group: Vec<Kept>,
    /// The enhancement of the group is all there, from a key of its layer on.
    enhanced: bool,
    /// What the pipeline got last: time stamp, where it belongs on its clock, whether it is shown.
    sent: Option<(u64, Option<gst::ClockTime>, bool)>,
    /// The pipeline has the enhancement from a key of its layer on.
    fed_enhancement: bool,
    bytes: usize,
    /// Caps of the current group.
    caps: Option<gst::Caps>,
    /// The pipeline's entrance while somebody watches.
    entrance: Option<AppSrc>,
    /// The pipeline has everything since a key frame.
    fed: bool,
    /// The stream is over.
    ended: bool,
}

impl View {
    /// A view that nobody watches. `unrestored` counts frames left out of the picture; `ask_key` asks the camera for a key frame;
    /// `enhance` is told whether somebody watches, and whether the enhancement has to begin anew for that.
    pub fn new(
        settings: restore::Settings,
        unrestored: Arc<Counter>,
        ask_key: impl Fn() + Send + Sync + 'static,
        enhance: impl Fn(bool, bool) + Send + Sync + 'static,
    ) -> Self {
        Self {
            running: Mutex::default(),
            viewers: Viewers::default(),
            settings,
            state: Mutex::default(),
            unrestored,
            ask_key: Box::new(ask_key),
            enhance: Box::new(enhance),
        }
    }

    /// Whether a restoring pipeline runs.
    pub fn watched(&self) -> bool {
        self.state.lock().entrance.is_some()
    }

    /// Somebody watches: restored pictures go into this entrance (see [`pictures`]) until [`View::unwatch`].
    pub fn watch(&self, viewer: AppSrc) -> Result<(), glib::BoolError> {
        let mut running = self.running.lock();
        self.viewers.add(viewer.clone());
        if running.is_none() {
            let started = Restoration::start(&self.settings, self.viewers.clone(), self.unrestored.clone());
            let started = started.inspect_err(|_| {
                self.viewers.remove(&viewer);
            })?;
            self.attach(started.entrance().clone());
            *running = Some(started);
        }
        Ok(())
    }

    /// Somebody has gone; with the last one the pipeline ends. Waits for it, so no thread of a pipeline may call this.
    pub fn unwatch(&self, viewer: &AppSrc) {
        let mut running = self.running.lock();
        if self.viewers.remove(viewer)
            && let Some(last) = running.take()
        {
            self.detach(last.entrance());
        }
    }

    /// The next frame of the stream.
    pub fn push(&self, frame: Frame) {
        let mut state = self.state.lock();
        if frame.header.key {
            state.forget();
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
            // An enhanced frame is two buffers.
            let backlog = BACKLOG << u32::from(state.fed_enhancement);
            let shown = state.fed && level < backlog;
            if !shown {
                self.unrestored.add(1);
            }
            if state.fed {
                let at = entrance.current_running_time();
                state.sent = Some((frame.header.pts_ns, at, shown));
                send(&entrance, &frame, shown, at);
            } else if level < STUCK {
                // A camera may make no key frame by itself.
                (self.ask_key)();
            }
        }
        state.fed_enhancement &= state.fed && !frame.header.key;
        state.keep(frame);
    }

    /// What enhances the newest frame.
    pub fn enhance(&self, enhancement: Enhancement) {
        let mut state = self.state.lock();
        let Enhancement { pts_ns, key, unit } = enhancement;
        state.fed_enhancement |= key;
        if let Some(entrance) = &state.entrance
            && let Some((_, at, shown)) = state.sent.filter(|(sent, ..)| *sent == pts_ns)
            && state.fed
            && state.fed_enhancement
        {
            send_enhancement(entrance, unit.clone(), shown, at);
        }
        state.keep_enhancement(pts_ns, key, unit);
    }

    /// Frames are missing: what follows makes sense from its next key frame on.
    pub fn gap(&self) {
        let mut state = self.state.lock();
        state.forget();
        state.fed = false;
    }

    /// A pipeline starts: it gets the current group, of which only the newest frame is shown.
    fn attach(&self, entrance: AppSrc) {
        let mut state = self.state.lock();
        if state.ended {
            // An error says that the pipeline is going down already.
            let _ = entrance.end_of_stream();
            return;
        }
        entrance.set_caps(state.caps.as_ref());
        state.fed = !state.group.is_empty();
        let mut has_enhancement = false;
        for (left, kept) in (0..state.group.len()).rev().zip(&state.group) {
            send(&entrance, &kept.frame, left == 0, None);
            if let Some(unit) = kept.enhancement.clone().filter(|_| state.enhanced) {
                send_enhancement(&entrance, unit, left == 0, None);
                has_enhancement = true;
            }
        }
        state.fed_enhancement = has_enhancement;
        // What enhances the newest frame may come yet.
        state.sent = state
            .group
            .last()
            .map(|kept| (kept.frame.header.pts_ns, None, true));
        state.entrance = Some(entrance);
        if !state.fed {
            (self.ask_key)();
        }
        (self.enhance)(true, false);
        if state.fed && !has_enhancement {
            (self.enhance)(true, true);
        }
    }

    /// The pipeline of that entrance has ended.
    fn detach(&self, entrance: &AppSrc) {
        let mut state = self.state.lock();
        if state.entrance.as_ref() == Some(entrance) {
            state.entrance = None;
            (state.fed, state.fed_enhancement) = (false, false);
            (self.enhance)(false, false);
        }
    }

    /// The stream has ended: viewers are told.
    pub fn end(&self) {
        let mut state = self.state.lock();
        state.forget();
        state.ended = true;
        if let Some(entrance) = state.entrance.take() {
            // An error says that the pipeline is going down already.
            let _ = entrance.end_of_stream();
            (self.enhance)(false, false);
        }
    }
}

impl State {
    fn keep(&mut self, frame: Frame) {
        let complete = frame.header.key || !self.group.is_empty();
        self.bytes += frame.unit.len();
        if complete && self.group.len() < GROUP_UNITS && self.bytes <= GROUP_BYTES {
            self.group.push(Kept {
                frame,
                enhancement: None,
            });
        } else {
            self.forget();
        }
    }

    /// Keeps what enhances the newest frame. When it has no room, the group goes without: a frame is worth more.
    fn keep_enhancement(&mut self, pts_ns: u64, key: bool, unit: Bytes) {
        if key {
            self.forget_enhancement();
            self.enhanced = true;
        }
        let fits = self.bytes + unit.len() <= GROUP_BYTES;
        match self.group.last_mut() {
            Some(kept) if self.enhanced && fits && kept.frame.header.pts_ns == pts_ns => {
                self.bytes += unit.len();
                kept.enhancement = Some(unit);
            }
            _ => self.forget_enhancement(),
        }
    }

    fn forget_enhancement(&mut self) {
        for kept in &mut self.group {
            self.bytes -= kept.enhancement.take().map_or(0, |unit| unit.len());
        }
        self.enhanced = false;
    }

    fn forget(&mut self) {
        self.group = Vec::new();
        self.bytes = 0;
        self.enhanced = false;
    }
}

/// The entrance of a viewer's pipeline. Who puts pictures in gives them their running time.
pub fn pictures() -> AppSrc {
    AppSrc::builder()
        .name("pictures")
        .is_live(true)
        .format(gst::Format::Time)
        .max_bytes(0)
        .build()
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

fn send(entrance: &AppSrc, frame: &Frame, shown: bool, at: Option<gst::ClockTime>) {
    let mut buffer = gst::Buffer::from_slice(frame.unit.clone());
    if let Some(buffer) = buffer.get_mut() {
        buffer.set_pts(at);
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
        if frame.header.capture_utc_ns != 0 {
            let captured = gst::ClockTime::from_nseconds(frame.header.capture_utc_ns);
            gst::ReferenceTimestampMeta::add(buffer, &CAPTURED, captured, None);
        }
    }
    // An error says that the pipeline is going down; `detach` follows.
    let _ = entrance.push_buffer(buffer);
}

/// Behind its frame, and at the same time.
fn send_enhancement(entrance: &AppSrc, unit: Bytes, shown: bool, at: Option<gst::ClockTime>) {
    let mut buffer = gst::Buffer::from_slice(unit);
    if let Some(buffer) = buffer.get_mut() {
        buffer.set_pts(at);
        buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
        if !shown {
            buffer.set_flags(gst::BufferFlags::DECODE_ONLY);
        }
    }
    let _ = entrance.push_buffer(buffer);
}
