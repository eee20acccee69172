//! What the program does with its command line: `load` it, then `run` it.

use crate::config::{self, Config};
use crate::log::{self, Log};
use crate::{Error, Receiver, check, replay, signals, systemd, users};
use anyhow::Context;
use clap::ArgMatches;
use std::path::PathBuf;

/// What the command line asks for.
#[derive(Debug)]
#[non_exhaustive]
pub enum Task {
    /// Receive until a signal comes. The table says the same as the configuration.
    Receive(Box<Config>, toml::Table),
    /// Play recordings again.
    Replay(Box<replay::Task>),
    /// Print the configuration with all defaults filled in.
    CheckConfig(Box<Config>, toml::Table),
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
    /// Let somebody log in to the web page.
    AddUser {
        /// The file of users.
        file: PathBuf,
        /// The user's name.
        user: String,
    },
}

/// Reads the command line, the environment and the configuration file. Ends the process on `--help` and on flags that do not exist.
pub fn load() -> Result<Task, config::Error> {
    let matches = config::command().get_matches();
    match matches.subcommand() {
        None => {
            let (config, table) = Config::load(&matches)?;
            Ok(Task::Receive(Box::new(config), table))
        }
        Some(("keys", keys)) => Ok(keys_task(keys)),
        Some((name @ ("redetect" | "export"), replay)) => {
            Ok(Task::Replay(Box::new(replay::parse(name, replay)?)))
        }
        Some(("users", users)) => Ok(users_task(users)),
        Some((_, check)) => {
            let (config, table) = Config::load(check)?;
            Ok(Task::CheckConfig(Box::new(config), table))
        }
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

fn users_task(matches: &ArgMatches) -> Task {
    let (_, matches) = matches.subcommand().unwrap_or(("", matches));
    Task::AddUser {
        file: matches.get_one("file").cloned().unwrap_or_default(),
        user: matches.get_one("user").cloned().unwrap_or_default(),
    }
}

/// Does it.
pub fn run(task: Task) -> anyhow::Result<()> {
    match task {
        Task::Receive(config, table) => receive(&config, table).map_err(Into::into),
        Task::Replay(task) => {
            Log::start(log::filter("info,onnxruntime=warn")?, config::LogFormat::Text);
            task.run()
        }
        Task::CheckConfig(config, table) => {
            print!("{table}");
            check::files(&config).map_err(Into::into)
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
        Task::AddUser { file, user } => {
            let password = users::ask_password()?;
            users::add(&file, &user, &password).with_context(|| file.display().to_string())?;
            println!("{user} may log in with this password: {}", file.display());
            Ok(())
        }
    }
}

fn receive(config: &Config, mut table: toml::Table) -> Result<(), Error> {
    let log = Log::start(log::filter(&config.log.filter)?, config.log.format);
    // Before any thread starts, so that no signal is missed while the model loads.
    let signal = signals::watch().map_err(Error::Thread)?;
    let receiver = Receiver::start(config)?;
    tracing::info!("listening for cameras on {} (QUIC)", receiver.address());
    if let Some(address) = receiver.rtsp_address() {
        tracing::info!("views at rtsp://{address}/STREAM");
    }
    if let Some(address) = receiver.metrics_address() {
        tracing::info!("metrics and health at http://{address}/metrics, /healthz and /readyz");
    }
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
    if config.listen.insecure {
        tracing::warn!("insecure: every camera is accepted");
    }
    systemd::ready();
    let name = loop {
        match signal.recv() {
            Ok(signals::Wish::Reload) => reload(&receiver, &log, &mut table),
            Ok(signals::Wish::End(name)) => break name,
            Err(_) => break "no signal can come",
        }
    };
    tracing::info!("{name}: shutting down");
    systemd::stopping();
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

/// Reads the configuration anew, as the command line says, and takes over what may change.
fn reload(receiver: &Receiver, log: &Log, table: &mut toml::Table) {
    systemd::reloading();
    match try_reload(receiver, log) {
        Ok(new) => {
            tracing::info!("configuration, certificates, tokens and users read anew");
            for key in config::reload::needs_restart(table, &new) {
                tracing::warn!("{key} has changed: that needs a restart");
            }
            *table = new;
        }
        Err(e) => tracing::error!("configuration, certificates, tokens and users stay as they were: {e}"),
    }
    systemd::ready();
}

fn try_reload(receiver: &Receiver, log: &Log) -> Result<toml::Table, Error> {
    let (config, table) = Config::load(&config::command().get_matches())?;
    let filter = log::filter(&config.log.filter)?;
    receiver.reload(&config)?;
    log.set(filter);
    Ok(table)
}
