//! Recordings: `FOLDER/STREAM/STREAM-TIME.cis`, written by one thread behind a bounded queue. A file begins with a key
//! frame and is never overwritten. When the queue is full, the rest of the stream's group is dropped and counted.

use crate::clock;
use crate::config::{self, SyncWhen};
use crate::stats::Counter;
use bytes::Bytes;
use cis_link::StreamName;
use cis_link::listener::Receipt;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

/// Which recording: of a stream, and whether of what came late.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Reel {
    stream: StreamName,
    late: bool,
}

enum Job {
    Unit {
        reel: Reel,
        data: Bytes,
        key: bool,
        lost: Arc<Counter>,
        receipt: Receipt,
    },
    End(Reel),
}

/// The recorder of all streams; its thread ends, everything written, when it and all its tapes are gone.
#[derive(Clone)]
pub struct Recorder(Sender<Job>);

impl Recorder {
    /// Starts the thread `cis-record`; `ask_key` asks a stream's camera for a key frame, at which the next file can begin.
    pub fn start(
        config: &config::Record,
        ask_key: impl Fn(&StreamName) + Send + 'static,
    ) -> io::Result<Option<(Self, JoinHandle<()>)>> {
        let Some(folder) = &config.folder else {
            return Ok(None);
        };
        std::fs::create_dir_all(folder)
            .map_err(|e| io::Error::new(e.kind(), format!("record.folder {}: {e}", folder.display())))?;
        let (sender, queue) = bounded(config.queue);
        let writer = Writer {
            folder: folder.clone(),
            max_bytes: config.max_size << 20,
            sync: config.sync,
            ask_key: Box::new(ask_key),
            files: HashMap::new(),
        };
        let thread = std::thread::Builder::new()
            .name("cis-record".into())
            .spawn(move || writer.run(&queue))?;
        Ok(Some((Self(sender), thread)))
    }

    /// The recording of one stream; `lost` counts the units that are missing in it.
    /// What comes late has files of its own.
    pub fn tape(&self, stream: StreamName, late: bool, lost: Arc<Counter>) -> Tape {
        Tape {
            recorder: self.clone(),
            reel: Reel { stream, late },
            skipping: true,
            unenhanced: true,
            lost,
        }
    }
}

/// Where the units of one stream go in; the file ends with it.
pub struct Tape {
    recorder: Recorder,
    reel: Reel,
    skipping: bool,
    /// An enhancement unit is missing: those that follow build on it, up to a key of their layer.
    unenhanced: bool,
    lost: Arc<Counter>,
}

impl Tape {
    /// Queues a unit. Its receipt is dropped when it is written.
    pub fn write(&mut self, data: &Bytes, key: bool, receipt: &Receipt) {
        if key {
            self.skipping = false;
        }
        let (reel, data, lost) = (self.reel.clone(), data.clone(), self.lost.clone());
        if self.skipping
            || self
                .recorder
                .0
                .try_send(Job::Unit {
                    reel,
                    data,
                    key,
                    lost,
                    receipt: receipt.clone(),
                })
                .is_err()
        {
            self.skipping = true;
            self.lost.add(1);
            receipt.lost();
        }
    }

    /// Queues a unit of the enhancement layer behind its frame; what there is no room for takes its layer along, and nothing else.
    pub fn enhance(&mut self, data: &Bytes, key: bool, lost: &Arc<Counter>) {
        self.unenhanced &= !key;
        let (reel, data) = (self.reel.clone(), data.clone());
        let job = Job::Unit {
            reel,
            data,
            key: false,
            lost: self.lost.clone(),
            receipt: Receipt::default(),
        };
        if self.skipping || self.unenhanced || self.recorder.0.try_send(job).is_err() {
            self.unenhanced = true;
            lost.add(1);
        }
    }

    /// What follows does not continue what came before: nothing is written until the next key frame.
    pub fn gap(&mut self) {
        self.skipping = true;
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        // Waits for room: this one may not be lost, or the file would stay open. The writer always goes on.
        let _ = self.recorder.0.send(Job::End(self.reel.clone()));
    }
}

struct Open {
    path: PathBuf,
    file: File,
    bytes: u64,
    asked: bool,
}

struct Writer {
    folder: PathBuf,
    max_bytes: u64,
    sync: SyncWhen,
    ask_key: Box<dyn Fn(&StreamName) + Send>,
    /// `None`: the stream failed and waits for its next key frame.
    files: HashMap<Reel, Option<Open>>,
}

impl Writer {
    fn run(mut self, queue: &Receiver<Job>) {
        for job in queue {
            match job {
                Job::Unit {
                    reel,
                    data,
                    key,
                    lost,
                    receipt,
                } => {
                    let failed_before = matches!(self.files.get(&reel), Some(None));
                    if let Err(e) = self.write(&reel, &data, key) {
                        // A camera with a spool keeps it.
                        receipt.lost();
                        // A unit that was half written ends the file: what came after it could not be found again.
                        lost.add(1);
                        self.files.insert(reel.clone(), None);
                        if !failed_before {
                            tracing::error!(stream = %reel.stream, "recording: {e}; goes on at the next key frame");
                        }
                    }
                }
                Job::End(reel) => {
                    if let Some(Some(open)) = self.files.remove(&reel) {
                        self.close(&reel.stream, open);
                    }
                }
            }
        }
        for (reel, open) in std::mem::take(&mut self.files) {
            if let Some(open) = open {
                self.close(&reel.stream, open);
            }
        }
    }

    fn write(&mut self, reel: &Reel, data: &[u8], key: bool) -> io::Result<()> {
        let state = self.files.entry(reel.clone()).or_default();
        let full = key && state.as_ref().is_some_and(|open| open.bytes >= self.max_bytes);
        if full && let Some(open) = state.take() {
            self.close(&reel.stream, open);
        }
        let state = self.files.entry(reel.clone()).or_default();
        let open = match state {
            Some(open) => open,
            None if key => state.insert(create(&self.folder, reel)?),
            None => return Err(io::Error::other("waiting for a key frame")),
        };
        open.file.write_all(data)?;
        open.bytes += data.len() as u64;
        if open.bytes >= self.max_bytes && !open.asked {
            open.asked = true;
            (self.ask_key)(&reel.stream);
        }
        if key && self.sync == SyncWhen::Key {
            open.file.sync_data()?;
        }
        Ok(())
    }

    fn close(&self, stream: &StreamName, open: Open) {
        if self.sync != SyncWhen::Never
            && let Err(e) = open.file.sync_all()
        {
            tracing::error!(%stream, "recording {}: {e}", open.path.display());
        }
        tracing::info!(%stream, "recorded {} ({} bytes)", open.path.display(), open.bytes);
    }
}

/// Makes a file that did not exist, named by the time.
fn create(folder: &Path, reel: &Reel) -> io::Result<Open> {
    let stream = &reel.stream;
    let folder = folder.join(stream.as_str());
    std::fs::create_dir_all(&folder)?;
    let late = if reel.late { "late-" } else { "" };
    let name = format!("{stream}-{late}{}", clock::stamp());
    for number in 1..1000 {
        let again = if number == 1 {
            String::new()
        } else {
            format!("-{number}")
        };
        let path = folder.join(format!("{name}{again}.cis"));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => {
                return Ok(Open {
                    path,
                    file,
                    bytes: 0,
                    asked: false,
                });
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(io::Error::new(e.kind(), format!("{}: {e}", path.display()))),
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AlreadyExists,
        format!("{}/{name}.cis and 998 more", folder.display()),
    ))
}
