//! Latents for tests: made from a seed, so that every run codes the same bytes.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::sync::Arc;

use cis_codec::{BundleId, Decoder, Encoder, Limits, Prior, Shape, Size, encode};

/// Deterministic generator (xorshift64*), good enough for test data.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 24) as f32
    }

    /// Laplace distribution with mean 0.
    pub fn laplace(&mut self, scale: f32) -> f32 {
        let u = self.unit() - 0.5;
        -scale * u.signum() * (1.0 - 2.0 * u.abs()).max(1e-6).ln()
    }
}

pub const SOURCE: Size = Size {
    width: 1280,
    height: 720,
};

pub fn shape(channels: u16, width: u16, height: u16) -> Shape {
    Shape {
        channels,
        width,
        height,
    }
}

pub fn bundle() -> BundleId {
    "test".parse().unwrap()
}

/// Settings that keep integers as they are.
pub fn exact() -> encode::Config {
    encode::Config {
        sticky: 0.0,
        ..encode::Config::new(bundle())
    }
}

pub fn encoder(config: encode::Config) -> Encoder {
    Encoder::new(config, Arc::new(Prior::default())).unwrap()
}

pub fn decoder() -> Decoder {
    Decoder::new(bundle(), Arc::new(Prior::default()), Limits::default())
}

/// Frame `index` at 10 frames a second.
pub fn input(latents: &[f32], shape: Shape, index: u64) -> encode::Input<'_> {
    let pts_ns = index * 100_000_000;
    encode::Input {
        latents,
        shape,
        source: SOURCE,
        pts_ns,
        capture_utc_ns: 1_790_000_000_000_000_000 + pts_ns,
        force_key: false,
        vectors: &[],
    }
}

/// A scene that stands still but for sensor noise and one moving block.
pub struct Scene {
    pub shape: Shape,
    still: Vec<f32>,
    random: Random,
    noise: f32,
}

impl Scene {
    pub fn new(shape: Shape, seed: u64, noise: f32) -> Self {
        let mut random = Random(seed | 1);
        let plane = usize::from(shape.width) * usize::from(shape.height);
        let still = (0..shape.len())
            .map(|at| random.laplace(4.0 / (1.0 + (at / plane.max(1)) as f32)))
            .collect();
        Self {
            shape,
            still,
            random,
            noise,
        }
    }

    pub fn frame(&mut self, index: u64) -> Vec<f32> {
        let (width, height) = (usize::from(self.shape.width), usize::from(self.shape.height));
        let block = index as usize % width.max(1);
        let mut out = self.still.clone();
        for (at, value) in out.iter_mut().enumerate() {
            let (x, y) = (at % width, at / width % height);
            if x >= block && x < block + 3 && y > height / 3 && y < height / 3 + 4 {
                *value += if at / width / height % 2 == 0 { 3.0 } else { -2.0 };
            }
            *value += self.noise * (self.random.unit() - 0.5);
        }
        out
    }
}
