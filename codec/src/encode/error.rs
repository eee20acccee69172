//! Why a frame, or a configuration, is refused.

use crate::Shape;

/// Why nothing was encoded. The encoder is as it was before.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is out of range.
    #[error("{field} is {found}, legal are {min} to {max}")]
    Config {
        /// Name of the setting.
        field: &'static str,
        /// Its value.
        found: f64,
        /// Smallest legal value.
        min: f64,
        /// Largest legal value.
        max: f64,
    },
    /// The bundle of a running encoder cannot be changed.
    #[error("the stream was started with bundle {stream}, it cannot go on with {found}")]
    BundleChanged {
        /// Bundle of the stream.
        stream: crate::BundleId,
        /// Bundle of the new configuration.
        found: crate::BundleId,
    },
    /// There are more or fewer latents than their shape says.
    #[error("latents of shape {shape} have {wanted} values, {found} were given", wanted = shape.len())]
    Length {
        /// Shape of the input.
        shape: Shape,
        /// Values given.
        found: usize,
    },
    /// There are vectors for more or fewer positions than there are, or for an encoder that does not predict along the motion.
    #[error("{found} vectors were given, legal are {legal}")]
    Vectors {
        /// Vectors given.
        found: usize,
        /// How many are legal.
        legal: String,
    },
    /// A vector points too far.
    #[error("a vector is ({x}, {y}), legal are components of -{max} to {max}", max = crate::motion::Vector::MAX)]
    Vector {
        /// To the right.
        x: i16,
        /// Down.
        y: i16,
    },
    /// The latents are not those of the transform that the encoder predicts with.
    #[error("latents have {found} channels, the transform has {transform}")]
    Transform {
        /// Channels of the latents.
        found: u16,
        /// Coefficients of the transform.
        transform: usize,
    },
    /// A size is zero or beyond the limits.
    #[error("{what} is {found}, legal are 1 to {limit}")]
    Limit {
        /// What is too large, or zero.
        what: &'static str,
        /// The value found.
        found: u64,
        /// Its upper limit.
        limit: u64,
    },
    /// The frame does not fit in `max_frame_bytes`, however coarse it is made.
    #[error("the frame needs {smallest} bytes at least, max-frame-bytes is {cap}")]
    TooLarge {
        /// Smallest size reached.
        smallest: usize,
        /// The cap.
        cap: usize,
    },
    /// There is no frame to repeat yet.
    #[error("the first frame cannot be a repeat")]
    NothingToRepeat,
}
