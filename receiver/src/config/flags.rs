//! The command line: one flag and one environment variable per option of the table, and the sub-commands.

use super::layer::Layer;
use super::options::{Kind, OPTIONS};
use super::{Error, Origin};
use crate::replay;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::path::PathBuf;

/// The command line of `cis-receiver`.
pub fn command() -> Command {
    let dir = Arg::new("dir")
        .long("dir")
        .value_name("FOLDER")
        .required(true)
        .value_parser(value_parser!(PathBuf));
    with_options(Command::new("cis-receiver"))
        .version(env!("CARGO_PKG_VERSION"))
        .about("Receives cis cameras: detections as JSON lines, restored views as RTSP, recordings.")
        .after_help("A flag wins over its environment variable, that over the file. docs/receiver.md has the reference.")
        .args_conflicts_with_subcommands(true)
        .subcommands(replay::commands())
        .subcommand(with_options(Command::new("gateway")).about(
            "Takes units from cameras and hands them to the broker of [cluster], for workers (docs/cluster.md).",
        ))
        .subcommand(with_options(Command::new("worker")).about(
            "Shares the cameras of all gateways out with the other workers, detects, and hands results to the broker.",
        ))
        .subcommand(
            with_options(Command::new("check-config"))
                .about("Checks the configuration, prints it with all defaults filled in, and ends.")
                .arg(
                    Arg::new("as")
                        .long("as")
                        .value_name("ROLE")
                        .value_parser(["receiver", "gateway", "worker"])
                        .default_value("receiver")
                        .help("For which command"),
                ),
        )
        .subcommand(
            Command::new("keys")
                .about("Makes certificates and the cameras' tokens.")
                .subcommand_required(true)
                .subcommand(
                    Command::new("init")
                        .about("Writes a certificate authority and the receiver's certificate.")
                        .arg(dir.clone().help("Where the files go"))
                        .arg(
                            Arg::new("name")
                                .long("name")
                                .value_name("HOST")
                                .required(true)
                                .action(ArgAction::Append)
                                .num_args(1..)
                                .help("Host name or address by which cameras reach the receiver; may be repeated"),
                        ),
                )
                .subcommand(
                    Command::new("add-camera")
                        .about("Writes a new token for a camera and allows it.")
                        .arg(dir.help("The folder that `keys init` filled"))
                        .arg(Arg::new("camera").value_name("NAME").required(true).help("The camera's stream name")),
                ),
        )
        .subcommand(
            Command::new("users")
                .about("Says who may log in to the web page.")
                .subcommand_required(true)
                .subcommand(
                    Command::new("add")
                        .about("Adds a user, or gives one another password, which is typed or comes as a line of the standard input.")
                        .arg(
                            Arg::new("file")
                                .long("file")
                                .value_name("FILE")
                                .required(true)
                                .value_parser(value_parser!(PathBuf))
                                .help("The file of web.users; made if there is none"),
                        )
                        .arg(Arg::new("user").value_name("NAME").required(true).help("The user's name")),
                ),
        )
}

fn with_options(mut command: Command) -> Command {
    command = command.arg(
        Arg::new("config")
            .long("config")
            .env("CIS_RECEIVER_CONFIG")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("Configuration file"),
    );
    for opt in OPTIONS {
        let mut arg = Arg::new(opt.key)
            .long(opt.flag())
            .env(opt.env())
            .hide_env_values(true)
            .allow_hyphen_values(true)
            .value_name(opt.kind.placeholder())
            .help(match opt.default {
                Some(default) => format!("{} [default: {default}]", opt.help),
                None => opt.help.into(),
            });
        if opt.kind == Kind::Switch {
            arg = arg
                .num_args(0..=1)
                .default_missing_value("true")
                .require_equals(true);
        }
        command = command.arg(arg);
    }
    command
}

/// What begins the name of every environment variable that counts.
const PREFIX: &str = "CIS_RECEIVER_";

/// Refuses environment variables that look like ours and are none: a misspelt one would otherwise be ignored in silence.
pub fn check_environment(names: impl Iterator<Item = String>) -> Result<(), Error> {
    let known = |name: &str| name == "CIS_RECEIVER_CONFIG" || OPTIONS.iter().any(|opt| opt.env() == name);
    let mut unknown: Vec<_> = names
        .filter(|name| name.starts_with(PREFIX) && !known(name))
        .collect();
    unknown.sort();
    match unknown.is_empty() {
        true => Ok(()),
        false => Err(Error::Environment {
            names: unknown.join(", "),
        }),
    }
}

/// What environment and flags say, and the configuration file they name.
pub fn read(matches: &ArgMatches) -> Result<(Layer, Option<PathBuf>), Error> {
    let (mut environment, mut flags) = (Layer::default(), Layer::default());
    for opt in OPTIONS {
        let Some(text) = matches.get_one::<String>(opt.key) else {
            continue;
        };
        match matches.value_source(opt.key) {
            Some(ValueSource::EnvVariable) => {
                environment.set_text(opt, text, Origin::Environment(opt.env()))?
            }
            _ => flags.set_text(opt, text, Origin::Flag(opt.flag()))?,
        }
    }
    Ok((
        environment.under(flags),
        matches.get_one::<PathBuf>("config").cloned(),
    ))
}

impl Kind {
    fn placeholder(&self) -> &'static str {
        match self {
            Self::Text => "TEXT",
            Self::Path(_) => "PATH",
            Self::Address => "ADDRESS:PORT",
            Self::Integer(..) | Self::Number(..) => "NUMBER",
            Self::Device => "cpu|cuda:N",
            Self::Switch => "true|false",
            Self::List | Self::Words(_) => "A,B,...",
            Self::Url(_) => "URL",
            Self::Choice(_) => "WORD",
        }
    }
}
