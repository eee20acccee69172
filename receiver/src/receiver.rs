//! The running receiver: starts its threads in the order in which they need each other, and ends them in the reverse one,
//! so that everything that came in gets out.

use crate::bundles::Bundles;
use crate::clips::Clips;
use crate::cluster::worker;
use crate::config::{self, Config};
use crate::detect::Results;
use crate::health::{Health, Phase};
use crate::intake::Intake;
use crate::lane::Lanes;
use crate::link::Link;
use crate::live::Live;
use crate::metrics::{Detection, Endpoints, Sources};
use crate::outputs::{Delivery, Events, Json, Mqtt, Nats, Output, Outputs, Webhook};
use crate::record::Recorder;
use crate::rtsp::Server;
use crate::services::Services;
use crate::source::{Cameras, Source};
use crate::stats::Snapshot;
use crate::storage::Storage;
use crate::stream::Registry;
use crate::tracking::Trackers;
use crate::view::{encode, restore};
use crate::web::{self, Web};
use crate::{Error, record, status, systemd, tracking};
use cis_codec::{Limits, Prior};
use cis_inference::bundle::Bundle;
use cis_inference::detect::{Detector, Params};
use cis_inference::runtime::{Runtime, SessionOptions};
use crossbeam_channel::{Sender, bounded};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a thread may be at one piece of work at the end.
const HANG: Duration = Duration::from_secs(10);
/// How often it is looked whether a thread has ended.
const LOOK: Duration = Duration::from_millis(5);

/// A running receiver. Dropping it without [`Receiver::shutdown`] does the same.
pub struct Receiver {
    cameras: Arc<dyn Cameras>,
    address: SocketAddr,
    rtsp: Option<Arc<Server>>,
    web: Option<Arc<Web>>,
    endpoints: Option<Endpoints>,
    health: Arc<Health>,
    settings: Settings,
    pub(crate) registry: Arc<Registry>,
    outputs: Outputs,
    recorded: Option<Arc<record::Stats>>,
    services: Option<Services>,
    status: Option<Sender<Duration>>,
    threads: Vec<JoinHandle<()>>,
}

/// What may change while the receiver runs.
struct Settings {
    detect: Arc<Live<Params>>,
    trackers: Arc<Trackers>,
    players: Arc<Live<encode::Settings>>,
    classes: Arc<[Arc<str>]>,
}

impl Receiver {
    /// Loads the model, opens every output, binds the addresses and starts.
    pub fn start(config: &Config) -> Result<Self, Error> {
        Self::of_source(config, |_, bundles, _| {
            Link::source(&config.listen, bundles.names())
        })
    }

    /// The same as a worker: cameras come from the broker of `[cluster]`, and results go there, too.
    pub fn start_worker(config: &Config) -> Result<Self, Error> {
        let mut config = config.clone();
        // What waits is with the broker: there is no need to leave frames out.
        config.detect.when_full = config::WhenFull::Wait;
        Self::of_source(&config, |bundle, _, services| {
            worker::source(&config, bundle.id(), services)
        })
    }

    fn of_source(
        config: &Config,
        open: impl FnOnce(&Bundle, &Bundles, &mut Services) -> Result<Source, Error>,
    ) -> Result<Self, Error> {
        gst::init()?;
        gstcis::plugin_register_static()?;
        let mut services = Services::start().map_err(Error::Thread)?;
        let (health, times) = (Arc::new(Health::new(stall_after(config))), Detection::default());
        let endpoints = Endpoints::start(
            config.metrics.address,
            health.clone(),
            times.clone(),
            &mut services,
        )?;
        let bundle = match &config.model.folder {
            Some(folder) => Bundle::load(folder)?,
            None => Bundle::embedded()?,
        };
        let trackers = Arc::new(Trackers::new(config)?);
        let classes = bundle.classes().clone();
        let params = Arc::new(Live::new(Params {
            threshold: trackers.least(),
            ..params(&config.detect, &classes)?
        }));
        let options = SessionOptions {
            device: config.model.device.parse()?,
            threads: config.model.threads,
            ..SessionOptions::default()
        };
        let runtime = Runtime::load()?;
        let detectors = (0..config.detect.workers).map(|_| Detector::new(&runtime, &bundle, &options));
        let detectors = detectors.collect::<Result<_, _>>()?;
        let prior_error = |reason: String| Error::Prior {
            bundle: bundle.id().into(),
            reason,
        };
        let prior = Arc::new(Prior::from_bytes(&bundle.prior()).map_err(|e| prior_error(e.to_string()))?);
        let bundles = Bundles::of(&bundle).map_err(|e| prior_error(e.to_string()))?;

        let Source {
            cameras,
            units,
            address,
            results: published,
        } = open(&bundle, &bundles, &mut services)?;
        let players = Arc::new(Live::new(player_settings(config)));
        let views = views(config)?;
        let rtsp = match config.rtsp.enabled {
            true => Some(Arc::new(Server::start(&config.rtsp, players.clone())?)),
            false => None,
        };
        let registry = Arc::new(Registry::default());
        let web = Web::start(config, views.clone(), registry.clone(), &mut services)?.map(Arc::new);
        let ask_key = || {
            let cameras = cameras.clone();
            move |stream: &_| cameras.ask_key(stream)
        };
        let pulse = health.watch("cis-clips");
        let (clips, clips_thread) =
            Clips::start(&config.clips, &config.track, bundle.classes(), pulse, ask_key())?.unzip();
        let (outputs, writers) =
            outputs(config, published, clips.clone(), &health, &mut services).map_err(Error::Output)?;
        let (recorder, record_thread) =
            Recorder::start(&config.record, health.watch("cis-record"), ask_key())
                .map_err(Error::Output)?
                .unzip();
        let recorded = recorder.as_ref().map(|recorder| recorder.stats().clone());
        let sources = Sources {
            registry: registry.clone(),
            cameras: cameras.clone(),
            meters: outputs.meters(),
            recorded: recorded.clone(),
            web: web.clone(),
            gateway: None,
            bundle: bundle.id().into(),
        };
        let limits = limits(&config.listen);
        let results = Results::new(outputs.clone(), registry.clone());
        let lanes = Lanes::start(
            detectors,
            &config.detect,
            bundle,
            params.clone(),
            results,
            &health,
            times,
        )?;
        let (status, intervals) = bounded(1);
        let interval = Duration::from_secs(config.status.interval);
        let status_thread =
            status::start(interval, registry.clone(), outputs.meters(), intervals).map_err(Error::Thread)?;
        let intake = Intake {
            cameras: cameras.clone(),
            lanes,
            storage: Storage { recorder, clips },
            views,
            rtsp: rtsp.clone(),
            registry: registry.clone(),
            trackers: trackers.clone(),
            bundles,
            prior,
            limits,
            enhance: config.view.enhance,
            pulse: health.watch("cis-intake"),
        };
        let intake_thread = std::thread::Builder::new()
            .name("cis-intake".into())
            .spawn(move || intake.run(&*units))
            .map_err(Error::Thread)?;
        // In the order in which they end: each when nobody feeds it any more.
        let threads = [
            // And with it the detector's.
            Some(intake_thread),
            Some(status_thread),
            record_thread,
            clips_thread,
        ]
        .into_iter()
        .flatten()
        .chain(writers);
        if let Some(endpoints) = &endpoints {
            endpoints.fill(sources);
        }
        services.run("watchdog", {
            let health = health.clone();
            |stopping| systemd::watchdog(health, stopping)
        });
        health.set_phase(Phase::Ready);
        Ok(Self {
            cameras,
            address: address.unwrap_or(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0)),
            rtsp,
            web,
            endpoints,
            health,
            settings: Settings {
                detect: params,
                trackers,
                players,
                classes,
            },
            registry,
            outputs,
            recorded,
            services: Some(services),
            status: Some(status),
            threads: threads.collect(),
        })
    }

    /// Where cameras connect; port 0 for a worker, to which none do.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where players connect, when views are served.
    pub fn rtsp_address(&self) -> Option<SocketAddr> {
        self.rtsp.as_ref().map(|server| server.address())
    }

    /// Where browsers find the page, when there is one.
    pub fn web_address(&self) -> Option<SocketAddr> {
        self.web.as_ref().map(|web| web.address())
    }

    /// Where metrics and health are told, when they are.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.endpoints.as_ref().map(|endpoints| endpoints.address())
    }

    /// The open streams and their counts.
    pub fn streams(&self) -> Vec<(String, Snapshot)> {
        self.registry
            .open()
            .iter()
            .map(|stream| (stream.name.to_string(), stream.snapshot()))
            .collect()
    }

    /// How many streams have ended, and the sum of their counts.
    pub fn ended(&self) -> (u64, Snapshot) {
        self.registry.ended()
    }

    /// What became of the messages of each output so far.
    pub fn outputs(&self) -> Vec<Delivery> {
        self.outputs
            .meters()
            .iter()
            .map(|meter| meter.delivery())
            .collect()
    }

    /// Reads certificates, tokens and users anew and takes over what may change (`config::reload`). After an error nothing has changed.
    pub fn reload(&self, config: &Config) -> Result<(), Error> {
        let params = params(&config.detect, &self.settings.classes)?;
        let files = web::Files::read(&config.web)?;
        let plans = tracking::plans(config)?;
        self.cameras.reload()?;
        self.settings.trackers.set_plans(plans);
        self.settings.trackers.set_threshold(config.detect.threshold);
        self.settings.detect.set(Params {
            threshold: self.settings.trackers.least(),
            ..params
        });
        self.settings.players.set(player_settings(config));
        self.health.set_stall_after(stall_after(config));
        if let Some(web) = &self.web {
            web.apply(files, config);
        }
        if let Some(status) = &self.status {
            // An error says that the thread has ended, which is in the log already.
            let _ = status.send(Duration::from_secs(config.status.interval));
        }
        Ok(())
    }

    /// Says goodbye to the cameras, handles what has come, writes everything out and ends.
    pub fn shutdown(mut self) -> Totals {
        self.end()
    }

    fn end(&mut self) -> Totals {
        self.health.set_phase(Phase::Stopping);
        self.cameras.close();
        self.status = None;
        let meters = self.outputs.meters();
        // Outputs end when nobody holds them any more: the detector, which ends first, and this.
        self.outputs = Outputs::default();
        for thread in self.threads.drain(..) {
            join(thread, &self.health);
        }
        if let Some(services) = self.services.take() {
            services.shutdown();
        }
        self.rtsp = None;
        let outputs: Vec<_> = meters.iter().map(|meter| meter.delivery()).collect();
        let json = outputs.iter().find(|delivery| delivery.output == "json");
        let clips = outputs.iter().find(|delivery| delivery.output == "clips");
        let (streams, sum) = self.registry.ended();
        Totals {
            streams,
            sum,
            lines: json.map_or(0, |json| json.delivered),
            lines_lost: json.map_or(0, Delivery::lost),
            clips: clips.map_or(0, |clips| clips.delivered),
            recordings_deleted: self.recorded.as_ref().map_or(0, |stats| stats.deleted.get()),
            outputs,
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if self.status.is_some() {
            self.end();
        }
    }
}

/// Waits for a thread's end, but not for one that hangs: a pipe that nobody reads, a disk that does not answer.
fn join(thread: JoinHandle<()>, health: &Health) {
    let name = thread.thread().name().unwrap_or_default().to_owned();
    let began = Instant::now();
    while !thread.is_finished() {
        let busy = health.busy(&name).unwrap_or_default();
        if busy.min(began.elapsed()) > HANG {
            tracing::error!("thread {name} hangs and is left behind, with what it had to do");
            return;
        }
        std::thread::sleep(LOOK);
    }
    if thread.join().is_err() {
        tracing::error!("thread {name} panicked");
    }
}

/// What a receiver did in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Streams that were opened.
    pub streams: u64,
    /// The sum of their counts.
    pub sum: Snapshot,
    /// JSON lines written.
    pub lines: u64,
    /// JSON lines lost because the output was too slow or failed.
    pub lines_lost: u64,
    /// Event clips made.
    pub clips: u64,
    /// Recorded files that were deleted to keep within what may be kept.
    pub recordings_deleted: u64,
    /// What became of the messages of each output.
    pub outputs: Vec<Delivery>,
}

/// All outputs, and the threads of those that write files.
fn outputs(
    config: &Config,
    published: Option<Box<dyn Output>>,
    clips: Option<Clips>,
    health: &Health,
    services: &mut Services,
) -> std::io::Result<(Outputs, Vec<JoinHandle<()>>)> {
    let (json, json_thread) = Json::start(&config.json, health)?.unzip();
    let (events, events_thread) = Events::start(&config.json, health)?.unzip();
    let mqtt = Mqtt::start(&config.mqtt, services)?;
    let nats = Nats::start(&config.nats, services)?;
    let webhook = Webhook::start(&config.webhook, services)?;
    fn boxed(output: impl Output + 'static) -> Box<dyn Output> {
        Box::new(output)
    }
    let outputs = [
        json.map(boxed),
        events.map(boxed),
        mqtt.map(boxed),
        nats.map(boxed),
        webhook.map(boxed),
        clips.map(boxed),
    ];
    let threads = [json_thread, events_thread];
    Ok((
        Outputs::new(outputs.into_iter().flatten().chain(published)),
        threads.into_iter().flatten().collect(),
    ))
}

/// What is detected; class names are those of the bundle.
pub fn params(config: &config::Detect, known: &[Arc<str>]) -> Result<Params, Error> {
    let list = config.classes.as_deref().unwrap_or_default().join(",");
    let classes = gstcis::parse_classes(&list, known)
        .map_err(|e| config::Error::Conflict(format!("detect.classes: {e}")))?;
    Ok(Params {
        threshold: config.threshold,
        nms_iou: config.nms_iou,
        classes,
        max_objects: config.max_objects,
    })
}

pub(crate) fn limits(config: &config::Listen) -> Limits {
    // The largest input that the networks take has 128x128 latents in each of at most 64 channels.
    Limits {
        max_latents: 1 << 20,
        max_payload: config.max_unit_bytes,
        ..Limits::default()
    }
}

pub(crate) fn stall_after(config: &Config) -> Duration {
    Duration::from_secs(config.health.stall_after)
}

fn player_settings(config: &Config) -> encode::Settings {
    encode::Settings {
        bitrate: config.rtsp.bitrate,
        mark: config.view.mark,
    }
}

/// How views are restored, when somebody may watch.
fn views(config: &Config) -> Result<Option<restore::Settings>, Error> {
    if !config.rtsp.enabled && config.web.address.is_none() {
        return Ok(None);
    }
    for (name, package) in encode::ELEMENTS {
        if gst::ElementFactory::find(name).is_none() {
            return Err(Error::MissingElement { name, package });
        }
    }
    Ok(Some(restore::Settings {
        model: config.model.folder.clone(),
        device: config.model.device.clone(),
        threads: config.model.threads.into(),
    }))
}
