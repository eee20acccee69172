//! What the program does with its command line: `load` it, then `run` it.

use crate::config::{self, Config, Role};
use crate::log::{self, Log};
use crate::run::{self, Setup};
use crate::{check, replay, users};
use anyhow::Context;
use clap::ArgMatches;
use std::path::PathBuf;

/// What the command line asks for.
#[derive(Debug)]
#[non_exhaustive]
pub enum Task {
    /// Be a receiver, a gateway or a worker until a signal comes.
    Run(Box<Setup>),
    /// Play recordings again.
    Replay(Box<replay::Task>),
    /// Print the configuration with all defaults filled in.
    CheckConfig(Box<Setup>),
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
        Some(("keys", keys)) => Ok(keys_task(keys)),
        Some((name @ ("redetect" | "export"), replay)) => {
            Ok(Task::Replay(Box::new(replay::parse(name, replay)?)))
        }
        Some(("users", users)) => Ok(users_task(users)),
        Some(("check-config", _)) => Ok(Task::CheckConfig(Box::new(setup(&matches)?))),
        _ => Ok(Task::Run(Box::new(setup(&matches)?))),
    }
}

/// Who is to run, and how it is told to.
pub(crate) fn setup(matches: &ArgMatches) -> Result<Setup, config::Error> {
    let (role, matches) = match matches.subcommand() {
        Some(("gateway", matches)) => (Role::Gateway, matches),
        Some(("worker", matches)) => (Role::Worker, matches),
        Some((_, check)) => (role(check), check),
        None => (Role::Receiver, matches),
    };
    let (config, table) = Config::load(matches, role)?;
    Ok(Setup { role, config, table })
}

fn role(check: &ArgMatches) -> Role {
    match check.get_one::<String>("as").map(String::as_str) {
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
        Task::Run(setup) => run::until_signal(*setup).map_err(Into::into),
        Task::Replay(task) => {
            Log::start(log::filter("info,onnxruntime=warn")?, config::LogFormat::Text);
            task.run()
        }
        Task::CheckConfig(setup) => {
            print!("{}", setup.table);
            check::files(&setup.config, setup.role).map_err(Into::into)
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
