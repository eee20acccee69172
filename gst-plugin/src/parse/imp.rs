//! `cisparse`, the GObject: a `GstBaseParse` around the framer, with seeking to key frames.

use std::sync::LazyLock;

use cis_codec::Limits;
use cis_codec::frame::{DETECTION, Header};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::prelude::*;
use parking_lot::Mutex;

use super::framer::{Framer, Step};
use super::locate::{Locator, Snap};
use super::timeline::{Session, TimeLine};
use super::upstream::Upstream;
use crate::caps::{self, StreamCaps};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "cisparse",
        gst::DebugColorFlags::empty(),
        Some("parser of cis streams"),
    )
});

/// Least bytes to look at: no unit is shorter. The base class shows everything that it has at hand.
const MIN_UNIT: u32 = 2;
/// A stream without a single unit in this many bytes is given up: it is something else.
const GIVE_UP: u64 = 1 << 20;

#[derive(Clone, Copy, Debug, Default)]
struct Stats {
    units: u64,
    keys: u64,
    enhancement: u64,
    damages: u64,
    skipped_bytes: u64,
}

struct State {
    framer: Framer,
    /// From presentation times to the pipeline's time line, on which the first key frame is at 0.
    timeline: TimeLine,
    caps: Option<StreamCaps>,
    /// Offset of the byte after the last one consumed.
    expected: Option<u64>,
    framerate: Option<gst::Fraction>,
    duration: Option<gst::ClockTime>,
    probed: bool,
    /// Where the pending seek found its key frame: time on the pipeline's time line and byte offset.
    target: Option<(gst::ClockTime, u64)>,
    stats: Stats,
}

impl Default for State {
    fn default() -> Self {
        Self {
            framer: Framer::new(Limits::default()),
            timeline: TimeLine::default(),
            caps: None,
            expected: None,
            framerate: None,
            duration: None,
            probed: false,
            target: None,
            stats: Stats::default(),
        }
    }
}

#[derive(Default)]
pub struct CisParse {
    state: Mutex<State>,
}

impl CisParse {
    fn locator(&self) -> Option<Locator<Upstream>> {
        Some(Locator::new(
            Upstream::new(self.obj().sink_pad())?,
            Limits::default(),
        ))
    }

    /// Learns sessions, frame rate and duration of a file once, before its first frame.
    fn probe(&self) {
        if std::mem::replace(&mut self.state.lock().probed, true) {
            return;
        }
        let Some(mut locator) = self.locator() else { return };
        let Some(origin) = locator.first_pts() else { return };
        let frame = locator.frame_duration();
        let timeline = TimeLine::scan(locator.source(), Limits::default());
        let duration = match &timeline {
            Some(timeline) => timeline.duration(),
            None => locator.last().map(|(last, distance)| {
                last.saturating_sub(origin)
                    .saturating_add(frame.unwrap_or(distance))
            }),
        };
        let duration = duration.map(caps::clock_time);
        let mut state = self.state.lock();
        state.timeline = timeline.unwrap_or_default();
        state.framerate = frame.and_then(|ns| gst_video::guess_framerate(caps::clock_time(ns)));
        state.duration = duration;
        drop(state);
        if let Some(duration) = duration {
            self.obj().set_duration(duration, 0);
        }
    }

    fn framer_step(&self, offset: u64, data: &[u8], end: bool) -> Step {
        let mut state = self.state.lock();
        if state.expected.is_some_and(|expected| expected != offset) {
            // A seek; only those that the locator answered end at a unit for sure.
            let aligned = state.target.take().is_some_and(|(_, target)| target == offset);
            gst::debug!(CAT, imp = self, "going on at byte {offset}, aligned: {aligned}");
            state.framer.jump(aligned);
        }
        state.expected = Some(offset);
        let step = state.framer.next(data, end);
        let stats = &mut state.stats;
        match &step {
            Step::Unit(header) => {
                let detection = header.layer == DETECTION;
                stats.units += 1;
                stats.keys += u64::from(header.key && detection);
                stats.enhancement += u64::from(!detection);
            }
            Step::Skip { bytes, damage } => {
                stats.skipped_bytes += *bytes as u64;
                stats.damages += u64::from(damage.is_some());
            }
            Step::Need(_) | Step::Unsupported(_) => {}
        }
        match &step {
            Step::Unit(header) => state.expected = Some(offset + header.unit_len as u64),
            Step::Skip { bytes, .. } => state.expected = Some(offset + *bytes as u64),
            Step::Need(_) | Step::Unsupported(_) => {}
        }
        step
    }

    fn finish(
        &self,
        mut frame: gst_base::BaseParseFrame,
        header: &Header,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let obj = self.obj();
        let upstream = obj.sink_pad().current_caps().and_then(|caps| {
            caps.structure(0)
                .and_then(|s| s.get::<gst::Fraction>("framerate").ok())
        });
        // A key frame of the enhancement layer starts nothing.
        let starts = header.key && header.layer == DETECTION;
        let timed =
            obj.segment().format() == gst::Format::Time && obj.sink_pad().mode() == gst::PadMode::Push;
        let (time, framerate, new_caps) = {
            let mut state = self.state.lock();
            state.timeline.note(frame.offset(), header);
            let session = state.timeline.at_offset(frame.offset());
            let time = session.map_or(0, |session| session.time(header.pts_ns));
            let framerate = upstream.or(state.framerate);
            let found = StreamCaps {
                bundle: header.bundle.to_string(),
                width: header.source.width,
                height: header.source.height,
                framerate,
            };
            let changed = starts && state.caps.as_ref() != Some(&found);
            if changed {
                state.caps = Some(found.clone());
            }
            (time, framerate, changed.then_some(found))
        };
        if let Some(new_caps) = new_caps {
            let new_caps = new_caps.to_caps();
            gst::info!(CAT, imp = self, "caps {new_caps}");
            if !obj.src_pad().push_event(gst::event::Caps::new(&new_caps)) {
                gst::warning!(CAT, imp = self, "caps {new_caps} were refused downstream");
            }
        }
        if let Some(buffer) = frame.buffer_mut() {
            if !timed || buffer.pts().is_none() {
                buffer.set_pts(caps::clock_time(time));
                buffer.set_dts(buffer.pts());
                buffer.set_duration(framerate.and_then(caps::frame_time));
            }
            if starts {
                buffer.unset_flags(gst::BufferFlags::DELTA_UNIT);
            } else {
                buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
        }
        obj.set_min_frame_size(MIN_UNIT);
        let size = u32::try_from(header.unit_len).map_err(|_| gst::FlowError::Error)?;
        obj.finish_frame(frame, size)
    }

    fn skip(&self, bytes: usize, damage: Option<String>, offset: u64) -> Result<u32, gst::FlowError> {
        let obj = self.obj();
        if let Some(reason) = damage {
            gst::element_imp_warning!(
                self,
                gst::StreamError::Decode,
                ("Damaged cis stream at byte {offset}: {reason}; going on at its next key frame")
            );
        }
        let stats = self.state.lock().stats;
        if stats.units == 0 && stats.skipped_bytes > GIVE_UP {
            gst::element_imp_error!(
                self,
                gst::StreamError::WrongType,
                (
                    "Not a cis stream: no key frame in its first {} bytes",
                    stats.skipped_bytes
                )
            );
            return Err(gst::FlowError::Error);
        }
        obj.set_min_frame_size(MIN_UNIT);
        u32::try_from(bytes).map_err(|_| gst::FlowError::Error)
    }

    /// The session at a place on the time line, and the one after it.
    fn session_at(&self, time_ns: u64) -> Option<(Session, Option<Session>)> {
        if let Some(found) = self.state.lock().timeline.at_time(time_ns) {
            return Some(found);
        }
        // A file too large to be read through, before its first frame: one session as far as anybody knows.
        let origin = self.locator()?.first_pts()?;
        let only = Session {
            offset: 0,
            origin,
            start: 0,
        };
        Some((only, None))
    }

    /// Answers a seek by time in a file: finds the key frame first, then lets the base class go there.
    fn seek(&self, event: &gst::event::Seek) -> Option<gst::Event> {
        let (rate, mut flags, start_type, start, stop_type, stop) = event.get();
        let gst::GenericFormattedValue::Time(Some(mut start)) = start else {
            return None;
        };
        if rate <= 0.0 || start_type != gst::SeekType::Set {
            return None;
        }
        self.probe();
        let (session, next) = self.session_at(start.nseconds())?;
        let end = next.map_or(u64::MAX, |next| next.offset);
        let mut locator = self.locator()?.within(session.offset..end);
        let key_unit = flags.contains(gst::SeekFlags::KEY_UNIT);
        let nearest = flags.contains(gst::SeekFlags::SNAP_NEAREST);
        let snap = match (key_unit, flags.contains(gst::SeekFlags::SNAP_AFTER)) {
            (true, _) if nearest => Snap::Nearest,
            (true, true) => Snap::After,
            _ => Snap::Before,
        };
        let key = locator.locate(session.pts(start.nseconds()), snap)?;
        let (mut time, mut offset) = (session.time(key.pts_ns), key.offset);
        // The first one after the time may be the next session's.
        if let Some(next) = next.filter(|_| snap == Snap::After && time < start.nseconds()) {
            (time, offset) = (next.start, next.offset);
        }
        let time = caps::clock_time(time);
        if key_unit {
            start = time;
        }
        gst::debug!(
            CAT,
            imp = self,
            "seek to {start}: key frame of {time} at byte {offset}"
        );
        self.state.lock().target = Some((start, offset));
        // The base class would look an accurate position up in an index of its own; the place is known already.
        flags.remove(gst::SeekFlags::ACCURATE);
        let stop = match stop {
            gst::GenericFormattedValue::Time(stop) => stop,
            _ => None,
        };
        let seek = gst::event::Seek::builder(rate, flags, start_type, start, stop_type, stop);
        Some(seek.seqnum(event.seqnum()).build())
    }
}

#[glib::object_subclass]
impl ObjectSubclass for CisParse {
    const NAME: &'static str = "GstCisParse";
    type Type = super::CisParse;
    type ParentType = gst_base::BaseParse;
}

impl ObjectImpl for CisParse {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            vec![
                glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
                    .nick("Statistics")
                    .blurb("units, keys, enhancement (units of that layer), damages (places where units were lost) and skipped-bytes so far")
                    .read_only()
                    .build(),
            ]
        });
        PROPERTIES.as_ref()
    }

    fn property(&self, _id: usize, _pspec: &glib::ParamSpec) -> glib::Value {
        let stats = self.state.lock().stats;
        gst::Structure::builder("stats")
            .field("units", stats.units)
            .field("keys", stats.keys)
            .field("enhancement", stats.enhancement)
            .field("damages", stats.damages)
            .field("skipped-bytes", stats.skipped_bytes)
            .build()
            .to_value()
    }
}

impl GstObjectImpl for CisParse {}

impl ElementImpl for CisParse {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "cis parser",
                "Codec/Parser/Video",
                "Cuts a cis byte stream or file into frames",
                "The cis developers",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> =
            LazyLock::new(|| caps::pad_templates(&caps::any_template(), &caps::frame_template()));
        TEMPLATES.as_ref()
    }
}

impl BaseParseImpl for CisParse {
    fn start(&self) -> Result<(), gst::ErrorMessage> {
        *self.state.lock() = State::default();
        let obj = self.obj();
        obj.set_min_frame_size(MIN_UNIT);
        obj.set_has_timing_info(true);
        obj.set_infer_ts(false);
        obj.set_pts_interpolation(false);
        Ok(())
    }

    fn handle_frame(
        &self,
        frame: gst_base::BaseParseFrame,
    ) -> Result<(gst::FlowSuccess, u32), gst::FlowError> {
        self.probe();
        let obj = self.obj();
        let offset = frame.offset();
        let step = {
            let Some(Ok(map)) = frame.buffer().map(|buffer| buffer.map_readable()) else {
                return Err(gst::FlowError::Error);
            };
            self.framer_step(offset, &map, obj.is_draining())
        };
        match step {
            Step::Unit(header) => self.finish(frame, &header).map(|flow| (flow, 0)),
            Step::Need(bytes) => {
                obj.set_min_frame_size(u32::try_from(bytes).map_err(|_| gst::FlowError::Error)?);
                Ok((gst::FlowSuccess::Ok, 0))
            }
            Step::Skip { bytes, damage } => Ok((gst::FlowSuccess::Ok, self.skip(bytes, damage, offset)?)),
            Step::Unsupported(error) => {
                gst::element_imp_error!(
                    self,
                    gst::StreamError::WrongType,
                    ("Cannot read this cis stream: {error}")
                );
                Err(gst::FlowError::Error)
            }
        }
    }

    fn pre_push_frame(
        &self,
        _frame: &mut gst_base::BaseParseFrame,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        // Without the clip flag frames between a key frame and the start of the segment go out: decoders need them.
        Ok(gst::FlowSuccess::Ok)
    }

    fn convert(
        &self,
        src_val: impl gst::format::FormattedValue,
        dest_format: gst::Format,
    ) -> Option<gst::GenericFormattedValue> {
        // The base class asks for the place of the seek that `seek()` has just answered.
        if let gst::GenericFormattedValue::Time(Some(time)) = src_val.into()
            && dest_format == gst::Format::Bytes
            && let Some((_, offset)) = self.state.lock().target.filter(|(target, _)| *target == time)
        {
            return Some(gst::format::Bytes::from_u64(offset).into());
        }
        self.parent_convert(src_val, dest_format)
    }

    fn src_event(&self, event: gst::Event) -> bool {
        let event = match event.view() {
            gst::EventView::Seek(seek) => self.seek(seek).unwrap_or(event),
            _ => event,
        };
        self.parent_src_event(event)
    }

    fn src_query(&self, query: &mut gst::QueryRef) -> bool {
        if let gst::QueryViewMut::Seeking(seeking) = query.view_mut()
            && seeking.format() == gst::Format::Time
            && self.obj().sink_pad().mode() == gst::PadMode::Pull
        {
            let end = self.state.lock().duration;
            seeking.set(true, gst::ClockTime::ZERO, end);
            return true;
        }
        self.parent_src_query(query)
    }
}
