//! Gives the plugin its version, commit and release date for `gst-inspect-1.0`.

fn main() {
    gst_plugin_version_helper::info()
}
