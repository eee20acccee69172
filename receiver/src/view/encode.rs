//! From restored pictures to H.264, the same for every transport.

use gst::glib;

/// How pictures are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// kbit/s of the H.264.
    pub bitrate: u32,
    /// Whether pictures say that they are generated.
    pub mark: bool,
}

/// The elements that views need, and the Debian packages that carry them.
pub const ELEMENTS: &[(&str, &str)] = &[
    ("appsrc", "gstreamer1.0-plugins-base"),
    ("cisdecode", "this program"),
    ("cisoverlay", "this program"),
    ("videoconvert", "gstreamer1.0-plugins-base"),
    ("videoscale", "gstreamer1.0-plugins-base"),
    ("x264enc", "gstreamer1.0-plugins-ugly"),
    ("mp4mux", "gstreamer1.0-plugins-good"),
    ("rtph264pay", "gstreamer1.0-plugins-good"),
];

/// `cisoverlay ! videoconvert ! videoscale ! x264enc`, with the filters between them. Boxes are drawn where pictures carry regions.
pub fn chain(settings: Settings) -> Result<Vec<gst::Element>, glib::BoolError> {
    // What viewers see is a network's guess: it says so.
    let overlay = gst::ElementFactory::make("cisoverlay").property("mark-generated", settings.mark);
    // H.264 in 4:2:0 has even sides.
    let even = gst::IntRange::with_step(2, 16_384, 2);
    let raw = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", even)
        .field("height", even);
    let encode = gst::ElementFactory::make("x264enc")
        .name("encoder")
        .property_from_str("tune", "zerolatency")
        .property_from_str("speed-preset", "veryfast")
        // One slice a picture.
        .property("threads", 1u32)
        .property("bitrate", settings.bitrate)
        // A viewer who joins later waits for the next key frame.
        .property("key-int-max", 50u32);
    let profile = gst::Caps::builder("video/x-h264").field("profile", "constrained-baseline");
    Ok(vec![
        overlay.build()?,
        gst::ElementFactory::make("videoconvert").build()?,
        gst::ElementFactory::make("videoscale").build()?,
        filter(raw.build())?,
        encode.build()?,
        filter(profile.build())?,
    ])
}

fn filter(caps: gst::Caps) -> Result<gst::Element, glib::BoolError> {
    gst::ElementFactory::make("capsfilter")
        .property("caps", caps)
        .build()
}
