//! `cisdecode`, the GObject: a `GstVideoDecoder` around the unit reader and the restorer.

use std::sync::LazyLock;
use std::time::Instant;

use cis_codec::frame::{self, ENHANCEMENT};
use cis_codec::{Limits, quant};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_video::prelude::*;
use gst_video::subclass::prelude::*;
use gst_video::video_codec_state::Readable;
use gst_video::{VideoCodecFrame, VideoCodecState};
use parking_lot::Mutex;

use super::output;
use super::state::{State, Waiting};
use super::stats::Stats;
use crate::generated::{self, Quality};
use crate::model::ModelSettings;
use crate::units::{self, Outcome};
use crate::{caps, latency, quic, regions};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("cisdecode", gst::DebugColorFlags::empty(), Some("decoder of cis"))
});

/// Frames without enhancement after which none is waited for.
const EXPECTED: u32 = 10;

type Flow = Result<gst::FlowSuccess, gst::FlowError>;

/// What a unit turned out to be, without borrowing the state.
enum Unit {
    Frame { repeat: bool, source: (u32, u32) },
    Skip,
    Waiting { ask: bool },
    Damaged(String),
    Mismatch(String),
}

#[derive(Default)]
pub struct CisDecode {
    settings: Mutex<ModelSettings>,
    state: Mutex<Option<State>>,
    /// Apart from the state, which is locked while the network runs.
    stats: Mutex<Stats>,
    /// Of the last picture.
    quality: Mutex<Quality>,
    /// Frames from one restored picture to the next; 0 counts as 1.
    interval: Mutex<u32>,
}

impl CisDecode {
    /// Decodes the unit: every one of them, however late, because the next one builds on it.
    fn read(&self, buffer: Option<&gst::BufferRef>) -> Result<Unit, gst::FlowError> {
        let mut guard = self.state.lock();
        let state = guard.as_mut().ok_or(gst::FlowError::NotNegotiated)?;
        let Some(Ok(map)) = buffer.map(|buffer| buffer.map_readable()) else {
            return Ok(Unit::Damaged("the buffer cannot be read".to_owned()));
        };
        let unit = match state.reader.read(&map) {
            Outcome::Frame(frame) => {
                if frame.header.key {
                    state.enhancement.reset();
                }
                let header = &frame.header;
                state.pts_ns = header.pts_ns;
                state.captured_ns = if header.late { 0 } else { header.capture_utc_ns };
                if !frame.header.repeat {
                    let step = quant::step(frame.header.qindex);
                    state.view.follow(frame.latents, step, frame.header.key);
                }
                Unit::Frame {
                    repeat: frame.header.repeat,
                    source: frame.geometry.source,
                }
            }
            Outcome::OtherLayer => Unit::Skip,
            Outcome::Waiting { ask } => Unit::Waiting { ask },
            Outcome::Damaged(reason) => Unit::Damaged(reason),
            Outcome::Mismatch(reason) => Unit::Mismatch(reason),
        };
        match unit {
            Unit::Frame { repeat: false, .. } => state.current = false,
            Unit::Damaged(_) => state.forget(),
            _ => {}
        }
        Ok(unit)
    }

    /// Agrees with downstream on pictures of the source's size.
    fn prepare_output(&self, source: (u32, u32)) -> Result<(), gst::FlowError> {
        let (known, input) = {
            let guard = self.state.lock();
            let state = guard.as_ref().ok_or(gst::FlowError::NotNegotiated)?;
            let size = state.output.as_ref().map(|info| (info.width(), info.height()));
            (size == Some(source), state.input.clone())
        };
        let obj = self.obj();
        if known && !obj.src_pad().check_reconfigure() {
            return Ok(());
        }
        let format = output::choose(obj.src_pad().allowed_caps().as_ref());
        let output = obj.set_output_state(format, source.0, source.1, input.as_ref())?;
        obj.negotiate(output)?;
        let info = obj.output_state().map(|state| state.info().clone());
        let latency = info
            .as_ref()
            .and_then(|info| caps::frame_time(info.fps()))
            .unwrap_or(gst::ClockTime::ZERO);
        // Each frame is out before the next one comes in: it takes a frame's time at most.
        obj.set_latency(latency, latency);
        if let Some(state) = self.state.lock().as_mut() {
            state.output = info;
            state.last = None;
        }
        Ok(())
    }

    /// Whether nobody will see the frame: it lies before the start of the segment, or whoever sent it said so.
    fn is_outside(&self, frame: &VideoCodecFrame<'_>) -> bool {
        if frame
            .input_buffer()
            .is_some_and(|unit| unit.flags().contains(gst::BufferFlags::DECODE_ONLY))
        {
            return true;
        }
        let segment = self.obj().input_segment();
        let (Some(segment), Some(pts)) = (segment.downcast_ref::<gst::ClockTime>(), frame.pts()) else {
            return false;
        };
        let end = frame
            .duration()
            .map_or(pts, |duration| pts.saturating_add(duration));
        segment.clip(pts, end).is_none()
    }

    /// Fills the frame's output buffer, from the network or with the picture that a repeat repeats.
    fn fill(&self, frame: &mut VideoCodecFrame<'_>, repeat: bool, quality: Quality) -> Flow {
        let obj = self.obj();
        let interval = *self.interval.lock();
        let again = match self.state.lock().as_mut() {
            // Between two restored pictures the one before stays.
            Some(state)
                if repeat && state.current && *self.quality.lock() == quality || state.times < interval =>
            {
                state.times = state.times.saturating_add(1);
                state.last.clone()
            }
            _ => None,
        };
        if let Some(picture) = again {
            let flags = gst::BufferCopyFlags::MEMORY | gst::BufferCopyFlags::META;
            let mut copy = picture
                .copy_region(flags, ..)
                .map_err(|_| gst::FlowError::Error)?;
            regions::clear(copy.make_mut());
            frame.set_output_buffer(copy);
            self.stats.lock().repeats += 1;
            return Ok(gst::FlowSuccess::Ok);
        }
        obj.allocate_output_frame(frame, None)?;
        let buffer = frame.output_buffer_mut().ok_or(gst::FlowError::Error)?;
        let started = Instant::now();
        let mut guard = self.state.lock();
        let state = guard.as_mut().ok_or(gst::FlowError::NotNegotiated)?;
        let info = state.output.as_ref().ok_or(gst::FlowError::NotNegotiated)?;
        let layer = (quality == Quality::Enhanced).then_some(&state.enhancement);
        let result = match state.reader.current() {
            Some((geometry, _)) => {
                let latents = state.view.latents();
                output::restore(&mut state.restorer, latents, layer, geometry, info, buffer)
            }
            None => return Err(gst::FlowError::Error),
        };
        drop(guard);
        if let Err(message) = result {
            self.post_error_message(message);
            return Err(gst::FlowError::Error);
        }
        generated::mark(buffer, quality);
        self.keep(frame);
        let mut stats = self.stats.lock();
        stats.restored += 1;
        stats.enhanced += u64::from(quality == Quality::Enhanced);
        stats.last = started.elapsed();
        stats.sum += started.elapsed();
        Ok(gst::FlowSuccess::Ok)
    }

    /// Restores a frame, unless it is too late, and sends it on.
    fn show(&self, mut frame: VideoCodecFrame<'_>, repeat: bool, quality: Quality) -> Flow {
        let obj = self.obj();
        if obj.max_decode_time(&frame) < 0 {
            self.stats.lock().late += 1;
            return obj.drop_frame(frame);
        }
        self.fill(&mut frame, repeat, quality)?;
        if let Some(took) = self
            .state
            .lock()
            .as_ref()
            .and_then(|state| latency::since(state.captured_ns))
        {
            self.stats.lock().latency.add(took);
        }
        let shown = frame.output_buffer().and_then(generated::quality_of);
        self.set_quality(shown.unwrap_or(quality));
        obj.finish_frame(frame)
    }

    /// Shows the frame that waits for its enhancement, if one does.
    fn show_waiting(&self, quality: Quality, repeat: bool) -> Flow {
        let waiting = self.state.lock().as_mut().and_then(|state| state.waiting.take());
        let Some(Waiting { number, repeat: same }) = waiting else {
            return Ok(gst::FlowSuccess::Ok);
        };
        let obj = self.obj();
        match obj.frame(i32::try_from(number).unwrap_or(i32::MAX)) {
            Some(frame) => self.show(frame, same && repeat, quality),
            None => Ok(gst::FlowSuccess::Ok),
        }
    }

    /// Takes a unit of the enhancement layer, and shows the frame that waits for it.
    fn enhance(&self, frame: VideoCodecFrame<'_>) -> Flow {
        let read = {
            let mut guard = self.state.lock();
            let state = guard.as_mut().ok_or(gst::FlowError::NotNegotiated)?;
            let map = frame.input_buffer().map(gst::BufferRef::map_readable);
            let read = match (map, state.reader.current()) {
                (Some(Ok(map)), Some((geometry, _))) => state.enhancement.read(&map, geometry),
                _ => Err("there is no frame that it belongs to".to_owned()),
            };
            let read = read.and_then(|header| match header.pts_ns == state.pts_ns {
                true => Ok(header.repeat),
                false => Err("its frame is not there".to_owned()),
            });
            if read.is_ok() {
                state.expecting = EXPECTED;
            }
            read
        };
        self.obj().release_frame(frame);
        match read {
            // A picture can be shown again only if neither layer has changed.
            Ok(repeat) => self.show_waiting(Quality::Enhanced, repeat),
            Err(reason) => {
                self.stats.lock().unusable += 1;
                gst::debug!(CAT, imp = self, "enhancement not used: {reason}");
                self.show_waiting(Quality::Features, false)
            }
        }
    }

    fn set_quality(&self, quality: Quality) {
        let before = std::mem::replace(&mut *self.quality.lock(), quality);
        if before != quality {
            gst::info!(CAT, imp = self, "pictures are from now on {}", quality.label());
            self.obj().notify("quality");
        }
    }

    /// Keeps the finished picture for repeats. The base class copies the regions of the input onto the output later.
    fn keep(&self, frame: &VideoCodecFrame<'_>) {
        if let (Some(output), Some(state)) = (frame.output_buffer(), self.state.lock().as_mut()) {
            let flags = gst::BufferCopyFlags::MEMORY | gst::BufferCopyFlags::META;
            state.last = output.copy_region(flags, ..).ok();
            (state.current, state.times) = (true, 1);
        }
    }

    fn request_key(&self, frame: &VideoCodecFrame<'_>) {
        gst::debug!(CAT, imp = self, "asking for a key frame");
        self.obj()
            .request_sync_point(frame, gst_video::VideoDecoderRequestSyncPointFlags::empty());
    }

    fn discard(&self, frame: VideoCodecFrame<'_>) -> Flow {
        self.stats.lock().dropped += 1;
        self.obj().release_frame(frame);
        Ok(gst::FlowSuccess::Ok)
    }
}

#[glib::object_subclass]
impl ObjectSubclass for CisDecode {
    const NAME: &'static str = "GstCisDecode";
    type Type = super::CisDecode;
    type ParentType = gst_video::VideoDecoder;
}

impl ObjectImpl for CisDecode {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let mut properties = ModelSettings::properties();
            properties.push(
                glib::ParamSpecUInt::builder("restore-interval")
                    .nick("Restoration's interval")
                    .blurb("Frames from one restored picture to the next, for machines that cannot restore all; those between show the picture before")
                    .minimum(1)
                    .maximum(100)
                    .default_value(1)
                    .mutable_playing()
                    .build(),
            );
            properties.push(
                glib::ParamSpecEnum::builder_with_default("quality", Quality::default())
                    .nick("Quality")
                    .blurb("What the last picture was restored from; changes are notified, and every picture carries it as CisGeneratedMeta")
                    .read_only()
                    .build(),
            );
            properties.push(
                glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
                    .nick("Statistics")
                    .blurb("frames, restored, repeats, enhanced, unusable (units of the enhancement layer), late (QoS), damaged, dropped, restore-ms-{last,mean}, latency-ms-{p50,p95,max} (from capture to picture by the two clocks, of the newest 512; -1: unknown)")
                    .read_only()
                    .build(),
            );
            properties
        });
        PROPERTIES.as_ref()
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        if pspec.name() == "restore-interval" {
            *self.interval.lock() = value.get().unwrap_or(1);
            return;
        }
        self.settings.lock().set(pspec.name(), value);
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "quality" => return self.quality.lock().to_value(),
            "restore-interval" => return (*self.interval.lock()).max(1).to_value(),
            _ => {}
        }
        let value = self.settings.lock().get(pspec.name());
        value.unwrap_or_else(|| self.stats.lock().to_structure().to_value())
    }
}

impl GstObjectImpl for CisDecode {}

impl ElementImpl for CisDecode {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "cis decoder",
                "Codec/Decoder/Video",
                "Rebuilds pictures from coded features",
                "The cis developers",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let raw = gst_video::VideoCapsBuilder::new()
                .format_list(output::FORMATS)
                .build();
            caps::pad_templates(&caps::frame_template(), &raw)
        });
        TEMPLATES.as_ref()
    }
}

impl VideoDecoderImpl for CisDecode {
    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let state = State::new(self.settings.lock().open()?)?;
        gst::info!(
            CAT,
            imp = self,
            "bundle {} from {}",
            state.opened.model.id,
            state.opened.model.bundle.origin()
        );
        *self.stats.lock() = Stats::default();
        *self.state.lock() = Some(state);
        let obj = self.obj();
        obj.set_packetized(true);
        obj.set_needs_format(true);
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *self.state.lock() = None;
        Ok(())
    }

    fn set_format(&self, input: &VideoCodecState<'static, Readable>) -> Result<(), gst::LoggableError> {
        {
            let mut guard = self.state.lock();
            let Some(state) = guard.as_mut() else {
                return Err(gst::loggable_error!(CAT, "not started"));
            };
            if let Some(Err(reason)) = input
                .caps()
                .map(|caps| units::check_bundle(caps, &state.opened.model))
            {
                drop(guard);
                gst::element_imp_error!(self, gst::StreamError::WrongType, ("{reason}"));
                return Err(gst::loggable_error!(CAT, "{reason}"));
            }
            state.input = Some(input.clone());
            // The frame rate may have changed.
            state.output = None;
        }
        self.parent_set_format(input)
    }

    fn flush(&self) -> bool {
        if let Some(state) = self.state.lock().as_mut() {
            state.reader.reset();
            state.forget();
        }
        true
    }

    /// At the end of the stream the counters go out as an element message too: `gst-launch-1.0 -m` shows it.
    fn finish(&self) -> Flow {
        self.show_waiting(Quality::Features, true)?;
        let mut statistics = self.stats.lock().to_structure();
        statistics.set_name("cisdecode-stats");
        quic::post(&*self.obj(), statistics);
        self.parent_finish()
    }

    fn drain(&self) -> Flow {
        self.show_waiting(Quality::Features, true)?;
        self.parent_drain()
    }

    fn handle_frame(&self, frame: VideoCodecFrame<'_>) -> Flow {
        let obj = self.obj();
        if layer_of(frame.input_buffer()) == Some(ENHANCEMENT) {
            return self.enhance(frame);
        }
        // The enhancement of the frame before has not come.
        self.show_waiting(Quality::Features, false)?;
        let (repeat, source) = match self.read(frame.input_buffer())? {
            Unit::Frame { repeat, source } => (repeat, source),
            Unit::Skip => {
                obj.release_frame(frame);
                return Ok(gst::FlowSuccess::Ok);
            }
            Unit::Waiting { ask } => {
                if ask {
                    self.request_key(&frame);
                }
                return self.discard(frame);
            }
            Unit::Damaged(reason) => {
                self.stats.lock().damaged += 1;
                gst::element_imp_warning!(
                    self,
                    gst::StreamError::Decode,
                    ("Damaged unit: {reason}; going on at the next key frame")
                );
                self.request_key(&frame);
                return self.discard(frame);
            }
            Unit::Mismatch(reason) => {
                gst::element_imp_error!(self, gst::StreamError::WrongType, ("{reason}"));
                return Err(gst::FlowError::Error);
            }
        };
        self.stats.lock().frames += 1;
        self.prepare_output(source)?;
        if self.is_outside(&frame) {
            obj.release_frame(frame);
            return Ok(gst::FlowSuccess::Ok);
        }
        if let Some(state) = self.state.lock().as_mut()
            && let Some(left) = state.expecting.checked_sub(1)
        {
            state.expecting = left;
            let number = frame.system_frame_number();
            state.waiting = Some(Waiting { number, repeat });
            return Ok(gst::FlowSuccess::Ok);
        }
        self.show(frame, repeat, Quality::Features)
    }
}

/// The layer of a unit, if it is one.
fn layer_of(unit: Option<&gst::BufferRef>) -> Option<u8> {
    let map = unit?.map_readable().ok()?;
    Some(frame::peek(&map, &Limits::default()).ok()?.layer)
}
