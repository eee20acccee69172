//! JSON lines: one thread writes them, behind a bounded queue. When the queue is full the line is dropped and counted.

use super::rotate::RotatingFile;
use super::{Meter, Output};
use crate::config;
use crate::report::Report;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

/// Where reports become lines.
#[derive(Debug)]
pub struct Json {
    queue: Sender<Vec<u8>>,
    meter: Arc<Meter>,
}

impl Json {
    /// Opens the output and starts the thread `cis-json`; there is none when the output is `none`. The thread ends,
    /// everything written, when the output is dropped.
    pub fn start(config: &config::Json) -> io::Result<Option<(Self, JoinHandle<()>)>> {
        let target = match config.output.to_str() {
            Some("none") => return Ok(None),
            Some("-") => Target::Stdout(io::stdout()),
            _ => Target::File(open(&config.output, config)?),
        };
        let meter = Arc::new(Meter::new("json"));
        let (queue, lines) = bounded(config.queue);
        let thread = std::thread::Builder::new().name("cis-json".into()).spawn({
            let meter = meter.clone();
            move || write_all(target, &lines, &meter)
        })?;
        Ok(Some((Self { queue, meter }, thread)))
    }
}

impl Output for Json {
    fn report(&self, report: &Report) {
        let name = report.stream.name.as_str();
        match gstcis::json_line(name, &report.header, report.objects.as_deref(), None) {
            Ok(line) => {
                if self.queue.try_send(line).is_err() {
                    self.meter.dropped.add(1);
                }
            }
            Err(e) => {
                self.meter.failed.add(1);
                tracing::error!(stream = name, "JSON line: {e}");
            }
        }
    }

    fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }
}

enum Target {
    Stdout(io::Stdout),
    File(RotatingFile),
}

fn open(path: &Path, config: &config::Json) -> io::Result<RotatingFile> {
    RotatingFile::open(path, config.max_size << 20, config.max_files)
        .map_err(|e| io::Error::new(e.kind(), format!("json.output {}: {e}", path.display())))
}

impl Target {
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
fn write_all(mut target: Target, queue: &Receiver<Vec<u8>>, meter: &Meter) {
    let mut healthy = true;
    let mut told = |result: io::Result<()>, lines: u64| match result {
        Ok(()) => {
            meter.delivered.add(lines);
            healthy = true;
        }
        Err(e) => {
            meter.failed.add(lines);
            if std::mem::replace(&mut healthy, false) {
                tracing::error!("JSON lines cannot be written: {e}");
            }
        }
    };
    while let Ok(line) = queue.recv() {
        told(target.write_line(&line), 1);
        while let Ok(line) = queue.try_recv() {
            told(target.write_line(&line), 1);
        }
        told(target.flush(), 0);
    }
    if let Target::File(file) = &mut target {
        told(file.sync(), 0);
    }
}
