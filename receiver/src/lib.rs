//! The cis receiver daemon: many cameras in, detections and the operator's view out.
//!
//! ```text
//! link --events--> intake --lanes--> detector --reports--> outputs (json, ...)
//!                    |                    `-----frames---> view --appsrc--> RTSP
//!                    `-------units------> storage (record, clips)
//! ```
//!
//! Each arrow is a bounded queue; the module at its end says what happens when it is full. All work is done by the crates
//! below: this one joins them.

mod bundles;
mod clips;
mod clock;
pub mod cluster;
pub mod config;
mod detect;
mod error;
mod intake;
mod lane;
mod link;
mod outputs;
mod receiver;
mod record;
mod replay;
mod report;
mod rtsp;
mod services;
mod signals;
mod source;
mod stats;
mod status;
mod storage;
mod stream;
mod tracking;

pub mod cli;

pub use error::Error;
pub use outputs::Delivery;
pub use receiver::{Receiver, Totals};
pub use record::library;
pub use stats::Snapshot;
