//! Beyond one machine: gateways take units from cameras and append them to a JetStream stream, workers share the cameras out among
//! themselves and answer each frame once. docs/cluster.md explains it.
//!
//! ```text
//! cameras --QUIC--> gateway --units--> broker --units--> worker --results--> broker
//!                      ^--------------- control ------------'
//! ```
//!
//! Nobody leads. What keeps things right is that every message names the one it is to follow on its subject, and that the broker refuses
//! it if that is not the last one: a camera's units have one order, and a frame has one result, whoever else believes to be in charge.

mod assignment;
mod broker;
mod camera;
mod chain;
mod counts;
mod feed;
mod gateway;
mod history;
mod lane;
mod membership;
mod progress;
mod reader;
mod results;
mod subjects;
mod supervisor;
mod tag;
mod wish;
pub(crate) mod worker;

pub(crate) use broker::Broker;
pub use broker::Error;
pub(crate) use counts::GatewayCounts;
pub use gateway::Gateway;

use std::hash::{BuildHasher, RandomState};
use tokio::sync::watch;

/// Returns when the word is given, or nobody is there to give it.
async fn told(word: &mut watch::Receiver<bool>) {
    let _ = word.wait_for(|word| *word).await;
}

/// A number that nobody else has.
fn random() -> u64 {
    RandomState::new().hash_one(0)
}
