//! Owns what a sender tells its application, and what it counts.

use std::net::SocketAddr;
use std::time::Duration;

use crate::wire::Refusal;

/// Something that happened to a sender.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The receiver let the sender in.
    Connected {
        /// Address of the receiver.
        remote: SocketAddr,
    },
    /// There is no connection, or no longer one. The sender tries again by itself.
    Disconnected {
        /// Why, in words.
        reason: String,
        /// When it tries again.
        retry_in: Duration,
    },
    /// The receiver, or its certificate, is not acceptable, or it does not accept this sender. The sender tries again,
    /// slowly: somebody must change something.
    Refused {
        /// Why, in words.
        reason: String,
        /// What the receiver said, if it was the receiver.
        refusal: Option<Refusal>,
        /// When it tries again.
        retry_in: Duration,
    },
    /// The next unit should be a key: the receiver asked, or there is nothing to continue.
    KeyRequested,
    /// How the link does. At least once a second while connected, and at once when it changes.
    Congestion(Congestion),
    /// The spool does not take units, or takes them again: then there is no reason.
    Spool {
        /// What keeps it from that.
        trouble: Option<String>,
    },
    /// The receiver wants a layer, or no longer.
    Layer {
        /// Number of the layer.
        layer: u8,
        /// Whether it is wanted.
        on: bool,
    },
    /// Enhancement units had to yield, and there is room again: the next one should be a key of its layer.
    EnhancementBroken,
}

/// What the link does and what it would have the encoder do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Congestion {
    /// What the link carries, bit/s; a lower bound while the encoder sends less. `None`: not known yet.
    pub estimated_bitrate: Option<u64>,
    /// What the encoder should not exceed, bit/s. `None`: nothing limits it.
    pub target_bitrate: Option<u64>,
    /// Round-trip time.
    pub rtt: Duration,
    /// Units that wait to be sent live.
    pub backlog_units: usize,
    /// Their bytes.
    pub backlog_bytes: usize,
    /// Age of the oldest of them.
    pub backlog_age: Duration,
    /// Whether more is sent than the link carries.
    pub congested: bool,
}

/// What became of a unit that was handed to [`Sender::send`](super::Sender::send).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It waits to be sent.
    Queued,
    /// It is in the spool, to be sent late.
    Spooled,
    /// It is gone and counted.
    Dropped(DropReason),
}

/// Why a unit was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DropReason {
    /// The queue is full.
    QueueFull,
    /// A unit before it was dropped, so that nothing makes sense until the next key.
    AwaitingKey,
    /// It is empty, or larger than any receiver takes.
    Size,
    /// It belongs to the enhancement layer, which yields first; or nobody wants that.
    Enhancement,
    /// The sender is finishing.
    Finishing,
}

/// What a sender has done since it started.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Whether the receiver has let the sender in.
    pub connected: bool,
    /// Address of the receiver while connected.
    pub remote: Option<SocketAddr>,
    /// Units written to the network.
    pub units_sent: u64,
    /// Units that the receiver's application was given; lags behind by up to a second.
    pub units_confirmed: u64,
    /// Units dropped before they were written: queue full, or nothing to continue.
    pub units_dropped: u64,
    /// Units written to a connection that broke before they were confirmed: lost, or received and not yet confirmed.
    pub units_lost: u64,
    /// Groups begun.
    pub groups: u64,
    /// Connections after the first.
    pub reconnects: u64,
    /// Attempts to connect that failed, refusals included.
    pub failed_attempts: u64,
    /// Units waiting.
    pub queued: usize,
    /// Bytes waiting.
    pub queued_bytes: usize,
    /// Bytes of the units written.
    pub unit_bytes: u64,
    /// Bytes of all UDP payloads sent: units with everything that QUIC and TLS add, retransmissions included.
    pub udp_bytes_sent: u64,
    /// Bytes of all UDP payloads received.
    pub udp_bytes_received: u64,
    /// Packets that QUIC declared lost (and sent again).
    pub packets_lost: u64,
    /// Round-trip time while connected.
    pub rtt: Option<Duration>,
    /// What the link carries, bit/s, and what the encoder should not exceed, while connected.
    pub congestion: Option<Congestion>,
    /// Groups given up because they were older than the latency budget.
    pub groups_reset: u64,
    /// Units sent out of the spool.
    pub units_late: u64,
    /// Units in the spool that the receiver has not stored.
    pub spool_units: u64,
    /// Their bytes.
    pub spool_bytes: u64,
    /// Units that the spool dropped to make room, or that were damaged there.
    pub spool_dropped: u64,
    /// Enhancement units written to the network. They are in no other count of units.
    pub enhancement_units: u64,
    /// Their bytes.
    pub enhancement_bytes: u64,
    /// Enhancement units that had to yield, or that nobody wanted.
    pub enhancement_dropped: u64,
    /// Enhancement units written to a connection that broke before they were confirmed.
    pub enhancement_lost: u64,
    /// Events dropped because nobody took them.
    pub events_dropped: u64,
}
