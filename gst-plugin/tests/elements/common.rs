//! Shared by all tests: set-up, running pipelines with a deadline, reading units.

use std::path::PathBuf;
use std::sync::Once;
use std::time::{Duration, Instant};

use cis_codec::Limits;
use cis_codec::frame::{self, Header, HeaderReader};
use cis_inference::runtime::{Runtime, Search};
use gst::prelude::*;

const DEADLINE: Duration = Duration::from_secs(120);

/// GStreamer with the plugin, and ONNX Runtime from its usual places or from where set-up puts it.
pub fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        gst::init().unwrap();
        gstcis::plugin_register_static().unwrap();
        let mut search = Search::from_environment();
        search.folders.insert(0, repository().join(".cis/onnxruntime"));
        if let Err(error) = Runtime::load_with(&search) {
            panic!("these tests run networks: {error}");
        }
    });
}

pub fn repository() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

pub fn tiny() -> String {
    repository()
        .join("inference/tests/fixtures/tiny")
        .display()
        .to_string()
}

/// Squeezes by 4, takes planes, and has the squeezed image's network in a file of its own.
pub fn tiny4() -> String {
    repository()
        .join("inference/tests/fixtures/tiny4")
        .display()
        .to_string()
}

/// Has an enhancement layer, and brightens pictures by one level for each that it remembers.
pub fn tinyview() -> String {
    repository()
        .join("inference/tests/fixtures/tinyview")
        .display()
        .to_string()
}

/// What a pipeline left behind.
#[derive(Default)]
pub struct Ran {
    pub samples: Vec<gst::Sample>,
    pub warnings: Vec<String>,
    pub error: Option<gst::glib::Error>,
    pub error_text: String,
    pub eos: bool,
}

impl Ran {
    /// Fails when the pipeline did.
    pub fn ok(self) -> Self {
        assert!(self.error.is_none(), "{}", self.error_text);
        assert!(self.eos);
        self
    }

    pub fn buffers(&self) -> Vec<&gst::BufferRef> {
        self.samples
            .iter()
            .map(|sample| sample.buffer().unwrap())
            .collect()
    }

    pub fn units(&self) -> Vec<Vec<u8>> {
        self.buffers().into_iter().map(bytes).collect()
    }

    pub fn pts(&self) -> Vec<u64> {
        self.buffers()
            .into_iter()
            .map(|buffer| buffer.pts().unwrap().nseconds())
            .collect()
    }
}

pub fn bytes(buffer: &gst::BufferRef) -> Vec<u8> {
    buffer.map_readable().unwrap().to_vec()
}

/// Runs a pipeline to its end, or to its first error. What reaches `appsink name=out` is kept.
pub fn run(launch: &str) -> Ran {
    init();
    let pipeline = gst::parse::launch(launch)
        .unwrap()
        .downcast::<gst::Pipeline>()
        .unwrap();
    run_pipeline(&pipeline)
}

pub fn run_pipeline(pipeline: &gst::Pipeline) -> Ran {
    let mut ran = Ran::default();
    let sink = pipeline
        .by_name("out")
        .and_then(|sink| sink.downcast::<gst_app::AppSink>().ok());
    let bus = pipeline.bus().unwrap();
    let _ = pipeline.set_state(gst::State::Playing);
    let started = Instant::now();
    while !ran.eos && ran.error.is_none() {
        assert!(started.elapsed() < DEADLINE, "the pipeline hangs");
        match &sink {
            Some(sink) => ran
                .samples
                .extend(sink.try_pull_sample(gst::ClockTime::from_mseconds(20))),
            None => std::thread::yield_now(),
        }
        while let Some(message) = bus.timed_pop(gst::ClockTime::from_mseconds(u64::from(sink.is_none()))) {
            note(&mut ran, &message);
        }
    }
    // An end of stream on the bus means that the sink has everything.
    while let Some(sample) = sink
        .as_ref()
        .and_then(|sink| sink.try_pull_sample(gst::ClockTime::ZERO))
    {
        ran.samples.push(sample);
    }
    pipeline.set_state(gst::State::Null).unwrap();
    while let Some(message) = bus.pop() {
        note(&mut ran, &message);
    }
    ran
}

fn note(ran: &mut Ran, message: &gst::Message) {
    match message.view() {
        gst::MessageView::Eos(_) => ran.eos = true,
        gst::MessageView::Warning(warning) => ran.warnings.push(warning.error().to_string()),
        gst::MessageView::Error(error) if ran.error.is_none() => {
            ran.error_text = format!("{} ({:?})", error.error(), error.debug());
            ran.error = Some(error.error());
        }
        _ => {}
    }
}

/// Headers of whole units, in order.
pub fn headers<B: AsRef<[u8]>>(units: &[B]) -> Vec<Header> {
    let mut reader = HeaderReader::new(Limits::default());
    units
        .iter()
        .map(|unit| reader.read(unit.as_ref()).unwrap())
        .collect()
}

/// Cuts a stream into units.
pub fn split(mut stream: &[u8]) -> Vec<Vec<u8>> {
    let mut units = Vec::new();
    while !stream.is_empty() {
        let peek = frame::peek(stream, &Limits::default()).unwrap();
        let (unit, rest) = stream.split_at(peek.unit_len);
        units.push(unit.to_vec());
        stream = rest;
    }
    units
}

/// A coded stream of moving pictures: `frames` of 320x240 at 10 a second, a key frame every `key_interval`.
pub fn stream(frames: u32, key_interval: u32) -> Vec<Vec<u8>> {
    run(&format!(
        "videotestsrc pattern=ball num-buffers={frames} ! video/x-raw,format=I420,width=320,height=240,framerate=10/1 \
         ! cisencode model={} input-size=128 key-interval={key_interval} ! appsink name=out sync=false",
        tiny()
    ))
    .ok()
    .units()
}

/// A field of an element's `stats`.
pub fn stat<T>(element: &impl IsA<gst::Element>, field: &str) -> T
where
    T: for<'a> gst::glib::value::FromValue<'a> + 'static,
{
    element
        .property::<gst::Structure>("stats")
        .get::<T>(field)
        .unwrap()
}

/// An element made with properties, `stats` readable afterwards.
pub fn element(launch: &str) -> gst::Element {
    init();
    let (factory, rest) = launch.split_once(' ').unwrap_or((launch, ""));
    let element = gst::ElementFactory::make(factory).build().unwrap();
    for pair in rest.split_whitespace() {
        let (name, value) = pair.split_once('=').unwrap();
        element.set_property_from_str(name, value);
    }
    element
}

/// Caps of what [`stream`] makes.
pub fn unit_caps() -> gst::Caps {
    gst::Caps::builder("video/x-cis")
        .field("version", 2)
        .field("alignment", "frame")
        .field("bundle", "cis-tiny-fixture")
        .field("width", 320)
        .field("height", 240)
        .field("framerate", gst::Fraction::new(10, 1))
        .build()
}

/// A unit as a buffer with its time stamp.
pub fn unit_buffer(unit: &[u8], index: u64) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_slice(unit.to_vec());
    let time = gst::ClockTime::from_mseconds(100);
    let it = buffer.get_mut().unwrap();
    it.set_pts(time * index);
    it.set_duration(time);
    buffer
}
