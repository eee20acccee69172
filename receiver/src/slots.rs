//! A stream's places in the detector's queue, so that no camera can fill it alone.

use parking_lot::{Condvar, Mutex};
use std::sync::Arc;

/// A fixed number of places.
#[derive(Clone, Debug)]
pub struct Slots(Arc<(Mutex<usize>, Condvar)>);

/// A place that is taken; free again when dropped.
#[derive(Debug)]
pub struct Slot(Slots);

impl Slots {
    /// `free` places.
    pub fn new(free: usize) -> Self {
        Self(Arc::new((Mutex::new(free), Condvar::new())))
    }

    /// Takes a place if one is free.
    pub fn try_take(&self) -> Option<Slot> {
        let mut free = self.0.0.lock();
        *free = free.checked_sub(1)?;
        Some(Slot(self.clone()))
    }

    /// Whether a place is free now.
    pub fn has_free(&self) -> bool {
        *self.0.0.lock() > 0
    }

    /// Takes a place, waiting for one.
    pub fn take(&self) -> Slot {
        let (free, freed) = &*self.0;
        let mut free = free.lock();
        freed.wait_while(&mut free, |free| *free == 0);
        *free -= 1;
        Slot(self.clone())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let (free, freed) = &*self.0.0;
        *free.lock() += 1;
        freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back() {
        let slots = Slots::new(2);
        let first = slots.try_take().unwrap();
        let _second = slots.try_take().unwrap();
        assert!(slots.try_take().is_none());
        drop(first);
        assert!(slots.try_take().is_some());
    }

    #[test]
    fn waiting_ends_when_a_place_is_freed() {
        let slots = Slots::new(1);
        let held = slots.take();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| slots.take());
            drop(held);
            drop(waiting.join().unwrap());
        });
        assert!(slots.try_take().is_some());
    }
}
