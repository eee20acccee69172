//! What is counted per stream, and the lines that tell it.

use crate::metrics::Times;
use cis_codec::frame::Header;
use gstcis::latency::{self, Window};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts `n` more.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// The count.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// The counters of one stream.
#[derive(Debug)]
pub struct Stats {
    opened: Instant,
    frames: Counter,
    keys: Counter,
    bytes: Counter,
    enhancement: [Counter; 2],
    results: Counter,
    objects: Counter,
    latency: Mutex<Window>,
    span: Mutex<Span>,
    /// How long things took.
    pub times: Times,
    /// Frames that could not be decoded: damaged, foreign, or after a gap.
    pub undecoded: Counter,
    /// Enhancement units that could not be used.
    pub unenhanced: Counter,
    /// Frames that went without detections because the detector was behind or failed.
    pub undetected: Counter,
    /// Those among them that had waited too long.
    pub overdue: Counter,
    /// Frames that came late, out of the camera's spool; they are in no other count.
    pub late: Counter,
    /// Frames that are missing in the recording.
    pub unrecorded: Arc<Counter>,
    /// Frames that viewers did not see because restoring was behind.
    pub unrestored: Arc<Counter>,
}

impl Stats {
    /// All zero.
    pub fn new() -> Self {
        Self {
            opened: Instant::now(),
            frames: Counter::default(),
            keys: Counter::default(),
            bytes: Counter::default(),
            enhancement: Default::default(),
            results: Counter::default(),
            objects: Counter::default(),
            latency: Mutex::default(),
            span: Mutex::default(),
            times: Times::default(),
            undecoded: Counter::default(),
            unenhanced: Counter::default(),
            undetected: Counter::default(),
            overdue: Counter::default(),
            late: Counter::default(),
            unrecorded: Arc::default(),
            unrestored: Arc::default(),
        }
    }

    /// A unit of `bytes` bytes, headers included, has come.
    pub fn arrived(&self, bytes: usize, key: bool) {
        self.frames.add(1);
        self.keys.add(key.into());
        self.bytes.add(bytes as u64);
    }

    /// An enhancement unit of `bytes` bytes has come.
    pub fn enhanced(&self, bytes: usize) {
        self.enhancement[0].add(1);
        self.enhancement[1].add(bytes as u64);
    }

    /// A unit could be decoded, and is this frame.
    pub fn decoded(&self, header: &Header) {
        self.span.lock().add(header.pts_ns);
        if let Some(latency) = age(header) {
            self.times.network.observe(latency.as_secs_f64());
        }
    }

    /// The objects of a frame are known.
    pub fn result(&self, header: &Header, objects: usize) {
        self.results.add(1);
        self.objects.add(objects as u64);
        if let Some(latency) = age(header) {
            self.times.result.observe(latency.as_secs_f64());
            self.latency.lock().add(latency);
        }
    }

    /// The counts at this moment.
    pub fn snapshot(&self) -> Snapshot {
        let latency = self.latency.lock();
        Snapshot {
            open: self.opened.elapsed(),
            frames: self.frames.get(),
            keys: self.keys.get(),
            bytes: self.bytes.get(),
            enhancement_units: self.enhancement[0].get(),
            enhancement_bytes: self.enhancement[1].get(),
            unenhanced: self.unenhanced.get(),
            results: self.results.get(),
            objects: self.objects.get(),
            undecoded: self.undecoded.get(),
            undetected: self.undetected.get(),
            overdue: self.overdue.get(),
            late: self.late.get(),
            unrecorded: self.unrecorded.get(),
            unrestored: self.unrestored.get(),
            watched: false,
            latency: latency.percentile(50).zip(latency.percentile(95)),
            length: self.span.lock().length(),
        }
    }
}

/// How long ago a frame was captured. What came out of a camera's spool says nothing about how quick things are.
fn age(header: &Header) -> Option<Duration> {
    latency::since(header.capture_utc_ns).filter(|_| !header.late)
}

impl Default for Stats {
    fn default() -> Self {
        Self::new()
    }
}

/// The counts of one stream at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// How long the stream has been open.
    pub open: Duration,
    /// Units that came.
    pub frames: u64,
    /// Key frames among them.
    pub keys: u64,
    /// Their bytes, headers included.
    pub bytes: u64,
    /// Units of the enhancement layer that came; they are in no other count.
    pub enhancement_units: u64,
    /// Their bytes.
    pub enhancement_bytes: u64,
    /// Those among them that could not be used: damaged, or without what they build on.
    pub unenhanced: u64,
    /// Frames whose objects are known.
    pub results: u64,
    /// Objects in them.
    pub objects: u64,
    /// Frames that could not be decoded.
    pub undecoded: u64,
    /// Frames without detections because the detector was behind or failed.
    pub undetected: u64,
    /// Those among them that had waited too long.
    pub overdue: u64,
    /// Frames that came late, out of the camera's spool; they are in no other count.
    pub late: u64,
    /// Frames missing in the recording.
    pub unrecorded: u64,
    /// Frames that viewers did not see because restoring was behind.
    pub unrestored: u64,
    /// Whether a restoring pipeline runs.
    pub watched: bool,
    /// From capture to result: median and 95th percentile of the newest 512 frames.
    pub latency: Option<(Duration, Duration)>,
    /// How long the stream is by its own time stamps; zero before the second frame.
    pub length: Duration,
}

/// The time that frames cover by their time stamps.
#[derive(Debug, Default)]
struct Span {
    ends: Option<(u64, u64)>,
    frames: u64,
}

impl Span {
    fn add(&mut self, pts_ns: u64) {
        let (first, last) = self.ends.unwrap_or((pts_ns, pts_ns));
        self.ends = Some((first.min(pts_ns), last.max(pts_ns)));
        self.frames += 1;
    }

    /// From the first frame to the end of the last one, which is as long as the others are on average.
    fn length(&self) -> Duration {
        let (first, last) = self.ends.unwrap_or_default();
        match self.frames {
            0 | 1 => Duration::ZERO,
            n => Duration::from_nanos(last - first).mul_f64(n as f64 / (n - 1) as f64),
        }
    }
}

impl Snapshot {
    /// What happened since `before`, as a status line.
    pub fn status(&self, before: &Self) -> String {
        let seconds = (self.open.saturating_sub(before.open)).as_secs_f64().max(1e-3);
        let (frames, bytes) = (self.frames - before.frames, self.bytes - before.bytes);
        format!(
            "{:.1} frames/s, {:.1} kbit/s, {} objects, {}; {}{}{}",
            frames as f64 / seconds,
            bytes as f64 * 8e-3 / seconds,
            self.objects - before.objects,
            self.latency_text(),
            self.lost(),
            if self.watched { "; watched" } else { "" },
            match self.enhancement_bytes - before.enhancement_bytes {
                0 => String::new(),
                bytes => format!(
                    "; enhancement {:.1} kbit/s, {} unused",
                    bytes as f64 * 8e-3 / seconds,
                    self.unenhanced
                ),
            },
        )
    }

    /// The whole life of the stream, as a summary line.
    pub fn summary(&self) -> String {
        // What a second of the camera's time costs, however long the connection stood or the receiver ran.
        let seconds = if self.length.is_zero() {
            self.open
        } else {
            self.length
        }
        .as_secs_f64();
        format!(
            "{} frames ({} key) of {:.1} s, {:.1} kbit/s, {:.0} bytes a frame, {} objects in {} results, {}; {}{}",
            self.frames,
            self.keys,
            seconds,
            self.bytes as f64 * 8e-3 / seconds.max(1e-3),
            self.bytes as f64 / self.frames.max(1) as f64,
            self.objects,
            self.results,
            self.latency_text(),
            self.lost(),
            match self.enhancement_units {
                0 => String::new(),
                units => format!(
                    "; enhancement: {units} units of {} bytes, {} unused",
                    self.enhancement_bytes, self.unenhanced
                ),
            },
        )
    }

    /// Adds the counts of another stream; what is no count stays.
    pub fn add(&mut self, other: &Self) {
        self.frames += other.frames;
        self.keys += other.keys;
        self.bytes += other.bytes;
        self.enhancement_units += other.enhancement_units;
        self.enhancement_bytes += other.enhancement_bytes;
        self.unenhanced += other.unenhanced;
        self.results += other.results;
        self.objects += other.objects;
        self.undecoded += other.undecoded;
        self.undetected += other.undetected;
        self.overdue += other.overdue;
        self.late += other.late;
        self.unrecorded += other.unrecorded;
        self.unrestored += other.unrestored;
    }

    fn latency_text(&self) -> String {
        match self.latency {
            Some((p50, p95)) => format!("latency p50 {} ms p95 {} ms", p50.as_millis(), p95.as_millis()),
            None => "latency unknown".into(),
        }
    }

    fn lost(&self) -> String {
        format!(
            "{} undecoded, {} undetected ({} overdue), {} unrecorded, {} unrestored, {} late",
            self.undecoded, self.undetected, self.overdue, self.unrecorded, self.unrestored, self.late
        )
    }
}
