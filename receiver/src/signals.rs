//! SIGINT and SIGTERM: the first asks for a clean end, the second ends at once.

use crossbeam_channel::{Receiver, bounded};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;

/// Starts the thread `cis-signals`; the receiver gets the first signal's name.
pub fn watch() -> io::Result<Receiver<&'static str>> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let (sender, receiver) = bounded(1);
    std::thread::Builder::new()
        .name("cis-signals".into())
        .spawn(move || {
            for signal in signals.forever() {
                let name = if signal == SIGINT { "SIGINT" } else { "SIGTERM" };
                if sender.try_send(name).is_err() {
                    tracing::warn!("{name} again: ending without a clean shutdown");
                    std::process::exit(128 + signal);
                }
            }
        })?;
    Ok(receiver)
}
