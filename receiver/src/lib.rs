//! The cis receiver daemon: many cameras in, detections and the operator's view out.
//!
//! ```text
//! link --events--> intake --lanes--> detector --reports--> outputs (json, ...)
//!                    |                    `-----frames---> view --pictures--> rtsp, web
//!                    `-------units------> storage (record, clips)
//! ```
//!
//! Each arrow is a bounded queue; the module at its end says what happens when it is full. All work is done by the crates
//! below: this one joins them.

mod asked;
mod bundles;
mod check;
mod clips;
mod clock;
pub mod cluster;
pub mod config;
mod detect;
mod error;
mod health;
mod http;
mod intake;
mod lane;
mod link;
mod live;
mod log;
mod metrics;
mod outputs;
mod receiver;
mod record;
mod replay;
mod report;
mod rtsp;
mod run;
mod services;
mod signals;
mod source;
mod stats;
mod status;
mod storage;
mod stream;
mod systemd;
mod tracking;
mod users;
mod view;
mod web;

pub mod cli;

// The test below uses what the tests outside of the crate use.
#[cfg(test)]
extern crate self as cis_receiver;
#[cfg(test)]
mod stalled;

pub use error::Error;
pub use outputs::Delivery;
pub use receiver::{Receiver, Totals};
pub use record::library;
pub use stats::Snapshot;
