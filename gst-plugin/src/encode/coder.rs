//! From a frame to a unit: scaling, the skip decision, the network, the codec. No GStreamer.

use cis_codec::encode::{self, Config, Encoder, Input, Packet};
use cis_codec::steady::Received;
use cis_codec::{Shape, Size};
use cis_inference::front::Front;
use cis_inference::geometry::Geometry;
use cis_inference::picture::{Preparer, View};
use cis_inference::restore::Picture;

use super::difference::{Difference, Rows};
use super::enhance::{self, Layer};
use super::stats::Timings;
use super::stopwatch::Stopwatch;
use crate::model::Opened;

/// Why a frame was not coded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Inference(#[from] cis_inference::Error),
    #[error(transparent)]
    Encode(#[from] encode::Error),
}

/// What goes with one frame.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub pts_ns: u64,
    pub capture_utc_ns: u64,
    pub force_key: bool,
    /// See the property `skip-threshold`; 0: never.
    pub skip_threshold: f64,
    /// Whether the squeezed image is wanted too.
    pub squeezed: bool,
    /// Whether the enhancement layer is wanted too.
    pub enhanced: bool,
}

/// One coded frame.
pub struct Coded {
    pub packet: Packet,
    /// The enhancement layer, or why this frame has to do without.
    pub enhancement: Option<Result<Packet, Error>>,
    pub squeezed: Option<Picture>,
    pub timings: Timings,
}

/// Everything that a running encoder holds.
pub struct Coder {
    opened: Opened,
    preparer: Preparer,
    front: Front,
    encoder: Encoder,
    layer: Option<Layer>,
    /// Kept whether anybody looks or not: whoever does later has followed it from the key frame on.
    received: Received,
    geometry: Geometry,
    difference: Difference,
    key_interval: u32,
    since_key: u32,
}

impl Coder {
    /// Opens the network for frames of `source` pixels.
    pub fn new(opened: Opened, config: Config, source: (u32, u32), input_size: u32) -> Result<Self, Error> {
        let manifest = opened.model.bundle.manifest();
        Ok(Self {
            preparer: Preparer::new(manifest),
            front: Front::new(&opened.runtime, &opened.model.bundle, &opened.options)?,
            geometry: Geometry::new(source, input_size, manifest)?,
            difference: Difference::default(),
            key_interval: config.key_interval,
            since_key: 0,
            layer: None,
            received: Received::default(),
            encoder: Encoder::new(config, opened.model.prior.clone())?,
            opened,
        })
    }

    /// Goes on with frames of another size; the next one becomes a key frame by itself.
    pub fn resize(&mut self, source: (u32, u32), input_size: u32) -> Result<(), Error> {
        self.geometry = Geometry::new(source, input_size, self.opened.model.bundle.manifest())?;
        self.difference.clear();
        Ok(())
    }

    /// What is coded with.
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// Changes the codec's settings from the next frame on.
    pub fn set_config(&mut self, config: Config) -> Result<(), Error> {
        self.key_interval = config.key_interval;
        Ok(self.encoder.set_config(config)?)
    }

    /// Opens the enhancement layer when it is first wanted, ends it with `None`, and changes the settings of one that is open. `restart`: a unit of it was lost.
    ///
    /// A bundle without one is no error: then there is none.
    pub fn set_layer(&mut self, config: Option<Config>, restart: bool) -> Result<(), Error> {
        let Some(config) = config else {
            self.layer = None;
            return Ok(());
        };
        match &mut self.layer {
            Some(layer) => {
                layer.set_config(config)?;
                if restart {
                    layer.restart();
                }
            }
            None => self.layer = Layer::open(&self.opened, config)?,
        }
        Ok(())
    }

    /// Codes one frame.
    pub fn code(&mut self, view: &View<'_>, request: &Request) -> Result<Coded, Error> {
        let mut timings = Timings::default();
        let rows = Rows::new(&self.geometry, self.opened.model.bundle.manifest().input.layout);
        let mut watch = Stopwatch::start();
        let x = self.preparer.prepare(view, &self.geometry)?;
        let key_due = self.key_interval != 0 && self.since_key >= self.key_interval;
        let may_skip = request.skip_threshold > 0.0 && !request.force_key && !request.squeezed && !key_due;
        let skip = may_skip && self.difference.since_reference(x, rows) <= request.skip_threshold;
        timings.prepare = watch.lap();
        let mut squeezed = None;
        let packet = if skip {
            let packet = self
                .encoder
                .encode_repeat(request.pts_ns, request.capture_utc_ns)?;
            timings.code = watch.lap();
            packet
        } else {
            let latents = if request.squeezed {
                let (latents, picture) = self.front.run_with_squeezed(x, &self.geometry)?;
                squeezed = Some(picture);
                latents
            } else {
                self.front.run(x, &self.geometry)?
            };
            timings.front = watch.lap();
            let packet = self.encoder.encode(&Input {
                latents,
                shape: Shape {
                    channels: self.opened.model.bundle.manifest().latents.channels,
                    width: self.geometry.latents.0,
                    height: self.geometry.latents.1,
                },
                source: Size {
                    width: self.geometry.source.0,
                    height: self.geometry.source.1,
                },
                pts_ns: request.pts_ns,
                capture_utc_ns: request.capture_utc_ns,
                force_key: request.force_key,
                vectors: &[],
            })?;
            timings.code = watch.lap();
            if request.skip_threshold > 0.0 {
                self.difference.remember(x, rows);
            } else {
                self.difference.clear();
            }
            timings.prepare = timings.prepare + watch.lap();
            packet
        };
        if self.opened.model.bundle.manifest().enhance.is_some() {
            self.received
                .follow(self.encoder.reconstruction(), &packet.header);
        }
        let enhancement = match &mut self.layer {
            Some(layer) if request.enhanced => {
                let coded = layer.code(&enhance::Frame {
                    x: (!skip || !layer.knows_latents()).then_some(x),
                    geometry: &self.geometry,
                    received: self.received.latents(),
                    packet: &packet,
                });
                timings.enhance = watch.lap();
                Some(coded)
            }
            Some(layer) => {
                if packet.header.key {
                    layer.restart();
                }
                None
            }
            None => None,
        };
        self.since_key = if packet.header.key {
            1
        } else {
            self.since_key.saturating_add(1)
        };
        Ok(Coded {
            packet,
            enhancement,
            squeezed,
            timings,
        })
    }
}
