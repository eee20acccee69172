//! Wakes a streaming thread that waits for the link, when GStreamer wants it back.

use crossbeam_channel::{Receiver, Sender};
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag and the bell that goes with it.
pub struct Interrupt {
    raised: AtomicBool,
    ring: Sender<()>,
    bell: Receiver<()>,
}

impl Default for Interrupt {
    fn default() -> Self {
        let (ring, bell) = crossbeam_channel::bounded(1);
        Self {
            raised: AtomicBool::new(false),
            ring,
            bell,
        }
    }
}

impl Interrupt {
    /// For `unlock`: from now on nobody waits.
    pub fn raise(&self) {
        self.raised.store(true, Ordering::SeqCst);
        // Full: it rings already.
        let _ = self.ring.try_send(());
    }

    /// For `unlock_stop`: waiting is allowed again.
    pub fn clear(&self) {
        self.raised.store(false, Ordering::SeqCst);
        let _ = self.bell.try_recv();
    }

    /// Whether nobody may wait now. To be looked at before waiting: the bell rings once only.
    pub fn is_raised(&self) -> bool {
        self.raised.load(Ordering::SeqCst)
    }

    /// Rings when raised.
    pub fn bell(&self) -> &Receiver<()> {
        &self.bell
    }
}
