//! A setting that may change while the receiver runs.

use parking_lot::RwLock;
use std::sync::Arc;

/// The newest value of a setting. Whoever took the one before keeps it until it looks again.
#[derive(Debug)]
pub struct Live<T>(RwLock<Arc<T>>);

impl<T> Live<T> {
    /// A setting that has this value first.
    pub fn new(value: T) -> Self {
        Self(RwLock::new(Arc::new(value)))
    }

    /// Its value now.
    pub fn get(&self) -> Arc<T> {
        self.0.read().clone()
    }

    /// Changes it.
    pub fn set(&self, value: T) {
        *self.0.write() = Arc::new(value);
    }
}
