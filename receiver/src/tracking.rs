//! Tracking of the streams: what the detector found becomes regions with track numbers, and events.

use crate::config;
use crate::live::Live;
use crate::report::Event;
use crate::stream::Stream;
use cis_analytics::{Analyser, Direction, Findings, Kind, Moment, Numbers, Plan, Rect, Scene, Settings};
use cis_codec::frame::Header;
use cis_inference::detect::Detection;
use gstcis::regions::Region;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Names of streams that are remembered; above it, those go of which no stream is open.
const MAX_NAMES: usize = 4096;

/// Zones and lines by stream.
pub type Plans = HashMap<String, Arc<Plan>>;

/// Makes the tracking of each stream.
pub struct Trackers {
    /// `None`: nobody is followed.
    settings: Option<Settings>,
    update_ns: u64,
    /// Boxes below this confidence are in no output.
    threshold: Arc<Live<f32>>,
    plans: Arc<Live<Plans>>,
    /// Tells the objects of one life of the receiver from those of another.
    run: Arc<str>,
    names: Mutex<HashMap<String, Arc<Memory>>>,
}

/// What outlives a camera's connection.
#[derive(Default)]
pub struct Memory {
    numbers: Numbers,
    crossings: Mutex<Crossings>,
}

/// How often each line was crossed since the receiver started: by line and class, to the left and to the right.
pub type Crossings = BTreeMap<Arc<str>, BTreeMap<Arc<str>, [u64; 2]>>;

impl Trackers {
    /// As configured.
    ///
    /// # Errors
    /// A zone or line that is none.
    pub fn new(config: &config::Config) -> Result<Self, config::Error> {
        let track = &config.track;
        let nanos = |seconds: f64| (seconds * 1e9) as u64;
        let threshold = config.detect.threshold;
        let settings = Settings {
            low: track.low_threshold,
            high: track.high_threshold,
            begin: track.new_threshold,
            confirm: track.confirm_frames,
            lost_ns: nanos(track.lost_seconds),
        };
        let plans = Arc::new(Live::new(plans(config)?));
        Ok(Self {
            settings: track.enabled.then_some(settings),
            update_ns: nanos(track.update_seconds),
            threshold: Arc::new(Live::new(threshold)),
            plans,
            run: run().into(),
            names: Mutex::default(),
        })
    }

    /// The least confidence that the detector is asked for.
    pub fn least(&self) -> f32 {
        let low = self.settings.map_or(f32::INFINITY, |settings| settings.low);
        low.min(*self.threshold.get())
    }

    /// Another threshold for boxes. Who is followed already goes by the one before until its camera connects again.
    pub fn set_threshold(&self, threshold: f32) {
        self.threshold.set(threshold);
    }

    /// Other zones and lines: streams for which they have changed go by them from the next frame that shows something new.
    pub fn set_plans(&self, plans: Plans) {
        self.plans.set(plans);
    }

    /// Of a stream that opens.
    pub fn open(&self, name: &str) -> Tracking {
        let memory = self.memory(name);
        let settings = self.settings.map(|settings| Settings {
            // An object that is in no output has no events.
            begin: settings.begin.max(*self.threshold.get()),
            ..settings
        });
        let plan = self.plans.get().get(name).cloned();
        let follow = Follow {
            settings,
            update_ns: self.update_ns,
            plans: self.plans.clone(),
            plan,
        };
        Tracking {
            analyser: follow.analyser(&memory),
            follow,
            memory,
            run: self.run.clone(),
            threshold: self.threshold.clone(),
            shown: Vec::new(),
            newest: None,
        }
    }

    fn memory(&self, name: &str) -> Arc<Memory> {
        let mut names = self.names.lock();
        if names.len() >= MAX_NAMES && !names.contains_key(name) {
            names.retain(|_, memory| Arc::strong_count(memory) > 1);
        }
        names.entry(name.into()).or_default().clone()
    }
}

/// Zones and lines of a configuration.
///
/// # Errors
/// One that is none.
pub fn plans(config: &config::Config) -> Result<Plans, config::Error> {
    config::places::plans(&config.zone, &config.line)
        .map_err(|e| config::Error::Conflict(format!("zones and lines: {e}")))
}

/// How a stream's objects are followed.
struct Follow {
    /// `None`: nobody is.
    settings: Option<Settings>,
    update_ns: u64,
    plans: Arc<Live<Plans>>,
    /// The plan by which they are followed now.
    plan: Option<Arc<Plan>>,
}

impl Follow {
    fn analyser(&self, memory: &Memory) -> Option<Analyser> {
        let plan = self.plan.clone().unwrap_or_default();
        let numbers = memory.numbers.clone();
        let settings = self.settings?;
        Some(Analyser::new(settings, self.update_ns, plan, numbers))
    }

    /// Takes the plan of now; whether it is another one.
    fn renew(&mut self, name: &str) -> bool {
        let plan = self.plans.get().get(name).cloned();
        let changed = plan != self.plan;
        self.plan = plan;
        changed
    }
}

/// The tracking of one stream.
pub struct Tracking {
    follow: Follow,
    analyser: Option<Analyser>,
    memory: Arc<Memory>,
    run: Arc<str>,
    threshold: Arc<Live<f32>>,
    /// What is to be seen of the newest frame, and the place of each among what was found.
    shown: Vec<(usize, Region)>,
    newest: Option<Header>,
}

impl Tracking {
    /// What was found in the next frame of `stream`.
    pub fn frame(
        &mut self,
        stream: &Arc<Stream>,
        header: &Header,
        found: &[Detection],
    ) -> (Arc<[Region]>, Vec<Event>) {
        let size = (header.source.width, header.source.height);
        let (places, threshold) = (found.iter().enumerate(), *self.threshold.get());
        self.shown = places
            .filter(|(_, detection)| detection.confidence >= threshold)
            .map(|(place, detection)| (place, Region::on_grid(detection, size)))
            .collect();
        // What the plan before has to do with is over.
        let mut over = Vec::new();
        if self.follow.renew(stream.name.as_str()) {
            over = self.end(stream);
            self.analyser = self.follow.analyser(&self.memory);
        }
        let findings = match &mut self.analyser {
            Some(analyser) => analyser.frame(moment(header), size, found.iter().map(box_of).collect()),
            None => Findings::default(),
        };
        let (regions, events) = self.tell(stream, header, findings);
        over.extend(events);
        (regions, over)
    }

    /// A frame that shows what the one before showed.
    pub fn repeat(&mut self, stream: &Arc<Stream>, header: &Header) -> (Arc<[Region]>, Vec<Event>) {
        let findings = match &mut self.analyser {
            Some(analyser) => analyser.repeat(moment(header)),
            None => Findings::default(),
        };
        self.tell(stream, header, findings)
    }

    /// The stream has ended.
    pub fn end(&mut self, stream: &Arc<Stream>) -> Vec<Event> {
        let events = self.analyser.as_mut().map(Analyser::end).unwrap_or_default();
        match self.newest.take() {
            Some(header) => self.events(stream, &header, events),
            None => Vec::new(),
        }
    }

    /// What is there now.
    pub fn scene(&self) -> Scene {
        self.analyser.as_ref().map(Analyser::scene).unwrap_or_default()
    }

    /// How often each line was crossed by objects of streams of this name.
    pub fn crossings(&self) -> Crossings {
        self.memory.crossings.lock().clone()
    }

    fn tell(
        &mut self,
        stream: &Arc<Stream>,
        header: &Header,
        findings: Findings,
    ) -> (Arc<[Region]>, Vec<Event>) {
        for (place, region) in &mut self.shown {
            region.track = findings.tracks.get(*place).copied().flatten();
        }
        let regions = self.shown.iter().map(|(_, region)| region.clone()).collect();
        self.newest = Some(header.clone());
        (regions, self.events(stream, header, findings.events))
    }

    fn events(&self, stream: &Arc<Stream>, header: &Header, events: Vec<cis_analytics::Event>) -> Vec<Event> {
        for event in &events {
            if let Kind::Cross(line, direction) = &event.kind {
                let mut crossings = self.memory.crossings.lock();
                let by_class = crossings.entry(line.clone()).or_default();
                let counts = by_class.entry(event.object.label.clone()).or_default();
                counts[usize::from(*direction == Direction::Right)] += 1;
            }
        }
        let event = |what: cis_analytics::Event| Event {
            stream: stream.clone(),
            id: format!("{}-{}-{}", stream.name, self.run, what.object.track),
            frame: header.number,
            source: header.source,
            late: header.late,
            what,
        };
        events.into_iter().map(event).collect()
    }
}

/// The time, and so never the same again.
fn run() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!("{:x}", now.unwrap_or_default().as_micros())
}

fn moment(header: &Header) -> Moment {
    Moment {
        pts_ns: header.pts_ns,
        capture_utc_ns: header.capture_utc_ns,
    }
}

fn box_of(detection: &Detection) -> cis_analytics::Detection {
    let Detection { x, y, w, h, .. } = *detection;
    cis_analytics::Detection {
        class_id: detection.class_id,
        label: detection.label.clone(),
        confidence: detection.confidence,
        bounds: Rect { x, y, w, h },
    }
}
