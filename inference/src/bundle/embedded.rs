//! The files of the default bundle, compiled in. The list is made by `build.rs` from the bundle's folder.

include!(concat!(env!("OUT_DIR"), "/embedded_bundle.rs"));
