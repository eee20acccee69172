//! Model bundles, ONNX Runtime sessions, pre- and post-processing of cis.
//!
//! Camera side: [`picture::Preparer`] makes the network's input from a frame, [`front::Front`] turns it into latents.
//! [`enhance::Enhancer`] makes those of the enhancement layer.
//! Receiver side: [`detect::Detector`] turns latents into boxes in source pixels, [`restore::Restorer`] into a picture.
//! [`batch::Batcher`] shares one detector between many streams.
//! Both need a [`runtime::Runtime`] (the ONNX Runtime library, found and loaded once per process) and a
//! [`bundle::Bundle`] (the networks and their description, see docs/bundle.md); [`geometry::Geometry`] ties source
//! pixels, network pixels and latents together.
//!
//! This crate knows neither GStreamer nor the bitstream: latents are `f32` in, `f32` out.

pub mod batch;
pub mod bundle;
pub mod detect;
pub mod enhance;
mod error;
pub mod front;
pub mod geometry;
pub mod picture;
pub mod restore;
pub mod runtime;

pub use error::{Error, Result};
