//! Rate control over invented costs: scene changes, noise, silence and key frames that nobody announced. The seeds are fixed.

use super::super::search::{Search, Step};
use super::*;

const WINDOW_S: f64 = 10.0;
/// Key frames that somebody asks for are at least so far from the one before: of two in a row the second runs over, there is no way around it.
const ASKED_S: f64 = 4.0;

struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 40) as f64 / f64::from(1 << 24)
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }
}

/// What a camera sees, as costs.
struct World {
    fps: f64,
    /// Indices in which sizes halve.
    halving: f64,
    /// Bytes of an inter frame at index 32, by frame.
    bytes: Vec<f64>,
    /// Frames at which the scene changes.
    cuts: Vec<usize>,
    /// Frames for which a key frame is asked.
    asked: Vec<usize>,
}

impl World {
    fn still(bytes: f64, fps: f64, frames: usize) -> Self {
        Self {
            fps,
            halving: 7.0,
            bytes: vec![bytes; frames],
            cuts: Vec::new(),
            asked: Vec::new(),
        }
    }

    /// Bytes of frame `n` at `choice`, after one at `last`.
    fn size(&self, n: usize, choice: Choice, last: u8, key: bool) -> usize {
        let octaves = (32.0 - f64::from(choice.qindex)) / self.halving - f64::from(choice.thrift) * 0.15;
        let moved = f64::from(choice.qindex.abs_diff(last));
        let fresh = if key || self.cuts.contains(&n) {
            6.0
        } else {
            1.0 + 0.1 * moved
        };
        let part = if choice.slice.is_some() { 0.4 } else { 1.0 };
        (5.0 + self.bytes[n] * octaves.exp2() * fresh * part) as usize
    }
}

struct Coded {
    at_s: f64,
    bytes: usize,
    qindex: u8,
    key: bool,
}

/// Codes the world the way the encoder does.
fn code(world: &World, config: &Config) -> Vec<Coded> {
    let mut rate = RateControl::new(config);
    let (mut frames, mut last, mut since_key) = (Vec::<Coded>::new(), config.qindex, 0);
    for n in 0..world.bytes.len() {
        let at_s = n as f64 / world.fps;
        let key = n == 0
            || (world.asked.contains(&n) && f64::from(since_key) > ASKED_S * world.fps)
            || (config.key_interval > 0 && since_key >= config.key_interval);
        let until_key = (config.key_interval > 0).then(|| config.key_interval.saturating_sub(since_key));
        let pts = (at_s * 1e9).round() as u64;
        let plan = rate.plan(config, Next { pts, key, until_key });
        let (mut search, mut choice) = (Search::new(plan), plan.start);
        let taken = loop {
            let size = world.size(n, choice, last, key);
            match search.after(choice, size) {
                Step::Done => break Some(size),
                Step::Failed => break None,
                Step::Try(next) => choice = next,
            }
        };
        // What does not fit at all is a key frame at the coarsest index, or a repeat.
        let bytes = match taken {
            Some(bytes) => bytes,
            None if key => world.size(n, choice, last, key),
            None => 4,
        };
        rate.commit(config, bytes, key, taken.is_none() && !key, choice);
        if taken.is_some() || key {
            last = choice.qindex;
        }
        since_key = if key { 1 } else { since_key + 1 };
        frames.push(Coded {
            at_s,
            bytes,
            qindex: last,
            key,
        });
    }
    frames
}

fn config(bitrate: u32) -> Config {
    let mut config = Config::new("test".parse().unwrap_or_else(|_| unreachable!()));
    config.bitrate = bitrate;
    config
}

/// Least and largest share of the rate in any ten seconds after the first, and whether the finest index was reached there.
fn windows(frames: &[Coded], fps: f64, config: &Config) -> Vec<(f64, bool)> {
    let length = (WINDOW_S * fps).round() as usize;
    let skip = frames.iter().take_while(|frame| frame.at_s < WINDOW_S).count();
    frames[skip..]
        .windows(length)
        .map(|window| {
            let bytes: usize = window.iter().map(|frame| frame.bytes).sum();
            let finest = window.iter().any(|frame| frame.qindex <= config.qindex_min);
            (bytes as f64 * 8.0 / WINDOW_S / wanted(config), finest)
        })
        .collect()
}

/// Every bound at once.
fn check(world: &World, config: &Config, name: &str) {
    let frames = code(world, config);
    for (share, finest) in windows(&frames, world.fps, config) {
        assert!(share <= 1.05, "{name}: {share:.3} of the rate");
        assert!(finest || share >= 0.95, "{name}: {share:.3} of the rate");
    }
    let (mut level, rate) = (0.0f64, wanted(config));
    for (n, frame) in frames.iter().enumerate() {
        let share = if n > 0 { rate / world.fps } else { 0.0 };
        level = (level - share + frame.bytes as f64 * 8.0).max(EMPTY_S * rate);
        let full = if n == 0 { FIRST_FULL_S } else { KEY_FULL_S };
        if frame.at_s > WINDOW_S {
            assert!(
                level <= rate * full + 64.0,
                "{name}: frame {n} fills the bucket to {:.2} s",
                level / rate
            );
        }
        if config.max_frame_bytes > 0 {
            assert!(
                frame.bytes <= config.max_frame_bytes as usize,
                "{name}: frame {n} of {} bytes",
                frame.bytes
            );
        }
    }
    for (n, pair) in frames.windows(2).enumerate() {
        // Half a second belongs to the change of the scene.
        let settled = (world.fps / 2.0) as usize;
        let cut = world
            .cuts
            .iter()
            .any(|&at| (at..=at + settled).contains(&(n + 1)));
        assert!(
            n == 0 || pair[1].key || cut || pair[0].qindex.abs_diff(pair[1].qindex) <= STEP,
            "{name}: from index {} to {} at frame {}",
            pair[0].qindex,
            pair[1].qindex,
            n + 1
        );
    }
}

#[test]
fn the_rate_is_kept_whatever_a_frame_costs() {
    for fps in [10.0, 15.0, 25.0] {
        for bitrate in [8, 30, 200] {
            for bytes in [30.0, 120.0, 400.0, 1500.0] {
                let key = bytes * 6.0 * (-24f64 / 7.0).exp2();
                if key > f64::from(bitrate) * 1000.0 / 8.0 * 0.2 {
                    // Not even the coarsest key frame fits.
                    continue;
                }
                check(
                    &World::still(bytes, fps, 1000),
                    &config(bitrate),
                    &format!("{bytes} at {fps} and {bitrate}"),
                );
            }
        }
    }
}

#[test]
fn noise_scene_changes_and_requests_stay_within_the_bucket() {
    for seed in 1..=120u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let fps = [8.0, 10.0, 12.5, 25.0][seed as usize % 4];
        let frames = (45.0 * fps) as usize;
        let mut world = World::still(0.0, fps, frames);
        world.halving = random.between(5.5, 9.0);
        let noise = random.between(0.0, 0.4);
        let mut config = config(random.between(8.0, 200.0) as u32);
        // A key frame at the coarsest index has to fit, or no control can help.
        let most = wanted(&config) / 8.0 * 0.15 / 6.0 * (24.0 / world.halving).exp2();
        let (mut scene, mut next) = (random.between(30.0, 800.0).min(most), 0);
        for n in 0..frames {
            if n == next {
                if n > 0 {
                    world.cuts.push(n);
                    scene = (scene * random.between(-2.0, 2.0).exp2())
                        .clamp(30.0, 1500.0)
                        .min(most);
                }
                next = n + (random.between(6.0, 30.0) * fps) as usize;
            }
            world.bytes[n] = scene * (random.between(-noise, noise)).exp2();
            if random.unit() < 0.05 / fps {
                world.asked.push(n);
            }
        }
        config.key_interval = [0, 50, 250][seed as usize % 3];
        if seed % 2 == 0 {
            config.max_frame_bytes = (f64::from(config.bitrate) * 1000.0 / 8.0 * 0.5) as u32;
        }
        check(&world, &config, &format!("seed {seed}"));
    }
}

#[test]
fn silence_saves_up_nothing() {
    let mut world = World::still(300.0, 10.0, 900);
    for n in 200..500 {
        world.bytes[n] = 0.5;
    }
    world.cuts.push(500);
    let config = config(60);
    check(&world, &config, "silence");
    let frames = code(&world, &config);
    assert!(
        frames[450].qindex == config.qindex_min,
        "silence is coded as finely as can be"
    );
}

#[test]
fn a_camera_that_slept_goes_on_at_the_same_rate() {
    let config = config(30);
    let mut rate = RateControl::new(&config);
    for (n, pts) in [0, 100_000_000, 3_600_000_000_000].into_iter().enumerate() {
        let plan = rate.plan(
            &config,
            Next {
                pts,
                key: n == 0,
                until_key: None,
            },
        );
        assert!(
            plan.max_bytes as f64 * 8.0 <= 30_000.0 * (FIRST_FULL_S + GAP_MAX_S * FRAMES),
            "{plan:?}"
        );
        rate.commit(&config, 200, n == 0, false, plan.start);
    }
}

#[test]
fn another_rate_starts_without_debt() {
    let mut config = config(200);
    let mut rate = RateControl::new(&config);
    let mut next = Next {
        pts: 0,
        key: true,
        until_key: None,
    };
    rate.plan(&config, next);
    rate.commit(&config, 20_000, true, false, Choice::default());
    config.bitrate = 8;
    rate.set_rate(&config, 40);
    next.pts = 100_000_000;
    next.key = false;
    let plan = rate.plan(&config, next);
    assert_eq!(plan.start.qindex, 40);
    assert!(plan.max_bytes >= 200, "{plan:?}");
}
