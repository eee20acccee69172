//! The thread that writes a status line per stream to the log, every few seconds. How many may change while it runs.

use crate::outputs::Meter;
use crate::stats::Snapshot;
use crate::stream::Registry;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Starts the thread `cis-status`; it ends when `intervals` is closed. A zero interval: no lines until there is another one.
pub fn start(
    mut interval: Duration,
    registry: Arc<Registry>,
    meters: Vec<Arc<Meter>>,
    intervals: Receiver<Duration>,
) -> std::io::Result<JoinHandle<()>> {
    let run = move || {
        let mut before = HashMap::new();
        let mut deliveries: Vec<_> = meters.iter().map(|meter| meter.delivery()).collect();
        loop {
            let next = match interval.is_zero() {
                true => intervals.recv().map_err(RecvTimeoutError::from),
                false => intervals.recv_timeout(interval),
            };
            match next {
                Ok(changed) => {
                    interval = changed;
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            before = report(&registry, &before);
            for (meter, before) in meters.iter().zip(&mut deliveries) {
                let now = meter.delivery();
                if now.lost() > before.lost() {
                    tracing::warn!(
                        "status: {now}; {} lost since the last status",
                        now.lost() - before.lost()
                    );
                } else if now != *before {
                    tracing::info!("status: {now}");
                }
                *before = now;
            }
        }
    };
    std::thread::Builder::new().name("cis-status".into()).spawn(run)
}

/// Writes a line per stream about the time since `before`, and returns what is the past next time.
fn report(registry: &Registry, before: &HashMap<usize, Snapshot>) -> HashMap<usize, Snapshot> {
    let mut now = HashMap::new();
    for stream in registry.open() {
        let snapshot = stream.snapshot();
        // A camera that comes back has the same name and starts at zero, so the name does not tell them apart.
        let identity = Arc::as_ptr(&stream) as usize;
        let past = before
            .get(&identity)
            .filter(|past| past.open <= snapshot.open)
            .cloned()
            .unwrap_or_default();
        tracing::info!(stream = %stream.name, "status: {}", snapshot.status(&past));
        now.insert(identity, snapshot);
    }
    now
}
