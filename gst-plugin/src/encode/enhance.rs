//! The enhancement layer of one stream: a network and an encoder beside those for detection, which never notice. No GStreamer.

use cis_codec::encode::{Config, Encoder, Input, Packet};
use cis_codec::{Latents, Shape, quant};
use cis_inference::enhance::Enhancer;
use cis_inference::geometry::Geometry;

use super::coder::Error;
use crate::model::Opened;

/// The frame that is enhanced.
pub struct Frame<'a> {
    /// What the network sees, unless the frame repeats the one before.
    pub x: Option<&'a [u8]>,
    pub geometry: &'a Geometry,
    /// What the receiver has of the frame.
    pub base: &'a Latents,
    pub packet: &'a Packet,
}

/// Network and encoder of the layer.
pub struct Layer {
    enhancer: Enhancer,
    encoder: Encoder,
    channels: u16,
    stride: u32,
    received: Vec<f32>,
    /// Latents of the last frame that was not a repeat; empty before the first.
    latents: Vec<f32>,
    broken: bool,
}

impl Layer {
    /// Opens the bundle's layer; `None` when it has none.
    pub fn open(opened: &Opened, config: Config) -> Result<Option<Self>, Error> {
        let bundle = &opened.model.bundle;
        let Some(enhancer) = Enhancer::new(&opened.runtime, bundle, &opened.options)? else {
            return Ok(None);
        };
        let Some(graph) = &bundle.manifest().enhance else {
            return Ok(None);
        };
        Ok(Some(Self {
            enhancer,
            encoder: Encoder::new(config, opened.model.enhance_prior.clone())?,
            channels: graph.channels,
            stride: graph.stride,
            received: Vec::new(),
            latents: Vec::new(),
            broken: true,
        }))
    }

    /// Changes the codec's settings from the next frame on.
    pub fn set_config(&mut self, config: Config) -> Result<(), Error> {
        Ok(self.encoder.set_config(config)?)
    }

    /// A unit was lost: the next one has to be a key frame.
    pub fn restart(&mut self) {
        self.broken = true;
    }

    /// Whether it can do without x, because the frame repeats the one before.
    pub fn knows_latents(&self) -> bool {
        !self.latents.is_empty()
    }

    /// Codes the layer of a frame. What does not change gets finer from frame to frame, as far as the rate allows.
    pub fn code(&mut self, frame: &Frame<'_>) -> Result<Packet, Error> {
        let Frame {
            x,
            geometry,
            base,
            packet,
        } = *frame;
        if let Some(x) = x {
            self.received.resize(base.q.len(), 0.0);
            quant::dequantize(&base.q, packet.header.qindex, &mut self.received);
            let latents = self.enhancer.run(x, &self.received, geometry)?;
            self.latents.clear();
            self.latents.extend_from_slice(latents);
        }
        let (width, height) = geometry.grid(self.stride);
        // At most 2 * 2048 / 1 places on each axis.
        let (width, height) = (width as u16, height as u16);
        let coded = self.encoder.encode(&Input {
            latents: &self.latents,
            shape: Shape {
                channels: self.channels,
                width,
                height,
            },
            source: packet.header.source,
            pts_ns: packet.header.pts_ns,
            capture_utc_ns: packet.header.capture_utc_ns,
            force_key: self.broken || packet.header.key,
        });
        // A key of the base that could not be followed ends the layer, too.
        self.broken = coded.is_err() && (self.broken || packet.header.key);
        Ok(coded?)
    }
}
