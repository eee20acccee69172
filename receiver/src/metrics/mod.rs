//! What operators' systems ask for: `/metrics` for Prometheus, `/healthz` and `/readyz` for whoever restarts what is stuck.

mod catalog;
mod page;
mod process;
mod times;

pub use times::{Detection, Times};

use crate::Error;
use crate::cluster::GatewayCounts;
use crate::health::Health;
use crate::http::{Server, Tls};
use crate::live::Live;
use crate::outputs::Meter;
use crate::record;
use crate::services::Services;
use crate::source::Cameras;
use crate::stream::Registry;
use crate::web::Web;
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use catalog::Catalog;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

/// Connections at a time: a few systems ask, each of them once in a while.
const CONNECTIONS: usize = 32;
/// The text format of Prometheus and OpenMetrics.
const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What metrics are read from once the receiver runs.
pub struct Sources {
    /// The streams.
    pub registry: Arc<Registry>,
    /// The cameras' side.
    pub cameras: Arc<dyn Cameras>,
    /// The outputs.
    pub meters: Vec<Arc<Meter>>,
    /// Recorded files, when there are any.
    pub recorded: Option<Arc<record::Stats>>,
    /// The page.
    pub web: Option<Arc<Web>>,
    /// What a gateway did; only a gateway has it.
    pub gateway: Option<Arc<GatewayCounts>>,
    /// Id of the bundle.
    pub bundle: String,
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

/// The running endpoints.
pub struct Endpoints {
    sources: Arc<OnceLock<Sources>>,
    address: SocketAddr,
}

impl Endpoints {
    /// Binds the address and starts, before anything else does: they say how far it is. `None` when they are not wanted.
    pub fn start(
        address: Option<SocketAddr>,
        health: Arc<Health>,
        times: Detection,
        services: &mut Services,
    ) -> Result<Option<Self>, Error> {
        let Some(address) = address else {
            return Ok(None);
        };
        let sources = Arc::new(OnceLock::new());
        let server = Server::bind(services.handle(), "metrics.address", address, CONNECTIONS)?;
        let address = server.address;
        let router = router(health, times, sources.clone());
        let plain: Tls = Arc::new(Live::new(None));
        services.run("metrics", |stopping| server.run(router, plain, stopping));
        Ok(Some(Self { sources, address }))
    }

    /// Everything runs.
    pub fn fill(&self, sources: Sources) {
        // Once only: there is one receiver.
        let _ = self.sources.set(sources);
    }

    /// Where they are.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn router(health: Arc<Health>, times: Detection, sources: Arc<OnceLock<Sources>>) -> Router {
    let mut registry = prometheus_client::registry::Registry::default();
    registry.register_collector(Box::new(Catalog {
        health: health.clone(),
        times,
        sources,
    }));
    let registry = Arc::new(registry);
    let ready = health.clone();
    Router::new()
        .route("/metrics", get(async move || metrics(&registry)))
        .route("/healthz", get(async move || state(health.check())))
        .route("/readyz", get(async move || state(ready.ready())))
}

fn metrics(registry: &prometheus_client::registry::Registry) -> Response {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, registry) {
        Ok(()) => ([(header::CONTENT_TYPE, FORMAT)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn state<E: std::fmt::Display>(state: Result<(), E>) -> Response {
    match state {
        Ok(()) => "ok\n".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}
