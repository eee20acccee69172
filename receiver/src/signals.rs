//! SIGINT and SIGTERM: the first asks for a clean end, the second ends at once. SIGHUP: certificates and tokens are read anew.

use crossbeam_channel::{Receiver, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// An end, by the signal of this name.
    End(&'static str),
    /// Certificates and tokens anew.
    Reload,
}

/// What signals ask for, in their order.
pub type Wishes = Receiver<Wish>;

/// Starts the thread `cis-signals`.
pub fn watch() -> io::Result<Wishes> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let (sender, receiver) = bounded(2);
    std::thread::Builder::new()
        .name("cis-signals".into())
        .spawn(move || {
            let mut ending = false;
            for signal in signals.forever() {
                if signal == SIGHUP {
                    // Full: one waits already.
                    let _ = sender.try_send(Wish::Reload);
                    continue;
                }
                let name = if signal == SIGINT { "SIGINT" } else { "SIGTERM" };
                if std::mem::replace(&mut ending, true) || sender.send(Wish::End(name)).is_err() {
                    tracing::warn!("{name} again: ending without a clean shutdown");
                    std::process::exit(128 + signal);
                }
            }
        })?;
    Ok(receiver)
}

/// Waits for the signal that ends the process, its name; `reload` is called for each that asks for it.
pub fn wait(wishes: &Wishes, mut reload: impl FnMut()) -> &'static str {
    loop {
        match wishes.recv() {
            Ok(Wish::Reload) => reload(),
            Ok(Wish::End(name)) => return name,
            Err(_) => return "no signal can come",
        }
    }
}
