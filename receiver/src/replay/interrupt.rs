//! Ctrl-C and SIGTERM end a replay so that nothing half written stays behind; a second one ends it at once.

use anyhow::bail;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// How often those who wait for something else look.
pub const LOOK: Duration = Duration::from_millis(100);

/// Signals are the process's.
static ASKED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// From now on signals are heard.
pub fn watch() -> io::Result<()> {
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        // In this order: the first one finds the flag down.
        flag::register_conditional_shutdown(signal, 128 + signal, ASKED.clone())?;
        flag::register(signal, ASKED.clone())?;
    }
    Ok(())
}

/// An error once there was a signal.
pub fn check() -> anyhow::Result<()> {
    if ASKED.load(Relaxed) {
        bail!("interrupted: nothing was written");
    }
    Ok(())
}
