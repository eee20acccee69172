//! The sending side of a test: a real encoder of synthetic latents before `cisquicsink`.

use crate::{Keys, STREAM, init};
use bytes::Bytes;
use cis_codec::{Encoder, Prior, Shape, Size, encode, frame::DETECTION};
use gst::prelude::*;
use gstcis::caps::StreamCaps;
use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

pub struct Camera {
    pub pipeline: gst::Pipeline,
    pub sink: gst::Element,
    pub bus: gst::Bus,
    source: gst_app::AppSrc,
    encoder: Mutex<Encoder>,
    /// Key frames that somebody downstream has asked for.
    pub asked: Arc<AtomicUsize>,
    answered: AtomicUsize,
    frame: AtomicUsize,
    enhancement: Mutex<Encoder>,
    /// What somebody downstream wants of the enhancement layer: on, restart.
    pub wishes: Arc<Mutex<Vec<(bool, bool)>>>,
}

impl Camera {
    /// A camera for a receiver on `port`; `extra` properties come last.
    pub fn new(keys: &Keys, port: u16, extra: &str) -> Self {
        let mut properties = format!(
            "stream={STREAM} reconnect-delay=250 ca-file={} ",
            keys.path("ca.pem")
        );
        if !extra.contains("token-file") {
            properties += &format!("token-file={} ", keys.path("gate-1.token"));
        }
        Self::with(&format!("address=127.0.0.1 port={port} {properties} {extra}"))
    }

    /// A camera with these properties and no others.
    pub fn with(properties: &str) -> Self {
        init();
        let launch = format!("appsrc name=in format=time is-live=true ! cisquicsink name=sink {properties}");
        let pipeline = gst::parse::launch(&launch)
            .unwrap()
            .downcast::<gst::Pipeline>()
            .unwrap();
        let source = pipeline
            .by_name("in")
            .unwrap()
            .downcast::<gst_app::AppSrc>()
            .unwrap();
        let caps = StreamCaps {
            bundle: "cis-test".into(),
            width: 640,
            height: 360,
            framerate: None,
        };
        source.set_caps(Some(&caps.to_caps()));
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let wishes = Arc::new(Mutex::new(Vec::new()));
        let heard = wishes.clone();
        source
            .static_pad("src")
            .unwrap()
            .add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
                if info
                    .event()
                    .is_some_and(|event| gst_video::UpstreamForceKeyUnitEvent::parse(event).is_ok())
                {
                    count.fetch_add(1, Ordering::SeqCst);
                }
                let structure = info.event().and_then(|event| event.structure());
                if let Some(wish) = structure.filter(|s| s.name() == "cis-layer") {
                    assert_eq!(wish.get::<u32>("layer"), Ok(1));
                    heard
                        .lock()
                        .push((wish.get("on").unwrap(), wish.get("restart").unwrap()));
                }
                gst::PadProbeReturn::Ok
            });
        let mut config = encode::Config::new("cis-test".parse().unwrap());
        config.key_interval = 0;
        let mut above = config.clone();
        above.layer = cis_codec::frame::ENHANCEMENT;
        Self {
            sink: pipeline.by_name("sink").unwrap(),
            bus: pipeline.bus().unwrap(),
            pipeline,
            source,
            encoder: Mutex::new(Encoder::new(config, Arc::new(Prior::default())).unwrap()),
            asked,
            answered: AtomicUsize::new(0),
            frame: AtomicUsize::new(0),
            enhancement: Mutex::new(Encoder::new(above, Arc::new(Prior::default())).unwrap()),
            wishes,
        }
    }

    pub fn play(self) -> Self {
        self.pipeline.set_state(gst::State::Playing).unwrap();
        self
    }

    /// Codes and pushes the next frame, a key frame if one is asked for, and returns its bytes.
    pub fn push(&self) -> Bytes {
        let asked = self.asked.load(Ordering::SeqCst);
        let force_key = self.answered.swap(asked, Ordering::SeqCst) != asked;
        let number = self.frame.fetch_add(1, Ordering::SeqCst);
        let latents = |i: usize| ((i + number) % 9) as f32;
        self.send(&self.encoder, number, (4, &latents), force_key)
    }

    /// Codes and pushes what enhances the frame before, and returns its bytes.
    pub fn enhance(&self, force_key: bool) -> Bytes {
        let number = self.frame.load(Ordering::SeqCst) - 1;
        let latents = |i: usize| ((i * 7 + number) % 5) as f32;
        self.send(&self.enhancement, number, (3, &latents), force_key)
    }

    /// Codes latents of so many channels as one layer of a frame, pushes the unit and returns its bytes.
    fn send(
        &self,
        encoder: &Mutex<Encoder>,
        number: usize,
        (channels, latent): (u16, &dyn Fn(usize) -> f32),
        force_key: bool,
    ) -> Bytes {
        let shape = Shape {
            channels,
            width: 8,
            height: 6,
        };
        let latents: Vec<f32> = (0..shape.len()).map(latent).collect();
        let pts_ns = 20_000_000 * number as u64;
        let input = encode::Input {
            latents: &latents,
            shape,
            source: Size {
                width: 640,
                height: 360,
            },
            pts_ns,
            capture_utc_ns: pts_ns + 1,
            force_key,
            vectors: &[],
        };
        let packet = encoder.lock().encode(&input).unwrap();
        let mut buffer = gst::Buffer::from_slice(packet.data.clone());
        let writable = buffer.get_mut().unwrap();
        writable.set_pts(gst::ClockTime::from_nseconds(pts_ns));
        // A key frame of the enhancement layer starts nothing.
        if !(packet.header.key && packet.header.layer == DETECTION) {
            writable.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
        self.source.push_buffer(buffer).unwrap();
        packet.data
    }

    pub fn push_buffer(&self, bytes: &[u8]) {
        self.source
            .push_buffer(gst::Buffer::from_slice(bytes.to_vec()))
            .unwrap();
    }

    pub fn end(&self) {
        self.source.end_of_stream().unwrap();
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}
