//! The gateway: cameras connect to it as to a receiver, and it hands their units to the broker. What the broker does not take, cameras wait
//! with, or keep in their spools.

use super::broker::Broker;
use super::counts::GatewayCounts;
use super::lane::{self, Item, Shared};
use super::subjects::Lane;
use super::wish::Wish;
use crate::Error;
use crate::bundles::Bundles;
use crate::config::Config;
use crate::health::{Health, Phase};
use crate::link::Link;
use crate::metrics::{Detection, Endpoints, Sources};
use crate::services::Services;
use crate::source::{Cameras, Source, Units};
use crate::stream::Registry;
use crate::{receiver, systemd};
use cis_inference::bundle::Bundle;
use cis_link::StreamName;
use cis_link::listener::Event;
use futures_util::StreamExt;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;

/// How long units that have come get to reach the broker when the gateway ends.
const FAREWELL: Duration = Duration::from_secs(5);

/// A running gateway.
pub struct Gateway {
    cameras: Arc<dyn Cameras>,
    address: SocketAddr,
    counts: Arc<GatewayCounts>,
    health: Arc<Health>,
    metrics: Option<SocketAddr>,
    services: Services,
    thread: JoinHandle<()>,
    drained: oneshot::Receiver<()>,
    stop: watch::Sender<bool>,
}

impl Gateway {
    /// Connects to the broker, binds the address and starts the thread `cis-gateway`.
    pub fn start(config: &Config) -> Result<Self, Error> {
        let bundle = match &config.model.folder {
            Some(folder) => Bundle::load(folder)?,
            None => Bundle::embedded()?,
        };
        let bundles = Bundles::of(&bundle).map_err(|e| Error::Prior {
            bundle: bundle.id().into(),
            reason: e.to_string(),
        })?;
        let mut services = Services::start().map_err(Error::Thread)?;
        let health = Arc::new(Health::new(receiver::stall_after(config)));
        let endpoints = Endpoints::start(
            config.metrics.address,
            health.clone(),
            Detection::default(),
            &mut services,
        )?;
        let broker = Broker::connect(&config.cluster, "cis-gateway");
        let broker = Arc::new(services.handle().block_on(broker)?);
        // Cameras are told, so that none sends what the broker would not take.
        let mut listen = config.listen.clone();
        listen.max_unit_bytes = listen.max_unit_bytes.min(broker.max_unit_bytes());
        let Source {
            cameras,
            units,
            address,
            ..
        } = Link::source(&listen, bundles.names())?;
        let (stop, stopped) = watch::channel(false);
        let (report, drained) = oneshot::channel();
        let counts = Arc::new(GatewayCounts::default());
        let shared = Arc::new(Shared {
            broker,
            cameras: cameras.clone(),
            counts: counts.clone(),
            limits: receiver::limits(&listen),
            max_group: config.cluster.max_group,
            stop: stopped,
        });
        let bridge = Bridge {
            shared,
            handle: services.handle().clone(),
            queue: config.listen.queue,
            open: HashMap::new(),
        };
        let thread = std::thread::Builder::new()
            .name("cis-gateway".into())
            .spawn(move || bridge.run(&*units, report))
            .map_err(Error::Thread)?;
        if config.status.interval > 0 {
            let (interval, counts) = (Duration::from_secs(config.status.interval), counts.clone());
            services.run("status", move |mut stopping| async move {
                let tell = async {
                    loop {
                        tokio::time::sleep(interval).await;
                        tracing::info!("status: {counts}");
                    }
                };
                tokio::select! {
                    () = tell => {}
                    () = stopping.wait() => {}
                }
            });
        }
        if let Some(endpoints) = &endpoints {
            endpoints.fill(Sources {
                registry: Arc::new(Registry::default()),
                cameras: cameras.clone(),
                meters: Vec::new(),
                recorded: None,
                web: None,
                gateway: Some(counts.clone()),
                bundle: bundle.id().into(),
            });
        }
        services.run("watchdog", {
            let health = health.clone();
            |stopping| systemd::watchdog(health, stopping)
        });
        health.set_phase(Phase::Ready);
        Ok(Self {
            cameras,
            address: address.unwrap_or(config.listen.address),
            counts,
            health,
            metrics: endpoints.map(|endpoints| endpoints.address()),
            services,
            thread,
            drained,
            stop,
        })
    }

    /// Where cameras connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where metrics and health are told, when they are.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// Reads certificates and tokens anew. After an error nothing has changed.
    pub fn reload(&self) -> Result<(), Error> {
        self.cameras.reload()
    }

    /// Says goodbye to the cameras, hands over what has come, and ends; what was done, in words.
    pub fn shutdown(self) -> String {
        self.health.set_phase(Phase::Stopping);
        self.cameras.close();
        let drained = async { tokio::time::timeout(FAREWELL, self.drained).await };
        if self.services.handle().block_on(drained).is_err() {
            tracing::warn!(
                "the broker did not take everything within {FAREWELL:?}; the rest stays in the cameras' spools"
            );
            self.stop.send_replace(true);
        }
        if self.thread.join().is_err() {
            tracing::error!("thread cis-gateway panicked");
        }
        self.services.shutdown();
        self.counts.to_string()
    }
}

/// Between the listener's queue and the tasks of the cameras.
struct Bridge {
    shared: Arc<Shared>,
    handle: Handle,
    queue: usize,
    open: HashMap<StreamName, Camera>,
}

/// A camera that is connected.
struct Camera {
    live: mpsc::Sender<Item>,
    late: mpsc::Sender<Item>,
    control: AbortHandle,
    /// Everything that came from it is with the broker, or is known not to be.
    done: Vec<tokio::task::JoinHandle<()>>,
}

impl Bridge {
    fn run(mut self, units: &dyn Units, report: oneshot::Sender<()>) {
        let mut ended = HashMap::new();
        while let Ok(event) = units.recv() {
            match event {
                Event::Opened { stream, .. } => {
                    let before = self.close(&stream).or_else(|| ended.remove(&stream));
                    let camera = self.open(&stream, before.unwrap_or_default());
                    self.open.insert(stream, camera);
                }
                Event::Unit {
                    stream,
                    unit,
                    enhancement,
                    late,
                    repeated,
                    receipt,
                    ..
                } => self.unit(
                    &stream,
                    late,
                    Item {
                        data: unit.data,
                        repeated,
                        enhancement,
                        receipt,
                    },
                ),
                Event::Closed { stream, reason, .. } => {
                    tracing::info!(%stream, "camera gone: {reason}");
                    if let Some(done) = self.close(&stream) {
                        ended.insert(stream, done);
                    }
                    ended.retain(|_, done: &mut Vec<_>| {
                        done.retain(|task: &tokio::task::JoinHandle<()>| !task.is_finished());
                        !done.is_empty()
                    });
                }
                Event::Refused { remote, reason, .. } => tracing::warn!(%remote, "camera refused: {reason}"),
                // What follows a group that was given up begins with a key.
                _ => {}
            }
        }
        let names: Vec<_> = self.open.keys().cloned().collect();
        let open: Vec<_> = names.iter().filter_map(|name| self.close(name)).collect();
        self.handle.block_on(async {
            for task in open.into_iter().chain(ended.into_values()).flatten() {
                let _ = task.await;
            }
        });
        let _ = report.send(());
    }

    /// `before`: what came from it before is to be with the broker first.
    fn open(&self, name: &StreamName, before: Vec<tokio::task::JoinHandle<()>>) -> Camera {
        tracing::info!(camera = %name, "camera connected");
        self.shared.counts.opened.add(1);
        let (live, live_items) = mpsc::channel(self.queue);
        let (late, late_items) = mpsc::channel(self.queue);
        let done = self.handle.spawn({
            let (shared, name) = (self.shared.clone(), name.clone());
            async move {
                for task in before {
                    let _ = task.await;
                }
                announce(&shared, &name).await;
                tokio::join!(
                    lane::write(shared.clone(), name.clone(), Lane::Live, live_items),
                    lane::write(shared, name, Lane::Late, late_items)
                );
            }
        });
        let control = self
            .handle
            .spawn(control(self.shared.clone(), name.clone()))
            .abort_handle();
        Camera {
            live,
            late,
            control,
            done: vec![done],
        }
    }

    fn close(&mut self, name: &StreamName) -> Option<Vec<tokio::task::JoinHandle<()>>> {
        let camera = self.open.remove(name)?;
        camera.control.abort();
        Some(camera.done)
    }

    /// Waits when the lane's queue is full: then the broker takes nothing, of no camera.
    fn unit(&self, stream: &StreamName, late: bool, item: Item) {
        let lane = self.open.get(stream).map(|camera| match late {
            true => &camera.late,
            false => &camera.live,
        });
        let refused = match lane {
            Some(lane) => lane.blocking_send(item).err().map(|e| e.0),
            None => Some(item),
        };
        if let Some(item) = refused {
            item.receipt.lost();
            self.shared.counts.lost.add(1);
        }
    }
}

/// Tells workers, so that they need not wait for their next look.
async fn announce(shared: &Shared, name: &StreamName) {
    let subject = shared.broker.subjects.camera(name);
    if let Err(e) = shared.broker.client.publish(subject, "".into()).await {
        tracing::debug!(camera = %name, "not announced: {e}");
    }
}

/// Hears what workers want of a camera. The subscription outlives the broker's restarts.
async fn control(shared: Arc<Shared>, name: StreamName) {
    let subject = shared.broker.subjects.control(&name);
    let mut wishes = match shared.broker.client.subscribe(subject).await {
        Ok(wishes) => wishes,
        Err(e) => return tracing::error!(camera = %name, "workers cannot ask for key frames: {e}"),
    };
    while let Some(message) = wishes.next().await {
        match Wish::read(&message.payload) {
            Some(Wish::Key) => shared.cameras.ask_key(&name),
            Some(Wish::Enhance(on)) => shared.cameras.enhance(&name, on),
            None => shared.counts.foreign.add(1),
        }
    }
}
