//! `cis-receiver`: loads what it is told and runs it. The log goes to the standard error, JSON lines have the standard output.

use cis_receiver::{Error, cli};
use std::process::ExitCode;

fn main() -> ExitCode {
    let task = match cli::load() {
        Ok(task) => task,
        Err(e) => {
            eprintln!("error: {e}");
            return ExitCode::from(2);
        }
    };
    match cli::run(task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e:#}");
            ExitCode::from(e.downcast_ref::<Error>().map_or(1, Error::exit_code))
        }
    }
}
