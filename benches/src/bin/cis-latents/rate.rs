//! `rate`: how well rate control keeps to its target, window by window.

use std::{collections::VecDeque, path::PathBuf};

use anyhow::Result;
use cis_codec::{Encoder, Size, encode, quant};
use serde_json::json;

use crate::{
    code::{self, Settings},
    dump::Dump,
};

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    settings: Settings,
    /// kbit/s, one run each
    #[arg(long, num_args = 1.., default_values_t = [8, 16, 30, 60, 120, 200])]
    rates: Vec<u32>,
    /// Finest quantiser index that may be chosen
    #[arg(long, default_value_t = 8)]
    qindex_min: u8,
    /// Coarsest quantiser index that may be chosen
    #[arg(long, default_value_t = 56)]
    qindex_max: u8,
    /// Clips are played forward and backward until they are this long
    #[arg(long, default_value_t = 60.0)]
    seconds: f64,
    /// One stream of all clips, so many seconds of each in turn: scene changes. 0: a stream each
    #[arg(long, default_value_t = 0.0)]
    cut: f64,
    /// Print every frame
    #[arg(long)]
    frames: bool,
    /// Dumped float latents
    #[arg(required = true)]
    inputs: Vec<PathBuf>,
}

const WINDOW_S: f64 = 10.0;

/// One coded frame.
struct Coded {
    pts_s: f64,
    bytes: usize,
    qindex: u8,
    key: bool,
    cut: bool,
}

/// What ten-second windows have in common with the wish.
struct Windows {
    first: f64,
    /// Of those that did not reach the finest index: least and largest share of the target.
    range: Option<(f64, f64)>,
    /// Largest of all.
    largest: f64,
    /// Share of windows that reached the finest index.
    finest: f64,
}

fn windows(frames: &[Coded], bitrate: u32, finest: u8) -> Windows {
    let mut result = Windows {
        first: f64::NAN,
        range: None,
        largest: 0.0,
        finest: 0.0,
    };
    let (mut open, mut bytes, mut at_finest) = (VecDeque::<&Coded>::new(), 0, 0);
    let (mut all, mut limited) = (0.0, 0.0);
    for frame in frames {
        while let Some(old) = open
            .front()
            .filter(|old| old.pts_s < frame.pts_s - WINDOW_S + 1e-6)
        {
            // The window that begins with this frame is over.
            let share = bytes as f64 * 8.0 / 1000.0 / WINDOW_S / f64::from(bitrate);
            if old.pts_s == 0.0 {
                result.first = share;
            } else if old.pts_s >= WINDOW_S {
                all += 1.0;
                result.largest = result.largest.max(share);
                if at_finest > 0 {
                    limited += 1.0;
                } else {
                    let (least, most) = result.range.unwrap_or((share, share));
                    result.range = Some((least.min(share), most.max(share)));
                }
            }
            bytes -= old.bytes;
            at_finest -= usize::from(old.qindex <= finest);
            open.pop_front();
        }
        bytes += frame.bytes;
        at_finest += usize::from(frame.qindex <= finest);
        open.push_back(frame);
    }
    result.finest = if all > 0.0 { limited / all } else { 0.0 };
    result
}

/// The frames of a stream: latents, and whether the scene changes there.
fn frames_of<'a>(dumps: &'a [Dump], arguments: &Arguments, fps: f64) -> Vec<(&'a Dump, usize, bool)> {
    let count = (arguments.seconds * fps) as usize;
    let run = if arguments.cut > 0.0 {
        (arguments.cut * fps) as usize
    } else {
        count
    }
    .max(1);
    (0..count)
        .map(|n| {
            let (part, at) = (n / run, n % run);
            let dump = &dumps[part % dumps.len()];
            let turn = (2 * dump.frames.len()).saturating_sub(2).max(1);
            let at = at % turn;
            (
                dump,
                at.min(turn - at).min(dump.frames.len() - 1),
                part > 0 && n % run == 0,
            )
        })
        .collect()
}

fn measure(dumps: &[Dump], name: &str, bitrate: u32, arguments: &Arguments) -> Result<()> {
    let prior = code::read_prior(arguments.settings.prior.as_ref())?;
    let config = encode::Config {
        bitrate,
        qindex_min: arguments.qindex_min,
        qindex_max: arguments.qindex_max,
        ..arguments.settings.config()
    };
    let cap = config.max_frame_bytes as usize;
    let mut encoder = Encoder::new(config, prior)?;
    let gap_s = dumps[0].pts_ns(1) as f64 / 1e9;
    let (mut coded, mut error, mut repeats) = (Vec::new(), 0.0, 0);
    for (index, (dump, at, cut)) in frames_of(dumps, arguments, 1.0 / gap_s).into_iter().enumerate() {
        let latents = &dump.frames[at];
        let pts_ns = (index as f64 * gap_s * 1e9).round() as u64;
        let packet = encoder.encode(&encode::Input {
            latents,
            shape: dump.shape,
            source: Size {
                width: 1280,
                height: 720,
            },
            pts_ns,
            capture_utc_ns: pts_ns,
            force_key: false,
            vectors: &[],
        })?;
        let qindex = packet.header.qindex;
        let step = quant::step(qindex);
        let squares = latents
            .iter()
            .zip(&encoder.reconstruction().q)
            .map(|(&y, &q)| f64::from(y - f32::from(q) * step).powi(2));
        error += squares.sum::<f64>() / latents.len() as f64;
        repeats += usize::from(packet.header.repeat);
        coded.push(Coded {
            pts_s: pts_ns as f64 / 1e9,
            bytes: packet.data.len(),
            qindex,
            key: packet.header.key,
            cut,
        });
        if arguments.frames {
            println!(
                "{}",
                json!({"frame": index, "bytes": packet.data.len(), "qindex": qindex, "key": packet.header.key})
            );
        }
    }
    let windows = windows(&coded, bitrate, arguments.qindex_min);
    // Steps of quality, without those into and out of key frames and scene changes, and those that the bucket forced.
    let (mut steps, mut jumps) = ([0u32; 64], 0);
    for pair in coded.windows(2) {
        let step = pair[1].qindex.abs_diff(pair[0].qindex);
        if !pair[1].key && !pair[1].cut {
            steps[usize::from(step.min(63))] += 1;
            jumps += u32::from(step > encode::MAX_STEP);
        }
    }
    let mut level: f64 = 0.0;
    let mut highest: f64 = 0.0;
    for (index, frame) in coded.iter().enumerate() {
        let share = f64::from(bitrate) * 1000.0 * gap_s;
        level = (level + frame.bytes as f64 * 8.0 - if index > 0 { share } else { 0.0 })
            .max(-0.25 * f64::from(bitrate) * 1000.0);
        if frame.pts_s >= WINDOW_S {
            highest = highest.max(level / f64::from(bitrate) / 1000.0);
        }
    }
    let count = coded.len() as f64;
    let round = |value: f64| (value * 1000.0).round() / 1000.0;
    println!(
        "{}",
        json!({"clip": name, "kbit_per_s": bitrate, "seconds": arguments.seconds,
            "mean": round(coded.iter().map(|frame| frame.bytes).sum::<usize>() as f64 * 8.0 / 1000.0 / (count * gap_s) / f64::from(bitrate)),
            "first": round(windows.first), "least": windows.range.map(|range| round(range.0)),
            "most": windows.range.map(|range| round(range.1)), "largest": round(windows.largest),
            "finest": round(windows.finest), "bucket_s": round(highest),
            "attempts": round(encoder.attempts_made() as f64 / count), "jumps": jumps,
            "still": round(f64::from(steps[0]) / count), "repeats": repeats,
            "qindex": coded.iter().map(|frame| f64::from(frame.qindex)).sum::<f64>() / count,
            "beyond_cap": coded.iter().filter(|frame| cap > 0 && frame.bytes > cap).count(),
            "mse": round(error / count)})
    );
    Ok(())
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let name = |path: &PathBuf| {
        path.file_stem()
            .map_or_else(String::new, |stem| stem.to_string_lossy().into())
    };
    if arguments.cut > 0.0 {
        // All clips have to look alike to be one stream.
        let mut dumps: Vec<Dump> = Vec::new();
        for path in &arguments.inputs {
            let dump = Dump::read(path)?;
            if dumps.first().is_none_or(|first| first.shape == dump.shape) {
                dumps.push(dump);
            }
        }
        for &rate in &arguments.rates {
            measure(&dumps, "scene changes", rate, arguments)?;
        }
        return Ok(());
    }
    for path in &arguments.inputs {
        let dump = [Dump::read(path)?];
        for &rate in &arguments.rates {
            measure(&dump, &name(path), rate, arguments)?;
        }
    }
    Ok(())
}
