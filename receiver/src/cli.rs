//! What the program does with its command line: `load` it, then `run` it.

use crate::cluster::Gateway;
use crate::config::{self, Config, Role};
use crate::{Error, Receiver, replay, signals};
use anyhow::Context;
use clap::ArgMatches;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What the command line asks for.
#[derive(Debug)]
#[non_exhaustive]
pub enum Task {
    /// Receive until a signal comes.
    Receive(Box<Config>),
    /// Play recordings again.
    Replay(Box<replay::Task>),
    /// Be the gateway of cameras until a signal comes.
    Gateway(Box<Config>),
    /// Work for gateways until a signal comes.
    Work(Box<Config>),
    /// Print the configuration with all defaults filled in.
    CheckConfig(toml::Table),
    /// Make a certificate authority and the receiver's certificate.
    InitKeys {
        /// Where the files go.
        dir: PathBuf,
        /// By which names cameras reach the receiver.
        names: Vec<String>,
    },
    /// Allow a camera.
    AddCamera {
        /// The folder that `InitKeys` filled.
        dir: PathBuf,
        /// The stream's name.
        camera: String,
    },
}

/// Reads the command line, the environment and the configuration file. Ends the process on `--help` and on flags that do not exist.
pub fn load() -> Result<Task, config::Error> {
    let matches = config::command().get_matches();
    let config = |matches, role| Config::load(matches, role).map(|(config, _)| Box::new(config));
    match matches.subcommand() {
        None => config(&matches, Role::Receiver).map(Task::Receive),
        Some(("gateway", gateway)) => config(gateway, Role::Gateway).map(Task::Gateway),
        Some(("worker", worker)) => config(worker, Role::Worker).map(Task::Work),
        Some(("keys", keys)) => Ok(keys_task(keys)),
        Some((name @ ("redetect" | "export"), replay)) => {
            Ok(Task::Replay(Box::new(replay::parse(name, replay)?)))
        }
        Some((_, check)) => Ok(Task::CheckConfig(Config::load(check, role(check))?.1)),
    }
}

fn role(matches: &ArgMatches) -> Role {
    match matches.get_one::<String>("as").map(String::as_str) {
        Some("gateway") => Role::Gateway,
        Some("worker") => Role::Worker,
        _ => Role::Receiver,
    }
}

fn keys_task(matches: &ArgMatches) -> Task {
    let (name, matches) = matches.subcommand().unwrap_or(("", matches));
    let dir = matches.get_one::<PathBuf>("dir").cloned().unwrap_or_default();
    let texts = |id: &str| matches.get_many::<String>(id).into_iter().flatten().cloned();
    match name {
        "init" => Task::InitKeys {
            dir,
            names: texts("name").collect(),
        },
        _ => Task::AddCamera {
            dir,
            camera: texts("camera").collect(),
        },
    }
}

/// Does it.
pub fn run(task: Task) -> anyhow::Result<()> {
    match task {
        Task::Receive(config) => receive(&config, Receiver::start).map_err(Into::into),
        Task::Gateway(config) => gateway(&config).map_err(Into::into),
        Task::Work(config) => receive(&config, Receiver::start_worker).map_err(Into::into),
        Task::Replay(task) => task.run(),
        Task::CheckConfig(table) => {
            print!("{table}");
            Ok(())
        }
        Task::InitKeys { dir, names } => {
            cis_link::keys::init(&dir, &names)?;
            println!(
                "wrote ca.pem, ca.key, server.pem and server.key to {}",
                dir.display()
            );
            Ok(())
        }
        Task::AddCamera { dir, camera } => {
            let stream = camera.parse().context("the camera's name")?;
            cis_link::keys::add_camera(&dir, &stream)?;
            println!(
                "wrote {0}/{camera}.token (for the camera) and allowed it in {0}/tokens.toml",
                dir.display()
            );
            Ok(())
        }
    }
}

fn receive(config: &Config, start: impl FnOnce(&Config) -> Result<Receiver, Error>) -> Result<(), Error> {
    // Before any thread starts, so that no signal is missed while the model loads.
    let signal = signals::watch().map_err(Error::Thread)?;
    let receiver = start(config)?;
    if receiver.address().port() != 0 {
        welcome(config, receiver.address());
    }
    if let Some(address) = receiver.rtsp_address() {
        tracing::info!("views at rtsp://{address}/STREAM");
    }
    let name = signals::wait(&signal, || receiver.reload());
    tracing::info!("{name}: shutting down");
    let totals = receiver.shutdown();
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
    Ok(())
}

fn gateway(config: &Config) -> Result<(), Error> {
    let signal = signals::watch().map_err(Error::Thread)?;
    let gateway = Gateway::start(config)?;
    welcome(config, gateway.address());
    let name = signals::wait(&signal, || gateway.reload());
    tracing::info!("{name}: shutting down");
    tracing::info!("summary: {}", gateway.shutdown());
    Ok(())
}

fn welcome(config: &Config, address: SocketAddr) {
    tracing::info!("listening for cameras on {address} (QUIC)");
    if config.listen.insecure {
        tracing::warn!("insecure: every camera is accepted");
    }
}
