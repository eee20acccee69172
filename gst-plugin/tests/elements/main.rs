//! The camera's and the receiver's media elements in real pipelines, over the bundle `tiny`, whose networks say exactly
//! what must come out: latents are mean colours, boxes are bright, dark or red cells, the restoration paints cells.
#![allow(clippy::unwrap_used, reason = "a helper of tests fails as a test does")]

mod common;
mod decode;
mod detect;
mod encode;
mod encode_control;
mod enhancement;
mod failures;
mod instance;
mod parse;
mod seek;
mod squeeze4;
mod track;
