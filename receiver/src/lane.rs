//! A stream's way to the shared detector: what intake has of it goes in, what is known comes out at [`Results`], in the stream's order.

use crate::Error;
use crate::config::{self, WhenFull};
use crate::detect::{Frame, Results};
use crate::health::{Health, Pulse};
use crate::live::Live;
use crate::metrics::Detection;
use crate::stream::Stream;
use crate::view::Enhancement;
use cis_codec::frame::Header;
use cis_codec::{Latents, quant};
use cis_inference::batch::{self, Answer, Batcher, LaneOptions, Observer, Request, Task};
use cis_inference::bundle::Bundle;
use cis_inference::detect::{Detector, Params};
use cis_inference::geometry::Geometry;
use std::sync::Arc;
use std::time::Duration;

/// Frames of one camera's past that may wait for the detector: what is live waits behind them.
const LATE_PLACES: usize = 2;

/// The detector, and what every stream wants of it. Dropped, it answers what waits and ends.
pub struct Lanes {
    batcher: Batcher,
    live: LaneOptions,
    bundle: Bundle,
    params: Arc<Live<Params>>,
    results: Arc<Results>,
}

/// One stream's way.
pub struct Lane {
    lane: batch::Lane,
    bundle: Bundle,
    params: Arc<Live<Params>>,
    results: Arc<Results>,
}

/// Says how the detector's threads get on.
struct Watch {
    pulses: Vec<Arc<Pulse>>,
    times: Detection,
}

impl Observer for Watch {
    fn begins(&self, thread: usize) {
        if let Some(pulse) = self.pulses.get(thread) {
            pulse.begin();
        }
    }

    fn ends(&self, thread: usize) {
        if let Some(pulse) = self.pulses.get(thread) {
            pulse.end();
        }
    }

    fn waited(&self, time: Duration) {
        self.times.waited(time);
    }

    fn ran(&self, time: Duration) {
        self.times.ran(time);
    }
}

impl Lanes {
    /// Starts a thread `cis-detect` for each of the detectors.
    pub fn start(
        detectors: Vec<Detector>,
        config: &config::Detect,
        bundle: Bundle,
        params: Arc<Live<Params>>,
        results: Results,
        health: &Health,
        times: Detection,
    ) -> Result<Self, Error> {
        let batch = batch::Options {
            size: config.batch_size,
            timeout: Duration::from_millis(config.batch_timeout),
        };
        let live = LaneOptions {
            places: config.queue,
            when_full: match config.when_full {
                WhenFull::Drop => batch::WhenFull::PassOldest,
                WhenFull::Wait => batch::WhenFull::Wait,
            },
            deadline: (config.when_full == WhenFull::Drop && config.deadline > 0)
                .then(|| Duration::from_millis(config.deadline)),
            background: false,
        };
        let watch = Watch {
            pulses: detectors.iter().map(|_| health.watch("cis-detect")).collect(),
            times,
        };
        Ok(Self {
            batcher: Batcher::observed(detectors, batch, "cis-detect", Arc::new(watch))?,
            live,
            bundle,
            params,
            results: Arc::new(results),
        })
    }

    /// A way for a stream that is live.
    pub fn live(&self) -> Lane {
        self.open(self.live)
    }

    /// A way for what comes late: there is time for it, so nothing is passed over.
    pub fn late(&self) -> Lane {
        self.open(LaneOptions {
            places: self.live.places.min(LATE_PLACES),
            when_full: batch::WhenFull::Wait,
            deadline: None,
            background: true,
        })
    }

    fn open(&self, options: LaneOptions) -> Lane {
        Lane {
            lane: self.batcher.lane(options),
            bundle: self.bundle.clone(),
            params: self.params.clone(),
            results: self.results.clone(),
        }
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        let counts = self.batcher.counts();
        tracing::debug!("detector: {} frames in {} runs", counts.requests, counts.runs);
    }
}

impl Lane {
    /// Whether a frame would find a place now.
    pub fn has_room(&self) -> bool {
        self.lane.has_room()
    }

    /// A frame whose objects are wanted.
    pub fn detect(&self, frame: Frame, latents: &Latents) {
        let request = self.request(&frame.header, latents);
        let results = self.results.clone();
        self.lane.submit(match request {
            Ok(request) => Task::detect(request, move |answer| results.frame(frame, answer)),
            Err(e) => Task::turn(move |_| results.frame(frame, Answer::Failed(Arc::new(e)))),
        });
    }

    /// A frame that shows what the one before showed.
    pub fn repeat(&self, frame: Frame) {
        let results = self.results.clone();
        self.lane
            .submit(Task::turn(move |answer| results.frame(frame, answer)));
    }

    /// A unit of the enhancement layer.
    pub fn enhance(&self, stream: Arc<Stream>, unit: Enhancement) {
        let results = self.results.clone();
        self.lane
            .submit(Task::turn(move |_| results.enhance(&stream, unit)));
    }

    /// The stream has ended, when all before it is done.
    pub fn end(self, stream: Arc<Stream>) {
        let results = self.results.clone();
        self.lane.submit(Task::turn(move |_| results.end(&stream)));
    }

    fn request(&self, header: &Header, latents: &Latents) -> Result<Request, cis_inference::Error> {
        let (source, shape) = (header.source, header.shape);
        let geometry = Geometry::from_latents(
            (source.width, source.height),
            (shape.width, shape.height),
            self.bundle.manifest(),
        )?;
        let mut values = vec![0.0; latents.q.len()];
        quant::dequantize(&latents.q, header.qindex, &mut values);
        Ok(Request {
            latents: values,
            geometry,
            params: self.params.get(),
        })
    }
}
