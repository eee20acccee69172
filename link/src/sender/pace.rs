//! Owns the arithmetic of congestion: what the link carries, what the encoder should send, how much of the rest the spool
//! may have, and how much may lie in QUIC. Pure: observations and times go in, numbers come out.

mod late;
mod rate;
mod trip;
mod window;

use std::time::Duration;

use late::Late;
use rate::Rate;
use trip::Trip;
use window::Window;

/// How often observations come in.
pub const TICK: Duration = Duration::from_millis(100);
/// Longest that a small packet is thought to take: a link with a rate below that carries nothing anyway.
const MOST_PACKET: Duration = Duration::from_millis(300);
/// How long a receiver keeps a confirmation back.
const ACK_DELAY: Duration = Duration::from_millis(30);
/// Encoders cannot do with less, bit/s.
const LEAST_RATE: f64 = 2_000.0;
/// A bound above this is none, bit/s.
const NO_BOUND: f64 = 20e6;
/// Part of the measured rate that is asked of the encoder while too much waits.
const BACK_OFF: f64 = 0.8;
/// Part of the measured rate that the encoder keeps however long the queues take to drain.
const DRAIN: f64 = 0.5;
/// How much the bound grows in a second without congestion, how much up to the part of the measured rate that is asked for anyway, and how much when
/// there was none for so long.
const GROWTH: f64 = 0.06;
const RETURN: f64 = 0.5;
const CALM: f64 = 3.0;
const CALM_GROWTH: f64 = 0.25;
/// When nothing was confirmed for so many seconds, and two round trips, the link is dead rather than slow.
const SILENCE: f64 = 1.0;
/// Budgets that a key may take at most.
const KEY_PATIENCE: u32 = 8;
/// Budgets that the others of its group may be later at most.
const GRACE: u32 = 1;
/// Bytes on their way while the path is measured.
const SMALL_PACKET: usize = 300;
/// A full packet, in bytes.
pub const PACKET: u64 = 1200;
/// Bytes of a unit from the spool that are written at once: so long does a live one wait for it on a thin link.
pub const LATE_PIECE: usize = 512;

/// Largest enhancement unit, in bytes, on a link of which no limit is known.
pub const FIRST_ENHANCEMENT: u64 = 16 << 10;
/// Part of the budget that an enhancement unit may take on a link whose rate is known.
const ENHANCEMENT_PART: f64 = 0.25;
/// Seconds without congestion after which the enhancement may begin again.
const ENHANCEMENT_CALM: f64 = 1.0;

/// What is seen at one tick.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Time since the tick before.
    pub elapsed: Duration,
    /// Bytes that QUIC confirmed since then.
    pub confirmed: u64,
    /// Time since the newest confirmation.
    pub quiet: Duration,
    /// Whether a unit waited for room in QUIC all the time.
    pub busy: bool,
    /// Age of the oldest unit that waits.
    pub age: Duration,
    /// Whether QUIC found packets lost.
    pub lost: bool,
    /// Round-trip time now, not smoothed.
    pub rtt: Duration,
    /// Least round-trip time of this path.
    pub min_rtt: Duration,
}

/// State of one connection.
#[derive(Clone, Debug)]
pub struct Pace {
    budget: Duration,
    /// Ticks in a row in which the link was full.
    full: usize,
    window: Window,
    rate: Rate,
    target: Option<f64>,
    hold: f64,
    late: Late,
    congested: bool,
    slow: bool,
    trip: Trip,
    last_rtt: Duration,
    /// Seconds without congestion.
    calm: f64,
    /// Seconds since anything was confirmed, while units wait.
    silent: f64,
    /// Rate and bound when something last was.
    heard: (f64, Option<f64>),
}

impl Pace {
    pub fn new(budget: Duration) -> Self {
        Self {
            budget,
            full: 0,
            window: Window::default(),
            rate: Rate::default(),
            target: None,
            hold: 0.0,
            late: Late::new(),
            congested: false,
            slow: false,
            trip: Trip::default(),
            last_rtt: Duration::ZERO,
            calm: 0.0,
            silent: 0.0,
            heard: (0.0, None),
        }
    }

    /// Another connection: the path may be another, the encoder is still the same.
    pub fn reconnected(&mut self) {
        *self = Self {
            target: self.target,
            heard: (0.0, self.target),
            ..Self::new(self.budget)
        };
    }

    pub fn tick(&mut self, seen: &Seen) {
        let elapsed = seen.elapsed.as_secs_f64().max(1e-3);
        self.rate.note(elapsed, seen.confirmed, seen.quiet);
        let fresh = (seen.confirmed > 0).then_some(seen.rtt);
        let tolerance = self.budget / 8 + ACK_DELAY;
        // On a thin link a packet takes its time.
        let packet = self.rate.takes(SMALL_PACKET).min(MOST_PACKET);
        self.trip.tick(elapsed, seen.min_rtt, fresh, tolerance + packet);
        let base = self.trip.base();
        // Data that waits in a router shows in the round-trip time, data that waits here in its age.
        let waits = seen.rtt.saturating_sub(base);
        let inflated = waits > self.most_wait();
        // While a queue in a router grows, what is confirmed is what the link carries. While it drains it is what was sent.
        let grows = inflated && seen.rtt > self.last_rtt;
        self.last_rtt = seen.rtt;
        // Where nothing waits on the way, it is the window that holds units back, or the receiver.
        let slow = waits > tolerance
            || seen.quiet > seen.rtt + self.budget / 4 + ACK_DELAY
            || seen.age > self.budget;
        self.slow = slow;
        self.full = if !self.trip.is_measured() && ((seen.busy && slow) || grows) {
            self.full + 1
        } else {
            0
        };
        let part = (seen.busy && !slow).then(|| seen.confirmed as f64 / self.needed());
        // A router that drops what does not fit its queue would drop twice as much of twice the window.
        self.window.tick(elapsed, part, seen.lost && !inflated);
        self.congested = inflated || seen.age > self.budget / 4 && slow;
        self.calm = if self.congested { 0.0 } else { self.calm + elapsed };
        let heard = seen.confirmed > 0 || seen.age.is_zero();
        self.silent = if heard { 0.0 } else { self.silent + elapsed };
        if self.silent > SILENCE + 2.0 * seen.rtt.as_secs_f64() {
            // An outage says nothing about the link that was before it and will be after it.
            (self.rate.value, self.target) = self.heard;
        } else {
            self.rate.measure(self.full);
            self.bound(elapsed);
        }
        if heard {
            self.heard = (self.rate.value, self.target);
        }
        self.allow_late(elapsed, seen);
    }

    /// What the link carries, bit/s; a lower bound while the encoder asks for less. 0: not known yet.
    pub fn rate(&self) -> f64 {
        self.rate.value
    }

    /// What the encoder should not exceed, bit/s; `None`: nothing limits it.
    pub fn target(&self) -> Option<f64> {
        self.target
    }

    pub fn congested(&self) -> bool {
        self.congested
    }

    /// Bytes that may lie in QUIC, unconfirmed: what the link carries in a round trip and a part of the budget. More
    /// could be neither dropped nor overtaken.
    pub fn window(&self, most: u32) -> u64 {
        if self.trip.is_measured() {
            return SMALL_PACKET as u64;
        }
        self.window.bytes(self.needed(), most)
    }

    /// The same as far as it is known what the link carries.
    fn needed(&self) -> f64 {
        // Not the round-trip time of now: it grows with what lies here.
        let time = self.window.time(self.trip.base(), self.budget);
        let least = match self.target {
            // Without a budget nobody minds the wait.
            _ if self.budget.is_zero() => window::FREE,
            Some(_) => PACKET as f64,
            None if self.rate.value > 0.0 => window::FREE,
            None => window::FIRST,
        };
        (self.rate.value / 8.0 * time).max(least)
    }

    /// How long a key may take: a budget, and twice what the link needs for so many bytes. At most so many budgets.
    pub fn key_patience(&self, bytes: usize) -> Duration {
        let most = self.budget * KEY_PATIENCE;
        most.min(self.budget + self.rate.takes(bytes) * 2)
    }

    /// How much later than the budget the others of its group may be, when its key of so many bytes was in QUIC after `written`.
    pub fn grace(&self, bytes: usize, written: Duration) -> Duration {
        self.rate.takes(bytes).max(written).min(self.budget * GRACE)
    }

    /// How large an enhancement unit may be, in bytes: a unit of layer 0 may have to wait for it. None while the link is congested.
    pub fn enhancement_room(&self) -> u64 {
        let part = self.rate.value / 8.0 * self.budget.as_secs_f64() * ENHANCEMENT_PART;
        match self.target {
            _ if self.congested => 0,
            // Without a budget nobody minds the wait.
            _ if self.budget.is_zero() => u64::MAX,
            Some(_) => part as u64,
            None => FIRST_ENHANCEMENT.max(part as u64),
        }
    }

    /// Whether an enhancement that had to yield may begin again.
    pub fn is_calm(&self) -> bool {
        self.calm >= ENHANCEMENT_CALM
    }

    /// Takes bytes off what the spool may send. False: not yet.
    pub fn take_late(&mut self, bytes: usize) -> bool {
        self.late.take(bytes)
    }

    fn bound(&mut self, elapsed: f64) {
        self.hold = (self.hold - elapsed).max(0.0);
        if self.congested {
            // Of a link that has confirmed nothing yet nothing is known.
            if self.rate.value > 0.0 {
                self.target = Some(self.lowered());
            }
        } else if let Some(target) = self.target {
            let growth = match () {
                () if target < self.rate.value * BACK_OFF => RETURN,
                () if self.calm > CALM && !self.slow => CALM_GROWTH,
                () => GROWTH,
            };
            let grown = target * (1.0 + growth * elapsed);
            self.target = (grown < NO_BOUND).then_some(grown);
        }
    }

    fn lowered(&mut self) -> f64 {
        // Less than what passes now, whatever was thought before.
        let passes = self.rate.value * BACK_OFF;
        let mut target = self.target.map_or(passes, |target| target.min(passes));
        if self.hold == 0.0 {
            // What was coded for the old bound has to go out first.
            self.hold = 0.5 + self.trip.base().as_secs_f64();
            if Some(target) == self.target {
                target = (target * BACK_OFF).max(self.rate.value * DRAIN);
            }
        }
        target.max(LEAST_RATE)
    }

    /// How long a packet may wait on its way before that is congestion.
    fn most_wait(&self) -> Duration {
        (self.budget / 2).max(self.trip.base())
    }

    /// The spool takes what live frames leave, and yields before the encoder has to.
    fn allow_late(&mut self, elapsed: f64, seen: &Seen) {
        let base = self.trip.base();
        // On a thin link a single piece takes its time, which the least round-trip time, of small packets, does not hold.
        let piece = match self.rate.value > 0.0 {
            true => self.rate.takes(LATE_PIECE),
            false => Duration::ZERO,
        };
        let most = ((self.budget / 8).max(base / 2) + piece).min(self.most_wait() / 2);
        let way = seen.rtt.saturating_sub(base) > most;
        self.late.tick(elapsed, seen.age > TICK, way, self.rate.value);
    }
}

#[cfg(test)]
mod tests;
