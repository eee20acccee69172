//! Units as the receiving elements see them: decoded, dequantised and placed, with every failure sorted by what to do.

use std::sync::Arc;

use cis_codec::frame::{ENHANCEMENT, Header};
use cis_codec::motion::Canvas;
use cis_codec::{Decoder, Limits, decode, quant};
use cis_inference::geometry::Geometry;

use crate::model::Model;

/// Units without a key frame after which a key frame is asked for once more.
const ASK_AGAIN: u32 = 50;

/// What became of a unit.
#[derive(Debug)]
pub enum Outcome<'a> {
    /// A frame.
    Frame(Frame<'a>),
    /// Not for this element; nothing is wrong.
    OtherLayer,
    /// Cannot be decoded before the next key frame; `ask` says that it is time to request one.
    Waiting {
        /// Whether a key frame should be asked for now.
        ask: bool,
    },
    /// Damaged; from here on the reader waits for a key frame.
    Damaged(String),
    /// Made with another bundle: it will not get better.
    Mismatch(String),
}

/// One frame, ready for the networks.
#[derive(Debug)]
pub struct Frame<'a> {
    /// What the unit says.
    pub header: Header,
    /// Sizes.
    pub geometry: &'a Geometry,
    /// Dequantised latents.
    pub latents: &'a [f32],
}

/// Decoder of one stream.
#[derive(Debug)]
pub struct UnitReader {
    model: Arc<Model>,
    decoder: Decoder,
    geometry: Option<Geometry>,
    latents: Vec<f32>,
    waiting: u32,
}

impl UnitReader {
    /// Waits for the first key frame.
    pub fn new(model: Arc<Model>) -> Self {
        let decoder = Decoder::new(model.id.clone(), model.prior.clone(), Limits::default())
            .accepting(model.decodes.clone());
        Self {
            model,
            decoder,
            geometry: None,
            latents: Vec::new(),
            waiting: 0,
        }
    }

    /// Forgets the stream: the next unit has to be a key frame.
    pub fn reset(&mut self) {
        self.decoder.reset();
        self.geometry = None;
        self.waiting = 0;
    }

    /// Geometry and latents of the last frame.
    pub fn current(&self) -> Option<(&Geometry, &[f32])> {
        Some((self.geometry.as_ref()?, &self.latents))
    }

    /// Reads one unit.
    pub fn read(&mut self, unit: &[u8]) -> Outcome<'_> {
        let in_sync = self.geometry.is_some();
        let decoded = self.decoder.decode(unit);
        let placed = match decoded {
            Ok(frame) => place(&frame, &self.model, self.geometry).map(|geometry| {
                if !frame.header.repeat {
                    self.latents.resize(frame.latents.q.len(), 0.0);
                    quant::dequantize(&frame.latents.q, frame.header.qindex, &mut self.latents);
                }
                (frame.header, geometry)
            }),
            Err(error) if error.is_skippable() => return Outcome::OtherLayer,
            Err(error @ decode::Error::BundleMismatch { .. }) => return Outcome::Mismatch(error.to_string()),
            Err(error) if error.needs_key() && !in_sync => {
                let ask = self.waiting.is_multiple_of(ASK_AGAIN);
                self.waiting = self.waiting.wrapping_add(1);
                return Outcome::Waiting { ask };
            }
            Err(error) => Err(error.to_string()),
        };
        match placed {
            Ok((header, geometry)) => {
                self.waiting = 0;
                let geometry = self.geometry.insert(geometry);
                Outcome::Frame(Frame {
                    header,
                    geometry,
                    latents: &self.latents,
                })
            }
            Err(reason) => {
                self.reset();
                // The caller asks for a key frame now; the next reminder is due later.
                self.waiting = 1;
                Outcome::Damaged(reason)
            }
        }
    }
}

/// Decoder of the enhancement layer of one stream.
#[derive(Debug)]
pub struct EnhancementReader {
    decoder: Decoder,
    /// Channels and stride of the layer; `None` when the bundle has none.
    grid: Option<(u16, u32)>,
    latents: Vec<f32>,
}

impl EnhancementReader {
    /// Waits for the first key frame of the layer.
    pub fn new(model: &Model) -> Self {
        let enhance = model.bundle.manifest().enhance.as_ref();
        let decoder = Decoder::of_layer(
            ENHANCEMENT,
            model.id.clone(),
            model.enhance_prior.clone(),
            Limits::default(),
        )
        .accepting(model.enhances.clone());
        Self {
            decoder: match &model.transform {
                Some(transform) => decoder.drawing(transform.clone()),
                None => decoder,
            },
            grid: enhance.map(|layer| (layer.channels, layer.stride)),
            latents: Vec::new(),
        }
    }

    /// Forgets the layer: its next unit has to be a key frame.
    pub fn reset(&mut self) {
        self.decoder.reset();
    }

    /// Reads one unit, for a frame of this geometry. After an error the layer waits for a key frame of its own; detection never notices.
    pub fn read(&mut self, unit: &[u8], geometry: &Geometry) -> Result<Header, String> {
        let result = self.decode(unit, geometry);
        if result.is_err() {
            self.reset();
        }
        result
    }

    /// Dequantised latents after the last unit.
    pub fn latents(&self) -> &[f32] {
        &self.latents
    }

    /// What they draw, where motion is predicted.
    pub fn canvas(&self) -> Option<&Canvas> {
        self.decoder.canvas()
    }

    fn decode(&mut self, unit: &[u8], geometry: &Geometry) -> Result<Header, String> {
        let (channels, stride) = self.grid.ok_or("the bundle has no enhancement layer")?;
        let frame = self.decoder.decode(unit).map_err(|error| error.to_string())?;
        let shape = frame.latents.shape;
        let found = (usize::from(shape.width), usize::from(shape.height));
        let expected = geometry.grid(stride);
        if shape.channels != channels || found != expected {
            return Err(format!(
                "the enhancement layer is of {shape}, legal is {channels}x{}x{} for this frame",
                expected.1, expected.0
            ));
        }
        let header = frame.header;
        self.decoder.dequantize(&mut self.latents);
        Ok(header)
    }
}

/// Sizes of a decoded frame; a key frame may bring new ones.
fn place(frame: &decode::Frame<'_>, model: &Model, known: Option<Geometry>) -> Result<Geometry, String> {
    if let (Some(geometry), false) = (known, frame.header.key) {
        return Ok(geometry);
    }
    let manifest = model.bundle.manifest();
    let shape = frame.latents.shape;
    if shape.channels != manifest.latents.channels {
        let legal = manifest.latents.channels;
        return Err(format!(
            "latents have {} channels, those of bundle {} have {legal}",
            shape.channels, model.id
        ));
    }
    let source = (frame.header.source.width, frame.header.source.height);
    Geometry::from_latents(source, (shape.width, shape.height), manifest).map_err(|error| error.to_string())
}

/// What is wrong with caps of a stream that was made with another bundle, if its front is another one, too.
pub fn check_bundle(caps: &gst::CapsRef, model: &Model) -> Result<(), String> {
    let stream = caps.structure(0).and_then(|s| s.get::<String>("bundle").ok());
    match stream {
        Some(stream)
            if stream != model.id.as_str() && model.decodes.iter().all(|id| stream != id.as_str()) =>
        {
            Err(format!(
                "the stream was made with bundle {stream}, this receiver has {}",
                model.id
            ))
        }
        _ => Ok(()),
    }
}
