//! The program at work, as a receiver, a gateway or a worker: from its start to the signal that ends it.

use crate::cluster::Gateway;
use crate::config::{self, Config, Role};
use crate::log::{self, Log};
use crate::{Error, Receiver, Totals, cli, signals, systemd};
use std::net::SocketAddr;

/// Who runs, and how it is told to.
#[derive(Debug)]
pub struct Setup {
    /// As what.
    pub role: Role,
    /// Everything it is told.
    pub config: Config,
    /// The same, as the tables of a file.
    pub table: toml::Table,
}

/// Runs until SIGINT or SIGTERM.
pub fn until_signal(setup: Setup) -> Result<(), Error> {
    let log = Log::start(log::filter(&setup.config.log.filter)?, setup.config.log.format);
    // Before any thread starts, so that no signal is missed while the model loads.
    let signal = signals::watch().map_err(Error::Thread)?;
    match setup.role {
        Role::Receiver => receive(Receiver::start(&setup.config)?, setup, &log, &signal),
        Role::Worker => receive(Receiver::start_worker(&setup.config)?, setup, &log, &signal),
        Role::Gateway => gateway(Gateway::start(&setup.config)?, setup, &log, &signal),
    }
    Ok(())
}

fn receive(receiver: Receiver, setup: Setup, log: &Log, signal: &signals::Wishes) {
    tell(&receiver, &setup);
    systemd::ready();
    let name = signals::wait(signal, || reload(&setup, log, |config| receiver.reload(config)));
    tracing::info!("{name}: shutting down");
    systemd::stopping();
    sum_up(&receiver.shutdown());
}

fn gateway(gateway: Gateway, setup: Setup, log: &Log, signal: &signals::Wishes) {
    welcome(&setup.config, gateway.address());
    watched(gateway.metrics_address());
    systemd::ready();
    let name = signals::wait(signal, || reload(&setup, log, |_| gateway.reload()));
    tracing::info!("{name}: shutting down");
    systemd::stopping();
    tracing::info!("summary: {}", gateway.shutdown());
}

fn tell(receiver: &Receiver, setup: &Setup) {
    let config = &setup.config;
    // A worker's cameras connect elsewhere.
    if receiver.address().port() != 0 {
        welcome(config, receiver.address());
    }
    if let Some(address) = receiver.rtsp_address() {
        tracing::info!("views at rtsp://{address}/STREAM");
    }
    watched(receiver.metrics_address());
    if let Some(address) = receiver.web_address() {
        let scheme = if config.web.certificate.is_some() {
            "https"
        } else {
            "http"
        };
        tracing::info!("web page at {scheme}://{address}/");
        if config.web.users.is_none() {
            tracing::warn!("web.insecure: the page is open to everybody who reaches it");
        }
    }
}

fn watched(address: Option<SocketAddr>) {
    if let Some(address) = address {
        tracing::info!("metrics and health at http://{address}/metrics, /healthz and /readyz");
    }
}

fn welcome(config: &Config, address: SocketAddr) {
    tracing::info!("listening for cameras on {address} (QUIC)");
    if config.listen.insecure {
        tracing::warn!("insecure: every camera is accepted");
    }
}

fn sum_up(totals: &Totals) {
    tracing::info!(
        "summary of {} streams: {} frames, {} bytes, {} objects in {} results, {} JSON lines ({} lost), {} frames undecoded, {} undetected, {} unrecorded, {} recordings deleted, {} clips",
        totals.streams,
        totals.sum.frames,
        totals.sum.bytes,
        totals.sum.objects,
        totals.sum.results,
        totals.lines,
        totals.lines_lost,
        totals.sum.undecoded,
        totals.sum.undetected,
        totals.sum.unrecorded,
        totals.recordings_deleted,
        totals.clips,
    );
    for delivery in &totals.outputs {
        tracing::info!("summary of {delivery}");
    }
}

/// Reads the configuration anew, as the command line says, and takes over what may change. `setup` is that of the start: what needs a restart is told until
/// there is one, or until it is as it was.
fn reload(setup: &Setup, log: &Log, apply: impl FnOnce(&Config) -> Result<(), Error>) {
    systemd::reloading();
    match try_reload(log, apply) {
        Ok(new) => {
            tracing::info!("configuration, certificates, tokens and users read anew");
            for key in config::reload::needs_restart(&setup.table, &new.table) {
                tracing::warn!("{key} has changed: that needs a restart");
            }
        }
        Err(e) => tracing::error!("configuration, certificates, tokens and users stay as they were: {e}"),
    }
    systemd::ready();
}

fn try_reload(log: &Log, apply: impl FnOnce(&Config) -> Result<(), Error>) -> Result<Setup, Error> {
    let new = cli::setup(&config::command().get_matches())?;
    let filter = log::filter(&new.config.log.filter)?;
    apply(&new.config)?;
    log.set(filter);
    Ok(new)
}
