//! Owns the answer to whether the far end of a connection is still there, long before the idle time-out would tell.

use std::time::Duration;

use super::stream::Stream;

/// An end that is there acknowledges within a round trip; this much more for a busy machine or a lost packet.
const PATIENCE: Duration = Duration::from_millis(500);
/// No round trip is waited for longer: who wants the name waits too.
const LONGEST: Duration = Duration::from_secs(3);
/// How often to look.
const LOOK: Duration = Duration::from_millis(10);

/// Sends something small and waits for QUIC's acknowledgement of it.
pub async fn answers(stream: &Stream) -> bool {
    let connection = &stream.connection;
    let acknowledgements = || connection.stats().frame_rx.acks;
    let before = acknowledgements();
    stream.outbox.probe();
    let patience = (PATIENCE + 3 * connection.rtt()).min(LONGEST);
    let answer = async {
        let mut looks = tokio::time::interval(LOOK);
        loop {
            looks.tick().await;
            if acknowledgements() > before {
                return true;
            }
        }
    };
    tokio::select! {
        answered = tokio::time::timeout(patience, answer) => answered.unwrap_or(false),
        _ = connection.closed() => false,
    }
}
