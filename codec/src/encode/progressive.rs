//! Spending a rate on a picture that gets better: which positions of an enhancement layer are brought up to date in a frame, and how finely.
//!
//! A layer for the eye has too much in it for any one frame of a thin link. So a frame updates the positions where that gains most, as many as the rate
//! allows, and leaves the others as the receiver has them: what moves comes first, then what stands still gets finer, step by step, until it is as fine as wanted.
//! A key frame is empty. A pure function of latents, time stamps and sizes.

use crate::{Latents, Shape, quant};

/// Indices from one fineness to the next.
const STEP: u8 = 4;
/// Bits of a position before any was measured.
const FIRST_BITS: f64 = 40.0;
/// Weight of a new measurement.
const MEMORY: f64 = 0.2;
/// Indices in which the bits of a position halve, about.
const HALVING: f64 = 8.0;
/// Squared error, in steps squared, that an update of a position has to take away.
const WORTH: f32 = 1.5;
/// Distance from its symbol, in steps, at which a value counts as wrong.
const WRONG: f32 = 0.6;
/// A gap between time stamps counts as this at most, and most of the rate that is saved up.
const GAP_MAX_S: f64 = 0.5;
/// Seconds that it may take to bring everything up to date, before it is made coarser.
const PATIENCE_S: f64 = 6.0;

/// What of a frame is coded, and how finely.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Quantiser index.
    pub qindex: u8,
    /// The latents, with what the receiver has already wherever nothing is to change.
    pub latents: &'a [f32],
}

/// Chooses what is brought up to date in each frame of one layer.
#[derive(Clone, Debug)]
pub struct Progressive {
    finest: u8,
    coarsest: u8,
    qindex: u8,
    /// Bits that may still be sent; negative: a debt.
    credit: f64,
    /// Bits of an updated position.
    bits: f64,
    chosen: usize,
    last_pts_ns: Option<u64>,
    gains: Vec<(f32, u32)>,
    latents: Vec<f32>,
}

impl Progressive {
    /// Gets as fine as `finest`; a group begins with `coarsest`.
    pub fn new(finest: u8, coarsest: u8) -> Self {
        let coarsest = coarsest.min(quant::QINDEX_MAX);
        Self {
            finest: finest.min(coarsest),
            coarsest,
            qindex: coarsest,
            credit: 0.0,
            bits: FIRST_BITS,
            chosen: 0,
            last_pts_ns: None,
            gains: Vec::new(),
            latents: Vec::new(),
        }
    }

    /// What to code of the frame at `pts_ns` at `rate` bit/s. `known` is what the receiver has, and its quantiser index; `None`: the frame is a key frame.
    pub fn plan(
        &mut self,
        latents: &[f32],
        shape: Shape,
        known: Option<(&Latents, u8)>,
        pts_ns: u64,
        rate: f64,
    ) -> Plan<'_> {
        let gap = self
            .last_pts_ns
            .map_or(0.0, |last| pts_ns.saturating_sub(last) as f64 / 1e9);
        self.last_pts_ns = Some(pts_ns);
        let gap = gap.min(GAP_MAX_S);
        self.credit = (self.credit + rate * gap).min(rate * GAP_MAX_S);
        self.latents.clear();
        let known = known.filter(|(known, _)| known.shape == shape && latents.len() == shape.len());
        let Some((known, qindex)) = known else {
            self.latents.resize(latents.len(), 0.0);
            self.chosen = 0;
            self.turn_to(self.coarsest);
            return self.planned();
        };
        self.latents.resize(known.q.len(), 0.0);
        quant::dequantize(&known.q, qindex, &mut self.latents);
        self.rank(latents, shape);
        let wanted = self.gains.len();
        let room = ((self.credit / self.bits).max(0.0) as usize).min(wanted);
        self.chosen = room;
        if room < wanted && room > 0 {
            self.gains
                .select_nth_unstable_by(room - 1, |a, b| b.0.total_cmp(&a.0));
        }
        let plane = usize::from(shape.width) * usize::from(shape.height);
        for &(_, position) in self.gains.iter().take(room) {
            for at in (position as usize..latents.len()).step_by(plane) {
                self.latents[at] = latents[at];
            }
        }
        if room == wanted && self.credit > rate * gap {
            // Everything is up to date and something is left over: finer from the next frame on.
            self.turn_to(self.qindex.saturating_sub(STEP).max(self.finest));
        } else if wanted as f64 * self.bits > rate * PATIENCE_S && self.qindex < self.coarsest {
            self.turn_to((self.qindex + 1).min(self.coarsest));
        }
        self.planned()
    }

    /// Learns what the frame has become.
    pub fn sent(&mut self, bytes: usize) {
        let bits = bytes as f64 * 8.0;
        self.credit -= bits;
        if self.chosen > 0 {
            self.bits += (bits / self.chosen as f64 - self.bits) * MEMORY;
            self.bits = self.bits.max(1.0);
        }
    }

    /// The frame did not fit into its cap, and repeats the one before.
    pub fn refused(&mut self) {
        self.bits *= 2.0;
        self.chosen = 0;
    }

    fn planned(&self) -> Plan<'_> {
        Plan {
            qindex: self.qindex,
            latents: &self.latents,
        }
    }

    fn turn_to(&mut self, qindex: u8) {
        self.bits *= ((f64::from(self.qindex) - f64::from(qindex)) / HALVING).exp2();
        self.qindex = qindex;
    }

    /// Positions that are worth an update, with the squared error that it takes away.
    fn rank(&mut self, latents: &[f32], shape: Shape) {
        let plane = usize::from(shape.width) * usize::from(shape.height);
        let scale = 1.0 / quant::step(self.qindex);
        self.gains.clear();
        for position in 0..plane {
            let mut gain = 0.0;
            for at in (position..latents.len()).step_by(plane) {
                let distance = (latents[at] - self.latents[at]).abs() * scale;
                if distance > WRONG {
                    let left = distance - distance.round();
                    gain += distance * distance - left * left;
                }
            }
            if gain > WORTH {
                // At most 65535 on each side.
                self.gains.push((gain, position as u32));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape {
        channels: 4,
        width: 10,
        height: 8,
    };

    /// The receiver's side: takes the plan as it is, at so many bits a position that changes.
    struct Receiver(Latents);

    impl Receiver {
        fn take(&mut self, plan: &Plan<'_>) -> usize {
            let step = quant::step(plan.qindex);
            let q: Vec<i16> = plan.latents.iter().map(|y| (y / step).round() as i16).collect();
            let changed = (0..80)
                .filter(|at| (0..4).any(|c| q[c * 80 + at] != self.0.q[c * 80 + at]))
                .count();
            self.0 = Latents { shape: SHAPE, q };
            10 + changed * 5
        }
    }

    fn error(latents: &[f32], known: &Latents, qindex: u8) -> f32 {
        let mut back = vec![0.0; latents.len()];
        quant::dequantize(&known.q, qindex, &mut back);
        latents.iter().zip(&back).map(|(a, b)| (a - b).powi(2)).sum()
    }

    #[test]
    fn a_still_picture_gets_finer_within_the_rate() {
        let latents: Vec<f32> = (0..SHAPE.len())
            .map(|at| ((at * 37) % 101) as f32 * 0.4 - 20.0)
            .collect();
        let mut progressive = Progressive::new(24, 48);
        let mut receiver = Receiver(Latents {
            shape: SHAPE,
            q: vec![0; SHAPE.len()],
        });
        let (mut known, mut bytes, mut errors) = (None, 0, Vec::new());
        for frame in 0..100u64 {
            let reference = receiver.0.clone();
            let plan = progressive.plan(
                &latents,
                SHAPE,
                known.map(|qindex| (&reference, qindex)),
                frame * 100_000_000,
                4000.0,
            );
            known = Some(plan.qindex);
            let size = receiver.take(&plan);
            let qindex = plan.qindex;
            progressive.sent(size);
            bytes += size;
            errors.push(error(&latents, &receiver.0, qindex));
        }
        assert!(bytes <= 5000 + 500, "{bytes} bytes in 10 s of 4 kbit/s");
        assert_eq!(progressive.qindex, 24, "as fine as wanted in the end");
        assert!(
            errors[20] < errors[1] * 0.5 && errors[99] < errors[20] * 0.1,
            "{errors:?}"
        );
    }

    #[test]
    fn what_changes_most_comes_first_and_a_key_frame_is_empty() {
        let mut latents = vec![4.0; SHAPE.len()];
        let mut progressive = Progressive::new(32, 32);
        let plan = progressive.plan(&latents, SHAPE, None, 0, 1000.0);
        assert!(plan.latents.iter().all(|&y| y == 0.0));
        progressive.sent(10);
        latents[17] = 60.0;
        let nothing = Latents {
            shape: SHAPE,
            q: vec![0; SHAPE.len()],
        };
        // 240 bits, less the 80 of the key frame, are 4 positions at first.
        let plan = progressive.plan(&latents, SHAPE, Some((&nothing, 32)), 240_000_000, 1000.0);
        assert_eq!(plan.latents[17], 60.0);
        let changed = (0..80).filter(|&at| plan.latents[at] != 0.0).count();
        assert_eq!(changed, 4);
    }
}
