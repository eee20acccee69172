//! The GObject of `cisquicsrc`: takes a camera's units from the link into the pipeline.

use super::{
    late::{Hold, Item},
    settings::{self, Settings},
    stats::{self, Counts},
    stream::Stream,
};
use crate::{
    caps,
    quic::{self, Interrupt, Status},
};
use cis_codec::frame;
use cis_link::{Listener, StreamName, listener::Stats};
use gst::{glib, prelude::*, subclass::prelude::*};
use gst_base::{
    prelude::*,
    subclass::{base_src::CreateSuccess, prelude::*},
};
use parking_lot::Mutex;
use std::sync::LazyLock;

pub(super) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "cisquicsrc",
        gst::DebugColorFlags::empty(),
        Some("cis: receiver over QUIC"),
    )
});

/// What changes while the element runs.
#[derive(Default)]
pub(super) struct State {
    pub(super) listener: Option<Listener>,
    pub(super) camera: Option<StreamName>,
    pub(super) status: Status,
    pub(super) counts: Counts,
    pub(super) stream: Stream,
    pub(super) hold: Hold,
    /// A live key frame that waits until the late groups before it are out.
    pub(super) next_key: Option<Item>,
    /// The enhancement is of no use until it begins anew, which was asked for.
    pub(super) enhancement_broken: bool,
    /// What was pushed last came late.
    pub(super) after_late: bool,
}

#[derive(Default)]
pub struct QuicSrc {
    pub(super) settings: Mutex<Settings>,
    pub(super) state: Mutex<State>,
    pub(super) interrupt: Interrupt,
}

#[glib::object_subclass]
impl ObjectSubclass for QuicSrc {
    const NAME: &'static str = "CisQuicSrc";
    type Type = super::QuicSrc;
    type ParentType = gst_base::PushSrc;
}

impl ObjectImpl for QuicSrc {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let mut all = settings::properties();
            all.push(
                glib::ParamSpecEnum::builder_with_default("status", Status::default())
                    .nick("Status")
                    .blurb("How the link is; changes are notified")
                    .read_only()
                    .build(),
            );
            all.push(
                glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
                    .nick("Statistics")
                    .blurb("Counters of the element and of the camera's connection")
                    .read_only()
                    .build(),
            );
            all
        });
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        let (before, after) = {
            let mut settings = self.settings.lock();
            let before = settings.enhancement;
            settings.set(pspec.name(), value);
            (before, settings.enhancement)
        };
        if before != after {
            self.wish(after);
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "status" => self.state.lock().status.to_value(),
            "stats" => {
                let state = self.state.lock();
                let listener = state.listener.as_ref();
                let link = listener.map_or_else(Stats::default, Listener::stats);
                stats::structure(state.counts, listener.map(Listener::local_addr), &link).to_value()
            }
            name => self.settings.lock().get(name),
        }
    }

    fn constructed(&self) {
        self.parent_constructed();
        self.obj().set_live(true);
        self.obj().set_format(gst::Format::Time);
    }
}

impl GstObjectImpl for QuicSrc {}

impl ElementImpl for QuicSrc {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "cis QUIC source",
                "Source/Network/Video",
                "Receives the coded frames of one cis camera over QUIC",
                "The cis authors",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let caps = caps::frame_template();
            gst::PadTemplate::new("src", gst::PadDirection::Src, gst::PadPresence::Always, &caps)
                .into_iter()
                .collect()
        });
        &TEMPLATES
    }
}

impl BaseSrcImpl for QuicSrc {
    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let config = self
            .settings
            .lock()
            .resolve()
            .map_err(|error| quic::message(&error))?;
        let listener = Listener::bind(config).map_err(|error| quic::message(&error))?;
        gst::info!(CAT, imp = self, "listens on {}", listener.local_addr());
        *self.state.lock() = State {
            listener: Some(listener),
            ..State::default()
        };
        self.set_status(Status::Listening);
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        let listener = self.state.lock().listener.take();
        // Says goodbye to the camera; the lock is not held meanwhile.
        drop(listener);
        self.set_status(Status::Idle);
        Ok(())
    }

    fn unlock(&self) -> Result<(), gst::ErrorMessage> {
        self.interrupt.raise();
        Ok(())
    }

    fn unlock_stop(&self) -> Result<(), gst::ErrorMessage> {
        self.interrupt.clear();
        Ok(())
    }

    /// Caps are known when the first key frame comes.
    fn negotiate(&self) -> Result<(), gst::LoggableError> {
        Ok(())
    }

    fn is_seekable(&self) -> bool {
        false
    }

    fn query(&self, query: &mut gst::QueryRef) -> bool {
        if let gst::QueryViewMut::Latency(query) = query.view_mut() {
            query.set(true, self.settings.lock().latency(), gst::ClockTime::NONE);
            return true;
        }
        BaseSrcImplExt::parent_query(self, query)
    }

    fn event(&self, event: &gst::Event) -> bool {
        if gst_video::UpstreamForceKeyUnitEvent::parse(event).is_ok() {
            return self.request_key();
        }
        if let Some(wish) = quic::layer_wish(event).filter(|wish| wish.layer == frame::ENHANCEMENT) {
            let before = std::mem::replace(&mut self.settings.lock().enhancement, wish.on);
            if before != wish.on {
                self.obj().notify("enhancement");
            }
            return (before == wish.on && !wish.restart) || self.wish(wish.on);
        }
        self.parent_event(event)
    }
}

impl PushSrcImpl for QuicSrc {
    fn create(&self, _buffer: Option<&mut gst::BufferRef>) -> Result<CreateSuccess, gst::FlowError> {
        self.next_buffer().map(CreateSuccess::NewBuffer)
    }
}
