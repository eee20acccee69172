//! The GObject of `cisquicsink`: hands units to the link, and what happens to the link to the application.

use super::{settings, stats};
use crate::{
    caps, encoded,
    quic::{self, Interrupt, Status, milliseconds},
};
use bytes::Bytes;
use cis_codec::{Limits, frame};
use cis_link::{
    Sender, Unit,
    sender::{Event, Outcome, Stats},
};
use crossbeam_channel::Receiver;
use gst::{glib, prelude::*, subclass::prelude::*};
use gst_base::{prelude::*, subclass::prelude::*};
use parking_lot::Mutex;
use settings::Settings;
use std::sync::LazyLock;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "cisquicsink",
        gst::DebugColorFlags::empty(),
        Some("cis: sender over QUIC"),
    )
});

#[derive(Default)]
struct State {
    sender: Option<Sender>,
    bundle: String,
    status: Status,
    /// Counts senders: what an old one still has to say is of no interest.
    session: u64,
    /// A person was told about the trouble there is.
    told: bool,
    /// The sender was given a unit.
    begun: bool,
    /// A key frame was asked for before there was any unit: the first one may be it.
    key_wanted: bool,
    /// The receiver wants the enhancement layer, and the encoder was told.
    enhancing: bool,
    /// Buffers that were no units.
    foreign: u64,
    /// Of a sender that has ended.
    last_stats: Stats,
}

#[derive(Default)]
pub struct QuicSink {
    settings: Mutex<Settings>,
    state: Mutex<State>,
    interrupt: Interrupt,
}

#[glib::object_subclass]
impl ObjectSubclass for QuicSink {
    const NAME: &'static str = "CisQuicSink";
    type Type = super::QuicSink;
    type ParentType = gst_base::BaseSink;
}

impl ObjectImpl for QuicSink {
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
                    .blurb("Counters of the link since caps came")
                    .read_only()
                    .build(),
            );
            all
        });
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        self.settings.lock().set(pspec.name(), value);
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "status" => self.state.lock().status.to_value(),
            "stats" => {
                let state = self.state.lock();
                let link = state
                    .sender
                    .as_ref()
                    .map_or_else(|| state.last_stats.clone(), Sender::stats);
                let mut structure = stats::structure(&link);
                structure.set("foreign-buffers", state.foreign);
                structure.to_value()
            }
            name => self.settings.lock().get(name),
        }
    }

    fn constructed(&self) {
        self.parent_constructed();
        // Frames go out when they come; the receiver has the clock that matters.
        self.obj().set_sync(false);
    }
}

impl GstObjectImpl for QuicSink {}

impl ElementImpl for QuicSink {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "cis QUIC sink",
                "Sink/Network/Video",
                "Sends coded frames to a cis receiver over QUIC",
                "The cis authors",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let caps = caps::frame_template();
            gst::PadTemplate::new("sink", gst::PadDirection::Sink, gst::PadPresence::Always, &caps)
                .into_iter()
                .collect()
        });
        &TEMPLATES
    }
}

impl BaseSinkImpl for QuicSink {
    fn start(&self) -> Result<(), gst::ErrorMessage> {
        self.settings
            .lock()
            .check()
            .map_err(|error| quic::message(&error))
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        self.end();
        self.state.lock().bundle.clear();
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

    fn set_caps(&self, caps: &gst::Caps) -> Result<(), gst::LoggableError> {
        let bundle = caps.structure(0).and_then(|s| s.get::<String>("bundle").ok());
        let bundle = bundle.ok_or_else(|| gst::loggable_error!(CAT, "caps without bundle: {caps}"))?;
        if self.state.lock().bundle != bundle {
            self.end();
            self.state.lock().bundle = bundle;
        }
        match self.begin() {
            Ok(()) => Ok(()),
            Err(error) => {
                self.obj().post_error_message(error);
                Err(gst::loggable_error!(CAT, "the link cannot be started"))
            }
        }
    }

    fn event(&self, event: gst::Event) -> bool {
        if event.type_() == gst::EventType::Eos {
            self.drain();
        }
        self.parent_event(event)
    }

    fn render(&self, buffer: &gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let data = buffer
            .clone()
            .into_mapped_buffer_readable()
            .map_err(|_| gst::FlowError::Error)?;
        let unit = match frame::peek(&data, &Limits::default()) {
            Ok(unit) => unit,
            Err(error) => {
                self.state.lock().foreign += 1;
                gst::element_imp_warning!(self, gst::StreamError::Format, ("buffer not sent: {error}"));
                return Ok(gst::FlowSuccess::Ok);
            }
        };
        // After an end of stream more may follow, for another sender.
        self.begin().map_err(|error| {
            self.obj().post_error_message(error);
            gst::FlowError::Error
        })?;
        let enhancement = unit.layer != frame::DETECTION;
        let encoded = encoded::time_of(buffer);
        let unit = Unit {
            data: Bytes::from_owner(data),
            // Of its own layer: a key of the enhancement begins no group.
            key: unit.key,
        };
        let key_missing = {
            let mut state = self.state.lock();
            let key_missing = !enhancement && std::mem::take(&mut state.key_wanted) && !unit.key;
            state.begun |= !enhancement;
            if let (Some(sender), Some(time)) = (&state.sender, encoded) {
                sender.encoded(time);
            }
            if let Some(sender) = &state.sender
                && let Outcome::Dropped(reason) = match enhancement {
                    true => sender.send_enhancement(unit),
                    false => sender.send(unit),
                }
            {
                gst::debug!(CAT, imp = self, "unit dropped: {reason:?}");
            }
            key_missing
        };
        if key_missing {
            self.request_key();
        }
        Ok(gst::FlowSuccess::Ok)
    }
}

impl QuicSink {
    /// Starts a sender unless there is one.
    fn begin(&self) -> Result<(), gst::ErrorMessage> {
        let mut state = self.state.lock();
        if state.sender.is_some() {
            return Ok(());
        }
        let config = self
            .settings
            .lock()
            .resolve(&state.bundle)
            .map_err(|error| quic::message(&error))?;
        let sender = Sender::start(config).map_err(|error| quic::message(&error))?;
        state.session += 1;
        (state.told, state.begun, state.key_wanted, state.foreign) = (false, false, false, 0);
        let (events, session) = (sender.events(), state.session);
        let element = self.obj().downgrade();
        std::thread::Builder::new()
            .name("cisquicsink".into())
            .spawn(move || watch(&element, &events, session))
            .map_err(|error| gst::error_msg!(gst::ResourceError::Failed, ("no thread: {error}")))?;
        state.sender = Some(sender);
        drop(state);
        self.set_status(Status::Connecting);
        Ok(())
    }

    /// Ends the sender at once.
    fn end(&self) {
        let sender = {
            let mut state = self.state.lock();
            state.session += 1;
            if let Some(sender) = &state.sender {
                state.last_stats = sender.stats();
            }
            state.sender.take()
        };
        if sender.is_some() {
            drop(sender);
            self.wish(false, false);
            self.set_status(Status::Idle);
        }
    }

    /// Waits until the receiver has everything, the time is over, or the element shall stop.
    fn drain(&self) {
        let Some(delivered) = self.state.lock().sender.as_ref().map(Sender::drain) else {
            return;
        };
        let timeout = self.settings.lock().eos_timeout();
        let all = match self.interrupt.is_raised() {
            true => None,
            false => crossbeam_channel::select! {
                recv(delivered) -> all => Some(all.unwrap_or(false)),
                recv(self.interrupt.bell()) -> _ => None,
                default(timeout) => Some(false),
            },
        };
        self.end();
        let stats = self.state.lock().last_stats.clone();
        quic::post(&*self.obj(), super::stats::structure(&stats));
        if all == Some(false) {
            let missing =
                stats.units_sent + stats.queued as u64 - stats.units_confirmed.min(stats.units_sent);
            gst::element_imp_warning!(
                self,
                gst::ResourceError::Write,
                (
                    "the stream has ended and {missing} units are not confirmed by the receiver after {} ms",
                    milliseconds(timeout)
                )
            );
        }
    }

    fn set_status(&self, status: Status) {
        let before = std::mem::replace(&mut self.state.lock().status, status);
        if before != status {
            gst::info!(CAT, imp = self, "{before:?} -> {status:?}");
            self.obj().notify("status");
        }
    }

    /// Whether to tell a person about trouble: once for each outage, again when it changes from lost to refused.
    fn tell(&self, before: Status, after: Status) -> bool {
        let mut state = self.state.lock();
        !std::mem::replace(&mut state.told, true) || before != after
    }

    fn on_event(&self, event: Event) {
        let obj = self.obj();
        match event {
            Event::Connected { remote } => {
                self.state.lock().told = false;
                self.set_status(Status::Connected);
                let structure = gst::Structure::builder("cis-link-connected");
                quic::post(&*obj, structure.field("remote", remote.to_string()).build());
            }
            Event::Disconnected { reason, retry_in } => {
                // Nobody is there to look.
                self.wish(false, false);
                self.on_trouble(Status::Connecting, &reason, retry_in)
            }
            Event::Refused { reason, retry_in, .. } => {
                self.wish(false, false);
                self.on_trouble(Status::Refused, &reason, retry_in);
            }
            Event::Layer { layer, on } if layer == frame::ENHANCEMENT => {
                // Asked again for what it has: it cannot read what it got.
                let restart = on && self.state.lock().enhancing;
                self.wish(on, restart);
            }
            Event::EnhancementBroken if self.state.lock().enhancing => self.wish(true, true),
            Event::KeyRequested => {
                let begun = {
                    let mut state = self.state.lock();
                    state.key_wanted = !state.begun;
                    // The key may have come while this event waited.
                    state.begun && state.sender.as_ref().is_some_and(Sender::key_wanted)
                };
                if begun {
                    self.request_key();
                }
            }
            Event::Congestion(link) => {
                // Nobody need listen; an encoder that does follows.
                if let Some(pad) = obj.static_pad("sink") {
                    pad.push_event(quic::congestion_event(&link));
                }
            }
            Event::Spool {
                trouble: Some(reason),
            } => {
                gst::element_imp_warning!(self, gst::ResourceError::NoSpaceLeft, ["spool: {reason}"]);
            }
            other => gst::debug!(CAT, imp = self, "{other:?}"),
        }
    }

    /// Tells upstream whether the enhancement layer is wanted; nobody need listen.
    fn wish(&self, on: bool, restart: bool) {
        let before = std::mem::replace(&mut self.state.lock().enhancing, on);
        if before == on && !restart {
            return;
        }
        gst::info!(
            CAT,
            imp = self,
            "enhancement wanted: {on}, from a key on: {restart}"
        );
        let wish = quic::LayerWish {
            layer: frame::ENHANCEMENT,
            on,
            restart,
        };
        if let Some(pad) = self.obj().static_pad("sink") {
            pad.push_event(quic::layer_event(wish));
        }
    }

    fn request_key(&self) {
        gst::debug!(CAT, imp = self, "asking upstream for a key frame");
        let event = gst_video::UpstreamForceKeyUnitEvent::builder()
            .all_headers(true)
            .build();
        if !self
            .obj()
            .static_pad("sink")
            .is_some_and(|pad| pad.push_event(event))
        {
            gst::debug!(CAT, imp = self, "nobody upstream makes key frames on request");
        }
    }

    fn on_trouble(&self, status: Status, reason: &str, retry_in: std::time::Duration) {
        let reason = quic::text(reason);
        let retry = milliseconds(retry_in);
        let before = self.state.lock().status;
        let tell = self.tell(before, status);
        self.set_status(status);
        let (name, code) = match status {
            Status::Refused => ("cis-link-refused", gst::ResourceError::NotAuthorized),
            _ => ("cis-link-disconnected", gst::ResourceError::OpenWrite),
        };
        let structure = gst::Structure::builder(name)
            .field("reason", &reason)
            .field("retry-in-ms", retry);
        quic::post(&*self.obj(), structure.build());
        if tell {
            gst::element_imp_warning!(self, code, ("{reason}; trying again in {retry} ms"));
        }
    }
}

/// Hands on what happens to one sender, until that has ended.
fn watch(element: &glib::WeakRef<super::QuicSink>, events: &Receiver<Event>, session: u64) {
    for event in events {
        let Some(element) = element.upgrade() else { return };
        let sink = element.imp();
        if sink.state.lock().session != session {
            return;
        }
        sink.on_event(event);
    }
}
