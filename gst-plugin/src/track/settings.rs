//! The properties of `cistrack`.

use cis_analytics::Settings;
use gst::glib;
use gst::prelude::*;

/// Longest memory, in seconds.
const MAX_LOST: f64 = 600.0;

/// All properties but `stats`.
pub fn properties() -> Vec<glib::ParamSpec> {
    let default = Settings::default();
    let share = |name, nick, blurb, default| {
        glib::ParamSpecFloat::builder(name)
            .nick(nick)
            .blurb(blurb)
            .minimum(0.0)
            .maximum(1.0)
            .default_value(default)
            .mutable_ready()
            .build()
    };
    vec![
        share(
            "low-threshold",
            "Low threshold",
            "Boxes from this confidence on may go on a track that was seen a frame ago; cisdetect is asked for them",
            default.low,
        ),
        share(
            "high-threshold",
            "High threshold",
            "Boxes from this confidence on are given to tracks first, and to lost ones too",
            default.high,
        ),
        share(
            "new-threshold",
            "New threshold",
            "Boxes from this confidence on begin a track",
            default.begin,
        ),
        glib::ParamSpecUInt::builder("confirm-frames")
            .nick("Frames to confirm")
            .blurb("Frames in which an object is seen before it has a track number")
            .minimum(1)
            .maximum(100)
            .default_value(default.confirm)
            .mutable_ready()
            .build(),
        glib::ParamSpecDouble::builder("lost-seconds")
            .nick("Memory")
            .blurb("How long an object that is not seen is remembered")
            .minimum(0.1)
            .maximum(MAX_LOST)
            .default_value(default.lost_ns as f64 * 1e-9)
            .mutable_ready()
            .build(),
    ]
}

/// Sets a property.
pub fn set(settings: &mut Settings, name: &str, value: &glib::Value) {
    let share = |default: f32| value.get().unwrap_or(default);
    match name {
        "low-threshold" => settings.low = share(settings.low),
        "high-threshold" => settings.high = share(settings.high),
        "new-threshold" => settings.begin = share(settings.begin),
        "confirm-frames" => settings.confirm = value.get().unwrap_or(settings.confirm),
        "lost-seconds" => {
            settings.lost_ns = value.get::<f64>().map_or(settings.lost_ns, |s| (s * 1e9) as u64)
        }
        _ => {}
    }
}

/// The value of a property; `None` when it is not one of these.
pub fn get(settings: &Settings, name: &str) -> Option<glib::Value> {
    Some(match name {
        "low-threshold" => settings.low.to_value(),
        "high-threshold" => settings.high.to_value(),
        "new-threshold" => settings.begin.to_value(),
        "confirm-frames" => settings.confirm.to_value(),
        "lost-seconds" => (settings.lost_ns as f64 * 1e-9).to_value(),
        _ => return None,
    })
}

/// What is wrong with them together.
pub fn check(settings: &Settings) -> Result<(), String> {
    let Settings { low, high, begin, .. } = *settings;
    match low <= high && high <= begin {
        true => Ok(()),
        false => Err(format!(
            "low-threshold is {low}, high-threshold {high}, new-threshold {begin}; legal: none less than the one before"
        )),
    }
}
