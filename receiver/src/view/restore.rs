//! The pipeline that restores one stream's pictures, `appsrc ! cisdecode ! appsink`, and hands each of them to everybody who watches: the network runs once,
//! however many transports there are.

use crate::stats::Counter;
use gst::glib;
use gst::prelude::*;
use gst_app::{AppSink, AppSinkCallbacks, AppSrc};
use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::Arc;

/// Pictures that wait for a viewer's encoder beyond which it misses some.
const BACKLOG: u64 = 2;

/// With which network pictures are restored.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The bundle's folder; `None`: the built-in one.
    pub model: Option<PathBuf>,
    /// Where the network runs.
    pub device: String,
    /// Its threads.
    pub threads: u32,
}

/// The entrances of the viewers' pipelines.
#[derive(Clone, Default)]
pub struct Viewers(Arc<Mutex<Vec<AppSrc>>>);

impl Viewers {
    /// One more.
    pub fn add(&self, viewer: AppSrc) {
        self.0.lock().push(viewer);
    }

    /// One less; whether none is left.
    pub fn remove(&self, viewer: &AppSrc) -> bool {
        let mut viewers = self.0.lock();
        viewers.retain(|other| other != viewer);
        viewers.is_empty()
    }

    /// No more pictures come.
    pub fn end(&self) {
        for viewer in &*self.0.lock() {
            // An error says that the pipeline is going down already.
            let _ = viewer.end_of_stream();
        }
    }

    /// Hands a picture to all of them, by reference; `missed` counts those who were too slow for it.
    fn show(&self, sample: &gst::Sample, missed: &Counter) {
        let Some(mut picture) = sample.buffer_owned() else {
            return;
        };
        let untimed = picture.make_mut();
        untimed.set_dts(None);
        untimed.set_duration(None);
        let caps = sample.caps_owned();
        for viewer in &*self.0.lock() {
            let playing = viewer.current_state() == gst::State::Playing;
            if viewer.current_level_buffers() >= if playing { BACKLOG } else { 1 } {
                missed.add(1);
                continue;
            }
            // Each pipeline has a clock of its own, and the picture is shown when it is there. A pipeline that is about to play has its clock before
            // it has its base time: a running time read then is hours ahead, and the sink would wait for it.
            let at = if playing {
                viewer.current_running_time()
            } else {
                Some(gst::ClockTime::ZERO)
            };
            picture.make_mut().set_pts(at);
            if viewer.caps() != caps {
                viewer.set_caps(caps.as_ref());
            }
            // An error says that the pipeline is going down.
            let _ = viewer.push_buffer(picture.clone());
        }
    }
}

/// A running pipeline. It ends when dropped, which waits for its threads.
pub struct Restoration {
    pipeline: gst::Pipeline,
    units: AppSrc,
}

impl Restoration {
    /// Starts it. Its pictures go to `viewers`; `missed` counts those that found a viewer busy.
    pub fn start(
        settings: &Settings,
        viewers: Viewers,
        missed: Arc<Counter>,
    ) -> Result<Self, glib::BoolError> {
        let units = AppSrc::builder()
            .name("units")
            .is_live(true)
            .format(gst::Format::Time)
            // The view is live: a frame is shown when it is there, whatever the camera's clock says.
            .do_timestamp(true)
            .max_bytes(0)
            .build();
        let pictures = AppSink::builder().sync(false).max_buffers(1).build();
        let (shown, over) = (viewers.clone(), viewers.clone());
        pictures.set_callbacks(
            AppSinkCallbacks::builder()
                .new_sample(move |sink| {
                    let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                    shown.show(&sample, &missed);
                    Ok(gst::FlowSuccess::Ok)
                })
                .eos(move |_| over.end())
                .build(),
        );
        let chain = [units.clone().upcast(), decoder(settings)?, pictures.upcast()];
        let pipeline = gst::Pipeline::new();
        pipeline.add_many(&chain)?;
        gst::Element::link_many(&chain)?;
        if let Some(bus) = pipeline.bus() {
            bus.set_sync_handler(move |_, message| {
                if let gst::MessageView::Error(error) = message.view() {
                    tracing::error!("view: {}", error.error());
                    viewers.end();
                }
                gst::BusSyncReply::Drop
            });
        }
        let running = Self { pipeline, units };
        match running.pipeline.set_state(gst::State::Playing) {
            Ok(_) => Ok(running),
            Err(_) => Err(glib::bool_error!("the restoring pipeline does not start")),
        }
    }

    /// Where units go in.
    pub fn entrance(&self) -> &AppSrc {
        &self.units
    }
}

impl Drop for Restoration {
    fn drop(&mut self) {
        // Going to NULL cannot fail.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// `cisdecode` with these settings.
pub fn decoder(settings: &Settings) -> Result<gst::Element, glib::BoolError> {
    let mut decode = gst::ElementFactory::make("cisdecode")
        .property("device", &settings.device)
        .property("threads", settings.threads);
    if let Some(model) = &settings.model {
        decode = decode.property("model", model.to_string_lossy().into_owned());
    }
    decode.build()
}
