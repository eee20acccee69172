//! The entropy coder: binary arithmetic coding of decisions that adaptive context models predict together.
//!
//! Everything here is integer arithmetic and runs the same code in encoder and decoder: a [`range::BitCoder`] either
//! writes the decision it is given or returns the one it has read.

mod choose;
mod contexts;
pub mod counter;
mod field;
mod frame_coder;
mod logistic;
pub mod model;
pub mod range;

pub use choose::Worth;
pub use frame_coder::{FrameCoder, Wish};
pub use model::Model;
