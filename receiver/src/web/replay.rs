//! Replay of a recording in the page: the networks run once more, over what was stored.

use super::film::{Film, Pace};
use crate::config;
use crate::view::{encode, restore};
use crossbeam_channel::bounded;
use gst::glib;
use gst::prelude::*;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a recording may take to open, its networks loaded.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether it failed.
const LOOK: Duration = Duration::from_millis(50);
/// Where `cisparse` stands in the head of the pipeline.
const PARSER: usize = 1;

/// How recordings are detected and restored.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The network.
    pub restore: restore::Settings,
    /// What is detected.
    pub detect: config::Detect,
}

/// Opens a recording at a position; also how long it is, if that is known. Takes a while: not for a thread that serves others.
pub fn open(
    path: &Path,
    from: Duration,
    settings: &Settings,
    encode: encode::Settings,
) -> Result<(Film, Option<gst::ClockTime>), glib::BoolError> {
    let head = head(path, settings)?;
    let parsed = head[PARSER].static_pad("src");
    let parsed = parsed.ok_or_else(|| glib::bool_error!("cisparse has no pad"))?;
    let film = Film::new(head, encode, Pace::Clock)?;
    // Held at the first unit: a muxer does not seek, so nothing may have come to it before the position is right.
    let (first, there) = bounded(1);
    let hold = parsed.add_probe(
        gst::PadProbeType::BLOCK | gst::PadProbeType::BUFFER,
        move |_, _| {
            // Full: it is known already.
            let _ = first.try_send(());
            gst::PadProbeReturn::Ok
        },
    );
    film.play()?;
    let deadline = Instant::now() + PATIENCE;
    while there.recv_timeout(LOOK).is_err() {
        if film.ended() || Instant::now() > deadline {
            return Err(glib::bool_error!("it does not open"));
        }
    }
    let length = parsed.query_duration::<gst::ClockTime>();
    if !from.is_zero() {
        let from = gst::ClockTime::try_from(from).map_err(|e| glib::bool_error!("the position: {e}"))?;
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
        let (start, stop) = (gst::SeekType::Set, gst::SeekType::None);
        if !parsed.send_event(gst::event::Seek::new(
            1.0,
            flags,
            start,
            from,
            stop,
            gst::ClockTime::NONE,
        )) {
            return Err(glib::bool_error!("it has no position {from}"));
        }
    }
    if let Some(hold) = hold {
        parsed.remove_probe(hold);
    }
    Ok((film, length))
}

/// `filesrc ! cisparse ! cisdetect ! cisdecode`
fn head(path: &Path, settings: &Settings) -> Result<Vec<gst::Element>, glib::BoolError> {
    let detect = &settings.detect;
    let classes = detect.classes.as_deref().unwrap_or_default().join(",");
    let mut detector = gst::ElementFactory::make("cisdetect")
        .property("threshold", detect.threshold)
        .property("nms-iou", detect.nms_iou)
        .property("classes", classes)
        .property(
            "max-objects",
            u32::try_from(detect.max_objects).unwrap_or(u32::MAX),
        )
        .property("device", &settings.restore.device)
        .property("threads", settings.restore.threads);
    if let Some(model) = &settings.restore.model {
        detector = detector.property("model", model.to_string_lossy().into_owned());
    }
    Ok(vec![
        gst::ElementFactory::make("filesrc")
            .property("location", path)
            .build()?,
        gst::ElementFactory::make("cisparse").build()?,
        detector.build()?,
        restore::decoder(&settings.restore)?,
    ])
}
