//! The detector's thread: one network for all streams. Frames come in order over a bounded queue; what is known of them
//! goes to the outputs and to the view.

use crate::outputs::Outputs;
use crate::report::{Event, Report};
use crate::rtsp;
use crate::slots::Slot;
use crate::stream::{Registry, Stream};
use bytes::Bytes;
use cis_codec::frame::Header;
use cis_codec::{Latents, quant};
use cis_inference::bundle::Bundle;
use cis_inference::detect::{Detection, Detector, Params};
use cis_inference::geometry::Geometry;
use cis_link::listener::Receipt;
use crossbeam_channel::Receiver;
use gstcis::regions::Region;
use std::sync::Arc;
use std::thread::JoinHandle;

/// What there is to do for a frame.
pub enum Work {
    /// Find its objects; the slot is free again afterwards.
    Detect(Latents, Slot),
    /// It shows what the frame before showed.
    Repeat,
    /// Nothing: the detector is behind.
    Pass,
}

/// What comes over the queue.
pub enum Job {
    /// The next frame of its stream.
    Frame(Box<Frame>),
    /// A unit of the enhancement layer, for the view of its stream: it follows its frame.
    Enhance(Arc<Stream>, rtsp::Enhancement),
    /// A stream has ended.
    End(Arc<Stream>),
}

/// One frame on its way.
pub struct Frame {
    /// Its stream.
    pub stream: Arc<Stream>,
    /// What its unit says.
    pub header: Header,
    /// The unit.
    pub unit: Bytes,
    /// Dropped when its results are on their way out.
    pub receipt: Receipt,
    /// What to do.
    pub work: Work,
}

/// Starts the thread `cis-detect`; it ends when the queue is closed and empty.
pub fn start(
    detector: Detector,
    params: Params,
    bundle: Bundle,
    outputs: Outputs,
    registry: Arc<Registry>,
    queue: Receiver<Job>,
) -> std::io::Result<JoinHandle<()>> {
    let mut worker = Worker {
        detector,
        params,
        bundle,
        outputs,
        registry,
        values: Vec::new(),
        healthy: true,
    };
    let run = move || {
        for job in queue {
            match job {
                Job::Frame(frame) => worker.frame(*frame),
                Job::Enhance(stream, unit) => {
                    if let Some(view) = &stream.view {
                        view.enhance(unit);
                    }
                }
                Job::End(stream) => worker.end(&stream),
            }
        }
    };
    std::thread::Builder::new().name("cis-detect".into()).spawn(run)
}

struct Worker {
    detector: Detector,
    params: Params,
    bundle: Bundle,
    outputs: Outputs,
    registry: Arc<Registry>,
    values: Vec<f32>,
    healthy: bool,
}

impl Worker {
    fn end(&self, stream: &Arc<Stream>) {
        let events = stream.tracking.lock().end(stream);
        events.iter().for_each(|event| self.outputs.event(event));
        // What came late is in no list: its camera's stream is.
        if self.registry.remove(stream) {
            self.outputs.ended(stream);
            tracing::info!(stream = %stream.name, "summary: {}", stream.snapshot().summary());
        }
    }

    fn frame(&mut self, frame: Frame) {
        let Frame {
            stream,
            header,
            unit,
            work,
            receipt: _receipt,
        } = frame;
        let known = match work {
            Work::Detect(latents, _slot) => self.detect(&stream, &header, &latents),
            Work::Repeat => self.repeat(&stream, &header),
            Work::Pass => false,
        };
        let regions = {
            let mut found = stream.found.lock();
            found.current = known;
            found.regions.clone()
        };
        if known {
            stream.stats.result(&header, regions.len());
        } else {
            stream.stats.undetected.add(1);
        }
        if let Some(view) = &stream.view {
            view.push(rtsp::Frame {
                header: header.clone(),
                unit,
                regions: regions.clone(),
            });
        }
        self.outputs.report(&Report {
            stream,
            header,
            objects: known.then_some(regions),
        });
    }

    fn detect(&mut self, stream: &Arc<Stream>, header: &Header, latents: &Latents) -> bool {
        match self.run(header, latents) {
            Ok(found) => {
                let told = stream.tracking.lock().frame(stream, header, &found);
                self.tell(stream, told);
                self.healthy = true;
                true
            }
            Err(e) => {
                // A network that fails once will fail for every frame: once is enough in the log.
                if std::mem::replace(&mut self.healthy, false) {
                    tracing::error!(stream = %stream.name, "detection: {e}");
                }
                false
            }
        }
    }

    /// Whether the objects of the frame before are known, and so those of this one.
    fn repeat(&self, stream: &Arc<Stream>, header: &Header) -> bool {
        let known = stream.found.lock().current;
        if known {
            let told = stream.tracking.lock().repeat(stream, header);
            self.tell(stream, told);
        }
        known
    }

    fn tell(&self, stream: &Stream, (regions, events): (Arc<[Region]>, Vec<Event>)) {
        stream.found.lock().regions = regions;
        events.iter().for_each(|event| self.outputs.event(event));
    }

    fn run(&mut self, header: &Header, latents: &Latents) -> Result<Vec<Detection>, cis_inference::Error> {
        let (source, shape) = (header.source, header.shape);
        let manifest = self.bundle.manifest();
        let geometry = Geometry::from_latents(
            (source.width, source.height),
            (shape.width, shape.height),
            manifest,
        )?;
        self.values.resize(latents.q.len(), 0.0);
        quant::dequantize(&latents.q, header.qindex, &mut self.values);
        self.detector.detect(&self.values, &geometry, &self.params)
    }
}
