use super::*;
use crate::Latents;

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
        let q = symbols(plan, QINDEX);
        let changed = q.iter().zip(&self.0.q).filter(|(a, b)| a != b).count();
        self.0 = Latents { shape: SHAPE, q };
        10 + changed * 5 / 8
    }

    fn error(&self, latents: &[f32]) -> f32 {
        let back = values(&self.0, QINDEX);
        latents.iter().zip(&back).map(|(a, b)| (a - b).powi(2)).sum()
    }
}

/// The symbols nearest to these latents.
fn symbols(latents: &[f32], qindex: u8) -> Vec<i16> {
    let step = quant::step(qindex);
    latents.iter().map(|y| (y / step).round() as i16).collect()
}

/// What these latents stand for.
fn values(latents: &Latents, qindex: u8) -> Vec<f32> {
    let mut values = vec![0.0; latents.q.len()];
    quant::dequantize(&latents.q, qindex, &mut values);
    values
}

fn known(latents: &[f32]) -> Known<'_> {
    Known {
        latents,
        changed: &[],
        seen: None,
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
        let before = values(&receiver.0, QINDEX);
        let before = (frame > 0).then(|| known(&before));
        let time = frame * 100_000_000;
        let plan = progressive.plan(&latents, SHAPE, before, time, 4000.0, (QINDEX, QINDEX));
        if frame == 0 {
            assert_eq!(plan.latents, latents);
            assert_eq!(plan.most_bytes, Some(250), "half a second");
            // It does not fit, and is sent empty.
            errors.push(receiver.error(&latents));
            continue;
        }
        assert_eq!(
            (plan.qindex, plan.coarsest, plan.most_bytes),
            (QINDEX, QINDEX, None)
        );
        let size = receiver.take(plan.latents);
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
fn what_moves_comes_first() {
    let (still, mut progressive, mut receiver) = (picture(0), Progressive::default(), Receiver::new());
    progressive.plan(&still, SHAPE, None, 0, 1000.0, (QINDEX, QINDEX));
    receiver.take(&still);
    let mut moved = still.clone();
    (17..SHAPE.len())
        .step_by(80)
        .for_each(|at| moved[at] = -3.0 * moved[at] + 40.0);
    // What was there before is taken away first, which costs next to nothing.
    let mut plan = Vec::new();
    for time in [500_000_000, 1_000_000_000] {
        let before = values(&receiver.0, QINDEX);
        plan = progressive
            .plan(
                &moved,
                SHAPE,
                Some(known(&before)),
                time,
                1000.0,
                (QINDEX, QINDEX),
            )
            .latents
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
    let mut sent = Latents {
        shape: SHAPE,
        q: vec![0; SHAPE.len()],
    };
    let mut at = QINDEX;
    let mut seen = Vec::new();
    for frame in 0..200u64 {
        // From the middle on every position is another one in every frame.
        let moved = picture(frame as usize);
        let latents = if frame < 100 { &still } else { &moved };
        let before = values(&sent, at);
        let before = (frame > 0).then(|| known(&before));
        let time = frame * 100_000_000;
        let plan = progressive.plan(latents, SHAPE, before, time, 40_000.0, (QINDEX, 8));
        let Plan {
            latents: plan,
            qindex,
            ..
        } = plan;
        let step = quant::step(qindex);
        let q = symbols(plan, qindex);
        let rescaled = |q: i16| (f32::from(q) * quant::step(at) / step).round() as i16;
        let changed = q
            .iter()
            .zip(&sent.q)
            .filter(|(a, b)| **a != rescaled(**b))
            .count();
        progressive.sent(10 + changed * 5 / 8);
        (sent.q, at) = (q, qindex);
        seen.push(qindex);
    }
    assert_eq!(
        (seen[0], seen[99], seen[199]),
        (QINDEX - 12, QINDEX - 24, QINDEX),
        "{seen:?}"
    );
    assert!(
        seen[1..]
            .windows(2)
            .all(|pair| pair[0].abs_diff(pair[1]) % 8 == 0)
    );
    let before = values(&sent, at);
    let plan = progressive.plan(&still, SHAPE, Some(known(&before)), u64::MAX, 1000.0, (20, 24));
    assert_eq!(plan.qindex, 20, "never coarser than asked for");
}

#[test]
fn what_moves_stays_coarse_while_the_rest_gets_finer() {
    let (mut latents, mut progressive) = (picture(0), Progressive::default());
    let mut sent = Latents {
        shape: SHAPE,
        q: vec![0; SHAPE.len()],
    };
    let (mut at, mut count) = (QINDEX, 0);
    for frame in 0..100u64 {
        // One position in eighty never rests.
        (17..SHAPE.len())
            .step_by(80)
            .for_each(|at| latents[at] = picture(frame as usize)[at]);
        let before = values(&sent, at);
        let before = (frame > 0).then(|| known(&before));
        let time = frame * 100_000_000;
        let plan = progressive.plan(&latents, SHAPE, before, time, 40_000.0, (QINDEX, 8));
        let Plan {
            latents: plan,
            qindex,
            ..
        } = plan;
        let q = symbols(plan, qindex);
        let changed = q.iter().zip(&sent.q).filter(|(a, b)| a != b).count();
        progressive.sent(10 + changed * 5 / 8);
        (sent.q, at) = (q, qindex);
        if frame == 0 {
            continue;
        }
        let multiple = 1 << ((QINDEX - qindex) / 8);
        let mut moving = (17..SHAPE.len()).step_by(80).map(|at| sent.q[at]);
        assert!(
            moving.all(|q| q % multiple == 0),
            "frame {frame}: steps of {multiple}"
        );
        count += (17..SHAPE.len())
            .step_by(80)
            .filter(|&at| sent.q[at] != 0)
            .count();
    }
    assert_eq!(at, QINDEX - 24, "three octaves");
    assert!(count > 1000, "{count}: it has its turn");
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
        let before = values(&receiver.0, QINDEX);
        let before = (frame > 0).then(|| known(&before));
        let time = frame as u64 * 100_000_000;
        let plan = progressive.plan(&latents, SHAPE, before, time, 40_000.0, (QINDEX, QINDEX));
        let size = if frame == 0 {
            0
        } else {
            receiver.take(plan.latents)
        };
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
        let before = values(&receiver.0, 63);
        progressive.plan(&latents, SHAPE, Some(known(&before)), u64::MAX, 1e12, (0, 0));
        progressive.sent(usize::MAX >> 8);
        progressive.refused();
    }
    let nothing = progressive.plan(&[], SHAPE, Some(known(&[])), 0, 0.0, (0, 0));
    assert!(nothing.latents.is_empty());
}

#[test]
fn nothing_of_rubbish_stays() {
    let (mut progressive, zeros) = (Progressive::default(), vec![0.0; SHAPE.len()]);
    let mut sent = 0;
    for frame in 0..60usize {
        let latents = match frame {
            0..10 => vec![f32::INFINITY; SHAPE.len()],
            10..20 => vec![f32::NAN; SHAPE.len()],
            _ => picture(frame),
        };
        let time = frame as u64 * 100_000_000;
        let plan = progressive.plan(
            &latents,
            SHAPE,
            Some(known(&zeros)),
            time,
            40_000.0,
            (QINDEX, QINDEX),
        );
        if frame >= 20 {
            sent += plan.latents.iter().filter(|&&latent| latent != 0.0).count();
        }
        progressive.sent(400);
    }
    assert!(sent > 1000, "{sent}");
}

#[test]
fn what_the_encoder_refuses_is_offered_less_and_less() {
    // A step or two each: not worth many bits.
    let latents: Vec<f32> = picture(0).iter().map(|y| y * 0.06).collect();
    let mut progressive = Progressive::default();
    let nothing = vec![0.0; SHAPE.len()];
    let unchanged = vec![false; SHAPE.positions()];
    let mut offered = Vec::new();
    for frame in 0..40u64 {
        let before = Known {
            changed: &unchanged,
            ..known(&nothing)
        };
        let before = (frame > 0).then_some(before);
        let plan = progressive.plan(
            &latents,
            SHAPE,
            before,
            frame * 100_000_000,
            400_000.0,
            (QINDEX, QINDEX),
        );
        offered.push(plan.latents.iter().filter(|&&y| y != 0.0).count());
        progressive.sent(10);
    }
    assert!(offered[13] > 100 && offered[39] == 0, "{offered:?}");
}
