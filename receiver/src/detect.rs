//! What is done with a frame when it is known what is in it: its outputs, its view. Called on the detector's thread, in the order of each stream.

use crate::outputs::Outputs;
use crate::report::Report;
use crate::rtsp;
use crate::stream::{Registry, Stream};
use bytes::Bytes;
use cis_codec::frame::Header;
use cis_inference::batch::{Answer, Passed};
use cis_inference::detect::Detection;
use cis_link::listener::Receipt;
use gstcis::regions::Region;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

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
}

/// Where results go.
pub struct Results {
    outputs: Outputs,
    registry: Arc<Registry>,
    healthy: AtomicBool,
}

impl Results {
    /// To these outputs, and to the view of each stream.
    pub fn new(outputs: Outputs, registry: Arc<Registry>) -> Self {
        Self {
            outputs,
            registry,
            healthy: AtomicBool::new(true),
        }
    }

    /// A unit of the enhancement layer, for the view of its stream: it follows its frame.
    pub fn enhance(&self, stream: &Stream, unit: rtsp::Enhancement) {
        if let Some(view) = &stream.view {
            view.enhance(unit);
        }
    }

    /// A stream has ended.
    pub fn end(&self, stream: &Arc<Stream>) {
        self.registry.remove(stream);
        tracing::info!(stream = %stream.name, "summary: {}", stream.snapshot().summary());
    }

    /// What is in a frame is known, or nobody will know it.
    pub fn frame(&self, frame: Frame, answer: Answer) {
        let Frame {
            stream,
            header,
            unit,
            receipt: _receipt,
        } = frame;
        let known = self.known(&stream, &header, answer);
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

    /// Whether the objects of the frame are those of its stream afterwards.
    fn known(&self, stream: &Stream, header: &Header, answer: Answer) -> bool {
        match answer {
            Answer::Found(found) => {
                self.healthy.store(true, Relaxed);
                stream.found.lock().regions = regions(&found, header);
                true
            }
            // It shows what the frame before showed.
            Answer::Turn => stream.found.lock().current,
            Answer::Passed(why) => {
                stream.stats.overdue.add((why == Passed::Overdue).into());
                false
            }
            Answer::Failed(e) => {
                // A network that fails once will fail for every frame: once is enough in the log.
                if self.healthy.swap(false, Relaxed) {
                    tracing::error!(stream = %stream.name, "detection: {e}");
                }
                false
            }
            _ => false,
        }
    }
}

fn regions(found: &[Detection], header: &Header) -> Arc<[Region]> {
    let size = (header.source.width, header.source.height);
    found.iter().map(|d| Region::on_grid(d, size)).collect()
}
