//! JSON lines of frames and of events: a thread for each writes them, behind a bounded queue. When the queue is full the line is dropped and
//! counted.

use super::rotate::RotatingFile;
use super::{Meter, Output, text};
use crate::config;
use crate::health::{Health, Pulse};
use crate::report::{Event, Report};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

/// Where reports become lines.
#[derive(Debug)]
pub struct Json(Lines);

/// Where events become lines.
#[derive(Debug)]
pub struct Events(Lines);

impl Json {
    /// Opens the output and starts the thread `cis-json`; there is none when the output is `none`. The thread ends,
    /// everything written, when the output is dropped.
    pub fn start(config: &config::Json, health: &Health) -> io::Result<Option<(Self, JoinHandle<()>)>> {
        let pulse = health.watch("cis-json");
        let started = Lines::start("json", pulse, "json.output", &config.output, config)?;
        Ok(started.map(|(lines, thread)| (Self(lines), thread)))
    }
}

impl Events {
    /// The same for events, on the thread `cis-events`.
    pub fn start(config: &config::Json, health: &Health) -> io::Result<Option<(Self, JoinHandle<()>)>> {
        let pulse = health.watch("cis-events");
        let started = Lines::start("json.events", pulse, "json.events", &config.events, config)?;
        Ok(started.map(|(lines, thread)| (Self(lines), thread)))
    }
}

impl Output for Json {
    fn report(&self, report: &Report) {
        let name = report.stream.name.as_str();
        let line = gstcis::json_line(name, &report.header, report.objects.as_deref(), None);
        self.0.put(line);
    }

    fn meter(&self) -> &Arc<Meter> {
        &self.0.meter
    }
}

impl Output for Events {
    fn report(&self, _report: &Report) {}

    fn event(&self, event: &Event) {
        self.0.put(text::event(event).map(|mut line| {
            line.push(b'\n');
            line
        }));
    }

    fn meter(&self) -> &Arc<Meter> {
        &self.0.meter
    }
}

/// A queue and the thread that writes what is in it.
#[derive(Debug)]
struct Lines {
    queue: Sender<Vec<u8>>,
    meter: Arc<Meter>,
}

impl Lines {
    fn start(
        name: &'static str,
        pulse: Arc<Pulse>,
        option: &str,
        path: &Path,
        config: &config::Json,
    ) -> io::Result<Option<(Self, JoinHandle<()>)>> {
        let target = match path.to_str() {
            Some("none") => return Ok(None),
            Some("-") => Target::Stdout(io::stdout()),
            _ => Target::File(open(option, path, config)?),
        };
        let meter = Arc::new(Meter::new(name));
        let (queue, lines) = bounded(config.queue);
        let thread = std::thread::Builder::new().name(pulse.name.into()).spawn({
            let meter = meter.clone();
            move || write_all(target, &lines, &meter, &pulse)
        })?;
        Ok(Some((Self { queue, meter }, thread)))
    }

    fn put(&self, line: Result<Vec<u8>, serde_json::Error>) {
        match line {
            Ok(line) => match self.queue.try_send(line) {
                Ok(()) => self.meter.accepted.add(1),
                Err(_) => self.meter.dropped.add(1),
            },
            Err(e) => {
                self.meter.failed.add(1);
                tracing::error!("{}: {e}", self.meter.name);
            }
        }
    }
}

enum Target {
    Stdout(io::Stdout),
    File(RotatingFile),
}

fn open(option: &str, path: &Path, config: &config::Json) -> io::Result<RotatingFile> {
    RotatingFile::open(path, config.max_size << 20, config.max_files)
        .map_err(|e| io::Error::new(e.kind(), format!("{option} {}: {e}", path.display())))
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
fn write_all(mut target: Target, queue: &Receiver<Vec<u8>>, meter: &Meter, pulse: &Pulse) {
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
        let mut _work = pulse.work();
        told(target.write_line(&line), 1);
        while let Ok(line) = queue.try_recv() {
            _work = pulse.work();
            told(target.write_line(&line), 1);
        }
        told(target.flush(), 0);
    }
    if let Target::File(file) = &mut target {
        told(file.sync(), 0);
    }
}
