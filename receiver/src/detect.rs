//! What is done with a frame when it is known what is in it: its outputs, its view. Called on the detector's thread, in the order of each stream.

use crate::outputs::Outputs;
use crate::report::{Event, Report};
use crate::stream::{Registry, Stream};
use crate::view;
use bytes::Bytes;
use cis_codec::frame::Header;
use cis_inference::batch::{Answer, Passed};
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
    pub fn enhance(&self, stream: &Stream, unit: view::Enhancement) {
        if let Some(view) = &stream.view {
            view.enhance(unit);
        }
    }

    /// A stream has ended.
    pub fn end(&self, stream: &Arc<Stream>) {
        let events = stream.tracking.lock().end(stream);
        events.iter().for_each(|event| self.outputs.event(event));
        // What came late is in no list: its camera's stream is.
        if self.registry.remove(stream) {
            self.outputs.ended(stream);
            tracing::info!(stream = %stream.name, "summary: {}", stream.snapshot().summary());
        }
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
            view.push(view::Frame {
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
    fn known(&self, stream: &Arc<Stream>, header: &Header, answer: Answer) -> bool {
        match answer {
            Answer::Found(found) => {
                self.healthy.store(true, Relaxed);
                let told = stream.tracking.lock().frame(stream, header, &found);
                self.tell(stream, told);
                true
            }
            // It shows what the frame before showed.
            Answer::Turn => self.repeat(stream, header),
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
}
