//! Spending a rate on a picture that gets better: which positions of an enhancement layer are brought up to date in a frame, and how much of each.
//!
//! A layer for the eye has too much in it for any one frame of a thin link. So a frame updates the positions where a bit takes most error away, for as long as the scene there is
//! likely to stay as it is, as many as the rate allows, and leaves the others as the receiver has them. A position is given none, its first few channels, more of them, or all; the rest become zero. So what is new or moves
//! soon has a rough picture, and what stands still gets sharper as bits are left over. A key frame is empty. Channels come in the order of
//! their importance. Where that leaves bits over, the quantiser gets finer by an octave, which changes no symbol that is there but doubles it. A pure function of latents, time stamps and sizes.

use crate::{Latents, Shape, quant};

/// How much of a position is sent: channels of 64, and bits that it takes at first, before anything was measured.
///
/// None at all: what was sent before is worse than nothing, because the scene has moved on.
const STAGES: [(usize, f64); 4] = [(0, 6.0), (6, 16.0), (18, 40.0), (64, 100.0)];
/// Weight of a new measurement.
const MEMORY: f64 = 0.1;
/// Squared error, in steps squared, that a bit has to take away.
const WORTH: f64 = 0.05;
/// For so long an update of something that moves is of use.
const MOMENT_S: f64 = 0.1;
/// Moments that an update counts for at most: what moves must have its turn, too.
const LASTS_MAX: f64 = 20.0;
/// Change from one frame to the next, in steps squared, from which on a position is said to move.
const MOVED: f32 = 1.0;
/// Octaves (eight quantiser indices) by which the layer may get finer.
const OCTAVES_MAX: u8 = 2;
/// Part of a frame's bits below which they are left over.
const SPARE: f64 = 0.7;
/// A position that has been still for so long no longer moves.
const REST_S: f32 = 1.0;
/// For so long bits have to be left over, or lack for what moves, before the quantiser changes.
const PATIENCE_S: f64 = 1.0;
/// A gap between time stamps counts as this at most, and most of the rate that is saved up.
const GAP_MAX_S: f64 = 0.5;

/// What a position could get.
#[derive(Clone, Copy, Debug)]
struct Update {
    position: u32,
    stage: usize,
    moves: bool,
    /// Squared error taken away by a bit, times the moments for which it will.
    worth: f64,
}

/// Chooses what is brought up to date in each frame of one layer.
#[derive(Clone, Debug, Default)]
pub struct Progressive {
    /// Bits that may still be sent; negative: a debt.
    credit: f64,
    /// What updates cost, over what [`STAGES`] says; its logarithm.
    dearness: f64,
    /// Bits that the updates of the frame should take, by [`STAGES`].
    expected: f64,
    last_pts_ns: Option<u64>,
    /// By how many octaves the quantiser is finer than it was asked to be, and for how long bits have been left over or lacked.
    finer: u8,
    spare_s: f64,
    lack_s: f64,
    updates: Vec<Update>,
    latents: Vec<f32>,
    /// Latents of the frame before, and for how long each position has been much the same, in seconds.
    before: Vec<f32>,
    still_s: Vec<f32>,
}

impl Progressive {
    /// What to code of the frame at `pts_ns`, at `rate` bit/s: the latents, with what the receiver has already wherever nothing is to change, and the quantiser index to code them with,
    /// which is the one asked for or, where bits are left over, a finer one down to `finest`. `known` is what the receiver has, and its quantiser index; `None`: the frame is a key frame.
    pub fn plan(
        &mut self,
        latents: &[f32],
        shape: Shape,
        known: Option<(&Latents, u8)>,
        pts_ns: u64,
        rate: f64,
        (asked, finest): (u8, u8),
    ) -> (&[f32], u8) {
        let gap = self
            .last_pts_ns
            .map_or(0.0, |last| pts_ns.saturating_sub(last) as f64 / 1e9);
        self.last_pts_ns = Some(pts_ns);
        self.credit = (self.credit + rate * gap.min(GAP_MAX_S)).min(rate * GAP_MAX_S);
        self.expected = 0.0;
        // By the step that was asked for: noise must not count as movement because the step got finer.
        self.observe(latents, shape, asked, gap);
        self.latents.clear();
        self.latents.resize(latents.len(), 0.0);
        let known = known.filter(|(known, _)| known.shape == shape && latents.len() == shape.len());
        let Some((known, its)) = known else {
            (self.finer, self.spare_s, self.lack_s) = (0, 0.0, 0.0);
            return (&self.latents, asked);
        };
        let qindex = asked.saturating_sub(8 * self.finer).max(finest.min(asked));
        quant::dequantize(&known.q, its, &mut self.latents);
        self.rank(latents, shape, qindex);
        let plane = usize::from(shape.width) * usize::from(shape.height);
        let room = self.credit / self.dearness.exp();
        for update in &self.updates {
            let (channels, bits) = STAGES[update.stage];
            if self.expected + bits > room {
                break;
            }
            self.expected += bits;
            let of_position = (update.position as usize..latents.len()).step_by(plane);
            for (channel, at) in of_position.enumerate() {
                self.latents[at] = if channel < channels { latents[at] } else { 0.0 };
            }
        }
        self.consider_octave(gap, rate, room);
        (&self.latents, qindex)
    }

    /// Learns what the frame has become; 0: it was not sent.
    pub fn sent(&mut self, bytes: usize) {
        let bits = bytes as f64 * 8.0;
        self.credit -= bits;
        if self.expected > 0.0 && bytes > 0 {
            let found = (bits / self.expected).ln();
            self.dearness = (self.dearness + (found - self.dearness) * MEMORY).clamp(-3.0, 3.0);
        }
    }

    /// The frame did not fit into its cap.
    pub fn refused(&mut self) {
        self.dearness = (self.dearness + 0.5).min(3.0);
        self.expected = 0.0;
    }

    /// Finer if there is little left to say, and back if what moves would have to wait for what gets finer.
    fn consider_octave(&mut self, gap: f64, rate: f64, room: f64) {
        let bits = |moves: bool| {
            let some = self.updates.iter().filter(|update| update.moves || !moves);
            some.map(|update| STAGES[update.stage].1).sum::<f64>()
        };
        let goes_on = |holds: bool, so_far: f64| if holds { so_far + gap } else { 0.0 };
        let share = rate * gap / self.dearness.exp();
        self.spare_s = goes_on(bits(false) < SPARE * share, self.spare_s);
        self.lack_s = goes_on(bits(true) > room.max(share), self.lack_s);
        if self.spare_s > PATIENCE_S && self.finer < OCTAVES_MAX {
            (self.finer, self.spare_s) = (self.finer + 1, 0.0);
        } else if self.lack_s > PATIENCE_S && self.finer > 0 {
            (self.finer, self.lack_s) = (self.finer - 1, 0.0);
        }
    }

    /// Notes which positions stand still.
    fn observe(&mut self, latents: &[f32], shape: Shape, qindex: u8, gap: f64) {
        let plane = usize::from(shape.width) * usize::from(shape.height);
        if self.before.len() != latents.len() || self.still_s.len() != plane {
            self.still_s = vec![0.0; plane];
            self.before = latents.to_vec();
            return;
        }
        let scale = 1.0 / quant::step(qindex);
        for position in 0..plane {
            let change: f32 = (position..latents.len())
                .step_by(plane)
                .map(|at| ((latents[at] - self.before[at]) * scale).powi(2))
                .sum();
            self.still_s[position] = if change > MOVED {
                0.0
            } else {
                self.still_s[position] + gap as f32
            };
        }
        self.before.copy_from_slice(latents);
    }

    /// The best update of each position that is worth one, the best of all first.
    fn rank(&mut self, latents: &[f32], shape: Shape, qindex: u8) {
        let plane = usize::from(shape.width) * usize::from(shape.height);
        let scale = 1.0 / quant::step(qindex);
        let dearness = self.dearness.exp();
        self.updates.clear();
        for position in 0..plane {
            let (mut before, mut sent, mut zeroed) = (0.0, [0.0; STAGES.len()], [0.0; STAGES.len()]);
            for (channel, at) in (position..latents.len()).step_by(plane).enumerate() {
                let wanted = latents[at] * scale;
                let off = wanted - self.latents[at] * scale;
                // What stays is what is within half a step of it anyway.
                let left = if off.abs() > 0.5 {
                    wanted - wanted.round()
                } else {
                    off
                };
                before += off * off;
                for (stage, (channels, _)) in STAGES.into_iter().enumerate() {
                    match channel < channels {
                        true => sent[stage] += left * left,
                        false => zeroed[stage] += wanted * wanted,
                    }
                }
            }
            // What has stood still for long will go on to: its bits serve for as long.
            let lasts = (1.0 + f64::from(self.still_s[position]) / MOMENT_S).min(LASTS_MAX);
            let updates = STAGES.into_iter().enumerate().map(|(stage, (_, bits))| Update {
                // At most 65535 on each side.
                position: position as u32,
                stage,
                moves: self.still_s[position] < REST_S,
                worth: f64::from(before - sent[stage] - zeroed[stage]) * lasts / (bits * dearness),
            });
            let best = updates.max_by(|a, b| a.worth.total_cmp(&b.worth));
            self.updates
                .extend(best.filter(|best| best.worth > WORTH * lasts));
        }
        self.updates.sort_unstable_by(|a, b| b.worth.total_cmp(&a.worth));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape {
        channels: 64,
        width: 10,
        height: 8,
    };
    const QINDEX: u8 = 40;

    /// The receiver's side: takes the plan as it is, at so many bits a symbol that changes.
    struct Receiver(Latents);

    impl Receiver {
        fn new() -> Self {
            let q = vec![0; SHAPE.len()];
            Self(Latents { shape: SHAPE, q })
        }

        fn take(&mut self, plan: &[f32]) -> usize {
            let step = quant::step(QINDEX);
            let q: Vec<i16> = plan.iter().map(|y| (y / step).round() as i16).collect();
            let changed = q.iter().zip(&self.0.q).filter(|(a, b)| a != b).count();
            self.0 = Latents { shape: SHAPE, q };
            10 + changed * 5 / 8
        }

        fn error(&self, latents: &[f32]) -> f32 {
            let mut back = vec![0.0; latents.len()];
            quant::dequantize(&self.0.q, QINDEX, &mut back);
            latents.iter().zip(&back).map(|(a, b)| (a - b).powi(2)).sum()
        }
    }

    /// Values that get smaller from channel to channel.
    fn picture(seed: usize) -> Vec<f32> {
        let value = |at: usize| ((at * 37 + seed * 11) % 101) as f32 - 50.0;
        (0..SHAPE.len())
            .map(|at| value(at) / (1.0 + (at / 80) as f32 * 0.3))
            .collect()
    }

    #[test]
    fn a_still_picture_gets_sharper_within_the_rate() {
        let (latents, mut progressive, mut receiver) = (picture(0), Progressive::default(), Receiver::new());
        let (mut bytes, mut errors) = (0, Vec::new());
        for frame in 0..200u64 {
            let known = receiver.0.clone();
            let known = (frame > 0).then_some((&known, QINDEX));
            let time = frame * 100_000_000;
            let (plan, qindex) = progressive.plan(&latents, SHAPE, known, time, 4000.0, (QINDEX, QINDEX));
            assert_eq!(qindex, QINDEX);
            let size = receiver.take(plan);
            progressive.sent(size);
            bytes += size;
            errors.push(receiver.error(&latents));
        }
        assert!(bytes <= 10_000 + 500, "{bytes} bytes in 20 s of 4 kbit/s");
        assert!(
            errors.windows(2).all(|pair| pair[1] <= pair[0] * 1.001),
            "never worse"
        );
        assert!(
            errors[20] < errors[0] * 0.5 && errors[199] < errors[20] * 0.3,
            "{errors:?}"
        );
    }

    #[test]
    fn what_moves_comes_first_and_a_key_frame_is_empty() {
        let (still, mut progressive, mut receiver) = (picture(0), Progressive::default(), Receiver::new());
        let (plan, _) = progressive.plan(&still, SHAPE, None, 0, 1000.0, (QINDEX, QINDEX));
        assert!(plan.iter().all(|&y| y == 0.0));
        receiver.take(&still);
        let mut moved = still.clone();
        (17..SHAPE.len())
            .step_by(80)
            .for_each(|at| moved[at] = -3.0 * moved[at] + 40.0);
        // What was there before is taken away first, which costs next to nothing.
        let mut plan = Vec::new();
        for time in [500_000_000, 1_000_000_000] {
            let known = receiver.0.clone();
            let known = Some((&known, QINDEX));
            plan = progressive
                .plan(&moved, SHAPE, known, time, 1000.0, (QINDEX, QINDEX))
                .0
                .to_vec();
            receiver.take(&plan);
        }
        assert_eq!(plan[17], moved[17]);
        let step = quant::step(QINDEX);
        let others = (0..SHAPE.len())
            .filter(|at| at % 80 != 17 && (plan[*at] - still[*at]).abs() > step)
            .count();
        assert_eq!(others, 0);
    }

    #[test]
    fn what_is_left_over_makes_it_finer_until_something_moves() {
        let (still, mut progressive) = (picture(0), Progressive::default());
        let mut known = Latents {
            shape: SHAPE,
            q: vec![0; SHAPE.len()],
        };
        let mut at = QINDEX;
        let mut seen = Vec::new();
        for frame in 0..200u64 {
            // From the middle on every position is another one in every frame.
            let moved = picture(frame as usize);
            let latents = if frame < 100 { &still } else { &moved };
            let before = (frame > 0).then_some((&known, at));
            let time = frame * 100_000_000;
            let (plan, qindex) = progressive.plan(latents, SHAPE, before, time, 40_000.0, (QINDEX, 8));
            let step = quant::step(qindex);
            let q: Vec<i16> = plan.iter().map(|y| (y / step).round() as i16).collect();
            let rescaled = |q: i16| (f32::from(q) * quant::step(at) / step).round() as i16;
            let changed = q
                .iter()
                .zip(&known.q)
                .filter(|(a, b)| **a != rescaled(**b))
                .count();
            progressive.sent(10 + changed * 5 / 8);
            (known.q, at) = (q, qindex);
            seen.push(qindex);
        }
        assert_eq!(
            (seen[0], seen[99], seen[199]),
            (QINDEX, QINDEX - 16, QINDEX),
            "{seen:?}"
        );
        assert!(seen.windows(2).all(|pair| pair[0].abs_diff(pair[1]) % 8 == 0));
        let (_, qindex) = progressive.plan(&still, SHAPE, Some((&known, at)), u64::MAX, 1000.0, (20, 24));
        assert_eq!(qindex, 20, "never coarser than asked for");
    }

    #[test]
    fn rubbish_is_survived() {
        let mut progressive = Progressive::default();
        let receiver = Receiver::new();
        for value in [f32::NAN, f32::INFINITY, f32::MIN] {
            let latents = vec![value; SHAPE.len()];
            progressive.plan(&latents, SHAPE, Some((&receiver.0, 63)), u64::MAX, 1e12, (0, 0));
            progressive.sent(usize::MAX >> 8);
            progressive.refused();
        }
        assert!(
            progressive
                .plan(&[], SHAPE, Some((&receiver.0, 63)), 0, 0.0, (0, 0))
                .0
                .is_empty()
        );
    }
}
