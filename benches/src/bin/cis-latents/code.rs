//! `encode` and `decode`: what the codec makes of dumped latents.

use std::{fs, path::PathBuf, sync::Arc, time::Instant};

use anyhow::{Context, Result, ensure};
use cis_codec::{BundleId, Decoder, Encoder, Limits, Prior, Size, encode, frame, quant};
use serde_json::{Value, json};

use crate::dump::Dump;

/// Settings of the encoder.
#[derive(clap::Args)]
pub struct Settings {
    /// Bundle id in key frames
    #[arg(long, default_value = "dump")]
    pub bundle: BundleId,
    /// prior.bin; none: cold start
    #[arg(long)]
    pub prior: Option<PathBuf>,
    #[arg(long, default_value_t = 32)]
    pub qindex: u8,
    /// Squared error, in steps squared, that a bit has to save; 0: every symbol is the nearest
    #[arg(long, default_value_t = 0.05)]
    pub sticky: f32,
    #[arg(long, default_value_t = 250)]
    pub key_interval: u32,
    /// kbit/s; 0: constant quality
    #[arg(long, default_value_t = 0)]
    pub bitrate: u32,
    #[arg(long, default_value_t = 0)]
    pub max_frame_bytes: u32,
}

impl Settings {
    pub fn config(&self) -> encode::Config {
        encode::Config {
            qindex: self.qindex,
            sticky: self.sticky,
            key_interval: self.key_interval,
            bitrate: self.bitrate,
            max_frame_bytes: self.max_frame_bytes,
            ..encode::Config::new(self.bundle.clone())
        }
    }
}

#[derive(clap::Args)]
pub struct EncodeArguments {
    #[command(flatten)]
    settings: Settings,
    /// List every frame
    #[arg(long)]
    frames: bool,
    /// Write the stream to this .cis file (one input only)
    #[arg(long, short)]
    output: Option<PathBuf>,
    /// Dumped float latents
    #[arg(required = true)]
    inputs: Vec<PathBuf>,
}

#[derive(clap::Args)]
pub struct DecodeArguments {
    /// Bundle id of the stream
    #[arg(long, default_value = "dump")]
    bundle: BundleId,
    /// prior.bin that it was made with
    #[arg(long)]
    prior: Option<PathBuf>,
    /// .cis file
    input: PathBuf,
    /// Where the integers go: little-endian i16, `[frames][channels][height][width]`
    output: Option<PathBuf>,
}

pub fn read_prior(path: Option<&PathBuf>) -> Result<Arc<Prior>> {
    let Some(path) = path else {
        return Ok(Arc::new(Prior::default()));
    };
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Arc::new(
        Prior::from_bytes(&bytes).with_context(|| format!("in {}", path.display()))?,
    ))
}

/// Hands on every unit of a stream, and its layer.
pub fn each_unit(stream: &[u8], mut take: impl FnMut(&[u8], u8) -> Result<()>) -> Result<()> {
    let mut rest = stream;
    while !rest.is_empty() {
        let at = stream.len() - rest.len();
        let peek = frame::peek(rest, &Limits::default()).with_context(|| format!("at byte {at}"))?;
        ensure!(
            peek.unit_len <= rest.len(),
            "the file ends inside the unit at byte {at}"
        );
        let (unit, tail) = rest.split_at(peek.unit_len);
        take(unit, peek.layer).with_context(|| format!("at byte {at}"))?;
        rest = tail;
    }
    Ok(())
}

fn mean(sum: f64, count: usize) -> Option<f64> {
    (count > 0).then(|| sum / count as f64)
}

fn median_ms(seconds: &mut [f64]) -> Option<f64> {
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).map(|seconds| seconds * 1e3)
}

/// Codes and decodes one clip, compares the two ends, and reports what it cost.
fn encode_clip(settings: &Settings, prior: &Arc<Prior>, dump: &Dump, list: bool) -> Result<(Vec<u8>, Value)> {
    let config = settings.config();
    let mut decoder = Decoder::new(config.bundle.clone(), prior.clone(), config.limits);
    let mut encoder = Encoder::new(config, prior.clone())?;
    let (mut stream, mut frames) = (Vec::new(), Vec::new());
    let (mut bytes, mut counts, mut headers) = ([0.0; 2], [0; 2], 0.0);
    let (mut encoding, mut decoding, mut error) = ([const { Vec::new() }; 2], [const { Vec::new() }; 2], 0.0);
    for (index, latents) in dump.frames.iter().enumerate() {
        let pts_ns = dump.pts_ns(index);
        let source = Size {
            width: 1280,
            height: 720,
        };
        let input = encode::Input {
            latents,
            shape: dump.shape,
            source,
            pts_ns,
            capture_utc_ns: pts_ns,
            force_key: false,
            vectors: &[],
        };
        let start = Instant::now();
        let packet = encoder.encode(&input)?;
        let kind = usize::from(!packet.header.key);
        encoding[kind].push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        let frame = decoder.decode(&packet.data)?;
        decoding[kind].push(start.elapsed().as_secs_f64());
        ensure!(
            frame.latents == encoder.reconstruction(),
            "frame {index}: the two ends differ"
        );
        bytes[kind] += packet.data.len() as f64;
        counts[kind] += 1;
        headers += (packet.header.unit_len - packet.header.payload_len) as f64;
        let step = quant::step(packet.header.qindex);
        let squares = latents
            .iter()
            .zip(&frame.latents.q)
            .map(|(&y, &q)| f64::from(y - f32::from(q) * step).powi(2));
        error += squares.sum::<f64>() / latents.len() as f64;
        if list {
            let header = &packet.header;
            frames.push(json!({"bytes": header.unit_len, "key": header.key, "qindex": header.qindex}));
        }
        stream.extend_from_slice(&packet.data);
    }
    let total = bytes[0] + bytes[1];
    let count = dump.frames.len();
    let mut report = json!({
        "frames": count,
        "keys": counts[0],
        "bytes_per_frame": mean(total, count),
        "key_bytes": mean(bytes[0], counts[0]),
        "inter_bytes": mean(bytes[1], counts[1]),
        "header_bytes": mean(headers, count),
        "kbit_per_s": total * 8.0 / 1000.0 / dump.seconds(),
        "mse": mean(error, count),
        "key_encode_ms": median_ms(&mut encoding[0]),
        "inter_encode_ms": median_ms(&mut encoding[1]),
        "key_decode_ms": median_ms(&mut decoding[0]),
        "inter_decode_ms": median_ms(&mut decoding[1]),
    });
    if list {
        report["sizes"] = frames.into();
    }
    Ok((stream, report))
}

pub fn encode(arguments: &EncodeArguments) -> Result<()> {
    ensure!(
        arguments.output.is_none() || arguments.inputs.len() == 1,
        "--output takes one input only"
    );
    let prior = read_prior(arguments.settings.prior.as_ref())?;
    for path in &arguments.inputs {
        let dump = Dump::read(path)?;
        let (stream, mut report) = encode_clip(&arguments.settings, &prior, &dump, arguments.frames)?;
        report["clip"] = path.file_stem().map(|stem| stem.to_string_lossy()).into();
        println!("{report}");
        if let Some(output) = &arguments.output {
            fs::write(output, stream).with_context(|| format!("cannot write {}", output.display()))?;
        }
    }
    Ok(())
}

pub fn decode(arguments: &DecodeArguments) -> Result<()> {
    let stream =
        fs::read(&arguments.input).with_context(|| format!("cannot read {}", arguments.input.display()))?;
    let mut decoder = Decoder::new(
        arguments.bundle.clone(),
        read_prior(arguments.prior.as_ref())?,
        Limits::default(),
    );
    let mut integers = Vec::new();
    each_unit(&stream, |unit, _| {
        let frame = decoder.decode(unit)?;
        integers.extend(frame.latents.q.iter().flat_map(|q| q.to_le_bytes()));
        let (header, shape) = (&frame.header, frame.header.shape);
        println!(
            "{}",
            json!({"frame": header.number, "pts_ns": header.pts_ns, "capture_utc_ns": header.capture_utc_ns,
                "key": header.key, "repeat": header.repeat, "late": header.late, "qindex": header.qindex,
                "bytes": header.unit_len, "channels": shape.channels, "h": shape.height, "w": shape.width})
        );
        Ok(())
    })?;
    if let Some(output) = &arguments.output {
        fs::write(output, integers).with_context(|| format!("cannot write {}", output.display()))?;
    }
    Ok(())
}
