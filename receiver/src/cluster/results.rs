//! The output of a worker: reports go to the tasks of their cameras, which publish them.

use super::subjects::Lane;
use super::tag::FrameId;
use crate::outputs::{Meter, Output};
use crate::report::Report;
use cis_link::StreamName;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// What a camera's task hears of its units.
pub enum News {
    /// A frame has its result: one JSON object.
    Result {
        /// Its lane.
        lane: Lane,
        /// The frame.
        frame: FrameId,
        /// The object.
        json: Vec<u8>,
    },
    /// Nobody has anything more to do with a unit.
    Done {
        /// Its lane.
        lane: Lane,
        /// Its sequence.
        sequence: u64,
    },
}

/// Where the tasks of the cameras can be reached.
#[derive(Clone, Default)]
pub struct Desk(Arc<Mutex<HashMap<StreamName, mpsc::Sender<News>>>>);

impl Desk {
    /// A camera's task begins.
    pub fn open(&self, camera: StreamName, news: mpsc::Sender<News>) {
        self.0.lock().insert(camera, news);
    }

    /// It ends.
    pub fn close(&self, camera: &StreamName) {
        self.0.lock().remove(camera);
    }
}

/// The output.
pub struct Results {
    desk: Desk,
    meter: Arc<Meter>,
}

impl Results {
    /// For those tasks; they count in `meter` what reached the broker.
    pub fn new(desk: Desk, meter: Arc<Meter>) -> Self {
        Self { desk, meter }
    }
}

impl Output for Results {
    fn report(&self, report: &Report) {
        let name = &report.stream.name;
        let json = match gstcis::json_line(name.as_str(), &report.header, report.objects.as_deref(), None) {
            Ok(mut line) => {
                line.pop_if(|last| *last == b'\n');
                line
            }
            Err(e) => {
                self.meter.accepted.add(1);
                self.meter.failed.add(1);
                return tracing::error!(stream = %name, "result: {e}");
            }
        };
        let news = News::Result {
            lane: Lane::of(report.header.late),
            frame: FrameId::of(&report.header),
            json,
        };
        // The task has room for everything that it gave out. Without a task the camera is somebody else's.
        let task = self.desk.0.lock().get(name).cloned();
        if let Some(task) = task
            && task.try_send(news).is_err()
        {
            self.meter.dropped.add(1);
        }
    }

    fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }
}
