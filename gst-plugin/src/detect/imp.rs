//! `cisdetect`, the GObject: an in-place `GstBaseTransform` around the unit reader and the detector.

use std::sync::{Arc, LazyLock};
use std::time::Instant;

use cis_inference::detect::{Detection, Params};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::BaseTransformMode;
use gst_base::subclass::prelude::*;
use parking_lot::Mutex;

use super::finder::Finder;
use super::settings::Settings;
use super::stats::Stats;
use crate::caps;
use crate::model::{self, Opened};
use crate::regions::{self, Region};
use crate::track::candidates;
use crate::units::{self, Outcome, UnitReader};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "cisdetect",
        gst::DebugColorFlags::empty(),
        Some("detector of cis"),
    )
});

/// What there is only while the element runs.
struct State {
    opened: Opened,
    finder: Finder,
    reader: UnitReader,
    params: Arc<Params>,
    /// What was found in the last frame: true of the repeats that follow, too.
    last: Vec<Region>,
    /// The same, of what is too unsure to be a detection.
    candidates: Vec<Region>,
}

#[derive(Default)]
pub struct CisDetect {
    settings: Mutex<Settings>,
    state: Mutex<Option<State>>,
    /// Apart from the state, which is locked while the network runs.
    stats: Mutex<Stats>,
    /// From which confidence on a tracker downstream wants boxes.
    candidates: Mutex<Option<f32>>,
    /// Time of one frame, for the latency query.
    frame_time: Mutex<Option<gst::ClockTime>>,
}

/// What to do about a unit.
enum Verdict {
    Pass,
    Drop,
    Ask,
    Damaged(String),
    Mismatch(String),
    Failed(gst::ErrorMessage),
}

impl CisDetect {
    fn open(&self) -> Result<State, gst::ErrorMessage> {
        let mut settings = self.settings.lock();
        settings.changed = false;
        let settings = settings.clone();
        let opened = settings.model.open()?;
        let params = settings
            .params(&opened.model)
            .map_err(|error| gst::error_msg!(gst::ResourceError::Settings, ("{error}")))?;
        let finder = Finder::open(&opened, settings.instance.as_deref(), settings.batch())
            .map_err(|error| model::message(&error))?;
        Ok(State {
            reader: UnitReader::new(opened.model.clone()),
            opened,
            finder,
            params: Arc::new(params),
            last: Vec::new(),
            candidates: Vec::new(),
        })
    }

    /// Reads the unit and finds the objects in it; they are in `state.last` afterwards.
    fn examine(&self, state: &mut State, unit: &[u8]) -> Verdict {
        let changed = {
            let mut settings = self.settings.lock();
            std::mem::take(&mut settings.changed).then(|| settings.clone())
        };
        if let Some(settings) = changed {
            match settings.params(&state.opened.model) {
                Ok(params) => state.params = Arc::new(params),
                Err(error) => {
                    return Verdict::Failed(gst::error_msg!(gst::ResourceError::Settings, ("{error}")));
                }
            }
        }
        let frame = match state.reader.read(unit) {
            Outcome::Frame(frame) => frame,
            Outcome::OtherLayer => return Verdict::Pass,
            Outcome::Waiting { ask: true } => return Verdict::Ask,
            Outcome::Waiting { ask: false } => return Verdict::Drop,
            Outcome::Damaged(reason) => return Verdict::Damaged(reason),
            Outcome::Mismatch(reason) => return Verdict::Mismatch(reason),
        };
        if frame.header.repeat {
            let mut stats = self.stats.lock();
            stats.frames += 1;
            stats.repeats += 1;
            stats.objects += state.last.len() as u64;
            return Verdict::Pass;
        }
        let started = Instant::now();
        let threshold = state.params.threshold;
        let least = self.candidates.lock().unwrap_or(threshold).min(threshold);
        let params = Arc::new(Params {
            threshold: least,
            ..(*state.params).clone()
        });
        let found = match state.finder.detect(frame.latents, frame.geometry, &params) {
            Ok(found) => found,
            Err(error) => return Verdict::Failed(model::message(&error)),
        };
        let source = frame.geometry.source;
        // Most confident first.
        let (sure, unsure) = found.split_at(found.partition_point(|d| d.confidence >= threshold));
        let regions = |found: &[Detection]| found.iter().map(|d| Region::on_grid(d, source)).collect();
        (state.last, state.candidates) = (regions(sure), regions(unsure));
        let mut stats = self.stats.lock();
        stats.frames += 1;
        stats.objects += sure.len() as u64;
        stats.last = started.elapsed();
        stats.sum += started.elapsed();
        Verdict::Pass
    }

    fn request_key(&self) {
        gst::debug!(CAT, imp = self, "asking for a key frame");
        let event = gst_video::UpstreamForceKeyUnitEvent::builder()
            .all_headers(true)
            .build();
        if !self.obj().sink_pad().push_event(event) {
            gst::debug!(CAT, imp = self, "nobody upstream makes key frames");
        }
    }

    fn drop_unit(&self) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.stats.lock().dropped += 1;
        Ok(gst_base::BASE_TRANSFORM_FLOW_DROPPED)
    }
}

#[glib::object_subclass]
impl ObjectSubclass for CisDetect {
    const NAME: &'static str = "GstCisDetect";
    type Type = super::CisDetect;
    type ParentType = gst_base::BaseTransform;
}

impl ObjectImpl for CisDetect {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let mut properties = Settings::properties();
            properties.push(
                glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
                    .nick("Statistics")
                    .blurb("frames, repeats, objects, damaged, dropped, detect-ms-{last,mean}")
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

impl GstObjectImpl for CisDetect {}

impl ElementImpl for CisDetect {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "cis detector",
                "Analyzer/Video",
                "Finds objects in coded features",
                "The cis developers",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> =
            LazyLock::new(|| caps::pad_templates(&caps::frame_template(), &caps::frame_template()));
        TEMPLATES.as_ref()
    }
}

impl BaseTransformImpl for CisDetect {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let state = self.open()?;
        gst::info!(
            CAT,
            imp = self,
            "bundle {} from {}",
            state.opened.model.id,
            state.opened.model.bundle.origin()
        );
        *self.stats.lock() = Stats::default();
        *self.state.lock() = Some(state);
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *self.state.lock() = None;
        *self.candidates.lock() = None;
        Ok(())
    }

    fn set_caps(&self, incaps: &gst::Caps, _outcaps: &gst::Caps) -> Result<(), gst::LoggableError> {
        let framerate = incaps
            .structure(0)
            .and_then(|s| s.get::<gst::Fraction>("framerate").ok());
        *self.frame_time.lock() = framerate.and_then(caps::frame_time);
        let state = self.state.lock();
        let Some(state) = state.as_ref() else {
            return Ok(());
        };
        if let Err(reason) = units::check_bundle(incaps, &state.opened.model) {
            gst::element_imp_error!(self, gst::StreamError::WrongType, ("{reason}"));
            return Err(gst::loggable_error!(CAT, "{reason}"));
        }
        Ok(())
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        if event.type_() == gst::EventType::FlushStop
            && let Some(state) = self.state.lock().as_mut()
        {
            state.reader.reset();
            state.last.clear();
            state.candidates.clear();
        }
        self.parent_sink_event(event)
    }

    fn src_event(&self, event: gst::Event) -> bool {
        if let Some(threshold) = candidates::threshold(&event) {
            *self.candidates.lock() = Some(threshold);
            return true;
        }
        self.parent_src_event(event)
    }

    fn query(&self, direction: gst::PadDirection, query: &mut gst::QueryRef) -> bool {
        if direction == gst::PadDirection::Src
            && let gst::QueryViewMut::Latency(latency) = query.view_mut()
        {
            let mut upstream = gst::query::Latency::new();
            if !self.obj().sink_pad().peer_query(&mut upstream) {
                return false;
            }
            // Each frame is out before the next one comes in: it takes a frame's time at most.
            let own = self.frame_time.lock().unwrap_or(gst::ClockTime::ZERO);
            let (live, min, max) = upstream.result();
            latency.set(
                live,
                min.saturating_add(own),
                max.map(|max| max.saturating_add(own)),
            );
            return true;
        }
        BaseTransformImplExt::parent_query(self, direction, query)
    }

    fn transform_ip(&self, buffer: &mut gst::BufferRef) -> Result<gst::FlowSuccess, gst::FlowError> {
        let mut guard = self.state.lock();
        let state = guard.as_mut().ok_or(gst::FlowError::NotNegotiated)?;
        let verdict = match buffer.map_readable() {
            Ok(map) => self.examine(state, &map),
            Err(_) => Verdict::Damaged("the buffer cannot be read".to_owned()),
        };
        if let Verdict::Pass = verdict {
            for region in &state.last {
                regions::attach(buffer, region);
            }
            for region in &state.candidates {
                regions::attach_candidate(buffer, region);
            }
            return Ok(gst::FlowSuccess::Ok);
        }
        // Messages and events may come back to this element.
        drop(guard);
        match verdict {
            Verdict::Pass | Verdict::Drop => self.drop_unit(),
            Verdict::Ask => {
                self.request_key();
                self.drop_unit()
            }
            Verdict::Damaged(reason) => {
                self.stats.lock().damaged += 1;
                gst::element_imp_warning!(
                    self,
                    gst::StreamError::Decode,
                    ("Damaged unit: {reason}; going on at the next key frame")
                );
                self.request_key();
                self.drop_unit()
            }
            Verdict::Mismatch(reason) => {
                gst::element_imp_error!(self, gst::StreamError::WrongType, ("{reason}"));
                Err(gst::FlowError::Error)
            }
            Verdict::Failed(message) => {
                self.post_error_message(message);
                Err(gst::FlowError::Error)
            }
        }
    }
}
