//! What stands still, and what it is without the noise.

use crate::{Shape, quant};

/// Time constant, in seconds, of the mean of what stands still.
const SETTLING_S: f32 = 0.5;
/// Change against that mean, in steps squared, from which on a position is said to move.
const MOVED: f32 = 1.0;
/// A position that has been still for so long no longer moves.
const REST_S: f32 = 1.0;

/// The positions of a layer over time.
#[derive(Clone, Debug, Default)]
pub struct Stillness {
    /// Latents without the noise: the mean of late for as long as a position is much the same.
    settled: Vec<f32>,
    /// For how long that has been, in seconds.
    still_s: Vec<f32>,
}

impl Stillness {
    /// Looks at the next frame, so many seconds after the one before.
    pub fn observe(&mut self, latents: &[f32], shape: Shape, qindex: u8, gap: f32) {
        let plane = shape.positions();
        if self.settled.len() != latents.len() || self.still_s.len() != plane {
            self.still_s = vec![0.0; plane];
            self.settled = latents.to_vec();
            return;
        }
        let scale = 1.0 / quant::step(qindex);
        let share = 1.0 - (-gap / SETTLING_S).exp();
        for position in 0..plane {
            let of_position = || (position..latents.len()).step_by(plane);
            let change: f32 = of_position()
                .map(|at| ((latents[at] - self.settled[at]) * scale).powi(2))
                .sum();
            let still = change <= MOVED;
            self.still_s[position] = if still { self.still_s[position] + gap } else { 0.0 };
            for at in of_position() {
                self.settled[at] = match still {
                    true => self.settled[at] + (latents[at] - self.settled[at]) * share,
                    false => latents[at],
                };
            }
        }
    }

    /// Latents without the noise, channel by channel.
    pub fn settled(&self) -> &[f32] {
        &self.settled
    }

    /// For how long a position has been still, in seconds.
    pub fn still_s(&self, position: usize) -> f32 {
        self.still_s[position]
    }

    /// Whether a position moves, or did a moment ago.
    pub fn moves(&self, position: usize) -> bool {
        self.still_s[position] < REST_S
    }

    /// Part of the positions that move.
    pub fn moving(&self) -> f64 {
        let moving = self.still_s.iter().filter(|&&still_s| still_s < REST_S).count();
        moving as f64 / self.still_s.len().max(1) as f64
    }
}
