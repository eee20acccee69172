//! The enhancement layer of one stream: a network and an encoder beside those for detection, which never notice. No GStreamer.

use cis_codec::Shape;
use cis_codec::encode::progressive::{Known, Progressive, Seen};
use cis_codec::encode::{self, Config, Encoder, Input, Packet};
use cis_inference::enhance::Enhancer;
use cis_inference::geometry::Geometry;

use super::coder::Error;
use super::luma::Luma;
use crate::model::Opened;

/// The frame that is enhanced.
pub struct Frame<'a> {
    /// What the network sees, unless the frame repeats the one before.
    pub x: Option<&'a [u8]>,
    pub geometry: &'a Geometry,
    /// What the receiver has of the frame: latents of the view.
    pub received: &'a [f32],
    pub packet: &'a Packet,
}

/// Network and encoder of the layer.
pub struct Layer {
    enhancer: Enhancer,
    encoder: Encoder,
    /// Spends the rate of the layer; not asked with constant quality.
    progressive: Progressive,
    /// As it was asked for, with the bitrate of the layer.
    config: Config,
    channels: u16,
    stride: u32,
    /// Latents and luma of the last frame that was not a repeat; empty before the first.
    latents: Vec<f32>,
    luma: Luma,
    /// What the receiver has.
    known: Vec<f32>,
    changed: Vec<bool>,
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
        let encoder = Encoder::new(config.clone(), opened.model.enhance_prior.clone())?;
        Ok(Some(Self {
            enhancer,
            progressive: Progressive::default(),
            encoder: match &opened.model.transform {
                Some(transform) => encoder.predicting(transform.clone()),
                None => encoder,
            },
            config,
            channels: graph.channels,
            stride: graph.stride,
            latents: Vec::new(),
            luma: Luma::new(bundle.manifest().input.layout, graph.stride),
            known: Vec::new(),
            changed: Vec::new(),
            broken: true,
        }))
    }

    /// Changes the codec's settings from the next frame on.
    pub fn set_config(&mut self, config: Config) -> Result<(), Error> {
        self.config = config;
        Ok(())
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
            received,
            packet,
        } = *frame;
        if let Some(x) = x {
            let latents = self.enhancer.run(x, received, geometry)?;
            self.latents.clear();
            self.latents.extend_from_slice(latents);
            if self.encoder.canvas().is_some() {
                self.luma.look(x, geometry);
            }
        }
        let (width, height) = geometry.grid(self.stride);
        let shape = Shape {
            channels: self.channels,
            // Sides of x are 8192 at most.
            width: width as u16,
            height: height as u16,
        };
        let header = &packet.header;
        let key = self.broken || header.key;
        let mut config = self.config.clone();
        let (mut latents, mut vectors) = (&self.latents[..], &[][..]);
        if config.bitrate > 0 {
            let rate = f64::from(std::mem::take(&mut config.bitrate)) * 1000.0;
            self.encoder.dequantize(&mut self.known);
            self.encoder.write_changed(&mut self.changed);
            let known = (!key).then(|| Known {
                latents: &self.known,
                changed: &self.changed,
                seen: Seen::of(&self.encoder, self.luma.pixels()),
            });
            let range = (config.qindex, config.qindex_min);
            let plan = self
                .progressive
                .plan(&self.latents, shape, known, header.pts_ns, rate, range);
            (latents, vectors) = (plan.latents, plan.vectors);
            (config.qindex, config.qindex_max) = (plan.qindex, plan.coarsest);
            config.max_frame_bytes = match (config.max_frame_bytes, plan.most_bytes) {
                (0, most) => most.unwrap_or(0),
                (cap, most) => most.unwrap_or(cap).min(cap),
            };
        }
        self.encoder.set_config(config)?;
        let mut input = Input {
            latents,
            shape,
            source: header.source,
            pts_ns: header.pts_ns,
            capture_utc_ns: header.capture_utc_ns,
            force_key: key,
            vectors,
        };
        let mut coded = self.encoder.encode(&input);
        if key && matches!(coded, Err(encode::Error::TooLarge { .. })) {
            // Then the picture comes in parts.
            let config = Config {
                bitrate: 0,
                ..self.config.clone()
            };
            self.encoder.set_config(config)?;
            self.known.clear();
            self.known.resize(latents.len(), 0.0);
            input.latents = &self.known;
            coded = self.encoder.encode(&input);
        }
        if coded.as_ref().is_ok_and(|unit| unit.header.repeat) {
            self.progressive.refused();
        }
        self.progressive
            .sent(coded.as_ref().map_or(0, |unit| unit.header.unit_len));
        // A key of the base that could not be followed ends the layer, too.
        self.broken = coded.is_err() && key;
        Ok(coded?)
    }
}
