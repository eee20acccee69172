//! `golden`: streams of the present version with the sums of what they decode to. Run once per version of the bitstream; what it
//! wrote for a released version is never written again.

use std::{fs, path::PathBuf, sync::Arc};

use anyhow::{Context, Result};
use cis_codec::{Encoder, Prior, Shape, Size, encode, frame::ENHANCEMENT, frame::Header, prior::Trainer};
use serde_json::json;
use sha2::{Digest, Sha256};

#[derive(clap::Args)]
pub struct Arguments {
    /// Folder that the vectors go to
    pub output: PathBuf,
}

const BUNDLE: &str = "golden";

/// Numbers without a pattern, the same everywhere.
pub fn hash(a: u32, b: u32) -> u32 {
    let mut x = a.wrapping_mul(0x9E37_79B1) ^ b.wrapping_mul(0x85EB_CA77);
    x ^= x >> 15;
    x = x.wrapping_mul(0x2C1B_3C6D);
    x ^ x >> 13
}

/// Adds what a frame decodes to.
pub fn add(sum: &mut Sha256, header: &Header, q: &[i16]) {
    sum.update(header.number.to_le_bytes());
    sum.update(header.pts_ns.to_le_bytes());
    sum.update(header.capture_utc_ns.to_le_bytes());
    sum.update([u8::from(header.key), header.qindex]);
    q.iter().for_each(|q| sum.update(q.to_le_bytes()));
}

/// The sum in digits.
pub fn digits(sum: Sha256) -> String {
    sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A drifting texture with a moving block; integers only, so that it is the same everywhere.
fn latents(shape: Shape, seed: u32, index: u32) -> Vec<f32> {
    let hash = |a: u32, b: u32| hash(a ^ seed, b);
    let (width, height) = (u32::from(shape.width), u32::from(shape.height));
    let value = |at: u32| {
        let (channel, y, x) = (at / width / height, at / width % height, at % width);
        let still = (hash(at, 1) % 512) as f32 / 64.0 / (1 + channel / 2) as f32 - 2.0 / (1 + channel) as f32;
        let noise = (hash(at, index + 2) % 256) as f32 / 512.0;
        let inside = (x + width - index % width) % width < 3 && y > height / 3;
        still + noise + if inside { (channel % 5) as f32 - 2.0 } else { 0.0 }
    };
    (0..shape.len() as u32).map(value).collect()
}

/// Settings of the frame at `index`, if they change there.
type Script = fn(u32, &encode::Config) -> Option<encode::Config>;

struct Vector {
    name: &'static str,
    shape: Shape,
    frames: u32,
    script: Script,
    /// Has an enhancement layer, with half as many channels and twice as many latents on each axis.
    enhanced: bool,
}

const SHAPE: Shape = Shape {
    channels: 12,
    width: 10,
    height: 8,
};
const VECTORS: [Vector; 5] = [
    Vector {
        name: "plain",
        shape: SHAPE,
        frames: 24,
        script: |_, _| None,
        enhanced: false,
    },
    Vector {
        name: "qindex",
        shape: SHAPE,
        frames: 20,
        script: |index, config| {
            Some(encode::Config {
                qindex: (20 + index * 7 % 36) as u8,
                ..config.clone()
            })
        },
        enhanced: false,
    },
    Vector {
        name: "extremes",
        shape: Shape {
            channels: 70,
            width: 3,
            height: 2,
        },
        frames: 6,
        script: |_, config| {
            Some(encode::Config {
                qindex: 0,
                qindex_min: 0,
                ..config.clone()
            })
        },
        enhanced: false,
    },
    Vector {
        name: "single",
        shape: Shape {
            channels: 1,
            width: 1,
            height: 1,
        },
        frames: 5,
        script: |_, config| {
            Some(encode::Config {
                key_interval: 2,
                ..config.clone()
            })
        },
        enhanced: false,
    },
    Vector {
        name: "layers",
        shape: SHAPE,
        frames: 24,
        script: |_, _| None,
        enhanced: true,
    },
];

/// One layer of a vector: its encoder, and what it looks like.
struct Layer {
    encoder: Encoder,
    config: encode::Config,
    shape: Shape,
    seed: u32,
    scale: f32,
}

impl Layer {
    /// Codes the frame at `index`, and adds what it decodes to to `sum`.
    fn code(&mut self, script: Script, index: u32, sum: &mut Sha256) -> Result<Vec<u8>> {
        if let Some(changed) = script(index, &self.config) {
            self.encoder.set_config(changed.clone())?;
            self.config = changed;
        }
        let pts_ns = u64::from(index) * 33_333_333 + u64::from(index % 3);
        let capture_utc_ns = 1_790_000_000_000_000_000 + pts_ns + u64::from(index / 10);
        let packet = if index % 8 == 5 {
            self.encoder.encode_repeat(pts_ns, capture_utc_ns)?
        } else {
            let latents = latents(self.shape, self.seed, index);
            self.encoder.encode(&encode::Input {
                latents: &latents.iter().map(|y| y * self.scale).collect::<Vec<_>>(),
                shape: self.shape,
                source: Size {
                    width: 1920,
                    height: 1080,
                },
                pts_ns,
                capture_utc_ns,
                force_key: index == 13,
                vectors: &[],
            })?
        };
        add(sum, &packet.header, &self.encoder.reconstruction().q);
        Ok(packet.data.into())
    }
}

impl Vector {
    fn code(&self, prior: &Arc<Prior>) -> Result<(Vec<u8>, String)> {
        let config = encode::Config {
            key_interval: 9,
            ..encode::Config::new(BUNDLE.parse()?)
        };
        let mut layers = vec![Layer {
            encoder: Encoder::new(config.clone(), prior.clone())?,
            config: config.clone(),
            shape: self.shape,
            seed: 77,
            scale: if self.name == "extremes" { 60.0 } else { 1.0 },
        }];
        if self.enhanced {
            let config = encode::Config {
                layer: ENHANCEMENT,
                qindex: 24,
                ..config
            };
            layers.push(Layer {
                encoder: Encoder::new(config.clone(), prior.clone())?,
                config,
                shape: Shape {
                    channels: self.shape.channels / 2,
                    width: self.shape.width * 2,
                    height: self.shape.height * 2,
                },
                seed: 78,
                scale: 1.0,
            });
        }
        let (mut stream, mut sum) = (Vec::new(), Sha256::new());
        for index in 0..self.frames {
            for layer in &mut layers {
                stream.extend(layer.code(self.script, index, &mut sum)?);
            }
        }
        Ok((stream, digits(sum)))
    }
}

/// A small prior, learned from scenes like those of the vectors.
fn prior() -> Result<Prior> {
    let mut trainer = Trainer::new(&[24, 36]);
    for qindex in [24, 36] {
        for seed in 0..3 {
            let config = encode::Config {
                qindex,
                key_interval: 4,
                ..encode::Config::new(BUNDLE.parse()?)
            };
            let mut encoder = Encoder::new(config, Arc::new(Prior::default()))?;
            for index in 0..12 {
                let latents = latents(SHAPE, seed, index);
                let source = Size { width: 1, height: 1 };
                let (pts_ns, capture_utc_ns) = (index.into(), 0);
                let input = encode::Input {
                    latents: &latents,
                    shape: SHAPE,
                    source,
                    pts_ns,
                    capture_utc_ns,
                    force_key: false,
                    vectors: &[],
                };
                let packet = encoder.encode(&input)?;
                trainer.learn(qindex, encoder.reconstruction(), packet.header.key);
            }
        }
    }
    Ok(trainer.finish(24))
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let folder = &arguments.output;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
    };
    let warm = prior()?.to_bytes();
    write("prior.bin", &warm)?;
    let mut list = Vec::new();
    for (suffix, bytes) in [("cold", &[][..]), ("warm", &warm)] {
        let prior = Arc::new(Prior::from_bytes(bytes)?);
        for vector in &VECTORS {
            let (stream, sha256) = vector.code(&prior)?;
            let file = format!("{}-{suffix}.cis", vector.name);
            write(&file, &stream)?;
            let prior = (!bytes.is_empty()).then_some("prior.bin");
            list.push(json!({"file": file, "prior": prior, "frames": vector.frames, "sha256": sha256}));
        }
    }
    write(
        "golden.json",
        format!("{}\n", serde_json::to_string_pretty(&list)?).as_bytes(),
    )
}
