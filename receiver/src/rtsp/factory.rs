//! The pipeline that restores one stream for its viewers; gst-rtsp-server makes it for the first and ends it with the last.

use super::view::View;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_app::AppSrc;
use gst_rtsp_server::prelude::*;
use gst_rtsp_server::subclass::prelude::*;
use gst_rtsp_server::{RTSPMedia, gst_rtsp};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// How pictures are restored and sent.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The bundle's folder; `None`: the built-in one.
    pub model: Option<PathBuf>,
    /// Where the network runs.
    pub device: String,
    /// Its threads.
    pub threads: u32,
    /// kbit/s of the H.264.
    pub bitrate: u32,
    /// Whether pictures say that they are generated.
    pub mark: bool,
}

/// The elements that a view needs, and the Debian packages that carry them.
pub const ELEMENTS: &[(&str, &str)] = &[
    ("appsrc", "gstreamer1.0-plugins-base"),
    ("cisdecode", "this program"),
    ("cisoverlay", "this program"),
    ("videoconvert", "gstreamer1.0-plugins-base"),
    ("videoscale", "gstreamer1.0-plugins-base"),
    ("x264enc", "gstreamer1.0-plugins-ugly"),
    ("rtph264pay", "gstreamer1.0-plugins-good"),
];

glib::wrapper! {
    /// Media factory of one stream.
    pub struct Factory(ObjectSubclass<imp::Factory>) @extends gst_rtsp_server::RTSPMediaFactory;
}

impl Factory {
    /// A factory of pipelines that `view` feeds.
    pub fn new(view: Arc<View>, settings: Settings) -> Self {
        let factory: Self = glib::Object::new();
        // A fresh object has nothing set yet.
        let _ = factory.imp().source.set((view, settings));
        factory.set_shared(true);
        factory.set_eos_shutdown(false);
        factory
    }
}

mod imp {
    use super::*;

    #[derive(Default)]
    pub struct Factory {
        pub(super) source: OnceLock<(Arc<View>, Settings)>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Factory {
        const NAME: &'static str = "CisReceiverFactory";
        type Type = super::Factory;
        type ParentType = gst_rtsp_server::RTSPMediaFactory;
    }

    impl ObjectImpl for Factory {}

    impl RTSPMediaFactoryImpl for Factory {
        fn create_element(&self, _url: &gst_rtsp::RTSPUrl) -> Option<gst::Element> {
            let (_, settings) = self.source.get()?;
            match pipeline(settings) {
                Ok(bin) => Some(bin.upcast()),
                Err(e) => {
                    tracing::error!("view: {e}");
                    None
                }
            }
        }

        fn configure(&self, media: &RTSPMedia) {
            self.parent_configure(media);
            let Some((view, _)) = self.source.get() else {
                return;
            };
            let Some(entrance) = media
                .element()
                .downcast::<gst::Bin>()
                .ok()
                .and_then(|b| b.by_name("units"))
            else {
                return;
            };
            let Ok(entrance) = entrance.downcast::<AppSrc>() else {
                return;
            };
            view.attach(entrance.clone());
            let view = view.clone();
            media.connect_unprepared(move |_| view.detach(&entrance));
        }
    }
}

/// `appsrc ! cisdecode ! cisoverlay ! videoconvert ! videoscale ! x264enc ! rtph264pay`
fn pipeline(settings: &Settings) -> Result<gst::Bin, glib::BoolError> {
    let units = AppSrc::builder()
        .name("units")
        .is_live(true)
        .format(gst::Format::Time)
        // The view is live: a frame is shown when it is there, whatever the camera's clock says.
        .do_timestamp(true)
        .max_bytes(0)
        .build();
    let (threads, model) = (
        settings.threads.to_string(),
        settings.model.as_ref().map(|folder| folder.to_string_lossy()),
    );
    let mut decode = gst::ElementFactory::make("cisdecode")
        .property_from_str("device", &settings.device)
        .property_from_str("threads", &threads);
    if let Some(model) = &model {
        decode = decode.property_from_str("model", model);
    }
    // What viewers see is a network's guess: it says so.
    let overlay = gst::ElementFactory::make("cisoverlay").property("mark-generated", settings.mark);
    // H.264 in 4:2:0 has even sides.
    let even = gst::IntRange::with_step(2, 16_384, 2);
    let raw = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", even)
        .field("height", even);
    let encode = gst::ElementFactory::make("x264enc")
        .property_from_str("tune", "zerolatency")
        .property_from_str("speed-preset", "veryfast")
        // One slice a picture.
        .property("threads", 1u32)
        .property("bitrate", settings.bitrate)
        // A viewer who joins later waits for the next key frame.
        .property("key-int-max", 50u32);
    let pay = gst::ElementFactory::make("rtph264pay")
        .name("pay0")
        .property("pt", 96u32)
        // Parameters are repeated in the stream: they change with the camera's picture size.
        .property("config-interval", -1i32);
    let filter = |caps: gst::Caps| {
        gst::ElementFactory::make("capsfilter")
            .property("caps", caps)
            .build()
    };
    let chain = [
        units.upcast(),
        decode.build()?,
        overlay.build()?,
        gst::ElementFactory::make("videoconvert").build()?,
        gst::ElementFactory::make("videoscale").build()?,
        filter(raw.build())?,
        encode.build()?,
        filter(
            gst::Caps::builder("video/x-h264")
                .field("profile", "constrained-baseline")
                .build(),
        )?,
        pay.build()?,
    ];
    let bin = gst::Bin::new();
    bin.add_many(&chain)?;
    gst::Element::link_many(&chain)?;
    Ok(bin)
}
