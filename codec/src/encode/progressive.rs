//! Spending a rate on a picture that gets better: which positions of an enhancement layer are brought up to date in a frame, and how much of each.
//!
//! A layer for the eye has too much in it for any one frame of a thin link. So a frame updates the positions where a bit takes most error away, for as long as the scene there is
//! likely to stay as it is, as many as the rate allows, and leaves the others as the receiver has them. A position is given none, its first few channels, more of them, or all; the rest become zero. So what is new or moves
//! soon has a rough picture, and what stands still gets sharper as bits are left over. A key frame is empty. Channels come in the order of
//! their importance. Where what stands still has all that it asks for, the quantiser gets finer by an octave, which changes no symbol that is there but doubles it; what moves goes on in steps as coarse as before.
//! What stands still is the mean of late, so that noise is not sent again and again. A pure function of latents, time stamps and sizes.

use crate::{Latents, Shape, quant};

/// How much of a position is sent: channels of 64.
///
/// None at all: what was sent before is worse than nothing, because the scene has moved on.
const STAGES: [usize; 4] = [0, 6, 18, 64];
/// Bits that a position takes, and a symbol that changes by one, before anything was measured; each doubling of a change takes one more.
const POSITION_BITS: f32 = 6.0;
const SYMBOL_BITS: f32 = 5.0;
/// Weight of a new measurement.
const MEMORY: f64 = 0.1;
/// Squared error, in steps squared, that a bit has to take away.
const WORTH: f64 = 0.05;
/// For so long an update of something that moves is of use.
const MOMENT_S: f64 = 0.1;
/// Moments that an update counts for at most: what moves must have its turn, too.
const LASTS_MAX: f64 = 20.0;
/// Octaves (eight quantiser indices) by which the layer may get finer.
const OCTAVES_MAX: u8 = 3;
/// Part of the positions that move from which on the layer gets no finer.
const RESTLESS: f64 = 0.25;
/// Part of a frame's bits below which what stands still asks for little more.
const SPARE: f64 = 0.7;
/// Time constant, in seconds, of the mean of what stands still.
const SETTLING_S: f64 = 0.5;
/// Change against that mean, in steps squared, from which on a position is said to move.
const MOVED: f32 = 1.0;
/// A position that has been still for so long no longer moves.
const REST_S: f32 = 1.0;
/// For so long bits have to be left over, or much has to move, before the quantiser changes.
const PATIENCE_S: f64 = 1.0;
/// A gap between time stamps counts as this at most, and most of the rate that is saved up.
const GAP_MAX_S: f64 = 0.5;

/// What a position could get.
#[derive(Clone, Copy, Debug)]
struct Update {
    position: u32,
    channels: usize,
    moves: bool,
    /// As expected before anything was measured.
    bits: f64,
    /// Squared error taken away by a bit, times the moments for which it will.
    worth: f64,
}

/// Chooses what is brought up to date in each frame of one layer.
#[derive(Clone, Debug, Default)]
pub struct Progressive {
    /// Bits that may still be sent; negative: a debt.
    credit: f64,
    /// What updates cost, over what was expected; its logarithm.
    dearness: f64,
    /// Bits that the updates of the frame should take.
    expected: f64,
    last_pts_ns: Option<u64>,
    /// By how many octaves the quantiser is finer than it was asked to be, and for how long bits have been left over, or much has moved.
    finer: u8,
    spare_s: f64,
    restless_s: f64,
    updates: Vec<Update>,
    latents: Vec<f32>,
    /// Latents without the noise: the mean of late for as long as a position is much the same; and how long that has been, in seconds.
    settled: Vec<f32>,
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
            (self.finer, self.spare_s, self.restless_s) = (0, 0.0, 0.0);
            return (&self.latents, asked);
        };
        let qindex = asked.saturating_sub(8 * self.finer).max(finest.min(asked));
        quant::dequantize(&known.q, its, &mut self.latents);
        self.rank(shape, (asked, qindex));
        let plane = usize::from(shape.width) * usize::from(shape.height);
        // What moves stays as coarse as was asked for, in symbols that are multiples.
        let coarse = 1.0 / quant::step(asked);
        let room = self.credit / self.dearness.exp();
        for update in &self.updates {
            // One that is dearer than all that can be saved up has its turn, too, and makes a debt.
            let first = self.expected == 0.0 && room > 0.0;
            if self.expected + update.bits > room && !first {
                break;
            }
            self.expected += update.bits;
            let of_position = (update.position as usize..latents.len()).step_by(plane);
            for (channel, at) in of_position.enumerate() {
                self.latents[at] = match channel < update.channels {
                    true if update.moves => (self.settled[at] * coarse).round() / coarse,
                    true => self.settled[at],
                    false => 0.0,
                };
            }
        }
        self.consider_octave(gap, rate);
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

    /// Finer if there is little left to say of what stands still, and back if so much moves that little does.
    fn consider_octave(&mut self, gap: f64, rate: f64) {
        let goes_on = |holds: bool, so_far: f64| if holds { so_far + gap } else { 0.0 };
        let moving = self.still_s.iter().filter(|&&still_s| still_s < REST_S).count();
        let restless = moving as f64 > RESTLESS * self.still_s.len() as f64;
        let still = self.updates.iter().filter(|update| !update.moves);
        let wanted = still.map(|update| update.bits).sum::<f64>() * self.dearness.exp();
        self.spare_s = goes_on(!restless && wanted < SPARE * rate * gap, self.spare_s);
        self.restless_s = goes_on(restless, self.restless_s);
        if self.spare_s > PATIENCE_S && self.finer < OCTAVES_MAX {
            (self.finer, self.spare_s) = (self.finer + 1, 0.0);
        } else if self.restless_s > PATIENCE_S && self.finer > 0 {
            (self.finer, self.restless_s) = (self.finer - 1, 0.0);
        }
    }

    /// Notes which positions stand still, and what they are without the noise.
    fn observe(&mut self, latents: &[f32], shape: Shape, qindex: u8, gap: f64) {
        let plane = usize::from(shape.width) * usize::from(shape.height);
        if self.settled.len() != latents.len() || self.still_s.len() != plane {
            self.still_s = vec![0.0; plane];
            self.settled = latents.to_vec();
            return;
        }
        let scale = 1.0 / quant::step(qindex);
        let share = (1.0 - (-gap / SETTLING_S).exp()) as f32;
        for position in 0..plane {
            let of_position = || (position..latents.len()).step_by(plane);
            let change: f32 = of_position()
                .map(|at| ((latents[at] - self.settled[at]) * scale).powi(2))
                .sum();
            let still = change <= MOVED;
            self.still_s[position] = if still {
                self.still_s[position] + gap as f32
            } else {
                0.0
            };
            for at in of_position() {
                self.settled[at] = match still {
                    true => self.settled[at] + (latents[at] - self.settled[at]) * share,
                    false => latents[at],
                };
            }
        }
    }

    /// The best update of each position that is worth one, the best of all first.
    fn rank(&mut self, shape: Shape, (asked, qindex): (u8, u8)) {
        let plane = usize::from(shape.width) * usize::from(shape.height);
        let scale = 1.0 / quant::step(qindex);
        let coarse = quant::step(asked) * scale;
        let dearness = self.dearness.exp();
        self.updates.clear();
        for position in 0..plane {
            let moves = self.still_s[position] < REST_S;
            let (mut before, mut after, mut bits) = (0.0, [0.0; STAGES.len()], [POSITION_BITS; STAGES.len()]);
            for (channel, at) in (position..self.settled.len()).step_by(plane).enumerate() {
                let wanted = self.settled[at] * scale;
                let had = self.latents[at] * scale;
                let off = wanted - had;
                before += off * off;
                let sent = if moves {
                    (wanted / coarse).round() * coarse
                } else {
                    wanted.round()
                };
                let (nearest, price) = (wanted - sent, symbol_bits(sent - had));
                // What changes is what the encoder will find worth its bits, too.
                let (left, price) = match off * off - nearest * nearest > WORTH as f32 * price {
                    true => (nearest, price),
                    false => (off, 0.0),
                };
                let forgotten = if had == 0.0 { 0.0 } else { symbol_bits(had) };
                for (stage, channels) in STAGES.into_iter().enumerate() {
                    let (error, price) = match channel < channels {
                        true => (left, price),
                        false => (wanted, forgotten),
                    };
                    after[stage] += error * error;
                    bits[stage] += price;
                }
            }
            // What has stood still for long will go on to: its bits serve for as long.
            let lasts = (1.0 + f64::from(self.still_s[position]) / MOMENT_S).min(LASTS_MAX);
            let updates = STAGES.into_iter().enumerate().map(|(stage, channels)| {
                let bits = f64::from(bits[stage]);
                Update {
                    // At most 65535 on each side.
                    position: position as u32,
                    channels,
                    moves,
                    bits,
                    worth: f64::from(before - after[stage]) * lasts / (bits * dearness),
                }
            });
            let best = updates.max_by(|a, b| a.worth.total_cmp(&b.worth));
            self.updates
                .extend(best.filter(|best| best.worth > WORTH * lasts));
        }
        self.updates.sort_unstable_by(|a, b| b.worth.total_cmp(&a.worth));
    }
}

/// Bits of a symbol that changes by so many steps.
fn symbol_bits(change: f32) -> f32 {
    SYMBOL_BITS + change.abs().max(1.0).log2()
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
        let step = quant::step(QINDEX);
        assert!((plan[17] - moved[17]).abs() <= step / 2.0);
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
            (QINDEX, QINDEX - 24, QINDEX),
            "{seen:?}"
        );
        assert!(seen.windows(2).all(|pair| pair[0].abs_diff(pair[1]) % 8 == 0));
        let (_, qindex) = progressive.plan(&still, SHAPE, Some((&known, at)), u64::MAX, 1000.0, (20, 24));
        assert_eq!(qindex, 20, "never coarser than asked for");
    }

    #[test]
    fn what_moves_stays_coarse_while_the_rest_gets_finer() {
        let (mut latents, mut progressive) = (picture(0), Progressive::default());
        let mut known = Latents {
            shape: SHAPE,
            q: vec![0; SHAPE.len()],
        };
        let (mut at, mut sent) = (QINDEX, 0);
        for frame in 0..100u64 {
            // One position in eighty never rests.
            (17..SHAPE.len())
                .step_by(80)
                .for_each(|at| latents[at] = picture(frame as usize)[at]);
            let before = (frame > 0).then_some((&known, at));
            let time = frame * 100_000_000;
            let (plan, qindex) = progressive.plan(&latents, SHAPE, before, time, 40_000.0, (QINDEX, 8));
            let step = quant::step(qindex);
            let q: Vec<i16> = plan.iter().map(|y| (y / step).round() as i16).collect();
            let changed = q.iter().zip(&known.q).filter(|(a, b)| a != b).count();
            progressive.sent(10 + changed * 5 / 8);
            (known.q, at) = (q, qindex);
            let multiple = 1 << ((QINDEX - qindex) / 8);
            let mut moving = (17..SHAPE.len()).step_by(80).map(|at| known.q[at]);
            assert!(
                moving.all(|q| q % multiple == 0),
                "frame {frame}: steps of {multiple}"
            );
            sent += (17..SHAPE.len())
                .step_by(80)
                .filter(|&at| known.q[at] != 0)
                .count();
        }
        assert_eq!(at, QINDEX - 24, "three octaves");
        assert!(sent > 1000, "{sent}: it has its turn");
    }

    #[test]
    fn noise_of_what_stands_still_is_not_sent() {
        let (mut progressive, mut receiver) = (Progressive::default(), Receiver::new());
        let step = quant::step(QINDEX);
        let mut seen = Vec::new();
        for frame in 0..200usize {
            let mut latents = picture(0);
            // Less than what counts as movement, more than the quantiser's dead zone.
            (0..80).for_each(|at| latents[at] += if (frame + at) % 2 == 0 { 0.45 } else { -0.45 } * step);
            let known = receiver.0.clone();
            let known = (frame > 0).then_some((&known, QINDEX));
            let time = frame as u64 * 100_000_000;
            let (plan, _) = progressive.plan(&latents, SHAPE, known, time, 40_000.0, (QINDEX, QINDEX));
            let size = receiver.take(plan);
            progressive.sent(size);
            seen.push(size);
        }
        assert!(
            seen[1] > 100 && seen[100..].iter().all(|&size| size <= 12),
            "{seen:?}"
        );
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
