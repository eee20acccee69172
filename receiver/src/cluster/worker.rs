//! The worker: a receiver whose cameras come from the broker.

use super::broker::Broker;
use super::camera::Shared;
use super::counts::WorkerCounts;
use super::feed;
use super::membership::Roster;
use super::results::{Desk, Results};
use super::supervisor::{Periods, Supervisor};
use super::wish::Wish;
use crate::Error;
use crate::config::Config;
use crate::outputs::{Meter, Output};
use crate::services::Services;
use crate::source::{Cameras, Source};
use cis_link::StreamName;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Wishes that wait for the broker. A key frame that is not asked for now is asked for again.
const WISHES: usize = 256;

/// Connects to the broker and begins to share its cameras with the other workers.
pub fn source(config: &Config, bundle: &str, services: &mut Services) -> Result<Source, Error> {
    let instance = super::random();
    let name = config.worker.name.clone().unwrap_or_else(|| invented(instance));
    let begin = async {
        let broker = Broker::connect(&config.cluster, &format!("cis-worker {name}")).await?;
        let failed = |e: async_nats::SubscribeError| super::Error::Connect {
            servers: config.cluster.servers.join(", "),
            reason: e.to_string(),
        };
        let signs = broker
            .client
            .subscribe(broker.subjects.all_workers())
            .await
            .map_err(failed)?;
        let announced = broker
            .client
            .subscribe(broker.subjects.all_cameras())
            .await
            .map_err(failed)?;
        Ok::<_, super::Error>((Arc::new(broker), signs, announced))
    };
    let (broker, signs, announced) = services.handle().block_on(begin)?;
    tracing::info!("worker {name}");
    let (feed, units) = feed::channel();
    let (desk, meter) = (Desk::default(), Arc::new(Meter::new("cluster")));
    let shared = Arc::new(Shared {
        broker: broker.clone(),
        feed,
        desk: desk.clone(),
        counts: Arc::new(WorkerCounts::default()),
        meter: meter.clone(),
        identity: format!("{name} {instance:016x}"),
        bundle: bundle.into(),
        window: config.detect.queue,
        ids: config.cluster.duplicate_window > 0,
    });
    let roster = Roster::new(name, instance, Duration::from_millis(config.worker.timeout));
    let periods = Periods {
        heartbeat: Duration::from_millis(config.worker.heartbeat),
        discover: Duration::from_millis(config.worker.discover),
        status: Duration::from_secs(config.status.interval),
    };
    let supervisor = Supervisor::new(shared, roster, instance, periods);
    let (stop, stopped) = watch::channel(false);
    services.run("worker", move |_| supervisor.run(signs, announced, stopped));
    let (wishes, waiting) = mpsc::channel(WISHES);
    services.run("wishes", move |mut stopping| async move {
        tokio::select! {
            () = tell(&broker, waiting) => {}
            () = stopping.wait() => {}
        }
    });
    Ok(Source {
        cameras: Arc::new(Remote { wishes, stop }),
        units: Box::new(units),
        address: None,
        results: Some(Box::new(Results::new(desk, meter)) as Box<dyn Output>),
    })
}

/// A name for a worker that was given none.
fn invented(instance: u64) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let legal = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let host: String = host.chars().filter(legal).take(40).collect();
    format!("{host}-{:08x}", instance as u32)
}

async fn tell(broker: &Broker, mut wishes: mpsc::Receiver<(StreamName, Wish)>) {
    while let Some((camera, wish)) = wishes.recv().await {
        let subject = broker.subjects.control(&camera);
        if let Err(e) = broker.client.publish(subject, wish.word().into()).await {
            tracing::debug!(%camera, "{}: {e}", wish.word());
        }
    }
}

/// Cameras behind gateways.
struct Remote {
    wishes: mpsc::Sender<(StreamName, Wish)>,
    stop: watch::Sender<bool>,
}

impl Remote {
    fn wish(&self, camera: &StreamName, wish: Wish) {
        if self.wishes.try_send((camera.clone(), wish)).is_err() {
            tracing::warn!(%camera, "the broker does not take wishes: {} is not told", wish.word());
        }
    }
}

impl Cameras for Remote {
    fn ask_key(&self, stream: &StreamName) {
        self.wish(stream, Wish::Key);
    }

    fn enhance(&self, stream: &StreamName, on: bool) {
        self.wish(stream, Wish::Enhance(on));
    }

    fn reload(&self) -> Result<(), Error> {
        Ok(())
    }

    fn close(&self) {
        self.stop.send_replace(true);
    }
}
