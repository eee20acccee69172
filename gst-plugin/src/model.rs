//! The `model`, `device` and `threads` properties, and the bundles and runtime that all elements of a process share.
