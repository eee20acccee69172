//! The cis receiver daemon: many cameras in, detections and the operator's view out.
