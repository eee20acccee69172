//! `prior`: learns `prior.bin` from dumped float latents. The same dumps give the same bytes.

use std::{fs, path::PathBuf, sync::Arc};

use anyhow::{Context, Result};
use cis_codec::encode::progressive::{Known, Progressive};
use cis_codec::{Encoder, Latents, Prior, Size, encode, prior::Trainer};

use crate::dump::Dump;

#[derive(clap::Args)]
pub struct Arguments {
    /// Quantiser indices that get a model of their own
    #[arg(long, value_delimiter = ',', default_value = "26,32,38,44,50")]
    qindices: Vec<u8>,
    /// Frames from one key frame to the next: the lower, the more is learned about key frames
    #[arg(long, default_value_t = 20)]
    key_interval: u32,
    /// Times that all clips are gone through
    #[arg(long, default_value_t = 2)]
    passes: u32,
    /// Decisions that a context is trusted for at most
    #[arg(long, default_value_t = 32)]
    confidence: u8,
    #[arg(long, default_value_t = 0.05)]
    sticky: f32,
    /// Times that symbols are chosen anew, by what the round before has learned
    #[arg(long, default_value_t = 2)]
    rounds: u32,
    /// Rates in kbit/s of an enhancement layer that is sent in parts: every clip is coded at each of them, a still for as long as it takes to get sharp. Left out: whole frames
    #[arg(long, value_delimiter = ',')]
    progressive: Vec<f64>,
    /// Where the prior goes
    #[arg(long, short)]
    output: PathBuf,
    /// Dumped float latents
    #[arg(required = true)]
    inputs: Vec<PathBuf>,
}

/// Frames of all clips that are learned in a row before the next clip has its turn.
const CHUNK: usize = 60;

pub fn run(arguments: &Arguments) -> Result<()> {
    let dumps = arguments
        .inputs
        .iter()
        .map(|path| Dump::read(path))
        .collect::<Result<Vec<_>>>()?;
    let mut prior = Arc::new(Prior::default());
    for _ in 0..arguments.rounds.max(1) {
        let mut trainer = Trainer::new(&arguments.qindices);
        for &qindex in &arguments.qindices {
            let mut sequences = Vec::new();
            for dump in &dumps {
                match arguments.progressive.is_empty() {
                    true => sequences.push(quantise(arguments, qindex, dump, &prior)?),
                    false => {
                        for rate in &arguments.progressive {
                            sequences.push(in_parts(arguments, (qindex, rate * 1000.0), dump, &prior)?);
                        }
                    }
                }
            }
            for _ in 0..arguments.passes {
                learn(&mut trainer, qindex, &sequences);
            }
        }
        prior = Arc::new(trainer.finish(arguments.confidence));
    }
    let bytes = prior.to_bytes();
    Prior::from_bytes(&bytes).context("the prior cannot be read back")?;
    fs::write(&arguments.output, &bytes)
        .with_context(|| format!("cannot write {}", arguments.output.display()))?;
    eprintln!("{}: {} bytes", arguments.output.display(), bytes.len());
    Ok(())
}

/// The encoder that chooses the symbols of a clip.
fn encoder(arguments: &Arguments, qindex: u8, key_interval: u32, prior: &Arc<Prior>) -> Result<Encoder> {
    let config = encode::Config {
        qindex,
        qindex_min: 0,
        qindex_max: cis_codec::quant::QINDEX_MAX,
        key_interval,
        sticky: arguments.sticky,
        ..encode::Config::new("dump".parse()?)
    };
    Ok(Encoder::new(config, prior.clone())?)
}

/// What a frame of a dump is to an encoder.
fn input<'a>(dump: &Dump, latents: &'a [f32], pts_ns: u64, force_key: bool) -> encode::Input<'a> {
    let source = Size { width: 1, height: 1 };
    encode::Input {
        latents,
        shape: dump.shape,
        source,
        pts_ns,
        capture_utc_ns: 0,
        force_key,
        vectors: &[],
    }
}

/// The symbols that an encoder would code, and which of its frames are key frames.
fn quantise(
    arguments: &Arguments,
    qindex: u8,
    dump: &Dump,
    prior: &Arc<Prior>,
) -> Result<Vec<(Latents, bool)>> {
    let mut encoder = encoder(arguments, qindex, arguments.key_interval, prior)?;
    let frame = |(index, latents): (usize, &Vec<f32>)| {
        let packet = encoder.encode(&input(dump, latents, dump.pts_ns(index), false))?;
        Ok((encoder.reconstruction().clone(), packet.header.key))
    };
    dump.frames.iter().enumerate().map(frame).collect()
}

/// Frames for which a still is looked at.
const STILL: usize = 24;

/// The same for a layer that comes in parts at a rate in bit/s.
fn in_parts(
    arguments: &Arguments,
    (qindex, rate): (u8, f64),
    dump: &Dump,
    prior: &Arc<Prior>,
) -> Result<Vec<(Latents, bool)>> {
    let mut encoder = encoder(arguments, qindex, 0, prior)?;
    let mut progressive = Progressive::default();
    let (mut received, mut changed) = (Vec::new(), Vec::new());
    let (count, gap_ns) = match dump.frames.len() {
        1 => (STILL, 100_000_000),
        frames => (frames, dump.pts_ns(1)),
    };
    let frame = |index: usize| {
        let pts_ns = index as u64 * gap_ns;
        encoder.dequantize(&mut received);
        encoder.write_changed(&mut changed);
        let known = (index > 0).then_some(Known {
            latents: &received,
            changed: &changed,
            // Dumps have no pictures: nothing is predicted along the motion.
            seen: None,
        });
        let latents = &dump.frames[index % dump.frames.len()];
        // A model is learned for this index, so that it gets no finer.
        let plan = progressive.plan(latents, dump.shape, known, pts_ns, rate, (qindex, qindex));
        let packet = encoder.encode(&input(dump, plan.latents, pts_ns, index == 0))?;
        progressive.sent(packet.header.unit_len);
        Ok((encoder.reconstruction().clone(), packet.header.key))
    };
    (0..count).map(frame).collect()
}

/// Learns chunks of all clips in turn, so that no clip has the last word alone.
fn learn(trainer: &mut Trainer, qindex: u8, sequences: &[Vec<(Latents, bool)>]) {
    let longest = sequences.iter().map(Vec::len).max().unwrap_or(0);
    for start in (0..longest).step_by(CHUNK) {
        for sequence in sequences {
            for (index, (latents, key)) in sequence.iter().enumerate().skip(start).take(CHUNK) {
                trainer.learn(qindex, latents, *key || index == start);
            }
        }
    }
}
