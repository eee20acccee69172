//! `cisquicsink` and `cisquicsrc` in real pipelines over loopback: TLS, tokens, breaks, key requests, the end.
#![allow(clippy::unwrap_used, reason = "a helper of tests fails as a test does")]

mod camera;
mod enhancement;
mod flow;
mod receiver;
mod refusals;
mod spool;
mod states;

use cis_link::StreamName;
use gst::prelude::*;
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Far beyond anything that a loaded machine needs; what takes longer hangs.
const DEADLINE: Duration = Duration::from_secs(120);
const STREAM: &str = "gate-1";

fn init() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        gst::init().unwrap();
        gstcis::plugin_register_static().unwrap();
    });
}

/// A CA, the receiver's certificate and the camera's token.
struct Keys(tempfile::TempDir);

impl Keys {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        cis_link::keys::init(dir.path(), &["localhost".into(), "127.0.0.1".into()]).unwrap();
        cis_link::keys::add_camera(dir.path(), &STREAM.parse::<StreamName>().unwrap()).unwrap();
        Self(dir)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn dir(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

/// Waits for a condition; what it found.
fn wait<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "waited in vain: {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// Takes messages off a bus until one is the wanted one.
fn message<T>(bus: &gst::Bus, what: &str, mut wanted: impl FnMut(&gst::Message) -> Option<T>) -> T {
    let start = Instant::now();
    while start.elapsed() < DEADLINE {
        let message = bus.timed_pop(gst::ClockTime::from_mseconds(100));
        if let Some(found) = message.as_ref().and_then(&mut wanted) {
            return found;
        }
    }
    panic!("no message came: {what}");
}

/// The structure of an element message.
fn element_message(bus: &gst::Bus, name: &str) -> gst::Structure {
    message(bus, name, |message| {
        message
            .structure()
            .filter(|s| s.name() == name)
            .map(|s| s.to_owned())
    })
}

/// Code and text of an error: what a player shows, not the details for developers.
fn error(bus: &gst::Bus) -> (gst::glib::Error, String) {
    message(bus, "error", |message| match message.view() {
        gst::MessageView::Error(error) => Some((error.error(), error.error().message().to_owned())),
        _ => None,
    })
}

fn eos(bus: &gst::Bus) {
    message(bus, "EOS", |message| {
        matches!(message.view(), gst::MessageView::Eos(_)).then_some(())
    })
}

fn status(element: &gst::Element) -> String {
    let value = element.property_value("status");
    let (_, value) = gst::glib::EnumValue::from_value(&value).unwrap();
    value.nick().to_owned()
}

/// A counter of `stats`; 0 when it is absent.
fn stat(element: &gst::Element, name: &str) -> u64 {
    element.property::<gst::Structure>("stats").get(name).unwrap_or(0)
}
