//! `cis-load`: simulated cameras on a real `cis-receiver`, over real QUIC; what it holds and what that costs.

mod camera;
mod clip;
mod drive;
mod proc;
mod receiver;
mod report;
mod result;
mod tally;

use clap::{Parser, Subcommand};
use std::path::PathBuf;

#[derive(Parser)]
#[command(about = "Simulated cameras on a real cis-receiver", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run cameras against a receiver and write what was measured as JSON
    Run(Box<Options>),
    /// Write the table of a folder of results into a document, between `load:begin` and `load:end`
    Report(report::Arguments),
}

/// What is run.
#[derive(clap::Args, Clone, Debug)]
struct Options {
    /// Recording that every camera sends, over and over: a .cis file
    #[arg(long)]
    clip: PathBuf,
    /// The cis-receiver to start
    #[arg(long)]
    receiver: PathBuf,
    /// Cameras
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1024))]
    cameras: u32,
    /// Frames a second of each
    #[arg(long, default_value_t = 10.0, value_parser = rate)]
    fps: f64,
    /// Seconds over which they come, one after the other
    #[arg(long, default_value_t = 5.0, value_parser = seconds)]
    ramp: f64,
    /// Seconds that are measured after that
    #[arg(long, default_value_t = 60.0, value_parser = seconds)]
    duration: f64,
    /// An option of the receiver, e.g. detect.batch-size=4; may be given more than once
    #[arg(long = "option", value_parser = option)]
    options: Vec<(String, String)>,
    /// Processors that the receiver may use, e.g. 0 or 0-1 (taskset)
    #[arg(long)]
    receiver_cpus: Option<String>,
    /// A camera is held when the 95th percentile of its latency is below this many ms and 99 % of its frames are detected
    #[arg(long, default_value_t = 250.0)]
    target_ms: f64,
    /// What was run, for the table
    #[arg(long, default_value = "unnamed")]
    name: String,
    /// Where the result goes: FOLDER/NAME.json; without it nothing is written
    #[arg(long)]
    out: Option<PathBuf>,
    /// Commit that is measured, for the result
    #[arg(long, default_value = "unknown")]
    commit: String,
    /// Fail unless every frame that was sent has one line
    #[arg(long)]
    expect_all: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    number(text, 0.1, 120.0)
}

fn seconds(text: &str) -> Result<f64, String> {
    number(text, 0.0, 86_400.0)
}

fn number(text: &str, low: f64, high: f64) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|e| format!("{e}"))?;
    match (low..=high).contains(&value) {
        true => Ok(value),
        false => Err(format!("legal is {low}..={high}")),
    }
}

fn option(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("legal is SECTION.NAME=VALUE")?;
    match key.contains('.') {
        true => Ok((key.into(), value.into())),
        false => Err(format!("{key:?} has no section: legal is SECTION.NAME=VALUE")),
    }
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Run(options) => drive::run(&options),
        Command::Report(arguments) => report::run(&arguments),
    }
}
