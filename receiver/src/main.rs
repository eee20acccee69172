//! `cis-receiver`: loads what it is told and runs it. The log goes to the standard error, JSON lines have the standard output.

use cis_receiver::{Error, cli};
use std::io::IsTerminal;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let task = match cli::load() {
        Ok(task) => task,
        Err(e) => {
            eprintln!("error: {e}");
            return ExitCode::from(2);
        }
    };
    let filter = match &task {
        cli::Task::Receive(config) | cli::Task::Gateway(config) | cli::Task::Work(config) => {
            config.log.filter.as_str()
        }
        _ => "info,onnxruntime=warn",
    };
    let filter = match EnvFilter::try_new(filter) {
        Ok(filter) => filter,
        Err(e) => {
            eprintln!("error: log.filter is `{filter}`: {e}; legal: e.g. `info` or `warn,cis_link=debug`");
            return ExitCode::from(2);
        }
    };
    let terminal = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(terminal)
        .init();
    match cli::run(task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e:#}");
            ExitCode::from(e.downcast_ref::<Error>().map_or(1, Error::exit_code))
        }
    }
}
