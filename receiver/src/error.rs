//! Why the receiver did not start.

use crate::config;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the receiver did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The link refused: address, certificate, tokens.
    #[error(transparent)]
    Link(#[from] cis_link::Error),
    /// The broker.
    #[error(transparent)]
    Cluster(#[from] crate::cluster::Error),
    /// The model bundle or the inference library.
    #[error(transparent)]
    Inference(#[from] cis_inference::Error),
    /// The entropy coder's initial state in the bundle.
    #[error("bundle {bundle}: {reason}")]
    Prior {
        /// The bundle.
        bundle: String,
        /// What is wrong.
        reason: String,
    },
    /// An address that cannot be bound.
    #[error("{what} = {address} (port {}): {reason}", address.port())]
    Bind {
        /// The option.
        what: &'static str,
        /// Its value.
        address: SocketAddr,
        /// What the system says.
        reason: String,
    },
    /// A GStreamer element is not installed.
    #[error(
        "the view needs the GStreamer element {name} ({package}); install it, or set rtsp.enabled = false and leave web.address unset"
    )]
    MissingElement {
        /// The element.
        name: &'static str,
        /// Who carries it.
        package: &'static str,
    },
    /// GStreamer does not start.
    #[error("GStreamer: {0}")]
    GStreamer(#[from] gst::glib::Error),
    /// The plugin cannot be registered.
    #[error("GStreamer: {0}")]
    Plugin(#[from] gst::glib::BoolError),
    /// A file that cannot be opened.
    #[error("{0}")]
    Output(std::io::Error),
    /// A file that cannot be read or says nothing sensible.
    #[error("{option}: {}: {reason}", path.display())]
    File {
        /// The option that names it.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A thread that cannot be started.
    #[error("a thread cannot be started: {0}")]
    Thread(std::io::Error),
}

impl Error {
    /// What the process ends with: 2 when the configuration is at fault, else 1.
    pub fn exit_code(&self) -> u8 {
        if matches!(self, Self::Config(_)) { 2 } else { 1 }
    }
}
