//! Where reports go: JSON lines, brokers, whoever else listens. No output may hold up a stream: each has a bounded queue of its own
//! and counts what does not fit.

mod json;
mod meter;
mod mqtt;
mod nats;
mod outbox;
mod remote;
mod rotate;
mod secret;
mod text;
mod throttle;
mod webhook;

pub use json::{Events, Json};
pub use meter::{Delivery, Meter};
pub use mqtt::Mqtt;
pub use nats::Nats;
pub use webhook::Webhook;

use crate::config::Config;
use crate::report::{Event, Report};
use crate::stream::Stream;
use std::io;
use std::sync::Arc;

/// Reads every file that the options of outputs to servers name, as those that start would.
pub fn check(config: &Config) -> io::Result<()> {
    mqtt::check(&config.mqtt)?;
    nats::check(&config.nats)?;
    webhook::check(&config.webhook)
}

/// Somebody who wants reports. Called on the detector's thread: queue, never wait.
pub trait Output: Send + Sync {
    /// A frame has been handled.
    fn report(&self, report: &Report);

    /// Something has happened to an object.
    fn event(&self, _event: &Event) {}

    /// A stream has ended; all its reports and events were here.
    fn ended(&self, _stream: &Arc<Stream>) {}

    /// What became of what was given to it.
    fn meter(&self) -> &Arc<Meter>;
}

/// All outputs.
#[derive(Clone, Default)]
pub struct Outputs(Arc<[Box<dyn Output>]>);

impl Outputs {
    /// These outputs.
    pub fn new(outputs: impl IntoIterator<Item = Box<dyn Output>>) -> Self {
        Self(outputs.into_iter().collect())
    }

    /// Hands a report to every output.
    pub fn report(&self, report: &Report) {
        self.0.iter().for_each(|output| output.report(report));
    }

    /// Hands an event to every output.
    pub fn event(&self, event: &Event) {
        self.0.iter().for_each(|output| output.event(event));
    }

    /// Tells every output that a stream has ended.
    pub fn ended(&self, stream: &Arc<Stream>) {
        self.0.iter().for_each(|output| output.ended(stream));
    }

    /// What became of the messages of each output.
    pub fn meters(&self) -> Vec<Arc<Meter>> {
        self.0.iter().map(|output| output.meter().clone()).collect()
    }
}
