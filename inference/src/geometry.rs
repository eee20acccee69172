//! Geometry: how source pixels, pixels of x, and latents correspond (docs/bundle.md, "Geometry").
//!
//! Camera and receiver both compute it from the source size and one more number (`input-size` or the latents' size), in
//! integers, so that they cannot disagree by a rounding.

use crate::bundle::Manifest;
use crate::{Error, Result};

/// Shortest side of a source frame.
pub const MIN_SOURCE: u32 = 64;
/// Longest side of a source frame.
pub const MAX_SOURCE: u32 = 8192;
/// Smallest `input-size`.
pub const MIN_INPUT: u32 = 64;
/// Largest `input-size`: bounds the memory that a peer's latents can cost.
pub const MAX_INPUT: u32 = 2048;
/// `input-size` is a multiple of this, whatever the bundle.
pub const INPUT_STEP: u32 = 32;

/// Sizes of one stream's pictures. Pairs are (width, height).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Geometry {
    /// Source frame, pixels.
    pub source: (u32, u32),
    /// x, the network's input, padding included.
    pub x: (u32, u32),
    /// The part of x, from its top left corner, that holds the frame.
    pub content: (u32, u32),
    /// Latents.
    pub latents: (u16, u16),
    /// Pixels of x per source pixel.
    pub scale: f64,
}

impl Geometry {
    /// Geometry of a frame of `source` pixels squeezed to `input_size` pixels on its long side.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] when a side of the source or the input size is not legal for this bundle.
    pub fn new(source: (u32, u32), input_size: u32, manifest: &Manifest) -> Result<Self> {
        for (what, side) in [("source width", source.0), ("source height", source.1)] {
            if !(MIN_SOURCE..=MAX_SOURCE).contains(&side) {
                return Err(Error::range(what, side, format!("{MIN_SOURCE}..={MAX_SOURCE}")));
            }
        }
        let step = manifest.input_step();
        if !(MIN_INPUT..=MAX_INPUT).contains(&input_size) || !input_size.is_multiple_of(step) {
            return Err(Error::range(
                "input-size",
                input_size,
                format!("{MIN_INPUT}..={MAX_INPUT}, a multiple of {step}"),
            ));
        }
        let long = input_size * manifest.input.squeeze;
        let side = source.0.max(source.1);
        let content = (scaled(source.0, long, side), scaled(source.1, long, side));
        let multiple = manifest.input.multiple;
        let x = (
            content.0.next_multiple_of(multiple),
            content.1.next_multiple_of(multiple),
        );
        let latent = |pixels: u32| {
            let count = pixels / manifest.latents.stride;
            u16::try_from(count).map_err(|_| Error::range("latents side", count, format!("1..={}", u16::MAX)))
        };
        let latents = (latent(x.0)?, latent(x.1)?);
        Ok(Self {
            source,
            x,
            content,
            latents,
            scale: f64::from(long) / f64::from(side),
        })
    }

    /// Geometry from what a key frame says: the source size and the size of the latents.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] when no legal input size gives latents of this size for this source.
    pub fn from_latents(source: (u32, u32), latents: (u16, u16), manifest: &Manifest) -> Result<Self> {
        let long = u32::from(latents.0.max(latents.1)) * manifest.latents.stride;
        let geometry = Self::new(source, long / manifest.input.squeeze, manifest)
            .map_err(|cause| Error::range("latents", size(latents), cause.to_string()))?;
        if geometry.latents != latents {
            let legal = format!(
                "{} for a source of {}x{}",
                size(geometry.latents),
                source.0,
                source.1
            );
            return Err(Error::range("latents", size(latents), legal));
        }
        Ok(geometry)
    }

    /// A box (x1, y1, x2, y2) in pixels of x as (x, y, w, h) in source pixels, clamped to the frame. `None` when nothing of
    /// it is inside the frame or when it is not finite.
    pub fn to_source(&self, corners: [f32; 4]) -> Option<[f32; 4]> {
        if corners.iter().any(|v| !v.is_finite()) {
            return None;
        }
        let place = |v: f32, side: u32| (f64::from(v) / self.scale).clamp(0.0, f64::from(side)) as f32;
        let [x1, y1, x2, y2] = corners;
        let (x1, x2) = (place(x1, self.source.0), place(x2, self.source.0));
        let (y1, y2) = (place(y1, self.source.1), place(y2, self.source.1));
        (x2 > x1 && y2 > y1).then_some([x1, y1, x2 - x1, y2 - y1])
    }

    /// Number of latents of one channel.
    pub fn latents_per_channel(&self) -> usize {
        usize::from(self.latents.0) * usize::from(self.latents.1)
    }

    /// Places of a grid over x that has one every `stride` pixels, a divisor of the sides of x: (width, height).
    pub fn grid(&self, stride: u32) -> (usize, usize) {
        let places = |side: u32| (side / stride.max(1)) as usize;
        (places(self.x.0), places(self.x.1))
    }

    /// Bytes of x.
    pub fn x_bytes(&self) -> usize {
        self.x.0 as usize * self.x.1 as usize * 3
    }
}

/// `side * long / longest`, rounded half up, at least 1.
fn scaled(side: u32, long: u32, longest: u32) -> u32 {
    let (side, long, longest) = (u64::from(side), u64::from(long), u64::from(longest));
    let rounded = (2 * side * long + longest) / (2 * longest);
    // At most `long`, because `side <= longest`.
    u32::try_from(rounded).unwrap_or(u32::MAX).max(1)
}

fn size(latents: (u16, u16)) -> String {
    format!("{}x{}", latents.0, latents.1)
}
