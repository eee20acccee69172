//! From raw pictures to what browsers play, `... ! x264enc ! mp4mux ! appsink`: fragments of one picture each, and beside
//! each picture its boxes as JSON. Any number of viewers share it; who is too slow misses fragments, the others do not.

use super::fmp4::{self, Part, Splitter};
use crate::view::{CAPTURED, encode};
use axum::extract::ws::Utf8Bytes;
use bytes::Bytes;
use gst::glib;
use gst::prelude::*;
use gst_app::{AppSink, AppSinkCallbacks};
use gstcis::{generated, regions};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::sync::{broadcast, watch};

/// Chunks that may wait for a viewer: some 60 pictures.
const QUEUE: usize = 128;
/// How often the encoder is asked for a key frame at most.
const KEY_PAUSE: Duration = Duration::from_secs(1);

/// What viewers get, in order.
#[derive(Clone, Debug)]
pub enum Chunk {
    /// What is to be said of a picture, before it comes.
    Picture(Utf8Bytes),
    /// A picture; `key`: one can begin with it.
    Fragment {
        /// Whether it is a key frame.
        key: bool,
        /// The bytes.
        data: Bytes,
    },
    /// There are no more.
    End,
}

/// What comes before all fragments.
#[derive(Clone, Debug)]
pub struct Init {
    /// For `MediaSource.addSourceBuffer`.
    pub codec: String,
    /// The bytes.
    pub data: Bytes,
}

/// A running pipeline. It ends when dropped, which waits for its threads.
pub struct Film {
    pipeline: gst::Pipeline,
    encoder: gst::Element,
    outlet: Arc<Outlet>,
    asked: Mutex<Option<Instant>>,
}

/// Where the pipeline's threads put what they have.
struct Outlet {
    chunks: broadcast::Sender<Chunk>,
    init: watch::Sender<Option<Init>>,
    ended: AtomicBool,
}

impl Outlet {
    fn end(&self) {
        self.ended.store(true, Relaxed);
        // An error says that nobody watches.
        let _ = self.chunks.send(Chunk::End);
        // Who waits for the beginning waits no longer.
        self.init.send_modify(|_| {});
    }

    fn part(&self, part: Part) {
        match part {
            Part::Init(data) => {
                let codec = fmp4::codec(&data).unwrap_or_default();
                self.init.send_replace(Some(Init { codec, data }));
            }
            Part::Fragment { key, data } => {
                let _ = self.chunks.send(Chunk::Fragment { key, data });
            }
        }
    }
}

/// At which pace fragments come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As pictures come in.
    Live,
    /// As their time stamps say.
    Clock,
}

impl Film {
    /// A pipeline that begins with `head`, whose last element gives raw pictures. It waits for [`Film::play`].
    pub fn new(
        head: Vec<gst::Element>,
        settings: encode::Settings,
        pace: Pace,
    ) -> Result<Self, glib::BoolError> {
        let outlet = Arc::new(Outlet {
            chunks: broadcast::Sender::new(QUEUE),
            init: watch::Sender::new(None),
            ended: AtomicBool::new(false),
        });
        let mux = gst::ElementFactory::make("mp4mux")
            // Shorter than any picture lasts: each makes a fragment.
            .property("fragment-duration", 1u32)
            .build()?;
        let tail = encode::chain(settings)?;
        if let Some(pad) = tail.first().and_then(|overlay| overlay.static_pad("sink")) {
            describe(&pad, outlet.clone());
        }
        let mut chain = head;
        chain.extend(tail);
        chain.push(mux.clone());
        chain.push(sink(&outlet, pace).upcast());
        let pipeline = gst::Pipeline::new();
        pipeline.add_many(&chain)?;
        gst::Element::link_many(&chain)?;
        for pad in mux.sink_pads() {
            pad.set_property("trak-timescale", 90_000u32);
        }
        let encoder = pipeline
            .by_name("encoder")
            .ok_or_else(|| glib::bool_error!("no encoder"))?;
        if let Some(bus) = pipeline.bus() {
            let outlet = outlet.clone();
            bus.set_sync_handler(move |_, message| {
                match message.view() {
                    gst::MessageView::Error(error) => {
                        // The size of pictures has changed, for example: viewers come again.
                        tracing::info!("a film for browsers ended: {}", error.error());
                        outlet.end();
                    }
                    gst::MessageView::Eos(_) => outlet.end(),
                    _ => {}
                }
                gst::BusSyncReply::Drop
            });
        }
        Ok(Self {
            pipeline,
            encoder,
            outlet,
            asked: Mutex::new(None),
        })
    }

    /// Starts it.
    pub fn play(&self) -> Result<(), glib::BoolError> {
        match self.pipeline.set_state(gst::State::Playing) {
            Ok(_) => Ok(()),
            Err(_) => Err(glib::bool_error!("the pipeline does not start")),
        }
    }

    /// Everything from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Chunk> {
        self.outlet.chunks.subscribe()
    }

    /// What comes before everything else, as soon as it is there; `None`: the film has ended without it.
    pub async fn init(&self) -> Option<Init> {
        let mut init = self.outlet.init.subscribe();
        let there = init.wait_for(|init| init.is_some() || self.ended()).await;
        there.ok().and_then(|init| init.clone())
    }

    /// Whether no more chunks come.
    pub fn ended(&self) -> bool {
        self.outlet.ended.load(Relaxed)
    }

    /// A viewer needs a key frame.
    pub fn ask_key(&self) {
        let mut asked = self.asked.lock();
        if asked.is_none_or(|asked| asked.elapsed() >= KEY_PAUSE) {
            *asked = Some(Instant::now());
            let event = gst_video::UpstreamForceKeyUnitEvent::builder()
                .all_headers(true)
                .build();
            self.encoder.send_event(event);
        }
    }
}

impl Drop for Film {
    fn drop(&mut self) {
        // Going to NULL cannot fail.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

fn sink(outlet: &Arc<Outlet>, pace: Pace) -> AppSink {
    let sink = AppSink::builder()
        .sync(pace == Pace::Clock)
        .max_buffers(4)
        .build();
    let (outlet, splitter) = (outlet.clone(), Mutex::new(Splitter::default()));
    sink.set_callbacks(
        AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                let map = sample.buffer().and_then(|buffer| buffer.map_readable().ok());
                let parts = splitter.lock().push(map.as_deref().unwrap_or_default());
                match parts {
                    Ok(parts) => parts.into_iter().for_each(|part| outlet.part(part)),
                    Err(e) => {
                        tracing::error!("mp4mux: {e}");
                        return Err(gst::FlowError::Error);
                    }
                }
                Ok(gst::FlowSuccess::Ok)
            })
            .build(),
    );
    sink
}

/// Says of each picture what is on it, and takes its regions off: the page draws them.
fn describe(pad: &gst::Pad, outlet: Arc<Outlet>) {
    let begin = Mutex::new(None);
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        if let Some(buffer) = info.buffer_mut() {
            let segment = pad
                .sticky_event::<gst::event::Segment>(0)
                .and_then(|event| event.segment().downcast_ref::<gst::ClockTime>().cloned());
            let time = segment.and_then(|segment| segment.to_running_time(buffer.pts()));
            if let Some(time) = time {
                // mp4mux begins at zero, whenever the first picture comes.
                let time = time.saturating_sub(*begin.lock().get_or_insert(time));
                let picture = picture(buffer, time).to_string();
                let _ = outlet.chunks.send(Chunk::Picture(picture.into()));
            }
            regions::clear(buffer.make_mut());
        }
        gst::PadProbeReturn::Ok
    });
}

fn picture(buffer: &gst::BufferRef, time: gst::ClockTime) -> serde_json::Value {
    let objects: Vec<_> = regions::read(buffer)
        .iter()
        .map(|region| {
            serde_json::json!({
                "class_id": region.class_id,
                "label": region.label,
                "confidence": region.confidence,
                "box": [region.x, region.y, region.w, region.h],
                "track_id": region.track,
            })
        })
        .collect();
    let captured = buffer
        .iter_meta::<gst::ReferenceTimestampMeta>()
        .filter(|meta| meta.reference().is_subset(&CAPTURED))
        .last()
        .map(|meta| meta.timestamp().mseconds());
    serde_json::json!({
        "type": "picture",
        "time": time.nseconds() as f64 * 1e-9,
        "captured_ms": captured,
        "quality": generated::quality_of(buffer).map(|quality| quality.nick()),
        "objects": objects,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_film_that_fails_before_its_first_picture_keeps_nobody_waiting() {
        gst::init().unwrap();
        gstcis::plugin_register_static().unwrap();
        let make = gst::ElementFactory::make;
        let head = vec![
            make("videotestsrc").build().unwrap(),
            make("identity").property("error-after", 1).build().unwrap(),
        ];
        let settings = encode::Settings {
            bitrate: 500,
            mark: true,
        };
        let film = Film::new(head, settings, Pace::Live).unwrap();
        film.play().unwrap();
        assert!(film.init().await.is_none());
    }
}
