//! A recording in memory, and a camera's place in it.

use anyhow::{Context, bail};
use bytes::Bytes;
use cis_codec::frame::{self, DETECTION, HeaderReader};
use cis_codec::{BundleId, Limits};
use std::path::Path;
use std::sync::Arc;

/// Units of the features for detection of a `.cis` file; the enhancement layer is left out.
#[derive(Debug)]
pub struct Clip {
    units: Vec<Bytes>,
    keys: Vec<usize>,
    /// Bundle that made it.
    pub bundle: BundleId,
    /// Size of its pictures and of its latents, as text.
    pub size: String,
    /// Frames that repeat the one before.
    pub repeats: usize,
}

/// Where a camera is in its clip.
#[derive(Debug)]
pub struct Cursor {
    clip: Arc<Clip>,
    next: usize,
}

impl Clip {
    /// Reads a file, which must be whole.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let data = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(data.into()).with_context(|| path.display().to_string())
    }

    fn parse(mut data: Bytes) -> anyhow::Result<Self> {
        let limits = Limits::default();
        let (mut units, mut keys, mut repeats, mut first) = (Vec::new(), Vec::new(), 0, None);
        let mut headers = HeaderReader::new(limits);
        while !data.is_empty() {
            let peek = frame::peek(&data, &limits).with_context(|| format!("unit {}", units.len()))?;
            if peek.unit_len > data.len() {
                bail!("unit {} is cut off", units.len());
            }
            let unit = data.split_to(peek.unit_len);
            if peek.layer != DETECTION {
                continue;
            }
            let header = headers
                .read(&unit)
                .with_context(|| format!("unit {}", units.len()))?;
            repeats += usize::from(header.repeat);
            if header.key {
                keys.push(units.len());
            }
            units.push(unit);
            first.get_or_insert(header);
        }
        let Some(first) = first else {
            bail!("no frame in it");
        };
        Ok(Self {
            size: format!(
                "{}x{} as {}",
                first.source.width, first.source.height, first.shape
            ),
            bundle: first.bundle,
            units,
            keys,
            repeats,
        })
    }

    /// Frames.
    pub fn frames(&self) -> usize {
        self.units.len()
    }

    /// Bytes of an average frame.
    pub fn mean_bytes(&self) -> f64 {
        self.units.iter().map(Bytes::len).sum::<usize>() as f64 / self.units.len() as f64
    }
}

impl Cursor {
    /// Before the n-th key frame, counted round and round.
    pub fn new(clip: Arc<Clip>, n: usize) -> Self {
        let next = clip.keys[n % clip.keys.len()];
        Self { clip, next }
    }

    /// The next unit; after the last one the first. `key`: the next key frame instead.
    pub fn next(&mut self, key: bool) -> &Bytes {
        if key {
            let later = self.clip.keys.iter().find(|key| **key >= self.next);
            self.next = later.copied().unwrap_or(0);
        }
        let at = self.next;
        self.next = (at + 1) % self.clip.units.len();
        &self.clip.units[at]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;
    use cis_codec::encode::{Config, Encoder, Input};
    use cis_codec::{Prior, Shape, Size};

    /// Five frames, of which 0 and 3 are keys and 4 is a repeat.
    fn five() -> Vec<u8> {
        let config = Config {
            key_interval: 0,
            ..Config::new("test".parse().unwrap())
        };
        let mut encoder = Encoder::new(config, Arc::new(Prior::default())).unwrap();
        let shape = Shape {
            channels: 2,
            width: 4,
            height: 4,
        };
        let mut bytes = Vec::new();
        for n in 0..4_u64 {
            let latents: Vec<f32> = (0..shape.len()).map(|i| (i as u64 * n % 7) as f32).collect();
            let input = Input {
                latents: &latents,
                shape,
                source: Size {
                    width: 128,
                    height: 128,
                },
                pts_ns: n,
                capture_utc_ns: n,
                force_key: n == 3,
                vectors: &[],
            };
            bytes.extend_from_slice(&encoder.encode(&input).unwrap().data);
        }
        bytes.extend_from_slice(&encoder.encode_repeat(4, 4).unwrap().data);
        bytes
    }

    #[test]
    fn a_camera_goes_round_and_jumps_to_keys() {
        let clip = Arc::new(Clip::parse(five().into()).unwrap());
        assert_eq!(
            (clip.frames(), clip.keys.as_slice(), clip.repeats),
            (5, &[0, 3][..], 1)
        );
        let mut cursor = Cursor::new(clip.clone(), 3);
        let mut at = |key| {
            let unit = cursor.next(key).clone();
            clip.units.iter().position(|other| *other == unit).unwrap()
        };
        let places: Vec<_> = [false, false, false, false, true, false, true]
            .map(&mut at)
            .to_vec();
        assert_eq!(places, [3, 4, 0, 1, 3, 4, 0]);
    }

    #[test]
    fn what_is_no_recording_is_told() {
        let cut = five();
        for (bytes, words) in [
            (vec![], "no frame"),
            (b"RIFF".to_vec(), "unit 0"),
            (cut[..cut.len() - 1].to_vec(), "unit 4"),
        ] {
            let error = format!("{:#}", Clip::parse(bytes.into()).unwrap_err());
            assert!(error.contains(words), "{error}");
        }
    }
}
