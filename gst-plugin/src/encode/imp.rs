//! `cisencode`, the GObject: a `GstVideoEncoder` around the coder.

use std::path::Path;
use std::sync::LazyLock;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_video::prelude::*;
use gst_video::subclass::prelude::*;
use parking_lot::Mutex;

use super::coder::{Coded, Coder, Request};
use super::feedback::Feedback;
use super::settings::{Enhancement, Settings};
use super::stats::{Sent, Stats};
use super::{capture, squeezed, view};
use crate::caps::{self, StreamCaps};
use crate::encoded;
use crate::model;
use crate::quic::{self, LayerWish};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("cisencode", gst::DebugColorFlags::empty(), Some("encoder of cis"))
});

/// What there is only while the element runs.
#[derive(Default)]
struct State {
    opened: Option<model::Opened>,
    coder: Option<Coder>,
    input: Option<gst_video::VideoInfo>,
    force_key: bool,
    /// Frames coded since the squeezed image was last written.
    since_squeezed: Option<u32>,
    last_pts_ns: u64,
}

#[derive(Default)]
pub struct CisEncode {
    settings: Mutex<Settings>,
    state: Mutex<State>,
    /// Apart from the state, which is locked while a frame is coded.
    stats: Mutex<Stats>,
    /// What the link carries.
    feedback: Mutex<Feedback>,
    /// What downstream wants of the enhancement layer.
    wish: Mutex<Wish>,
}

/// What downstream wants of the enhancement layer.
#[derive(Clone, Copy, Debug, Default)]
struct Wish {
    on: bool,
    restart: bool,
}

impl CisEncode {
    fn drop_late(&self, frame: gst_video::VideoCodecFrame<'_>) -> Result<gst::FlowSuccess, gst::FlowError> {
        let obj = self.obj();
        let key = frame
            .flags()
            .contains(gst_video::VideoCodecFrameFlags::FORCE_KEYFRAME);
        self.state.lock().force_key |= key;
        let dropped = self.stats.lock().dropped();
        gst::debug!(
            CAT,
            imp = self,
            "frame {:?} is too late, or the link too slow for it, dropped {dropped}",
            frame.pts()
        );
        // Without a buffer: the base class posts the QoS message.
        obj.finish_frame(frame)
    }

    /// Codes the frame; `None` when there is something wrong with this frame alone.
    fn code(
        &self,
        frame: &gst_video::VideoCodecFrame<'_>,
        settings: &Settings,
    ) -> Result<Option<Coded>, gst::FlowError> {
        let obj = self.obj();
        let mut state = self.state.lock();
        let state = &mut *state;
        let (Some(coder), Some(info)) = (&mut state.coder, &state.input) else {
            return Err(gst::FlowError::NotNegotiated);
        };
        if let Err(error) = coder.set_config(settings.codec_config(&coder.opened().model)) {
            gst::element_imp_error!(self, gst::ResourceError::Settings, ("{error}"));
            return Err(gst::FlowError::Error);
        }
        let enhanced = self.prepare_layer(coder, settings)?;
        let Some(buffer) = frame.input_buffer() else {
            return Ok(None);
        };
        let running_time = obj
            .input_segment()
            .downcast_ref::<gst::ClockTime>()
            .and_then(|segment| segment.to_running_time(frame.pts()));
        // A camera without time stamps still moves on.
        let pts_ns = frame
            .pts()
            .map_or(state.last_pts_ns.saturating_add(1), gst::ClockTime::nseconds);
        state.last_pts_ns = pts_ns;
        let asked = frame
            .flags()
            .contains(gst_video::VideoCodecFrameFlags::FORCE_KEYFRAME);
        let request = Request {
            pts_ns,
            capture_utc_ns: capture::utc_ns(obj.upcast_ref(), buffer, running_time),
            force_key: asked || state.force_key,
            skip_threshold: settings.skip_threshold,
            squeezed: settings.squeezed_location.is_some()
                && state
                    .since_squeezed
                    .is_none_or(|since| since >= settings.squeezed_interval),
            enhanced,
        };
        let coded = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, info)
            .ok()
            .and_then(|mapped| view::with_view(&mapped, |view| coder.code(view, &request)));
        let Some(coded) = coded else {
            let (size, needed) = (buffer.size(), info.size());
            self.failed(&format!("a buffer of {size} bytes is no frame of {needed}"));
            return Ok(None);
        };
        match coded {
            Ok(coded) => {
                state.force_key = false;
                let since = state.since_squeezed.map_or(1, |since| since.saturating_add(1));
                state.since_squeezed = if coded.squeezed.is_some() {
                    Some(1)
                } else {
                    Some(since)
                };
                if settings.squeezed_location.is_none() {
                    state.since_squeezed = None;
                }
                Ok(Some(coded))
            }
            Err(error) => {
                // A frame that was to be a key frame must not be followed by others that build on one.
                state.force_key |= request.force_key;
                self.failed(&error.to_string());
                Ok(None)
            }
        }
    }

    /// Opens, changes or ends the enhancement layer; whether the frame shall have it.
    fn prepare_layer(&self, coder: &mut Coder, settings: &Settings) -> Result<bool, gst::FlowError> {
        let wish = {
            let mut wish = self.wish.lock();
            let restart = std::mem::take(&mut wish.restart);
            Wish { restart, ..*wish }
        };
        let wanted = match settings.enhancement {
            Enhancement::Never => false,
            Enhancement::OnRequest => wish.on,
            Enhancement::Always => true,
        };
        let mut settings = settings.clone();
        let wished = settings.enhancement_bitrate;
        settings.enhancement_bitrate = self.feedback.lock().left(wished);
        // Of a rate, but not of constant quality, nothing may be left.
        let room = wished == 0 || settings.enhancement_bitrate > 0;
        let config = match wanted {
            true => settings.enhancement_config(&coder.opened().model),
            false => None,
        };
        coder.set_layer(config, wish.restart).map_err(|error| {
            gst::element_imp_error!(self, gst::ResourceError::Settings, ("Enhancement layer: {error}"));
            gst::FlowError::Error
        })?;
        Ok(wanted && room)
    }

    /// A warning for the first frame and then for every hundredth: the counter has them all.
    fn failed(&self, reason: &str) {
        let failed = self.stats.lock().failed();
        gst::warning!(CAT, imp = self, "frame not coded ({failed} so far): {reason}");
        if failed % 100 == 1 {
            gst::element_imp_warning!(
                self,
                gst::StreamError::Encode,
                ("Frame not coded ({failed} so far): {reason}")
            );
        }
    }

    fn write_squeezed(&self, settings: &Settings, picture: &cis_inference::restore::Picture) {
        let Some(location) = &settings.squeezed_location else {
            return;
        };
        if let Err(error) = squeezed::write_png(Path::new(location), picture) {
            gst::element_imp_warning!(
                self,
                gst::ResourceError::Write,
                ("Squeezed image not written to {location}: {error}")
            );
        }
    }
}

#[glib::object_subclass]
impl ObjectSubclass for CisEncode {
    const NAME: &'static str = "GstCisEncode";
    type Type = super::CisEncode;
    type ParentType = gst_video::VideoEncoder;
    type Interfaces = (gst::Preset,);
}

impl ObjectImpl for CisEncode {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let mut properties = Settings::properties();
            properties.push(
                glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
                    .nick("Statistics")
                    .blurb("frames, keys, skipped, dropped (QoS, or the link is too slow), failed, bytes, mean-kbps, enhanced, enhancement-bytes, enhancement-mean-kbps, and {encode,prepare,front,code,enhance}-{ms,cpu-ms}-{last,mean}")
                    .read_only()
                    .build(),
            );
            properties
        });
        PROPERTIES.as_ref()
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        self.settings.lock().set(pspec.name(), value);
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let value = self.settings.lock().get(pspec.name());
        value.unwrap_or_else(|| self.stats.lock().to_structure().to_value())
    }
}

impl GstObjectImpl for CisEncode {}

impl PresetImpl for CisEncode {}

impl ElementImpl for CisEncode {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "cis encoder",
                "Codec/Encoder/Video",
                "Squeezes frames and codes the features that a detector needs",
                "The cis developers",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let side =
                cis_inference::geometry::MIN_SOURCE as i32..=cis_inference::geometry::MAX_SOURCE as i32;
            let raw = gst_video::VideoCapsBuilder::new()
                .format_list(view::FORMATS)
                .width_range(side.clone())
                .height_range(side)
                .build();
            caps::pad_templates(&raw, &caps::frame_template())
        });
        TEMPLATES.as_ref()
    }
}

impl VideoEncoderImpl for CisEncode {
    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let opened = self.settings.lock().model.open()?;
        gst::info!(
            CAT,
            imp = self,
            "bundle {} from {}",
            opened.model.id,
            opened.model.bundle.origin()
        );
        let always = self.settings.lock().enhancement == Enhancement::Always;
        if always && opened.model.bundle.manifest().enhance.is_none() {
            let id = &opened.model.id;
            gst::element_imp_warning!(
                self,
                gst::ResourceError::Settings,
                ("Bundle {id} has no enhancement layer: enhancement=always codes none")
            );
        }
        *self.stats.lock() = Stats::default();
        *self.feedback.lock() = Feedback::default();
        *self.wish.lock() = Wish::default();
        *self.state.lock() = State {
            opened: Some(opened),
            ..State::default()
        };
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *self.state.lock() = State::default();
        Ok(())
    }

    fn set_format(
        &self,
        input: &gst_video::VideoCodecState<'static, gst_video::video_codec_state::Readable>,
    ) -> Result<(), gst::LoggableError> {
        let info = input.info().clone();
        let settings = self.settings.lock().clone();
        let stream = {
            let mut state = self.state.lock();
            let Some(opened) = state.opened.clone() else {
                return Err(gst::loggable_error!(CAT, "not started"));
            };
            let source = (info.width(), info.height());
            let size = settings.input_size(&opened.model);
            let result = match &mut state.coder {
                Some(coder) => coder.resize(source, size),
                None => Coder::new(opened.clone(), settings.codec_config(&opened.model), source, size)
                    .map(|coder| state.coder = Some(coder)),
            };
            if let Err(error) = result {
                let message = match &error {
                    super::coder::Error::Inference(error) => model::message(error),
                    super::coder::Error::Encode(error) => {
                        gst::error_msg!(gst::ResourceError::Settings, ("{error}"))
                    }
                };
                drop(state);
                self.post_error_message(message);
                return Err(gst::loggable_error!(CAT, "{error}"));
            }
            state.input = Some(info.clone());
            StreamCaps {
                bundle: opened.model.id.to_string(),
                width: info.width(),
                height: info.height(),
                framerate: Some(info.fps()),
            }
        };
        let obj = self.obj();
        let output = obj
            .set_output_state(stream.to_caps(), Some(input))
            .map_err(|_| gst::loggable_error!(CAT, "output caps refused"))?;
        obj.negotiate(output)
            .map_err(|_| gst::loggable_error!(CAT, "negotiation failed"))?;
        // Each frame is out before the next one comes in: it takes a frame's time at most.
        let latency = caps::frame_time(info.fps()).unwrap_or(gst::ClockTime::ZERO);
        obj.set_latency(latency, latency);
        self.parent_set_format(input)
    }

    fn handle_frame(
        &self,
        mut frame: gst_video::VideoCodecFrame<'_>,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let obj = self.obj();
        if obj.is_qos_enabled() && obj.max_encode_time(&frame) < 0 {
            return self.drop_late(frame);
        }
        let mut settings = self.settings.lock().clone();
        {
            let mut feedback = self.feedback.lock();
            let wanted = frame
                .flags()
                .contains(gst_video::VideoCodecFrameFlags::FORCE_KEYFRAME);
            let pts = frame.pts().map_or(0, gst::ClockTime::nseconds);
            if !feedback.may_code(pts) && !wanted {
                drop(feedback);
                return self.drop_late(frame);
            }
            settings.bitrate_is_bound = settings.bitrate == 0;
            settings.bitrate = feedback.bound(settings.bitrate);
        }
        let Some(coded) = self.code(&frame, &settings)? else {
            return obj.finish_frame(frame);
        };
        if let Some(picture) = &coded.squeezed {
            self.write_squeezed(&settings, picture);
        }
        let enhancement = match coded.enhancement {
            Some(Ok(packet)) => Some(packet),
            Some(Err(error)) => {
                gst::debug!(CAT, imp = self, "frame goes without enhancement: {error}");
                None
            }
            None => None,
        };
        let header = &coded.packet.header;
        let enhancement_len = enhancement.as_ref().map(|packet| packet.header.unit_len);
        self.feedback
            .lock()
            .sent(header.unit_len, enhancement_len.unwrap_or_default());
        self.stats.lock().sent(&Sent {
            bytes: header.unit_len,
            key: header.key,
            skipped: header.repeat,
            pts_ns: header.pts_ns,
            duration_ns: frame.duration().map_or(0, gst::ClockTime::nseconds),
            timings: coded.timings,
            enhancement: enhancement_len,
        });
        gst::trace!(
            CAT,
            imp = self,
            "frame {} of {} bytes, key {}, qindex {}",
            header.number,
            header.unit_len,
            header.key,
            header.qindex
        );
        if header.key {
            frame.set_flags(gst_video::VideoCodecFrameFlags::SYNC_POINT);
        }
        let mut unit = gst::Buffer::from_slice(coded.packet.data);
        encoded::attach(unit.make_mut(), coded.timings.encode());
        frame.set_output_buffer(unit);
        if let Some(packet) = enhancement {
            obj.finish_subframe(&frame)?;
            frame.unset_flags(gst_video::VideoCodecFrameFlags::SYNC_POINT);
            frame.set_output_buffer(gst::Buffer::from_slice(packet.data));
        }
        obj.finish_frame(frame)
    }

    /// The link tells what it carries, and which layers the receiver wants.
    fn src_event(&self, event: gst::Event) -> bool {
        if let Some(target) = quic::congestion_target(&event) {
            gst::debug!(CAT, imp = self, "the link carries {target:?} bit/s");
            self.feedback.lock().set_target(target);
            return true;
        }
        if let Some(LayerWish { layer, on, restart }) = quic::layer_wish(&event) {
            gst::debug!(
                CAT,
                imp = self,
                "layer {layer} wanted: {on}, from a key frame: {restart}"
            );
            if layer == cis_codec::frame::ENHANCEMENT {
                let mut wish = self.wish.lock();
                *wish = Wish {
                    on,
                    restart: on && (restart || wish.restart),
                };
            }
            return true;
        }
        self.parent_src_event(event)
    }

    fn flush(&self) -> bool {
        self.state.lock().force_key = true;
        true
    }

    /// At the end of the stream the counters go out as an element message too: `gst-launch-1.0 -m` shows it.
    fn finish(&self) -> Result<gst::FlowSuccess, gst::FlowError> {
        let mut statistics = self.stats.lock().to_structure();
        statistics.set_name("cisencode-stats");
        if let Some(opened) = &self.state.lock().opened {
            statistics.set("front-macs", opened.model.bundle.manifest().front.macs);
        }
        quic::post(&*self.obj(), statistics);
        self.parent_finish()
    }

    fn propose_allocation(&self, query: &mut gst::query::Allocation) -> Result<(), gst::LoggableError> {
        query.add_allocation_meta::<gst_video::VideoMeta>(None);
        self.parent_propose_allocation(query)
    }
}
