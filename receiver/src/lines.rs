//! The one thread that writes JSON lines, and the bounded queue before it. When the queue is full the line is dropped and counted.

use crate::config;
use crate::rotate::RotatingFile;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

/// What became of the lines.
#[derive(Debug, Default)]
pub struct Counters {
    written: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
}

impl Counters {
    /// Lines that were handed to the operating system.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Lines that found the queue full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Lines that could not be written.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

/// Where lines go in.
#[derive(Clone, Debug)]
pub struct Lines {
    queue: Option<Sender<Vec<u8>>>,
    counters: Arc<Counters>,
}

impl Lines {
    /// Opens the output and starts the thread `cis-json`; there is none when the output is `none`. The thread ends,
    /// everything written, when the last clone of the `Lines` is gone.
    pub fn start(config: &config::Json) -> io::Result<(Self, Option<JoinHandle<()>>)> {
        let counters = Arc::new(Counters::default());
        let output = match config.output.to_str() {
            Some("none") => return Ok((Self::nowhere(), None)),
            Some("-") => Output::Stdout(io::stdout()),
            _ => Output::File(open(&config.output, config)?),
        };
        let (sender, receiver) = bounded(config.queue);
        let thread = std::thread::Builder::new().name("cis-json".into()).spawn({
            let counters = counters.clone();
            move || write_all(output, &receiver, &counters)
        })?;
        Ok((
            Self {
                queue: Some(sender),
                counters,
            },
            Some(thread),
        ))
    }

    /// Lines that nobody reads.
    pub fn nowhere() -> Self {
        Self {
            queue: None,
            counters: Arc::default(),
        }
    }

    /// Whether anybody reads the lines.
    pub fn wanted(&self) -> bool {
        self.queue.is_some()
    }

    /// Queues one line, which ends with its line break.
    pub fn send(&self, line: Vec<u8>) {
        let Some(queue) = &self.queue else { return };
        match queue.try_send(line) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.counters.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// What became of the lines so far.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }
}

enum Output {
    Stdout(io::Stdout),
    File(RotatingFile),
}

fn open(path: &Path, config: &config::Json) -> io::Result<RotatingFile> {
    RotatingFile::open(path, config.max_size << 20, config.max_files)
        .map_err(|e| io::Error::new(e.kind(), format!("json.output {}: {e}", path.display())))
}

impl Output {
    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.write_all(line),
            Self::File(file) => file.write_line(line),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::File(file) => file.flush(),
        }
    }
}

/// Writes until the queue is closed; flushes whenever it is empty, so that a line is seen at once.
fn write_all(mut output: Output, queue: &Receiver<Vec<u8>>, counters: &Counters) {
    let mut healthy = true;
    let mut told = |result: io::Result<()>, lines: u64| match result {
        Ok(()) => {
            counters.written.fetch_add(lines, Ordering::Relaxed);
            healthy = true;
        }
        Err(e) => {
            counters.failed.fetch_add(lines, Ordering::Relaxed);
            if std::mem::replace(&mut healthy, false) {
                tracing::error!("JSON lines cannot be written: {e}");
            }
        }
    };
    while let Ok(line) = queue.recv() {
        told(output.write_line(&line), 1);
        while let Ok(line) = queue.try_recv() {
            told(output.write_line(&line), 1);
        }
        told(output.flush(), 0);
    }
    if let Output::File(file) = &mut output {
        told(file.sync(), 0);
    }
}
