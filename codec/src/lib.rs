//! Bitstream, quantiser, entropy coder and rate control of cis: integers only, no IO, no clock.
//!
//! `docs/bitstream.md` is the normative description. An [`encode::Encoder`] turns the float latents of a network into
//! self-delimiting units; a [`decode::Decoder`] turns units back into exactly the integers that the encoder kept.
//! Floats appear in the quantiser of the encoder and in [`quant::dequantize`] only: everything that the two ends must
//! agree on is integer arithmetic.
#![deny(unsafe_code)]

mod bundle_id;
pub mod decode;
pub mod encode;
mod entropy;
pub mod frame;
#[doc(hidden)]
pub mod fuzz;
mod limits;
pub mod motion;
pub mod prior;
pub mod quant;
mod shape;
pub mod steady;

pub use bundle_id::{BundleId, InvalidBundleId};
pub use decode::Decoder;
pub use encode::Encoder;
pub use limits::Limits;
pub use motion::Transform;
pub use prior::Prior;
pub use shape::{Latents, Shape, Size};
