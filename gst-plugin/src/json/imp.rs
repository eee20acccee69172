//! The GObject of `cisjson`: turns a unit and the regions on its buffer into one buffer of text.

use super::line;
use crate::{caps, generated, regions};
use cis_codec::{
    Limits,
    frame::{self, HeaderReader},
};
use gst::{glib, prelude::*, subclass::prelude::*};
use gst_base::subclass::{
    BaseTransformMode,
    base_transform::{BaseTransformImplExt, GenerateOutputSuccess},
    prelude::*,
};
use parking_lot::Mutex;
use std::sync::LazyLock;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "cisjson",
        gst::DebugColorFlags::empty(),
        Some("cis: detections as JSON lines"),
    )
});

struct State {
    headers: HeaderReader,
    /// Set by the first unit that cannot be read, so that one damage makes one warning.
    damaged: bool,
    /// Name from upstream's tags, for when the property is empty.
    title: String,
    lines: u64,
    objects: u64,
    skipped: u64,
}

impl State {
    fn new() -> Self {
        Self {
            headers: HeaderReader::new(Limits::default()),
            damaged: false,
            title: String::new(),
            lines: 0,
            objects: 0,
            skipped: 0,
        }
    }
}

pub struct Json {
    /// Property `stream`.
    stream: Mutex<String>,
    state: Mutex<State>,
}

#[glib::object_subclass]
impl ObjectSubclass for Json {
    const NAME: &'static str = "CisJson";
    type Type = super::Json;
    type ParentType = gst_base::BaseTransform;

    fn new() -> Self {
        Self {
            stream: Mutex::default(),
            state: Mutex::new(State::new()),
        }
    }
}

impl ObjectImpl for Json {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            vec![
                glib::ParamSpecString::builder("stream")
                    .nick("Stream")
                    .blurb("Value of the field stream (empty = the title that upstream announces)")
                    .default_value(Some(""))
                    .mutable_playing()
                    .build(),
                glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
                    .nick("Statistics")
                    .blurb("Lines written, objects in them, units skipped because they could not be read")
                    .read_only()
                    .build(),
            ]
        });
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        if pspec.name() == "stream" {
            *self.stream.lock() = value.get::<Option<String>>().ok().flatten().unwrap_or_default();
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        if pspec.name() == "stream" {
            return self.stream.lock().to_value();
        }
        let state = self.state.lock();
        gst::Structure::builder("cisjson-stats")
            .field("lines", state.lines)
            .field("objects", state.objects)
            .field("skipped", state.skipped)
            .build()
            .to_value()
    }
}

impl GstObjectImpl for Json {}

impl ElementImpl for Json {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "cis JSON lines",
                "Filter/Converter/Metadata",
                "Writes the detections of each coded frame as one JSON object a line",
                "The cis authors",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let text = gst::Caps::new_empty_simple("application/x-ndjson");
            caps::pad_templates(&caps::frame_template(), &text)
        });
        &TEMPLATES
    }
}

impl BaseTransformImpl for Json {
    const MODE: BaseTransformMode = BaseTransformMode::NeverInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *self.state.lock() = State::new();
        Ok(())
    }

    fn transform_caps(
        &self,
        direction: gst::PadDirection,
        _caps: &gst::Caps,
        filter: Option<&gst::Caps>,
    ) -> Option<gst::Caps> {
        let other = if direction == gst::PadDirection::Sink {
            "src"
        } else {
            "sink"
        };
        let caps = self.obj().pad_template(other)?.caps().clone();
        Some(match filter {
            Some(filter) => filter.intersect_with_mode(&caps, gst::CapsIntersectMode::First),
            None => caps,
        })
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        match event.view() {
            gst::EventView::FlushStop(_) => {
                let mut state = self.state.lock();
                state.headers.reset();
                state.damaged = false;
            }
            gst::EventView::Tag(tag) => {
                if let Some(title) = tag.tag().get::<gst::tags::Title>() {
                    self.state.lock().title = title.get().to_owned();
                }
            }
            _ => {}
        }
        self.parent_sink_event(event)
    }

    fn generate_output(&self) -> Result<GenerateOutputSuccess, gst::FlowError> {
        let Some(buffer) = self.take_queued_buffer() else {
            return Ok(GenerateOutputSuccess::NoOutput);
        };
        let unit = buffer.map_readable().map_err(|_| gst::FlowError::Error)?;
        let regions = regions::read(&buffer);
        let mut state = self.state.lock();
        let header = match state.headers.read(&unit) {
            Ok(header) => header,
            // It belongs to a frame that has a line already.
            Err(frame::Error::OtherLayer { .. }) => return Ok(GenerateOutputSuccess::NoOutput),
            Err(error) => {
                state.skipped += 1;
                let first = !std::mem::replace(&mut state.damaged, true);
                drop(state);
                self.skip(&error, first);
                return Ok(GenerateOutputSuccess::NoOutput);
            }
        };
        state.damaged = false;
        state.lines += 1;
        state.objects += regions.len() as u64;
        let stream = self.stream.lock();
        let stream = if stream.is_empty() { &state.title } else { &*stream };
        let text = line::write(stream, &header, Some(&regions), generated::quality_of(&buffer)).map_err(
            |error| {
                gst::element_imp_error!(self, gst::StreamError::Encode, ("{error}"));
                gst::FlowError::Error
            },
        )?;
        let mut out = gst::Buffer::from_mut_slice(text);
        if let Some(out) = out.get_mut() {
            out.set_pts(buffer.pts());
            out.set_duration(buffer.duration());
        }
        Ok(GenerateOutputSuccess::Buffer(out))
    }
}

impl Json {
    /// Says why a unit makes no line: aloud once for a damage, in the log for the units that it takes along.
    fn skip(&self, error: &frame::Error, first: bool) {
        match error {
            _ if first => gst::element_imp_warning!(
                self,
                gst::StreamError::Decode,
                ("unit skipped, waiting for a key frame: {error}")
            ),
            _ => gst::debug!(CAT, imp = self, "skipped: {error}"),
        }
    }
}
