//! What comes out for people and programs: JSON lines, boxes on pictures, and the pages that describe the elements.
#![allow(clippy::unwrap_used, reason = "a helper of tests fails as a test does")]

mod json;
mod overlay;
mod pages;

fn init() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        gst::init().unwrap();
        gstcis::plugin_register_static().unwrap();
    });
}

fn docs() -> std::path::PathBuf {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../docs").into()
}
