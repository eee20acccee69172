//! What the streaming thread of `cisquicsrc` does: takes events of the link, and makes buffers of its units.

use super::imp::{CAT, QuicSrc};
use super::late::Item;
use super::stream::{Damage, Frame};
use crate::quic::{self, Status};
use bytes::Bytes;
use cis_codec::frame;
use cis_link::{
    Listener, StreamName,
    listener::{Event, Events},
};
use gst::{prelude::*, subclass::prelude::*};
use gst_base::prelude::*;

impl QuicSrc {
    /// The next buffer, whatever has to be waited for and done before it.
    pub(super) fn next_buffer(&self) -> Result<gst::Buffer, gst::FlowError> {
        let events = self.state.lock().listener.as_ref().map(Listener::events);
        let events = events.ok_or(gst::FlowError::Flushing)?;
        loop {
            let waiting = {
                let mut state = self.state.lock();
                match state.next_key.is_some() {
                    true => state.hold.pop().or_else(|| state.next_key.take()),
                    false => None,
                }
            };
            if let Some(item) = waiting {
                if let Some(buffer) = self.buffer(&item)? {
                    return Ok(buffer);
                }
                continue;
            }
            match self.next(&events)? {
                Event::Unit {
                    unit,
                    enhancement: true,
                    ..
                } => {
                    if let Some(buffer) = self.enhancement(unit.data) {
                        return Ok(buffer);
                    }
                }
                Event::Unit {
                    unit,
                    late,
                    repeated,
                    last,
                    receipt,
                    ..
                } => {
                    let item = Item {
                        unit,
                        late,
                        repeated,
                        receipt,
                    };
                    if late {
                        self.hold(item, last);
                        continue;
                    }
                    let mut state = self.state.lock();
                    if item.unit.key && state.hold.is_ready() {
                        state.next_key = Some(item);
                        continue;
                    }
                    drop(state);
                    if let Some(buffer) = self.buffer(&item)? {
                        return Ok(buffer);
                    }
                }
                Event::Opened {
                    stream,
                    remote,
                    bundle,
                } => {
                    self.opened(stream, &remote.to_string(), &bundle);
                }
                Event::GroupReset { late: true, .. } => self.state.lock().hold.give_up(),
                Event::GroupReset { group, .. } => {
                    gst::info!(CAT, imp = self, "the camera gave up the rest of group {group}");
                    self.state.lock().stream.interrupted();
                }
                Event::Closed { finished, reason, .. } => {
                    self.closed(finished, &reason);
                    if finished && self.settings.lock().eos_on_close {
                        return Err(gst::FlowError::Eos);
                    }
                }
                Event::Refused { remote, reason, .. } => {
                    let reason = quic::text(&reason);
                    gst::warning!(CAT, imp = self, "{remote} refused: {reason}");
                    let structure = gst::Structure::builder("cis-link-refused")
                        .field("remote", remote.to_string())
                        .field("reason", reason);
                    quic::post(&*self.obj(), structure.build());
                }
                other => gst::debug!(CAT, imp = self, "{other:?}"),
            }
        }
    }

    /// Waits for the next event, or until the streaming thread is wanted elsewhere.
    fn next(&self, events: &Events) -> Result<Event, gst::FlowError> {
        if self.interrupt.is_raised() {
            return Err(gst::FlowError::Flushing);
        }
        match events.recv_unless(self.interrupt.bell()) {
            Ok(Some(event)) => Ok(event),
            Ok(None) => Err(gst::FlowError::Flushing),
            Err(_) => {
                gst::element_imp_error!(
                    self,
                    gst::ResourceError::Failed,
                    ("the listener has ended by itself")
                );
                Err(gst::FlowError::Error)
            }
        }
    }

    fn opened(&self, camera: StreamName, remote: &str, bundle: &str) {
        let mut tags = gst::TagList::new();
        if let Some(tags) = tags.get_mut() {
            tags.add::<gst::tags::Title>(&camera.as_str(), gst::TagMergeMode::Replace);
        }
        let structure = gst::Structure::builder("cis-link-connected")
            .field("stream", camera.as_str())
            .field("remote", remote)
            .field("bundle", quic::text(bundle))
            .build();
        {
            let mut state = self.state.lock();
            state.camera = Some(camera);
            state.stream.interrupted();
        }
        if self.settings.lock().enhancement {
            self.wish(true);
        }
        self.set_status(Status::Connected);
        if let Some(pad) = self.obj().static_pad("src") {
            pad.push_event(gst::event::Tag::new(tags));
        }
        quic::post(&*self.obj(), structure);
    }

    fn closed(&self, finished: bool, reason: &str) {
        let camera = {
            let mut state = self.state.lock();
            state.stream.interrupted();
            state.camera.take()
        };
        self.set_status(Status::Listening);
        let structure = gst::Structure::builder("cis-link-disconnected")
            .field_if_some("stream", camera.map(|camera| camera.to_string()))
            .field("finished", finished)
            .field("reason", quic::text(reason));
        quic::post(&*self.obj(), structure.build());
    }

    /// Keeps a late unit until its turn. Late groups go out before a live key frame: one is asked for.
    fn hold(&self, item: Item, last: bool) {
        let ask = {
            let mut state = self.state.lock();
            let before = state.hold.is_ready();
            if !state.hold.push(item, last) {
                state.counts.late_refused += 1;
            }
            !before && state.hold.is_ready()
        };
        if ask {
            self.request_key();
        }
    }

    /// A unit of the enhancement layer as a buffer; none if it cannot be used.
    fn enhancement(&self, unit: Bytes) -> Option<gst::Buffer> {
        let (read, broken) = {
            let mut state = self.state.lock();
            let read = state.stream.read_enhancement(&unit);
            match read {
                Some(_) => {
                    state.counts.enhanced += 1;
                    (read, false)
                }
                None => {
                    state.counts.enhancement_dropped += 1;
                    (None, !std::mem::replace(&mut state.enhancement_broken, true))
                }
            }
        };
        if broken && self.settings.lock().enhancement {
            gst::debug!(
                CAT,
                imp = self,
                "an enhancement unit continues nothing: asking for a new beginning"
            );
            self.wish(true);
        }
        let (time_ns, number) = read?;
        self.state.lock().enhancement_broken = false;
        let mut buffer = gst::Buffer::from_slice(unit);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(gst::ClockTime::from_nseconds(time_ns));
            buffer.set_offset(number);
            // No stream can begin here, whatever it is in its own layer.
            buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
        Some(buffer)
    }

    /// Tells the camera whether the enhancement layer is wanted. False: there is none.
    pub(super) fn wish(&self, on: bool) -> bool {
        let state = self.state.lock();
        let asked = state.listener.as_ref().zip(state.camera.as_ref());
        asked.is_some_and(|(listener, camera)| listener.set_layer(camera, frame::ENHANCEMENT, on))
    }

    /// A unit as a buffer; none if it cannot be read.
    fn buffer(&self, item: &Item) -> Result<Option<gst::Buffer>, gst::FlowError> {
        let now = self.obj().current_running_time().unwrap_or(gst::ClockTime::ZERO);
        let unit = late_marked(item);
        let read = {
            let mut state = self.state.lock();
            if item.late || std::mem::replace(&mut state.after_late, item.late) {
                state.after_late = item.late;
                // Neither continues the other.
                if item.unit.key {
                    state.stream.interrupted();
                }
            }
            let read = state.stream.read(&unit, now.nseconds());
            state.counts.late += u64::from(item.late);
            match &read {
                Ok(_) => state.counts.pushed += 1,
                Err(_) => state.counts.damaged += 1,
            }
            read
        };
        let Frame {
            header,
            time_ns,
            discont,
            caps,
        } = match read {
            Ok(frame) => frame,
            Err(damage) => {
                self.damaged(&damage);
                return Ok(None);
            }
        };
        if let Some(caps) = caps {
            let caps = caps.to_caps();
            gst::info!(CAT, imp = self, "caps are {caps}");
            self.obj()
                .set_caps(&caps)
                .map_err(|_| gst::FlowError::NotNegotiated)?;
        }
        let mut buffer = gst::Buffer::from_slice(unit);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(gst::ClockTime::from_nseconds(time_ns));
            buffer.set_offset(header.number);
            buffer.set_offset_end(header.number.wrapping_add(1));
            if !header.key {
                buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
            if item.repeated {
                buffer.set_flags(gst::BufferFlags::DECODE_ONLY);
            }
            if discont {
                buffer.set_flags(gst::BufferFlags::DISCONT);
            }
        }
        Ok(Some(buffer))
    }

    fn damaged(&self, damage: &Damage) {
        if damage.first {
            let error = &damage.error;
            gst::element_imp_warning!(self, gst::StreamError::Decode, ("unit dropped: {error}"));
            self.request_key();
        } else {
            gst::debug!(CAT, imp = self, "unit dropped: {}", damage.error);
        }
    }

    pub(super) fn request_key(&self) -> bool {
        let state = self.state.lock();
        let asked = state.listener.as_ref().zip(state.camera.as_ref());
        asked.is_some_and(|(listener, camera)| listener.request_key(camera))
    }

    pub(super) fn set_status(&self, status: Status) {
        let before = std::mem::replace(&mut self.state.lock().status, status);
        if before != status {
            gst::info!(CAT, imp = self, "{before:?} -> {status:?}");
            self.obj().notify("status");
        }
    }
}

/// The unit's bytes; those of a late one say so.
fn late_marked(item: &Item) -> Bytes {
    if !item.late {
        return item.unit.data.clone();
    }
    let mut bytes = item.unit.data.to_vec();
    // What is no unit stays as it is; reading it tells.
    let _ = frame::set_late(&mut bytes, true);
    bytes.into()
}
