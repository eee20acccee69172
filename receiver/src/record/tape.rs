//! The near end of the recorder's queue: never waits, and counts what there is no room for.

use super::Stats;
use super::writer::{Job, Reel, Writer};
use crate::config;
use crate::health::Pulse;
use crate::stats::Counter;
use bytes::Bytes;
use cis_codec::frame::Header;
use cis_link::StreamName;
use cis_link::listener::Receipt;
use crossbeam_channel::{Sender, bounded};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

/// The recorder of all streams; its thread ends, everything written, when it and all its tapes are gone.
#[derive(Clone)]
pub struct Recorder {
    queue: Sender<Job>,
    stats: Arc<Stats>,
}

impl Recorder {
    /// Starts the thread `cis-record`; `ask_key` asks a stream's camera for a key frame, at which the next file can begin.
    pub fn start(
        config: &config::Record,
        pulse: Arc<Pulse>,
        ask_key: impl Fn(&StreamName) + Send + 'static,
    ) -> io::Result<Option<(Self, JoinHandle<()>)>> {
        let Some(folder) = &config.folder else {
            return Ok(None);
        };
        std::fs::create_dir_all(folder)
            .map_err(|e| io::Error::new(e.kind(), format!("record.folder {}: {e}", folder.display())))?;
        let (queue, jobs) = bounded(config.queue);
        let stats = Arc::new(Stats::default());
        let writer = Writer::new(folder, config, stats.clone(), Box::new(ask_key));
        let thread = std::thread::Builder::new()
            .name("cis-record".into())
            .spawn(move || writer.run(&jobs, &pulse))?;
        Ok(Some((Self { queue, stats }, thread)))
    }

    /// What became of the files.
    pub fn stats(&self) -> &Arc<Stats> {
        &self.stats
    }

    /// The recording of one stream; `lost` counts the units that are missing in it.
    /// What comes late has files of its own.
    pub fn tape(&self, stream: StreamName, late: bool, lost: Arc<Counter>) -> Tape {
        Tape {
            queue: self.queue.clone(),
            reel: Arc::new(Reel { stream, late }),
            skipping: true,
            unenhanced: true,
            lost,
        }
    }
}

/// Where the units of one stream go in; the file ends with it.
pub struct Tape {
    queue: Sender<Job>,
    reel: Arc<Reel>,
    skipping: bool,
    /// An enhancement unit is missing: those that follow build on it, up to a key of their layer.
    unenhanced: bool,
    lost: Arc<Counter>,
}

impl Tape {
    /// Queues a frame's unit. Its receipt is dropped when it is written.
    pub fn write(&mut self, data: &Bytes, header: &Header, receipt: &Receipt) {
        if header.key {
            self.skipping = false;
        }
        let job = self.job(data, header.key, header.pts_ns, receipt.clone());
        if self.skipping || self.queue.try_send(job).is_err() {
            self.skipping = true;
            self.lost.add(1);
            receipt.lost();
        }
    }

    /// Queues a unit of the enhancement layer behind its frame; what there is no room for takes its layer along, and nothing else.
    pub fn enhance(&mut self, data: &Bytes, header: &Header, lost: &Arc<Counter>) {
        self.unenhanced &= !header.key;
        let job = self.job(data, false, header.pts_ns, Receipt::default());
        if self.skipping || self.unenhanced || self.queue.try_send(job).is_err() {
            self.unenhanced = true;
            lost.add(1);
        }
    }

    /// What follows does not continue what came before: nothing is written until the next key frame.
    pub fn gap(&mut self) {
        self.skipping = true;
    }

    fn job(&self, data: &Bytes, key: bool, pts_ns: u64, receipt: Receipt) -> Job {
        Job::Unit {
            reel: self.reel.clone(),
            data: data.clone(),
            key,
            pts_ns,
            lost: self.lost.clone(),
            receipt,
        }
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        // Full, because the disk hangs perhaps: the writer finds out by itself that nobody holds the reel any more.
        let _ = self.queue.try_send(Job::End(self.reel.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Health;
    use cis_codec::{Prior, Shape, Size};
    use std::time::Duration;

    /// A key frame.
    fn unit() -> (Bytes, Header) {
        use cis_codec::encode::{Config, Encoder, Input};
        let config = Config::new("tiny".parse().unwrap());
        let mut encoder = Encoder::new(config, Arc::new(Prior::default())).unwrap();
        let shape = Shape {
            channels: 1,
            width: 4,
            height: 4,
        };
        let input = Input {
            latents: &[0.0; 16],
            shape,
            source: Size {
                width: 64,
                height: 64,
            },
            pts_ns: 0,
            capture_utc_ns: 0,
            force_key: true,
            vectors: &[],
        };
        let packet = encoder.encode(&input).unwrap();
        (packet.data, packet.header)
    }

    /// A disk that hangs: nobody takes anything out of the queue while cameras come and go.
    #[test]
    fn a_stream_that_ends_waits_for_no_disk_and_its_file_ends_nevertheless() {
        let folder = tempfile::tempdir().unwrap();
        let text = "[listen]\ninsecure = true\n[record]\nfolder = '.'\n";
        let config = config::Config::from_toml(text, &folder.path().join("receiver.toml")).unwrap();
        let (queue, jobs) = bounded(2);
        let recorder = Recorder {
            queue,
            stats: Arc::default(),
        };
        let (data, header) = unit();
        let connect = || {
            let mut tape = recorder.tape("gate-1".parse().unwrap(), false, Arc::default());
            while !jobs.is_full() {
                tape.write(&data, &header, &Receipt::default());
            }
        };
        connect();
        let mut waiting: Vec<_> = jobs.try_iter().collect();
        connect();
        waiting.extend(jobs.try_iter());
        let (queue, jobs) = bounded(waiting.len());
        waiting
            .into_iter()
            .for_each(|job| assert!(queue.try_send(job).is_ok()));
        drop(queue);
        let health = Health::new(Duration::from_secs(60));
        Writer::new(folder.path(), &config.record, Arc::default(), Box::new(|_| {}))
            .run(&jobs, &health.watch("cis-record"));
        let files = std::fs::read_dir(folder.path().join("gate-1")).unwrap();
        let sizes: Vec<_> = files
            .map(|file| file.unwrap().metadata().unwrap().len())
            .collect();
        assert_eq!(sizes, [2 * data.len() as u64; 2], "a file for each connection");
    }
}
