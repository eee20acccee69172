//! `cistrack`, the GObject: an in-place `GstBaseTransform` that reads regions off buffers and puts them back with track numbers.

use super::{candidates, settings};
use crate::caps;
use crate::regions::{self, Region};
use cis_analytics::{Detection, Numbers, Rect, Settings, Tracker};
use cis_codec::Limits;
use cis_codec::frame::{self, HeaderReader};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::BaseTransformMode;
use gst_base::subclass::prelude::*;
use parking_lot::Mutex;
use std::sync::LazyLock;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("cistrack", gst::DebugColorFlags::empty(), Some("tracker of cis"))
});

/// What there is only while the element runs.
struct State {
    headers: HeaderReader,
    tracker: Tracker,
    /// Of the newest frame, in the order of its regions.
    tracks: Vec<Option<u64>>,
    frames: u64,
    /// The highest number so far.
    newest: u64,
}

#[derive(Default)]
pub struct CisTrack {
    settings: Mutex<Settings>,
    state: Mutex<Option<State>>,
}

#[glib::object_subclass]
impl ObjectSubclass for CisTrack {
    const NAME: &'static str = "GstCisTrack";
    type Type = super::CisTrack;
    type ParentType = gst_base::BaseTransform;
}

impl ObjectImpl for CisTrack {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let mut properties = settings::properties();
            properties.push(
                glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
                    .nick("Statistics")
                    .blurb("frames, tracks (all since the start), current (those of the newest frame)")
                    .read_only()
                    .build(),
            );
            properties
        });
        PROPERTIES.as_ref()
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        settings::set(&mut self.settings.lock(), pspec.name(), value);
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        settings::get(&self.settings.lock(), pspec.name()).unwrap_or_else(|| self.stats().to_value())
    }
}

impl GstObjectImpl for CisTrack {}

impl ElementImpl for CisTrack {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "cis tracker",
                "Analyzer/Video",
                "Follows detected objects from frame to frame",
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

impl BaseTransformImpl for CisTrack {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let settings = *self.settings.lock();
        settings::check(&settings)
            .map_err(|error| gst::error_msg!(gst::ResourceError::Settings, ("{error}")))?;
        *self.state.lock() = Some(State {
            headers: HeaderReader::new(Limits::default()),
            tracker: Tracker::new(settings, Numbers::default()),
            tracks: Vec::new(),
            frames: 0,
            newest: 0,
        });
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *self.state.lock() = None;
        Ok(())
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        match event.type_() {
            gst::EventType::FlushStop => {
                if let Some(state) = self.state.lock().as_mut() {
                    state.headers.reset();
                }
            }
            gst::EventType::Caps => {
                let low = self.settings.lock().low;
                if !self.obj().sink_pad().push_event(candidates::event(low)) {
                    gst::debug!(CAT, imp = self, "nobody upstream has more boxes");
                }
            }
            _ => {}
        }
        self.parent_sink_event(event)
    }

    fn transform_ip(&self, buffer: &mut gst::BufferRef) -> Result<gst::FlowSuccess, gst::FlowError> {
        let mut guard = self.state.lock();
        let state = guard.as_mut().ok_or(gst::FlowError::NotNegotiated)?;
        let header = match buffer.map_readable() {
            Ok(unit) => state.headers.read(&unit),
            Err(_) => return Err(gst::FlowError::Error),
        };
        let (mut shown, unsure) = (regions::read_detections(buffer), regions::read_candidates(buffer));
        match header {
            Ok(header) => {
                let boxes: Vec<_> = shown.iter().chain(&unsure).map(detection).collect();
                state.tracks = state.tracker.frame(header.pts_ns, &boxes);
                state.frames += 1;
            }
            // It belongs to the frame before it, and has its regions.
            Err(frame::Error::OtherLayer { .. }) => {}
            Err(error) => {
                gst::debug!(CAT, imp = self, "passed on as it is: {error}");
                return Ok(gst::FlowSuccess::Ok);
            }
        }
        for (region, track) in shown.iter_mut().zip(&state.tracks) {
            region.track = *track;
            state.newest = state.newest.max(track.unwrap_or_default());
        }
        regions::clear_own(buffer);
        for region in &shown {
            regions::attach(buffer, region);
        }
        Ok(gst::FlowSuccess::Ok)
    }
}

impl CisTrack {
    fn stats(&self) -> gst::Structure {
        let state = self.state.lock();
        let counts = state.as_ref().map(|state| {
            let current = state.tracks.iter().flatten().count() as u64;
            (state.frames, state.newest, current)
        });
        let (frames, tracks, current) = counts.unwrap_or_default();
        gst::Structure::builder("stats")
            .field("frames", frames)
            .field("tracks", tracks)
            .field("current", current)
            .build()
    }
}

fn detection(region: &Region) -> Detection {
    let [x, y, w, h] = [region.x, region.y, region.w, region.h].map(|side| side as f32);
    Detection {
        class_id: region.class_id,
        label: region.label.as_str().into(),
        confidence: region.confidence as f32,
        bounds: Rect { x, y, w, h },
    }
}
