//! Dumped latents: `NAME.f32`, little-endian `[frames][channels][height][width]`, described by `NAME.json`.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use cis_codec::Shape;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Description {
    frames: usize,
    channels: u16,
    h: u16,
    w: u16,
    fps: f64,
}

/// Float latents of one clip.
pub struct Dump {
    pub shape: Shape,
    pub frames: Vec<Vec<f32>>,
    frame_ns: f64,
}

impl Dump {
    /// Reads a dump and its description.
    pub fn read(path: &Path) -> Result<Self> {
        let description = path.with_extension("json");
        let text = fs::read_to_string(&description)
            .with_context(|| format!("cannot read {}", description.display()))?;
        let Description {
            frames,
            channels,
            h: height,
            w: width,
            fps,
        } = serde_json::from_str(&text).with_context(|| format!("in {}", description.display()))?;
        let shape = Shape {
            channels,
            width,
            height,
        };
        ensure!(
            !shape.is_empty() && fps > 0.0,
            "{}: sizes and fps must not be 0",
            description.display()
        );
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let wanted = frames.saturating_mul(shape.len()).saturating_mul(4);
        ensure!(
            bytes.len() == wanted,
            "{} has {} bytes, not {wanted}",
            path.display(),
            bytes.len()
        );
        let value = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let frames = bytes
            .chunks_exact(shape.len() * 4)
            .map(|frame| frame.chunks_exact(4).map(value).collect())
            .collect();
        Ok(Self {
            shape,
            frames,
            frame_ns: 1e9 / fps,
        })
    }

    /// Presentation time of a frame.
    pub fn pts_ns(&self, index: usize) -> u64 {
        (index as f64 * self.frame_ns).round() as u64
    }

    /// Length of the clip.
    pub fn seconds(&self) -> f64 {
        self.frames.len() as f64 * self.frame_ns / 1e9
    }
}

/// Writes values as a dump of so many frames, and its description but for the frame rate, which is not known here.
pub fn write(path: &Path, shape: Shape, frames: usize, values: impl Iterator<Item = f32>) -> Result<()> {
    let bytes: Vec<u8> = values.flat_map(f32::to_le_bytes).collect();
    let wanted = shape.len() * frames * 4;
    ensure!(
        bytes.len() == wanted,
        "{}: the size changes within the stream",
        path.display()
    );
    let Shape {
        channels,
        width,
        height,
    } = shape;
    let text = json!({"frames": frames, "channels": channels, "h": height, "w": width});
    fs::write(path.with_extension("json"), text.to_string())
        .and_then(|()| fs::write(path, bytes))
        .with_context(|| format!("cannot write {}", path.display()))
}
