//! What the detector was asked last of a stream: the same again has the same objects, and costs nothing.

use cis_codec::frame::Header;
use cis_codec::{Latents, Shape, Size};

/// Latents of a frame, with all that says what they mean.
#[derive(Default)]
pub struct Asked {
    source: Option<Size>,
    shape: Option<Shape>,
    qindex: u8,
    q: Vec<i16>,
}

impl Asked {
    /// Takes note of a frame; `false`: it is the same as the one before.
    pub fn renew(&mut self, header: &Header, latents: &Latents) -> bool {
        let (source, shape) = (Some(header.source), Some(latents.shape));
        let meaning = (source, shape, header.qindex);
        let same = (self.source, self.shape, self.qindex) == meaning && self.q == latents.q;
        if !same {
            (self.source, self.shape, self.qindex) = meaning;
            self.q.clone_from(&latents.q);
        }
        !same
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;
    use cis_codec::encode::{Config, Encoder, Input};
    use cis_codec::{Decoder, Limits, Prior};
    use std::sync::Arc;

    /// Frames as a camera codes them: only what is the same symbol for symbol, at the same step and size, is the same.
    #[test]
    fn the_same_is_asked_once() {
        let shape = Shape {
            channels: 2,
            width: 4,
            height: 4,
        };
        let mut encoder = Encoder::new(Config::new("test".parse().unwrap()), Arc::default()).unwrap();
        let mut decoder = Decoder::new(
            "test".parse().unwrap(),
            Arc::<Prior>::default(),
            Limits::default(),
        );
        let mut asked = Asked::default();
        let mut new = |value: f32, width: u32, repeat: bool| {
            let packet = match repeat {
                true => encoder.encode_repeat(1, 1),
                false => encoder.encode(&Input {
                    latents: &[value; 32],
                    shape,
                    source: Size { width, height: 128 },
                    pts_ns: 0,
                    capture_utc_ns: 0,
                    force_key: width != 128,
                    vectors: &[],
                }),
            };
            let packet = packet.unwrap();
            let frame = decoder.decode(&packet.data).unwrap();
            asked.renew(&frame.header, frame.latents)
        };
        assert!(new(0.0, 128, false), "nothing was asked before");
        assert!(!new(0.0, 128, false));
        assert!(!new(0.0, 128, true));
        assert!(new(50.0, 128, false));
        assert!(!new(50.0, 128, true));
        assert!(new(50.0, 129, false), "of another size its boxes are others");
    }
}
