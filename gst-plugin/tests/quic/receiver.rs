//! The receiving side of a test: `cisquicsrc` before an `appsink`.

use crate::{Keys, init, wait};
use gst::prelude::*;

pub struct Receiver {
    pub pipeline: gst::Pipeline,
    pub src: gst::Element,
    pub bus: gst::Bus,
    pub out: gst_app::AppSink,
}

/// One unit as it came.
pub struct Received {
    pub bytes: Vec<u8>,
    pub pts: gst::ClockTime,
    pub key: bool,
    pub discont: bool,
    pub caps: gst::Caps,
}

impl Receiver {
    /// A receiver on `port`, 0 for a free one; `extra` properties come last.
    pub fn new(keys: &Keys, port: u16, extra: &str) -> Self {
        let [certificate, key, tokens] =
            ["server.pem", "server.key", "tokens.toml"].map(|name| keys.path(name));
        Self::with(&format!(
            "address=127.0.0.1 port={port} cert-file={certificate} key-file={key} tokens-file={tokens} {extra}"
        ))
    }

    /// A receiver with these properties and no others.
    pub fn with(properties: &str) -> Self {
        init();
        let launch =
            format!("cisquicsrc name=src {properties} ! appsink name=out sync=false max-buffers=1000");
        let pipeline = gst::parse::launch(&launch)
            .unwrap()
            .downcast::<gst::Pipeline>()
            .unwrap();
        Self {
            src: pipeline.by_name("src").unwrap(),
            out: pipeline.by_name("out").unwrap().downcast().unwrap(),
            bus: pipeline.bus().unwrap(),
            pipeline,
        }
    }

    pub fn play(self) -> Self {
        self.pipeline.set_state(gst::State::Playing).unwrap();
        self
    }

    /// The port taken.
    pub fn port(&self) -> u16 {
        let address = self
            .src
            .property::<gst::Structure>("stats")
            .get::<String>("local-address")
            .unwrap();
        address.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// What waits already.
    pub fn try_next(&self) -> Option<Received> {
        let sample = self.out.try_pull_sample(gst::ClockTime::ZERO)?;
        let buffer = sample.buffer().unwrap();
        Some(Received {
            bytes: buffer.map_readable().unwrap().to_vec(),
            pts: buffer.pts().unwrap(),
            key: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
            discont: buffer.flags().contains(gst::BufferFlags::DISCONT),
            caps: sample.caps_owned().unwrap(),
        })
    }

    /// The next unit, as soon as it comes.
    pub fn next(&self) -> Received {
        wait("a unit", || self.try_next())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}
