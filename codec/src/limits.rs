//! Upper bounds that are checked before anything is allocated.

/// What a decoder is ready to spend on one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest side of the source picture, in pixels.
    pub max_side: u32,
    /// Most latent values of one frame.
    pub max_latents: usize,
    /// Most bytes of entropy-coded payload of one frame.
    pub max_payload: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_side: 16_384,
            max_latents: 4 << 20,
            max_payload: 1 << 20,
        }
    }
}
