//! Model.

/// Adaptive state.
#[derive(Clone, Debug, Default)]
pub struct Model;
