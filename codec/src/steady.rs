//! Latents for the eye: they stay where they are for as long as what was received does not contradict them, and then move no further than they must.
//!
//! Rate control changes the quantiser, and with it every dequantised latent a little, also where nothing happens. Detection does not mind; a picture would flicker, and an
//! enhancement layer that is relative to these latents would have to be sent anew. Both ends compute the same from what was received (docs/bundle.md, *The view's latents*).

use crate::{Latents, frame::Header, quant};

/// How far, in steps, what is held may lie from what was received. Half a step would not contradict it; less keeps up with slow changes.
const CELL: f32 = 0.3;
/// Beyond so many steps something has changed: what was received counts, and not its nearest neighbour that agrees with what was held.
const JUMP: f32 = 0.8;

/// What is held of one stream.
#[derive(Clone, Debug, Default)]
pub struct Steady {
    held: Vec<f32>,
}

impl Steady {
    /// The latents of the view after a frame whose dequantised latents are `received`, at this quantiser step. A key frame begins anew, so that whoever starts there holds the same.
    pub fn follow(&mut self, received: &[f32], step: f32, key: bool) -> &[f32] {
        if key || self.held.len() != received.len() {
            self.held.clear();
            self.held.extend_from_slice(received);
            return &self.held;
        }
        let (cell, jump) = (CELL * step, JUMP * step);
        for (held, &received) in self.held.iter_mut().zip(received) {
            let off = received - *held;
            *held = if off.abs() <= cell {
                *held
            } else if off.abs() <= jump {
                received - cell.copysign(off)
            } else {
                received
            };
        }
        &self.held
    }

    /// The latents of the view after the last frame.
    pub fn latents(&self) -> &[f32] {
        &self.held
    }
}

/// What is held of a stream that comes as integers.
#[derive(Clone, Debug, Default)]
pub struct Received {
    steady: Steady,
    values: Vec<f32>,
}

impl Received {
    /// Takes a frame of detection's layer; a repeat changes nothing.
    pub fn follow(&mut self, latents: &Latents, header: &Header) {
        if header.repeat {
            return;
        }
        self.values.resize(latents.q.len(), 0.0);
        quant::dequantize(&latents.q, header.qindex, &mut self.values);
        self.steady
            .follow(&self.values, quant::step(header.qindex), header.key);
    }

    /// The latents of the view after the last frame.
    pub fn latents(&self) -> &[f32] {
        self.steady.latents()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Latents as a receiver has them at this quantiser index.
    fn received(latents: &[f32], qindex: u8) -> Vec<f32> {
        let step = quant::step(qindex);
        latents.iter().map(|y| (y / step).round() * step).collect()
    }

    #[test]
    fn another_quantiser_changes_little_and_what_moves_does() {
        let mut latents: Vec<f32> = (0..200).map(|k| (k as f32 * 0.37).sin() * 40.0).collect();
        let mut steady = Steady::default();
        steady.follow(&received(&latents, 40), quant::step(40), true);
        let mut moved = (0.0, 0.0);
        let mut before = (received(&latents, 40), steady.latents().to_vec());
        for qindex in [41, 43, 42, 44, 40, 41, 43, 42] {
            let plain = received(&latents, qindex);
            let now = steady.follow(&plain, quant::step(qindex), false).to_vec();
            let distance = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f32>();
            moved.0 += distance(&plain, &before.0);
            moved.1 += distance(&now, &before.1);
            assert!(
                now.iter()
                    .zip(&plain)
                    .all(|(a, b)| (a - b).abs() <= (CELL + 1e-4) * quant::step(qindex))
            );
            before = (plain, now);
        }
        assert!(moved.1 < 0.6 * moved.0, "{moved:?}");
        latents[7] += 30.0;
        let plain = received(&latents, 42);
        let now = steady.follow(&plain, quant::step(42), false);
        assert_eq!(now[7], plain[7]);
        assert_eq!(now[..7], before.1[..7]);
        assert_eq!(steady.latents().len(), 200);
    }

    #[test]
    fn a_key_frame_and_another_size_begin_anew() {
        let mut steady = Steady::default();
        steady.follow(&[1.0, 2.0], 8.0, false);
        assert_eq!(
            steady.follow(&[1.5, 2.5], 8.0, false),
            [1.0, 2.0],
            "no contradiction"
        );
        assert_eq!(steady.follow(&[1.5, 2.5], 8.0, true), [1.5, 2.5]);
        assert_eq!(steady.follow(&[1.0], 8.0, false), [1.0]);
        assert!(steady.follow(&[], 8.0, false).is_empty());
    }
}
