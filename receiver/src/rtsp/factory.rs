//! The pipeline that encodes one stream's restored pictures for its players; gst-rtsp-server makes it for the first and ends it with the last.

use crate::live::Live;
use crate::view::{View, encode};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_app::AppSrc;
use gst_rtsp_server::prelude::*;
use gst_rtsp_server::subclass::prelude::*;
use gst_rtsp_server::{RTSPMedia, gst_rtsp};
use std::sync::{Arc, OnceLock};

glib::wrapper! {
    /// Media factory of one stream.
    pub struct Factory(ObjectSubclass<imp::Factory>) @extends gst_rtsp_server::RTSPMediaFactory;
}

impl Factory {
    /// A factory of pipelines that `view` feeds.
    pub fn new(view: Arc<View>, settings: Arc<Live<encode::Settings>>) -> Self {
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
        pub(super) source: OnceLock<(Arc<View>, Arc<Live<encode::Settings>>)>,
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
            match pipeline(*settings.get()) {
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
                .and_then(|b| b.by_name("pictures"))
            else {
                return;
            };
            let Ok(entrance) = entrance.downcast::<AppSrc>() else {
                return;
            };
            if let Err(e) = view.watch(entrance.clone()) {
                return tracing::error!("view: {e}");
            }
            let view = view.clone();
            media.connect_unprepared(move |_| view.unwatch(&entrance));
        }
    }
}

/// `appsrc ! ... ! x264enc ! rtph264pay`
fn pipeline(settings: encode::Settings) -> Result<gst::Bin, glib::BoolError> {
    let pay = gst::ElementFactory::make("rtph264pay")
        .name("pay0")
        .property("pt", 96u32)
        // Parameters are repeated in the stream: they change with the camera's picture size.
        .property("config-interval", -1i32);
    let mut chain = vec![crate::view::pictures().upcast()];
    chain.extend(encode::chain(settings)?);
    chain.push(pay.build()?);
    let bin = gst::Bin::new();
    bin.add_many(&chain)?;
    gst::Element::link_many(&chain)?;
    Ok(bin)
}
