//! Looks at the link ten times a second: what may lie in QUIC and on the way, and what the encoder hears of it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::event::Congestion;
use super::super::pace::{self, Pace};
use super::Session;

/// How often the application hears of the link, if nothing changes.
const TELL_PERIOD: Duration = Duration::from_secs(1);

impl Session<'_> {
    /// Looks at the link ten times a second, for ever.
    pub(super) async fn watch(&self) {
        let mut before = (Instant::now(), self.meter.read(), 0);
        let mut told: Option<(Congestion, Instant)> = None;
        let since = Instant::now();
        let mut rtt = self.connection.rtt();
        loop {
            sleep(pace::TICK).await;
            let now = Instant::now();
            let elapsed = now - before.0;
            let (waited, writing) = {
                let mut writing = self.writing.lock();
                if let Some((_, since)) = &mut writing.now {
                    let more = now - *since;
                    *since = now;
                    writing.waited += more;
                }
                let at = writing.now.map(|(at, _)| at);
                (std::mem::take(&mut writing.waited), at)
            };
            let path = self.connection.stats().path;
            let reading = self.meter.read();
            rtt = reading.rtt.unwrap_or(rtt);
            let heard = reading.at.map_or(since, |at| since.max(at.into()));
            let seen = pace::Seen {
                elapsed,
                confirmed: reading.confirmed - before.1.confirmed,
                quiet: now.saturating_duration_since(heard),
                busy: waited >= elapsed.mul_f64(0.8),
                age: self.shared.age(now, writing),
                lost: path.lost_packets > before.2,
                rtt: rtt.max(path.min_rtt),
                min_rtt: path.min_rtt,
            };
            before = (now, reading, path.lost_packets);
            let (congestion, room, calm) = {
                let mut pace = self.pace.lock();
                pace.tick(&seen);
                (
                    self.congestion(&pace, &seen),
                    pace.enhancement_room(),
                    pace.is_calm(),
                )
            };
            let tell = told.is_none_or(|(old, at)| differs(&old, &congestion) || now - at >= TELL_PERIOD);
            if tell {
                told = Some((congestion, now));
            }
            self.set_window();
            self.shared.congestion(congestion, tell);
            self.shared.enhancement_room(room, calm);
        }
    }

    pub(super) fn set_window(&self) {
        let window = self.pace.lock().window(self.config.send_window);
        // More than the congestion controller lets out would only wait in QUIC.
        let out = self.connection.stats().path.cwnd * 3 / 2;
        self.connection.set_send_window(window.min(out));
        self.meter.set_limit(window + pace::PACKET);
    }

    fn congestion(&self, pace: &Pace, seen: &pace::Seen) -> Congestion {
        let (backlog_units, backlog_bytes, _) = self.shared.backlog();
        let rate = pace.rate();
        Congestion {
            estimated_bitrate: (rate > 0.0).then_some(rate as u64),
            target_bitrate: pace.target().map(|target| target as u64),
            rtt: self.connection.rtt(),
            backlog_units,
            backlog_bytes,
            backlog_age: seen.age,
            congested: pace.congested(),
        }
    }
}

/// Whether a change of the link is worth a word before it is time for one.
fn differs(old: &Congestion, new: &Congestion) -> bool {
    let moved = match (old.target_bitrate, new.target_bitrate) {
        (Some(old), Some(new)) => old.abs_diff(new) * 20 > old,
        (old, new) => old != new,
    };
    moved || old.congested != new.congested
}
