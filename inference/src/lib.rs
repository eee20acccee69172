//! Model bundles, ONNX Runtime sessions, pre- and post-processing of cis.
