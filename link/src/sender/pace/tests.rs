use super::*;

const BUDGET: Duration = Duration::from_millis(500);

/// A link of one router with a deep queue, an encoder that obeys, and a spool, in virtual time.
struct World {
    pace: Pace,
    /// bit/s
    link: f64,
    /// What the encoder would like to send, bit/s.
    wish: f64,
    /// Bytes of live frames that wait at the sender, and of all kinds in the router.
    here: f64,
    router: f64,
    live_done: f64,
    late_done: f64,
    spool: bool,
    rtt: Duration,
    /// Bytes of a late unit.
    unit: f64,
}

impl World {
    fn new(link: f64, wish: f64, spool: bool) -> Self {
        Self {
            pace: Pace::new(BUDGET),
            link,
            wish,
            here: 0.0,
            router: 0.0,
            live_done: 0.0,
            late_done: 0.0,
            spool,
            rtt: Duration::from_millis(40),
            unit: 300.0,
        }
    }

    /// Age of the oldest byte at the sender.
    fn run(&mut self, seconds: u32) -> Duration {
        let mut worst = Duration::ZERO;
        for _ in 0..seconds * 10 {
            let step = TICK.as_secs_f64();
            let rate = self
                .pace
                .target()
                .map_or(self.wish, |target| target.min(self.wish));
            self.here += rate / 8.0 * step;
            let before = self.here > 0.0;
            let room = (self.pace.window(128 << 10) as f64 - self.router).max(0.0);
            let moved = self.here.min(room);
            (self.here, self.router) = (self.here - moved, self.router + moved);
            self.live_done += moved;
            while self.spool
                && self.router < self.pace.window(128 << 10) as f64
                && self.pace.take_late(self.unit as usize)
            {
                self.router += self.unit;
                self.late_done += self.unit;
            }
            let out = self.router.min(self.link / 8.0 * step);
            self.router -= out;
            // In an outage the round-trip time is the last one that was measured, and what waits gets older and older.
            let speed = self.link.max(1e3);
            let queued = match self.link > 0.0 {
                true => Duration::from_secs_f64(self.router * 8.0 / speed),
                false => Duration::ZERO,
            };
            let age = Duration::from_secs_f64(self.here * 8.0 / speed);
            worst = worst.max(age);
            let base = Duration::from_millis(40);
            // What QUIC tells is smoothed, by an eighth a packet that is confirmed.
            let packets = (out / 600.0).ceil() as i32;
            let kept = 0.875_f64.powi(packets);
            self.rtt = self.rtt.mul_f64(kept) + (base + queued).mul_f64(1.0 - kept);
            self.pace.tick(&Seen {
                elapsed: TICK,
                confirmed: out as u64,
                quiet: Duration::ZERO,
                lost: false,
                busy: before && self.here > 0.0,
                age,
                rtt: self.rtt,
                min_rtt: base,
            });
        }
        worst
    }
}

#[test]
fn an_encoder_that_fits_is_not_bounded() {
    let mut world = World::new(1e6, 50e3, false);
    world.run(30);
    assert_eq!(world.pace.target(), None);
    assert!(!world.pace.congested());
}

#[test]
fn a_link_that_becomes_slow_bounds_the_encoder_within_a_second_of_the_first_wait() {
    let mut world = World::new(200e3, 100e3, false);
    world.run(20);
    world.link = 30e3;
    world.run(3);
    let target = world.pace.target().expect("a bound");
    assert!(target < 60e3, "{target}");
    world.run(20);
    let target = world.pace.target().expect("a bound");
    assert!(target < 1.3 * 30e3, "{target}");
    assert!(world.run(30) < 2 * BUDGET);
    // Nor is the link left idle.
    let before = world.live_done;
    world.run(60);
    let used = (world.live_done - before) * 8.0 / 60.0;
    assert!(used > 0.6 * 30e3, "{used}");
}

#[test]
fn the_bound_grows_away_when_the_link_recovers() {
    let mut world = World::new(30e3, 100e3, false);
    world.run(20);
    assert!(world.pace.target().is_some_and(|target| target < 50e3));
    world.link = 1e6;
    world.run(60);
    assert!(world.pace.target().is_none_or(|target| target > 100e3));
}

#[test]
fn the_spool_takes_what_is_left_and_no_more() {
    let mut alone = World::new(200e3, 50e3, false);
    alone.run(60);
    let mut world = World::new(200e3, 50e3, true);
    world.run(60);
    assert!(
        world.live_done > 0.95 * alone.live_done,
        "{} of {}",
        world.live_done,
        alone.live_done
    );
    let spare = (200e3 - 50e3) / 8.0 * 60.0;
    assert!(world.late_done > 0.3 * spare, "{} of {spare}", world.late_done);
}

#[test]
fn the_window_follows_the_rate() {
    let mut world = World::new(2e6, 4e6, false);
    world.run(20);
    let fast = world.pace.window(128 << 10);
    assert!(fast > 40_000, "{fast}");
    world.link = 50e3;
    world.run(20);
    let slow = world.pace.window(128 << 10);
    assert!(slow < 16_000, "{slow}");
}

#[test]
fn an_outage_leaves_the_bound_as_it_was() {
    let mut world = World::new(200e3, 50e3, true);
    world.run(20);
    assert_eq!(world.pace.target(), None);
    world.link = 0.0;
    world.run(10);
    assert!(world.pace.congested());
    assert_eq!(world.pace.target(), None);
    // Here the connection ends, and the next one begins on the old link.
    world.pace.reconnected();
    (world.link, world.here, world.router) = (200e3, 0.0, 0.0);
    world.run(2);
    assert!(world.pace.target().is_none_or(|target| target > 50e3));
}

#[test]
fn a_bound_that_became_far_too_low_is_gone_in_seconds() {
    let mut world = World::new(20e3, 100e3, false);
    world.run(20);
    world.link = 1e6;
    world.run(15);
    assert!(
        world.pace.target().is_none_or(|target| target > 100e3),
        "{:?}",
        world.pace.target()
    );
}

#[test]
fn the_bound_settles_near_what_a_thin_link_carries() {
    let mut world = World::new(256e3, 200e3, true);
    world.run(20);
    world.link = 32e3;
    world.run(5);
    for _ in 0..20 {
        world.run(2);
        let target = world.pace.target().expect("a bound");
        assert!((0.25 * 32e3..2.0 * 32e3).contains(&target), "{target}");
    }
}

/// A full packet alone inflates the round-trip time there.
#[test]
fn the_spool_is_emptied_over_a_thin_link_too() {
    let mut world = World::new(16e3, 4e3, true);
    world.unit = 1000.0;
    world.run(60);
    assert!(world.late_done > 0.25 * 16e3 / 8.0 * 60.0, "{}", world.late_done);
}

#[test]
fn an_enhancement_unit_may_take_a_part_of_the_budget_and_none_of_a_congested_link() {
    let mut world = World::new(10e6, 50e3, false);
    world.run(5);
    assert_eq!(
        world.pace.enhancement_room(),
        FIRST_ENHANCEMENT,
        "nothing has shown a limit"
    );
    assert!(world.pace.is_calm());
    world.link = 64e3;
    world.wish = 200e3;
    let mut congested = 0;
    for _ in 0..100 {
        world.run(1);
        let room = world.pace.enhancement_room();
        if world.pace.congested() {
            congested += 1;
            assert_eq!(room, 0);
            assert!(!world.pace.is_calm());
        } else if world.pace.target().is_some() {
            let quarter = BUDGET.as_secs_f64() / 4.0 * world.pace.rate() / 8.0;
            assert!(room as f64 <= quarter, "{room}");
        }
    }
    assert!((1..100).contains(&congested), "{congested}");
}

/// A link that carries so many bytes a tick and on which a packet waits for so many milliseconds.
fn seen(bytes: u64, waits: u64) -> Seen {
    Seen {
        elapsed: TICK,
        confirmed: bytes,
        quiet: Duration::ZERO,
        busy: true,
        age: BUDGET / 2,
        lost: false,
        rtt: Duration::from_millis(40 + waits),
        min_rtt: Duration::from_millis(40),
    }
}

#[test]
fn a_loss_makes_room_for_its_repair_unless_a_full_router_is_what_lost_it() {
    for (waits, wider) in [(0, true), (800, false)] {
        let mut pace = Pace::new(BUDGET);
        (0..10).for_each(|_| pace.tick(&seen(1000, 800)));
        pace.tick(&seen(1000, waits));
        let mut after = pace.clone();
        pace.tick(&seen(1000, waits));
        after.tick(&Seen {
            lost: true,
            ..seen(1000, waits)
        });
        let (quiet, lost) = (pace.needed(), after.needed());
        assert_eq!(lost > quiet, wider, "{waits} ms: {quiet}, after a loss {lost}");
    }
}

#[test]
fn a_window_that_holds_units_back_grows_by_what_comes_back_and_not_by_waiting() {
    let mut pace = Pace::new(BUDGET);
    (0..10).for_each(|_| pace.tick(&seen(1000, 800)));
    pace.tick(&seen(1000, 0));
    let before = pace.window(128 << 10);
    pace.tick(&seen(0, 0));
    assert!(pace.window(128 << 10) <= before);
    pace.tick(&seen(1000, 0));
    assert!(pace.window(128 << 10) > before);
}

#[test]
fn the_first_bound_is_below_what_passes_and_later_ones_wait_for_it() {
    let mut pace = Pace::new(BUDGET);
    (0..10).for_each(|_| {
        pace.tick(&Seen {
            age: Duration::ZERO,
            busy: false,
            ..seen(3000, 0)
        })
    });
    let bounds: Vec<_> = (0..8)
        .map(|_| {
            pace.tick(&seen(800, 800));
            pace.target().expect("a bound") / pace.rate()
        })
        .collect();
    assert!(bounds.iter().all(|bound| *bound <= BACK_OFF + 1e-9), "{bounds:?}");
    let lower = bounds.iter().filter(|bound| **bound < BACK_OFF - 0.01).count();
    assert!(lower <= 3, "{bounds:?}");
}
