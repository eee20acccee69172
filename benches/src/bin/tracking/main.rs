//! How well the tracker keeps people apart: boxes of `cisjson` (made with a low `threshold` of `cisdetect`) against labels with `track_id`.
//!
//! `cargo run --release -p cis-benches --bin tracking -- --boxes vtest.jsonl --labels vtest.gt.json`

mod measure;
mod read;

use anyhow::Result;
use cis_analytics::{Numbers, Settings, Tracker};
use clap::Parser;
use std::path::PathBuf;

/// Which files, and how to track.
#[derive(Parser)]
struct Args {
    /// Lines of `cisjson`.
    #[arg(long)]
    boxes: PathBuf,
    /// Labels in COCO's format with a `track_id` each; the image's id is the number of its frame, from 1.
    #[arg(long)]
    labels: PathBuf,
    /// The class that is labelled.
    #[arg(long, default_value = "person")]
    class: String,
    /// Every how manieth frame is used.
    #[arg(long, default_value_t = 1)]
    every: usize,
    #[arg(long, default_value_t = Settings::default().low)]
    low: f32,
    #[arg(long, default_value_t = Settings::default().high)]
    high: f32,
    #[arg(long, default_value_t = Settings::default().begin)]
    begin: f32,
    #[arg(long, default_value_t = Settings::default().confirm)]
    confirm: u32,
    /// In seconds.
    #[arg(long, default_value_t = Settings::default().lost_ns as f64 * 1e-9)]
    lost: f64,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let labels = read::labels(&args.labels)?;
    let frames = read::boxes(&args.boxes, &args.class)?;
    let settings = Settings {
        low: args.low,
        high: args.high,
        begin: args.begin,
        confirm: args.confirm,
        lost_ns: (args.lost * 1e9) as u64,
    };
    let mut tracker = Tracker::new(settings, Numbers::default());
    let mut measure = measure::Measure::default();
    for frame in frames.iter().step_by(args.every) {
        let numbers = tracker.frame(frame.pts_ns, &frame.boxes);
        let found: Vec<_> = frame
            .boxes
            .iter()
            .zip(numbers)
            .filter_map(|(found, number)| Some((number?, found.bounds)))
            .collect();
        let empty = Vec::new();
        measure.frame(labels.get(&(frame.number + 1)).unwrap_or(&empty), &found);
    }
    println!("{}", measure.report());
    Ok(())
}
