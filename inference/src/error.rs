//! The error type of this crate. Every message names the value that was found and what would have been legal.

use std::path::PathBuf;

use crate::runtime::Attempt;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong between a frame and latents, and between latents and boxes or pictures.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No usable ONNX Runtime library; every place that was tried, with what was wrong there.
    #[error("no usable ONNX Runtime library (libonnxruntime.so 1.{minor} or newer); tried: {tried}; set CIS_ONNXRUNTIME to its path", minor = crate::runtime::MINIMUM_MINOR, tried = list(.tried))]
    RuntimeNotFound {
        /// The places, in the order in which they were tried.
        tried: Vec<Attempt>,
    },
    /// The library was loaded but would not start.
    #[error("ONNX Runtime at {} does not start: {reason}", path.display())]
    RuntimeStart {
        /// The library.
        path: PathBuf,
        /// What it said.
        reason: String,
    },
    /// The device asked for cannot be used.
    #[error(
        "device {device} cannot be used: {reason} (legal: cpu, or cuda:N with an ONNX Runtime built for CUDA)"
    )]
    Device {
        /// The device asked for.
        device: String,
        /// Why not.
        reason: String,
    },
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The manifest is not TOML of the documented layout.
    #[error("{origin}/manifest.toml: {reason}")]
    Manifest {
        /// The bundle's folder, or `embedded bundle`.
        origin: String,
        /// The parser's message, with line and column.
        reason: String,
    },
    /// A file of the bundle is missing, too long, or not the one that the manifest describes.
    #[error("{origin}/{name}: {reason}")]
    BundleFile {
        /// The bundle's folder, or `embedded bundle`.
        origin: String,
        /// The file's name.
        name: String,
        /// What is wrong, with the found and the expected value.
        reason: String,
    },
    /// A value outside its legal range.
    #[error("{what} is {value}: legal is {legal}")]
    OutOfRange {
        /// Which value.
        what: String,
        /// What was found.
        value: String,
        /// What would have been legal.
        legal: String,
    },
    /// A tensor of a network is not what docs/bundle.md asks for.
    #[error("{file}: tensor `{tensor}` is {found}, expected {expected}")]
    Tensor {
        /// The network's file.
        file: String,
        /// The tensor's name.
        tensor: String,
        /// Type and shape found, or `missing`.
        found: String,
        /// Type and shape that the bundle contract asks for.
        expected: String,
    },
    /// ONNX Runtime refused to load or run a network.
    #[error("{file}: {reason}")]
    Network {
        /// The network's file.
        file: String,
        /// What ONNX Runtime said.
        reason: String,
    },
    /// A shared network is in use with other settings.
    #[error(
        "model instance \"{name}\" is in use with {what} {found}: legal is the same, not {wanted}, or another name"
    )]
    Instance {
        /// Its name.
        name: String,
        /// What differs.
        what: &'static str,
        /// What it has.
        found: String,
        /// What was asked for.
        wanted: String,
    },
    /// The thread of a shared network has ended.
    #[error("the detector's thread has ended")]
    Ended,
    /// The system gives no thread.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    /// A picture does not have the layout that it claims.
    #[error("picture: {0}")]
    Picture(String),
}

impl Error {
    /// An [`Error::OutOfRange`].
    pub(crate) fn range(what: impl Into<String>, value: impl ToString, legal: impl Into<String>) -> Self {
        Self::OutOfRange {
            what: what.into(),
            value: value.to_string(),
            legal: legal.into(),
        }
    }
}

fn list(tried: &[Attempt]) -> String {
    let places: Vec<String> = tried.iter().map(ToString::to_string).collect();
    if places.is_empty() {
        "nothing".to_owned()
    } else {
        places.join("; ")
    }
}
