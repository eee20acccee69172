//! Owns the arithmetic of congestion: what the link carries, what the encoder should send, how much of the rest the spool
//! may have, and how much may lie in QUIC. Pure: observations and times go in, numbers come out.

mod trip;

use std::time::Duration;

use trip::Trip;

/// How often observations come in.
pub const TICK: Duration = Duration::from_millis(100);
/// Ticks over which a rate is measured.
const SPAN: usize = 5;
/// Least seconds over which it is, once the link is full.
const LEAST_SPAN: f64 = 0.2;
/// Part of a measured rate that is left after a tick at least.
const FALL: f64 = 0.3;
/// So many seconds without a confirmation count as the time of a packet on a thin link, not as a part of the measured time.
const PACKET_WAIT: f64 = 0.3;
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
/// Least bytes in QUIC on a link of which nothing is known, and on one that has shown no limit.
const FIRST_WINDOW: f64 = 2400.0;
const FREE_WINDOW: f64 = 8192.0;
/// Part of the budget that may lie in QUIC beyond what is on its way.
const WINDOW_PART: f64 = 0.5;
/// For so many seconds after a packet was lost two round trips fit into the window: what is sent around a loss stays there until that is repaired.
const REPAIR: f64 = 5.0;
/// Most by which the window grows while it, and not the link, is what holds units back.
const MOST_SLACK: f64 = 16.0;
/// Rate with which the spool begins, bit/s.
const LATE_START: f64 = 8_000.0;
const LATE_MAX: f64 = 100e6;
/// Part of the measured rate that the spool has while nothing live waits.
const LATE_PART: f64 = 0.2;
/// Budgets that a key may take at most.
const KEY_PATIENCE: u32 = 8;
/// Budgets that the others of its group may be later at most.
const GRACE: u32 = 1;
/// Bytes on their way while the path is measured.
const SMALL_PACKET: usize = 300;
/// A full packet, in bytes.
const PACKET: f64 = 1200.0;
/// Bytes of the spool that may go out at once.
const LATE_BURST: f64 = 4096.0;

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
    /// Seconds of this connection.
    clock: f64,
    /// Of the last ticks, the newest first: when something was confirmed last, and bits so far.
    confirmed: [(f64, f64); SPAN + 1],
    /// Ticks in a row in which the link was full.
    full: usize,
    /// Factor of the window.
    slack: f64,
    /// Seconds for which it has room for a loss.
    repair: f64,
    rate: f64,
    target: Option<f64>,
    hold: f64,
    late_rate: f64,
    late_credit: f64,
    congested: bool,
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
            clock: 0.0,
            confirmed: [(0.0, 0.0); SPAN + 1],
            full: 0,
            slack: 1.0,
            repair: 0.0,
            rate: 0.0,
            target: None,
            hold: 0.0,
            late_rate: LATE_START,
            late_credit: 0.0,
            congested: false,
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
        self.clock += elapsed;
        let [(before, bits), ..] = self.confirmed;
        self.confirmed.rotate_right(1);
        let newest = (self.clock - seen.quiet.as_secs_f64()).max(before);
        self.confirmed[0] = (newest, bits + seen.confirmed as f64 * 8.0);
        let fresh = (seen.confirmed > 0).then_some(seen.rtt);
        let tolerance = self.budget / 8 + ACK_DELAY;
        // On a thin link a packet takes its time.
        let packet = self.takes(SMALL_PACKET);
        self.trip.tick(elapsed, seen.min_rtt, fresh, tolerance + packet);
        let base = self.trip.base();
        // Data that waits in a router shows in the round-trip time, data that waits here in its age.
        let waits = seen.rtt.saturating_sub(base);
        let inflated = waits > (self.budget / 2).max(base);
        // While a queue in a router grows, what is confirmed is what the link carries. While it drains it is what was sent.
        let grows = inflated && seen.rtt > self.last_rtt;
        self.last_rtt = seen.rtt;
        // Where nothing waits on the way, it is the window that holds units back, or the receiver.
        let slow = waits > tolerance
            || seen.quiet > seen.rtt + self.budget / 4 + ACK_DELAY
            || seen.age > self.budget;
        self.full = if (seen.busy && slow) || grows {
            self.full + 1
        } else {
            0
        };
        self.slack = if seen.busy && !slow {
            (self.slack * (elapsed / base.as_secs_f64().max(0.1)).exp2()).min(MOST_SLACK)
        } else {
            1.0 + (self.slack - 1.0) * 0.7
        };
        self.repair = if seen.lost { REPAIR } else { self.repair - elapsed };
        self.congested = inflated || seen.age > self.budget / 4 && slow;
        self.calm = if self.congested { 0.0 } else { self.calm + elapsed };
        let heard = seen.confirmed > 0 || seen.age.is_zero();
        self.silent = if heard { 0.0 } else { self.silent + elapsed };
        if self.silent > SILENCE + 2.0 * seen.rtt.as_secs_f64() {
            // An outage says nothing about the link that was before it and will be after it.
            (self.rate, self.target) = self.heard;
        } else {
            self.measure();
            self.bound(elapsed);
        }
        if heard {
            self.heard = (self.rate, self.target);
        }
        self.allow_late(elapsed, seen);
    }

    /// What the link carries, bit/s; a lower bound while the encoder asks for less. 0: not known yet.
    pub fn rate(&self) -> f64 {
        self.rate
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
        // Not the round-trip time of now: it grows with what lies here.
        let trips = if self.repair > 0.0 { 2.0 } else { 1.0 };
        let time = self.trip.base().as_secs_f64() * trips + self.budget.as_secs_f64() * WINDOW_PART;
        let window = self.rate / 8.0 * time;
        let least = match self.target {
            _ if self.trip.is_measured() => return SMALL_PACKET as u64,
            // Without a budget nobody minds the wait.
            _ if self.budget.is_zero() => FREE_WINDOW,
            Some(_) => PACKET,
            None if self.rate > 0.0 => FREE_WINDOW,
            None => FIRST_WINDOW,
        };
        let most = f64::from(most).max(FREE_WINDOW);
        (window.max(least) * self.slack).min(most) as u64
    }

    /// How long a key may take: a budget, and twice what the link needs for so many bytes. At most so many budgets.
    pub fn key_patience(&self, bytes: usize) -> Duration {
        let most = self.budget * KEY_PATIENCE;
        most.min(self.budget + self.takes(bytes) * 2)
    }

    /// How much later than the budget the others of its group may be, when its key of so many bytes was in QUIC after `written`.
    pub fn grace(&self, bytes: usize, written: Duration) -> Duration {
        self.takes(bytes).max(written).min(self.budget * GRACE)
    }

    /// What the link needs for so many bytes.
    fn takes(&self, bytes: usize) -> Duration {
        Duration::from_secs_f64(bytes as f64 * 8.0 / self.rate.max(LEAST_RATE))
    }

    /// How large an enhancement unit may be, in bytes: a unit of layer 0 may have to wait for it. None while the link is congested.
    pub fn enhancement_room(&self) -> u64 {
        let part = self.rate / 8.0 * self.budget.as_secs_f64() * ENHANCEMENT_PART;
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

    /// Takes a unit's bytes off what the spool may send. False: not yet.
    pub fn take_late(&mut self, bytes: usize) -> bool {
        // A unit of any size goes out once there is credit; it is paid back before the next one.
        let may = self.late_credit > 0.0;
        if may {
            self.late_credit -= bytes as f64;
        }
        may
    }

    fn measure(&mut self) {
        // What passed before the link was full does not count.
        let full = self.full > 1;
        let span = if full { self.full.min(SPAN) } else { SPAN };
        let (newest, bits) = self.confirmed[0];
        let (since, before) = self.confirmed[span];
        let time = newest.max(self.clock - PACKET_WAIT) - since;
        if full && time >= LEAST_SPAN {
            let sample = (bits - before) / time;
            self.rate = self.rate.min(sample).max(self.rate * FALL) * 0.7 + sample * 0.3;
        } else {
            let sample = (bits - before) / time.max(SPAN as f64 * TICK.as_secs_f64() / 2.0);
            self.rate = self.rate.max(sample);
        }
    }

    fn bound(&mut self, elapsed: f64) {
        self.hold = (self.hold - elapsed).max(0.0);
        if self.congested {
            // Of a link that has confirmed nothing yet nothing is known.
            if self.rate > 0.0 {
                self.target = Some(self.lowered());
            }
        } else if let Some(target) = self.target {
            let growth = match () {
                () if target < self.rate * BACK_OFF => RETURN,
                () if self.calm > CALM => CALM_GROWTH,
                () => GROWTH,
            };
            let grown = target * (1.0 + growth * elapsed);
            self.target = (grown < NO_BOUND).then_some(grown);
        }
    }

    fn lowered(&mut self) -> f64 {
        // No more than passes now, whatever was thought before.
        let most = self.target.map_or(self.rate, |target| target.min(self.rate));
        if self.hold > 0.0 {
            return most.max(LEAST_RATE);
        }
        // What was coded for the old bound has to go out first.
        self.hold = 0.5 + self.trip.base().as_secs_f64();
        (most * BACK_OFF).max(self.rate * DRAIN).max(LEAST_RATE)
    }

    /// The spool takes what live frames leave: it slows down at the first sign that they wait.
    fn allow_late(&mut self, elapsed: f64, seen: &Seen) {
        let base = self.trip.base();
        let inflation = seen.rtt.saturating_sub(base);
        let waits = seen.age > TICK;
        // On a thin link a single packet takes its time, which the least round-trip time, of small ones, does not hold.
        let packet = if self.rate > 0.0 {
            PACKET * 8.0 / self.rate
        } else {
            0.0
        };
        let most = (self.budget / 8).max(base / 2).as_secs_f64() + packet;
        if waits || inflation.as_secs_f64() > most {
            // While nothing live waits, the past may have its part of what is known to pass.
            let least = if waits { 0.0 } else { self.rate * LATE_PART };
            self.late_rate = (self.late_rate * 0.7).max(LEAST_RATE / 2.0).max(least);
            self.late_credit = self.late_credit.min(0.0);
        } else {
            self.late_rate = (self.late_rate * (1.0 + elapsed)).min(LATE_MAX);
            // Never far beyond what is known to fit.
            if self.rate > 0.0 {
                self.late_rate = self.late_rate.min((self.rate * 1.5).max(LATE_START));
            }
        }
        let burst = LATE_BURST.max(self.late_rate / 8.0 * TICK.as_secs_f64() * 2.0);
        self.late_credit = (self.late_credit + self.late_rate / 8.0 * elapsed).min(burst);
    }
}

#[cfg(test)]
mod tests;
