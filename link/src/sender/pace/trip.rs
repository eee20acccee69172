//! Owns the round-trip time of the path when nothing waits on it. QUIC knows the least of the whole connection; a path that has become longer looks like one
//! with a queue then, for ever. So when no round trip was short for a while, next to nothing is sent for the time of one, and what is measured then counts.

use std::time::Duration;

/// Seconds without a short round trip before the path is measured anew.
const PATIENCE: f64 = 10.0;

#[derive(Clone, Debug, Default)]
pub struct Trip {
    /// Round-trip time without a queue, once anything is known.
    base: Option<Duration>,
    /// Seconds since one was that short.
    longer: f64,
    probe: Option<Probe>,
}

#[derive(Clone, Debug)]
struct Probe {
    /// Seconds that it takes.
    lasts: f64,
    /// Seconds until what was on its way before has arrived: what is sent from then on meets no queue of its own.
    drained: f64,
}

impl Trip {
    /// `fresh`: the round-trip time of something confirmed since the last call. `tolerance`: by so much longer is as short as
    /// ever.
    pub fn tick(&mut self, elapsed: f64, least: Duration, fresh: Option<Duration>, tolerance: Duration) {
        let base = *self.base.get_or_insert(least);
        if let Some(rtt) = fresh {
            self.base = Some(base.min(rtt));
            if rtt <= base + tolerance {
                (self.longer, self.probe) = (0.0, None);
                return;
            }
        }
        self.longer += elapsed;
        match &mut self.probe {
            Some(probe) => {
                probe.lasts += elapsed;
                if let Some(rtt) = fresh.filter(|rtt| probe.lasts - rtt.as_secs_f64() >= probe.drained) {
                    (self.longer, self.probe) = (0.0, None);
                    self.base = Some(if rtt > base + tolerance { rtt } else { base });
                }
            }
            None if self.longer > PATIENCE => {
                let drained = fresh.unwrap_or(base).as_secs_f64();
                self.probe = Some(Probe { lasts: 0.0, drained });
            }
            None => {}
        }
    }

    pub fn base(&self) -> Duration {
        self.base.unwrap_or_default()
    }

    /// Whether next to nothing is to be sent.
    pub fn is_measured(&self) -> bool {
        self.probe.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(40);
    const LONG: Duration = Duration::from_millis(640);
    const TOLERANCE: Duration = Duration::from_millis(90);

    fn run(trip: &mut Trip, seconds: usize, rtt: impl Fn(bool) -> Duration) -> usize {
        let mut measured = 0;
        for _ in 0..seconds * 10 {
            let now = rtt(trip.is_measured());
            trip.tick(0.1, SHORT, Some(now), TOLERANCE);
            measured += usize::from(trip.is_measured());
        }
        measured
    }

    #[test]
    fn a_path_that_has_become_longer_is_measured_anew() {
        let mut trip = Trip::default();
        assert_eq!((run(&mut trip, 30, |_| SHORT), trip.base()), (0, SHORT));
        assert!(run(&mut trip, 13, |_| LONG) > 0);
        assert_eq!(trip.base(), LONG);
        assert_eq!(run(&mut trip, 30, |_| LONG), 0);
        // And a shorter one is believed at once.
        run(&mut trip, 1, |_| SHORT);
        assert_eq!(trip.base(), SHORT);
    }

    #[test]
    fn a_queue_that_drains_when_nothing_is_sent_is_not_taken_for_the_path() {
        let mut trip = Trip::default();
        let measured = run(&mut trip, 60, |measured| if measured { SHORT } else { LONG });
        assert!((4..=15).contains(&measured), "{measured}");
        assert_eq!(trip.base(), SHORT);
    }

    #[test]
    fn a_link_that_is_silent_is_measured_when_it_speaks_again() {
        let mut trip = Trip::default();
        run(&mut trip, 1, |_| SHORT);
        for _ in 0..300 {
            trip.tick(0.1, SHORT, None, TOLERANCE);
        }
        assert_eq!(trip.base(), SHORT);
        run(&mut trip, 1, |_| LONG);
        assert_eq!(trip.base(), LONG);
    }
}
