//! Event clips: a `.cis` file of the seconds before and after an object appears, and a JSON file that says why it is there.
//!
//! ```text
//! intake --units------> cis-clips: ring of the last seconds -> clip
//! detector --reports-/             `-> trigger ------------'
//! ```

mod clip;
mod ring;
mod trigger;
mod worker;

use crate::config;
use crate::health::Pulse;
use crate::outputs::{Meter, Output};
use crate::report::Report;
use bytes::Bytes;
use cis_codec::frame::Header;
use cis_link::StreamName;
use crossbeam_channel::{Sender, bounded};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use worker::{Job, Reel, Worker};

/// Units and reports that may wait for the disk.
const QUEUE: usize = 4096;

/// The clips of all streams; the thread ends, every clip closed, when it and all its feeds are gone.
#[derive(Clone)]
pub struct Clips {
    queue: Sender<Job>,
    meter: Arc<Meter>,
}

impl Clips {
    /// Starts the thread `cis-clips`, when there is a folder for clips; `ask_key` asks a stream's camera for a key frame, with which clips can begin.
    /// `classes` are those of the bundle. Where `track` follows objects, each of them appears by itself.
    pub fn start(
        config: &config::Clips,
        track: &config::Track,
        classes: &[Arc<str>],
        pulse: Arc<Pulse>,
        ask_key: impl Fn(&StreamName) + Send + 'static,
    ) -> Result<Option<(Self, JoinHandle<()>)>, crate::Error> {
        let Some(folder) = &config.folder else {
            return Ok(None);
        };
        let classes = wanted(config, classes)?;
        std::fs::create_dir_all(folder)
            .map_err(|e| io::Error::new(e.kind(), format!("clips.folder {}: {e}", folder.display())))
            .map_err(crate::Error::Output)?;
        let (queue, jobs) = bounded(QUEUE);
        let meter = Arc::new(Meter::new("clips"));
        let worker = Worker::new(folder, config, track, classes, meter.clone(), Box::new(ask_key));
        let thread = std::thread::Builder::new()
            .name("cis-clips".into())
            .spawn(move || worker.run(&jobs, &pulse))
            .map_err(crate::Error::Thread)?;
        Ok(Some((Self { queue, meter }, thread)))
    }

    /// Where the units of a stream go in. What comes late has clips of its own.
    pub fn feed(&self, stream: StreamName, late: bool) -> Feed {
        Feed {
            clips: self.clone(),
            reel: Arc::new(Reel { stream, late }),
            skipping: true,
            unenhanced: true,
        }
    }
}

/// Numbers of the classes that make clips; `None`: all do. `classes` are those of the bundle.
pub fn wanted(config: &config::Clips, classes: &[Arc<str>]) -> Result<Option<Vec<u32>>, config::Error> {
    let list = config.classes.as_deref().unwrap_or_default().join(",");
    gstcis::parse_classes(&list, classes).map_err(|e| config::Error::Conflict(format!("clips.classes: {e}")))
}

impl Output for Clips {
    fn report(&self, report: &Report) {
        let job = Job::Seen {
            reel: Reel {
                stream: report.stream.name.clone(),
                late: report.header.late,
            },
            pts_ns: report.header.pts_ns,
            capture_utc_ns: report.header.capture_utc_ns,
            objects: report.objects.clone(),
        };
        if self.queue.try_send(job).is_err() {
            self.meter.dropped.add(1);
        }
    }

    fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }
}

/// The units of one stream on their way to its clips.
pub struct Feed {
    clips: Clips,
    reel: Arc<Reel>,
    skipping: bool,
    unenhanced: bool,
}

impl Feed {
    /// Queues a frame's unit; what there is no room for takes the rest of its group along.
    pub fn write(&mut self, data: &Bytes, header: &Header) {
        if header.key {
            (self.skipping, self.unenhanced) = (false, true);
        }
        if !self.skipping && !self.send(data, header) {
            self.skipping = true;
        }
    }

    /// Queues a unit of the enhancement layer.
    pub fn enhance(&mut self, data: &Bytes, header: &Header) {
        self.unenhanced &= !header.key;
        if !self.skipping && !self.unenhanced && !self.send(data, header) {
            self.unenhanced = true;
        }
    }

    /// What follows does not continue what came before.
    pub fn gap(&mut self) {
        self.skipping = true;
    }

    fn send(&self, data: &Bytes, header: &Header) -> bool {
        let job = Job::Unit {
            reel: self.reel.clone(),
            unit: ring::Unit::new(data.clone(), header),
        };
        let sent = self.clips.queue.try_send(job).is_ok();
        if !sent {
            self.clips.meter.dropped.add(1);
        }
        sent
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        // Full, because the disk hangs perhaps: the worker finds out by itself that nobody holds the reel any more.
        let _ = self.clips.queue.try_send(Job::End(self.reel.clone()));
    }
}
