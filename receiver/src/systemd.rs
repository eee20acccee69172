//! What systemd is told (`Type=notify`): ready, reloading, stopping, and, as long as that is true, that all is well.

use crate::health::Health;
use crate::services::Stopping;
use sd_notify::NotifyState;
use std::sync::Arc;

/// The receiver serves cameras.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is read anew; [`ready`] follows.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(e) => tracing::warn!("systemd: {e}"),
    }
}

/// The receiver ends.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Says that all is well while it is, twice in the time after which systemd restarts the receiver. Returns at once when nobody wants to hear it.
pub async fn watchdog(health: Arc<Health>, mut stopping: Stopping) {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut tick = tokio::time::interval(limit / 2);
    loop {
        tokio::select! {
            () = stopping.wait() => return,
            _ = tick.tick() => match health.check() {
                Ok(()) => tell(&[NotifyState::Watchdog]),
                Err(reason) => {
                    tracing::error!("stuck: {reason}");
                    tell(&[NotifyState::Status(&reason)]);
                }
            },
        }
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(e) = sd_notify::notify(state) {
        tracing::warn!("systemd: {e}");
    }
}
