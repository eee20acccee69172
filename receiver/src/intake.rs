//! The thread between network and detector: opens and closes streams, decodes their units to latents and hands them on.

use crate::asked::Asked;
use crate::bundles::Bundles;
use crate::config::Enhance;
use crate::detect::Frame;
use crate::health::Pulse;
use crate::lane::{Lane, Lanes};
use crate::rtsp::Server;
use crate::source::{Cameras, Units};
use crate::stats::Stats;
use crate::storage::{Shelf, Storage};
use crate::stream::{Registry, Stream};
use crate::tracking::Trackers;
use crate::view::{self, Enhancement, View};
use cis_codec::frame::{ENHANCEMENT, HeaderReader};
use cis_codec::{Decoder, Limits, Prior, decode};
use cis_link::listener::{Event, Receipt};
use cis_link::{StreamName, Unit};
use crossbeam_channel::RecvTimeoutError;
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A key frame is dear on a thin uplink: it is asked for this often at most.
const KEY_PAUSE: Duration = Duration::from_secs(2);
/// How soon a free place for what was put aside is noticed.
const LOOK_ASIDE: Duration = Duration::from_millis(10);

/// Everything that intake hands frames to.
pub struct Intake {
    /// Where key frames are asked for.
    pub cameras: Arc<dyn Cameras>,
    /// The detector. It ends with this thread, when it has answered what waits.
    pub lanes: Lanes,
    /// Recordings and clips.
    pub storage: Storage,
    /// How views are restored, when somebody may watch.
    pub views: Option<view::restore::Settings>,
    /// Where players find them.
    pub rtsp: Option<Arc<Server>>,
    /// The open streams.
    pub registry: Arc<Registry>,
    /// Who makes the tracking of each stream.
    pub trackers: Arc<Trackers>,
    /// The bundles whose streams are understood.
    pub bundles: Bundles,
    /// Their prior.
    pub prior: Arc<Prior>,
    /// What a stream may ask for.
    pub limits: Limits,
    /// When cameras are asked for the enhancement layer.
    pub enhance: Enhance,
    /// What this thread does.
    pub pulse: Arc<Pulse>,
}

/// A stream as intake sees it.
struct Feed {
    stream: Arc<Stream>,
    lane: Lane,
    decoder: Decoder,
    /// Of the enhancement layer, which is passed on as it came.
    enhancement: HeaderReader,
    /// When it is asked for.
    enhance: Enhance,
    /// Time stamp of the newest frame.
    newest_ns: Option<u64>,
    shelf: Shelf,
    asker: Arc<Asker>,
    healthy: bool,
    /// What the detector was given last: the same again has the same objects.
    asked: Asked,
    /// What comes out of the camera's spool is decoded beside what is live.
    late: Option<Box<Feed>>,
    /// What came late and waits for a place before the detector. The link bounds it: no more comes before it is stored.
    aside: VecDeque<Aside>,
}

/// What was put aside.
enum Aside {
    Unit {
        unit: Unit,
        repeated: bool,
        receipt: Receipt,
    },
    Gap,
}

/// Asks a camera for key frames, not too often.
struct Asker {
    cameras: Arc<dyn Cameras>,
    stream: StreamName,
    last: Mutex<Option<Instant>>,
    last_enhancement: Mutex<Option<Instant>>,
}

impl Asker {
    fn ask(&self) {
        let mut last = self.last.lock();
        if last.is_none_or(|last| last.elapsed() >= KEY_PAUSE) {
            *last = Some(Instant::now());
            self.cameras.ask_key(&self.stream);
        }
    }

    /// The enhancement cannot go on without a key of its layer.
    fn begin_enhancement(&self) {
        let mut last = self.last_enhancement.lock();
        if last.is_none_or(|last| last.elapsed() >= KEY_PAUSE) {
            *last = Some(Instant::now());
            self.cameras.enhance(&self.stream, true);
        }
    }
}

impl Intake {
    /// Handles events until there will be no more and the last of them is taken.
    pub fn run(self, events: &dyn Units) {
        let mut feeds = HashMap::new();
        loop {
            let event = match feeds.values().any(Feed::has_aside) {
                true => match events.recv_timeout(LOOK_ASIDE) {
                    Err(RecvTimeoutError::Disconnected) => break,
                    event => event.ok(),
                },
                false => match events.recv() {
                    Ok(event) => Some(event),
                    Err(_) => break,
                },
            };
            let _work = self.pulse.work();
            if let Some(event) = event {
                self.handle(&mut feeds, event);
            }
            feeds.values_mut().for_each(|feed| self.go_on(feed, false));
        }
        let names: Vec<_> = feeds.keys().cloned().collect();
        names
            .iter()
            .for_each(|name| self.close(&mut feeds, name, "the receiver shuts down"));
    }

    fn handle(&self, feeds: &mut HashMap<StreamName, Feed>, event: Event) {
        match event {
            Event::Opened {
                stream,
                remote,
                bundle,
            } => {
                self.close(feeds, &stream, "its camera connected again");
                tracing::info!(%stream, %remote, %bundle, "stream opened");
                feeds.insert(stream.clone(), self.open(stream, &bundle));
            }
            Event::Unit {
                stream,
                unit,
                enhancement: true,
                ..
            } => {
                if let Some(feed) = feeds.get_mut(&stream) {
                    self.enhancement(feed, unit);
                }
            }
            Event::Unit {
                stream,
                unit,
                late,
                repeated,
                receipt,
                ..
            } => {
                if let Some(feed) = feeds.get_mut(&stream) {
                    match late {
                        false => self.unit(feed, unit, repeated, &receipt),
                        true => self.late_unit(feed, unit, repeated, receipt),
                    }
                }
            }
            Event::GroupReset {
                stream, late: true, ..
            } => {
                if let Some(late) = feeds.get_mut(&stream).and_then(|feed| feed.late.as_mut()) {
                    late.aside.push_back(Aside::Gap);
                }
            }
            Event::GroupReset { stream, .. } => {
                if let Some(feed) = feeds.get_mut(&stream) {
                    tracing::warn!(%stream, "the camera gave a group of frames up; goes on at the next key frame");
                    feed.gap();
                }
            }
            Event::Closed { stream, reason, .. } => self.close(feeds, &stream, &reason),
            Event::Refused { remote, reason, .. } => tracing::warn!(%remote, "camera refused: {reason}"),
            _ => {}
        }
    }

    fn open(&self, name: StreamName, bundle: &str) -> Feed {
        let stats = Stats::new();
        let enhance = match self.bundles.enhances(bundle) {
            true => self.enhance,
            false => Enhance::Never,
        };
        let asker = Arc::new(Asker {
            cameras: self.cameras.clone(),
            stream: name.clone(),
            last: Mutex::new(None),
            last_enhancement: Mutex::new(None),
        });
        if enhance == Enhance::Always {
            self.cameras.enhance(&name, true);
        }
        let shelf = self.storage.shelf(&name, false, &stats.unrecorded);
        let view = self.views.clone().map(|settings| {
            let asker = asker.clone();
            let enhance = {
                let (wanted, asker) = (enhance, asker.clone());
                move |watched: bool, broken: bool| match wanted {
                    // Whoever is told to begin begins with a key.
                    Enhance::Watched if broken => {}
                    Enhance::Watched => asker.cameras.enhance(&asker.stream, watched),
                    Enhance::Always if broken => asker.begin_enhancement(),
                    Enhance::Always | Enhance::Never => {}
                }
            };
            let unrestored = stats.unrestored.clone();
            let view = Arc::new(View::new(settings, unrestored, move || asker.ask(), enhance));
            if let Some(server) = &self.rtsp {
                server.add(&name, view.clone());
            }
            view
        });
        let tracking = Mutex::new(self.trackers.open(name.as_str()));
        let stream = Arc::new(Stream {
            name,
            stats,
            view,
            found: Mutex::default(),
            tracking,
        });
        self.registry.insert(stream.clone());
        Feed {
            stream,
            lane: self.lanes.live(),
            decoder: self.decoder(),
            enhancement: HeaderReader::of_layer(ENHANCEMENT, self.limits),
            enhance,
            newest_ns: None,
            shelf,
            asker,
            healthy: true,
            asked: Asked::default(),
            late: None,
            aside: VecDeque::new(),
        }
    }

    fn decoder(&self) -> Decoder {
        self.bundles.decoder(self.prior.clone(), self.limits)
    }

    /// The feed of what comes late: it has no view, and is in no list.
    fn open_late(&self, feed: &Feed) -> Feed {
        let (name, stats) = (feed.stream.name.clone(), Stats::new());
        let tracking = Mutex::new(self.trackers.open(name.as_str()));
        let shelf = self.storage.shelf(&name, true, &feed.stream.stats.unrecorded);
        Feed {
            stream: Arc::new(Stream {
                name,
                stats,
                tracking,
                view: None,
                found: Mutex::default(),
            }),
            lane: self.lanes.late(),
            decoder: self.decoder(),
            enhancement: HeaderReader::of_layer(ENHANCEMENT, self.limits),
            enhance: Enhance::Never,
            newest_ns: None,
            shelf,
            asker: feed.asker.clone(),
            healthy: true,
            asked: Asked::default(),
            late: None,
            aside: VecDeque::new(),
        }
    }

    /// Puts a unit aside: what is live must not wait behind it.
    fn late_unit(&self, feed: &mut Feed, mut unit: Unit, repeated: bool, receipt: Receipt) {
        feed.stream.stats.late.add(1);
        let mut data = unit.data.to_vec();
        // What is no unit stays as it is; decoding it tells.
        let _ = cis_codec::frame::set_late(&mut data, true);
        unit.data = data.into();
        let mut late = match feed.late.take() {
            Some(late) => late,
            None => Box::new(self.open_late(feed)),
        };
        late.aside.push_back(Aside::Unit {
            unit,
            repeated,
            receipt,
        });
        feed.late = Some(late);
    }

    /// Takes what was put aside, as far as the detector has places for it; `all`: waits for them.
    fn go_on(&self, feed: &mut Feed, all: bool) {
        let Some(late) = &mut feed.late else { return };
        while all || late.lane.has_room() {
            match late.aside.pop_front() {
                Some(Aside::Unit {
                    unit,
                    repeated,
                    receipt,
                }) => self.unit(late, unit, repeated, &receipt),
                Some(Aside::Gap) => late.gap(),
                None => break,
            }
        }
    }

    fn close(&self, feeds: &mut HashMap<StreamName, Feed>, name: &StreamName, reason: &str) {
        let Some(mut feed) = feeds.remove(name) else {
            return;
        };
        self.go_on(&mut feed, true);
        if let Some(server) = &self.rtsp {
            server.remove(name);
        }
        if let Some(view) = &feed.stream.view {
            view.end();
        }
        tracing::info!(stream = %name, "stream closed: {reason}");
        if let Some(late) = feed.late {
            late.lane.end(late.stream);
        }
        feed.lane.end(feed.stream);
    }

    /// `repeated`: the unit was here before, and is needed to decode those after it only.
    fn unit(&self, feed: &mut Feed, unit: Unit, repeated: bool, receipt: &Receipt) {
        let stream = feed.stream.clone();
        stream.stats.arrived(unit.data.len(), unit.key);
        let frame = match feed.decoder.decode(&unit.data) {
            Ok(frame) => frame,
            Err(e) if e.is_skippable() => return,
            Err(e) => return feed.failed(&e),
        };
        feed.healthy = true;
        stream.stats.decoded(&frame.header);
        feed.newest_ns = Some(frame.header.pts_ns);
        if frame.header.key {
            feed.enhancement.reset();
        }
        if repeated {
            // A recording begins with a key frame, so that this is in it a second time.
            feed.shelf.write(&unit.data, &frame.header, receipt);
            return;
        }
        let header = frame.header;
        feed.shelf.write(&unit.data, &header, receipt);
        let next = Frame {
            stream,
            header,
            unit: unit.data,
            receipt: receipt.clone(),
        };
        // Repeats are the same, and so are, by sticky quantisation, many other frames of a quiet scene, symbol for symbol.
        if feed.asked.renew(&next.header, frame.latents) {
            feed.lane.detect(next, frame.latents);
        } else {
            feed.lane.repeat(next);
        }
    }

    /// Passes an enhancement unit on to recording and view. The detector never sees it.
    fn enhancement(&self, feed: &mut Feed, unit: Unit) {
        let stats = &feed.stream.stats;
        stats.enhanced(unit.data.len());
        let header = match feed.enhancement.read(&unit.data) {
            Ok(header) if Some(header.pts_ns) == feed.newest_ns => header,
            _ => {
                stats.unenhanced.add(1);
                let watched = feed.stream.view.as_ref().is_some_and(|view| view.watched());
                if feed.enhance == Enhance::Always || (feed.enhance == Enhance::Watched && watched) {
                    feed.asker.begin_enhancement();
                }
                return;
            }
        };
        feed.shelf.enhance(&unit.data, &header, &stats.unrecorded);
        if feed.stream.view.is_some() {
            let unit = Enhancement {
                pts_ns: header.pts_ns,
                key: header.key,
                unit: unit.data,
            };
            // In order behind its frame, which is in this lane already.
            feed.lane.enhance(feed.stream.clone(), unit);
        }
    }
}

impl Feed {
    fn has_aside(&self) -> bool {
        self.late.as_ref().is_some_and(|late| !late.aside.is_empty())
    }

    /// A unit could not be decoded.
    fn failed(&mut self, error: &decode::Error) {
        self.stream.stats.undecoded.add(1);
        if std::mem::replace(&mut self.healthy, false) {
            tracing::warn!(stream = %self.stream.name, "{error}; goes on at the next key frame");
        }
        self.gap();
        self.asker.ask();
    }

    /// What comes next makes sense from its next key frame on.
    fn gap(&mut self) {
        self.decoder.reset();
        self.enhancement.reset();
        self.newest_ns = None;
        self.shelf.gap();
        if let Some(view) = &self.stream.view {
            view.gap();
        }
    }
}
