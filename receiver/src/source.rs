//! Where units come from, and how cameras are asked for something: a listener here, or gateways behind a broker. What lies behind it is
//! the same for both.

use crate::Error;
use crate::outputs::Output;
use cis_link::StreamName;
use cis_link::listener::{Event, Events, Stats};
use crossbeam_channel::{RecvError, RecvTimeoutError};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A way to cameras.
pub struct Source {
    /// How they are asked.
    pub cameras: Arc<dyn Cameras>,
    /// What they send.
    pub units: Box<dyn Units>,
    /// Where they connect, if it is here.
    pub address: Option<SocketAddr>,
    /// The output that the source wants besides those of the configuration.
    pub results: Option<Box<dyn Output>>,
}

/// How cameras are asked. Nothing here waits for a camera.
pub trait Cameras: Send + Sync {
    /// Asks a camera for a key frame.
    fn ask_key(&self, stream: &StreamName);

    /// Tells a camera whether the enhancement layer is wanted, now and when it comes back. Wanted again: it begins with a key.
    fn enhance(&self, stream: &StreamName, on: bool);

    /// Reads certificates and tokens anew. Cameras that are connected stay; after an error nothing has changed.
    fn reload(&self) -> Result<(), Error>;

    /// What listener and connections do, if cameras connect here and it is open.
    fn stats(&self) -> Option<Stats> {
        None
    }

    /// Takes no more from the cameras. Events that wait can still be taken.
    fn close(&self);
}

/// What cameras send, in order.
pub trait Units: Send {
    /// Waits for an event. An error: there will be no more.
    fn recv(&self) -> Result<Event, RecvError>;

    /// Waits for an event, but not longer than `timeout`.
    fn recv_timeout(&self, timeout: Duration) -> Result<Event, RecvTimeoutError>;
}

impl Units for Events {
    fn recv(&self) -> Result<Event, RecvError> {
        self.recv()
    }

    fn recv_timeout(&self, timeout: Duration) -> Result<Event, RecvTimeoutError> {
        self.recv_timeout(timeout)
    }
}
