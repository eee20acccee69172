//! Sizes of pictures and latents, and the integer latents themselves.

use std::fmt;

/// Size of the source picture, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Size {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// Size of the latents of one frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Channels of the bottleneck.
    pub channels: u16,
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

impl Shape {
    /// Number of latent values. Cannot overflow on 64 bits; on narrower machines it saturates, beyond every limit.
    pub fn len(&self) -> usize {
        usize::from(self.channels).saturating_mul(self.positions())
    }

    /// Whether there is no value at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn positions(&self) -> usize {
        usize::from(self.width).saturating_mul(usize::from(self.height))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.channels, self.height, self.width)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// Quantised latents of one frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latents {
    /// Their size.
    pub shape: Shape,
    /// `channels * height * width` values, channel by channel, each within ±[`Latents::MAX`].
    pub q: Vec<i16>,
}

impl Latents {
    /// Largest magnitude of a quantised latent.
    pub const MAX: i16 = 2047;
}
