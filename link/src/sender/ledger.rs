//! Owns the counters of a sender: of all connections up to now, and of the one there is.

use std::time::Duration;

use tokio::time::Instant;

use super::event::{Congestion, Stats};
use super::pace;

/// How long a key on its way is taken for the answer to a request. The end of its patience: a key that was lost with its group
/// is never confirmed.
const KEY_TRANSIT: Duration = Duration::from_secs(5);

/// Counters of all connections up to now, and the connection there is.
#[derive(Default)]
pub struct Ledger {
    /// What [`stats`](Self::stats) does not compute.
    totals: Stats,
    live: Option<Live>,
}

struct Live {
    connection: quinn::Connection,
    since: Instant,
    sent: u64,
    confirmed: u64,
    key: Key,
    congestion: Option<Congestion>,
    enhancement_wanted: bool,
    /// Largest enhancement unit that the link has room for.
    enhancement_room: u64,
    enhancement_sent: u64,
    enhancement_confirmed: u64,
}

/// The newest key that was sent live. One that comes late answers no request.
#[derive(Default)]
struct Key {
    /// Live units sent.
    units: u64,
    /// The same up to the key, that one included, and when it was sent.
    newest: Option<(u64, Instant)>,
}

impl Key {
    /// A live unit goes to the network.
    fn sending(&mut self, key: bool, now: Instant) {
        self.units += 1;
        if key {
            self.newest = Some((self.units, now));
        }
    }

    /// `confirmed`: units of all kinds that the receiver has. As long as these are fewer, the key is not among them.
    fn is_on_its_way(&self, confirmed: u64, now: Instant) -> bool {
        self.newest
            .is_some_and(|(at, when)| at > confirmed && now - when < KEY_TRANSIT)
    }
}

impl Ledger {
    /// The receiver let the sender in.
    pub fn begin(&mut self, connection: quinn::Connection) {
        if self.totals.remote.replace(connection.remote_address()).is_some() {
            self.totals.reconnects += 1;
        }
        self.live = Some(Live {
            connection,
            since: Instant::now(),
            sent: 0,
            confirmed: 0,
            key: Key::default(),
            congestion: None,
            enhancement_wanted: false,
            enhancement_room: pace::FIRST_ENHANCEMENT,
            enhancement_sent: 0,
            enhancement_confirmed: 0,
        });
    }

    /// The connection is gone. Returns how many units it took along: none that are `kept`.
    pub fn end(&mut self, kept: bool) -> Option<u64> {
        let live = self.live.take()?;
        let lost = if kept { 0 } else { live.sent - live.confirmed };
        self.totals.units_lost += lost;
        self.totals.enhancement_lost += live.enhancement_sent - live.enhancement_confirmed;
        live.add_to(&mut self.totals);
        Some(lost)
    }

    /// Since when there is a connection.
    pub fn since(&self) -> Option<Instant> {
        self.live.as_ref().map(|live| live.since)
    }

    /// A unit goes to the network.
    pub fn sending(&mut self, bytes: usize, begins_group: bool, late: bool) {
        self.totals.units_sent += 1;
        self.totals.units_late += u64::from(late);
        self.totals.unit_bytes += bytes as u64;
        self.totals.groups += u64::from(begins_group);
        if let Some(live) = &mut self.live {
            live.sent += 1;
            if !late {
                live.key.sending(begins_group, Instant::now());
            }
        }
    }

    /// An enhancement unit goes to the network.
    pub fn sending_enhancement(&mut self, bytes: usize) {
        self.totals.enhancement_units += 1;
        self.totals.enhancement_bytes += bytes as u64;
        if let Some(live) = &mut self.live {
            live.enhancement_sent += 1;
        }
    }

    /// The receiver's application was given so many units of this connection.
    pub fn confirmed(&mut self, units: u64, enhancement: u64) {
        let Some(live) = &mut self.live else { return };
        let units = units.clamp(live.confirmed, live.sent);
        self.totals.units_confirmed += units - live.confirmed;
        live.confirmed = units;
        live.enhancement_confirmed = enhancement.clamp(live.enhancement_confirmed, live.enhancement_sent);
    }

    /// Whether the receiver has yet to get the newest key.
    pub fn key_is_on_its_way(&self) -> bool {
        self.live
            .as_ref()
            .is_some_and(|live| live.key.is_on_its_way(live.confirmed, Instant::now()))
    }

    /// Largest enhancement unit that there is room for; `None` if nobody wants any.
    pub fn enhancement_room(&self) -> Option<u64> {
        let live = self.live.as_ref().filter(|live| live.enhancement_wanted)?;
        Some(live.enhancement_room)
    }

    /// Changes that. Returns whether somebody wants any; `None` if there is no connection.
    pub fn set_enhancement_room(&mut self, bytes: u64) -> Option<bool> {
        let live = self.live.as_mut()?;
        live.enhancement_room = bytes;
        Some(live.enhancement_wanted)
    }

    pub fn want_enhancement(&mut self, on: bool) {
        if let Some(live) = &mut self.live {
            live.enhancement_wanted = on;
        }
    }

    pub fn congestion(&mut self, now: Congestion) {
        if let Some(live) = &mut self.live {
            live.congestion = Some(now);
        }
    }

    pub fn count_reset(&mut self) {
        self.totals.groups_reset += 1;
    }

    pub fn attempt_failed(&mut self) {
        self.totals.failed_attempts += 1;
    }

    pub fn event_dropped(&mut self) {
        self.totals.events_dropped += 1;
    }

    /// What is counted here; queue and spool count for themselves.
    pub fn stats(&self) -> Stats {
        let mut stats = self.totals.clone();
        stats.connected = self.live.is_some();
        match &self.live {
            Some(live) => {
                live.add_to(&mut stats);
                stats.rtt = Some(live.connection.rtt());
                stats.congestion = live.congestion;
            }
            None => stats.remote = None,
        }
        stats
    }
}

impl Live {
    /// Adds what QUIC counted on this connection.
    fn add_to(&self, stats: &mut Stats) {
        let quic = self.connection.stats();
        stats.udp_bytes_sent += quic.udp_tx.bytes;
        stats.udp_bytes_received += quic.udp_rx.bytes;
        stats.packets_lost += quic.path.lost_packets;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_on_its_way_until_as_many_units_are_confirmed_or_it_is_lost() {
        let (mut key, now) = (Key::default(), Instant::now());
        assert!(!key.is_on_its_way(0, now), "what comes late is not counted");
        key.sending(false, now);
        assert!(!key.is_on_its_way(0, now));
        key.sending(true, now);
        key.sending(false, now);
        assert!(key.is_on_its_way(1, now) && !key.is_on_its_way(2, now));
        assert!(!key.is_on_its_way(1, now + KEY_TRANSIT));
    }
}
