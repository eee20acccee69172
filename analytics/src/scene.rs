//! What is there now.

use std::collections::BTreeMap;
use std::sync::Arc;

/// How many objects of each class there are now: those that have begun and not ended, hidden ones included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scene {
    /// By class, in the whole picture.
    pub objects: BTreeMap<Arc<str>, u32>,
    /// By zone and class; every zone of the plan is there.
    pub zones: BTreeMap<Arc<str>, BTreeMap<Arc<str>, u32>>,
}
