//! `golden-moving`: streams of the version that is predicted along the motion, with the sums of what they decode to. As `golden`, run once.

use std::path::Path;
use std::{fs, sync::Arc};

use anyhow::Result;
use cis_codec::motion::Vector;
use cis_codec::{Encoder, Prior, Shape, Size, encode, frame::ENHANCEMENT, fuzz};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::golden::{add, digits, hash};

const SHAPE: Shape = Shape {
    channels: 12,
    width: 12,
    height: 9,
};
const FRAMES: u32 = 30;

/// Coefficients that get smaller from channel to channel, part of them new in every frame; integers only, so that they are the same everywhere.
fn latents(index: u32, strength: f32) -> Vec<f32> {
    let plane = SHAPE.len() as u32 / u32::from(SHAPE.channels);
    let value = |at: u32| {
        let (channel, position) = (at / plane, at % plane);
        let age = if hash(position, 7).is_multiple_of(4) {
            index
        } else {
            0
        };
        let level = (hash(at, age) % 1024) as f32 / 256.0 - 2.0;
        level * strength / (1 + channel) as f32
    };
    (0..SHAPE.len() as u32).map(value).collect()
}

/// Where positions come from: nowhere, all from one side, or each from somewhere else.
fn vectors(index: u32) -> Vec<Vector> {
    let plane = SHAPE.len() as u32 / u32::from(SHAPE.channels);
    let part = |seed: u32, far: u32| (hash(seed, index) % (2 * far + 1)) as i16 - far as i16;
    let vector = |position: u32| match ((index + 1) % 4, hash(position, index) % 3) {
        (0, _) | (1, 0) | (2, 0 | 1) => Vector::default(),
        (1, _) => Vector { x: 9, y: -6 },
        (2, _) => Vector {
            x: part(position, 40),
            y: part(position + 500, 3),
        },
        _ => Vector {
            x: part(position, 255),
            y: part(position + 500, 255),
        },
    };
    (0..plane).map(vector).collect()
}

fn stream(name: &str, prior: &Arc<Prior>) -> Result<(Vec<u8>, String)> {
    let strength = if name == "extremes" { 400.0 } else { 6.0 };
    let mut config = encode::Config {
        layer: ENHANCEMENT,
        qindex: 30,
        qindex_min: 0,
        key_interval: 17,
        ..encode::Config::new("golden".parse()?)
    };
    let encoder = Encoder::new(config.clone(), prior.clone())?;
    let mut encoder = encoder.predicting(fuzz::transform(SHAPE.channels));
    let (mut stream, mut sum) = (Vec::new(), Sha256::new());
    for index in 0..FRAMES {
        if name != "moving" {
            config.qindex = (hash(index / 2, 3) % 57) as u8;
            encoder.set_config(config.clone())?;
        }
        let pts_ns = u64::from(index) * 33_333_333;
        let packet = match index % 8 {
            5 => encoder.encode_repeat(pts_ns, pts_ns)?,
            _ => encoder.encode(&encode::Input {
                latents: &latents(index, strength),
                shape: SHAPE,
                source: Size {
                    width: 192,
                    height: 144,
                },
                pts_ns,
                capture_utc_ns: pts_ns,
                force_key: false,
                vectors: &vectors(index),
            })?,
        };
        add(&mut sum, &packet.header, &encoder.reconstruction().q);
        sum.update(encoder.canvas().map_or(&[][..], |canvas| canvas.samples()));
        stream.extend_from_slice(&packet.data);
    }
    Ok((stream, digits(sum)))
}

/// Writes the streams, their transform and `golden.json`.
pub fn run(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(
        folder.join("transform.bin"),
        fuzz::transform(SHAPE.channels).to_bytes(),
    )?;
    let prior = Arc::new(Prior::default());
    let mut list = Vec::new();
    for name in ["moving", "qindex", "extremes"] {
        let (stream, sha256) = stream(name, &prior)?;
        let file = format!("{name}.cis");
        fs::write(folder.join(&file), &stream)?;
        list.push(json!({ "file": file, "frames": FRAMES, "prior": null, "transform": "transform.bin", "sha256": sha256 }));
    }
    fs::write(
        folder.join("golden.json"),
        serde_json::to_string_pretty(&list)? + "\n",
    )?;
    Ok(())
}
