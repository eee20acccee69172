//! Decoding: units in, exactly the encoder's integers out.

use std::sync::Arc;

use crate::{
    BundleId, Latents, Limits, Prior,
    entropy::{FrameCoder, Wish, range::Reader},
    frame::{self, DETECTION, Header, HeaderReader, is_moving},
    motion::{Canvas, Motion, Transform, Vectors},
    quant,
};

/// Why a unit could not be decoded. After any of them but `OtherLayer` the decoder waits for a key frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The unit or its header cannot be used.
    #[error(transparent)]
    Frame(#[from] frame::Error),
    /// The stream was made with another bundle than the one this decoder has.
    #[error("the stream was made with bundle {stream}, this receiver has {receiver}")]
    BundleMismatch {
        /// Bundle of the stream.
        stream: BundleId,
        /// Bundle of the decoder.
        receiver: BundleId,
    },
    /// The frame builds on one that could not be decoded.
    #[error("frame {number} needs the frame before it, which was not decoded")]
    MissingReference {
        /// Number of the frame.
        number: u64,
    },
    /// The layer is predicted along the motion, and the bundle has no transform for that, or one of another size.
    #[error(
        "frame {number} has {found} latents a position that are predicted along the motion, the transform of the bundle has {transform}"
    )]
    Transform {
        /// Number of the frame.
        number: u64,
        /// Channels of the frame.
        found: u16,
        /// Coefficients of the bundle's transform; 0: there is none.
        transform: usize,
    },
    /// The payload is not what an encoder with this bundle makes, although its checksum is right.
    #[error("payload of frame {number} is corrupt")]
    Corrupt {
        /// Number of the frame.
        number: u64,
    },
}

impl Error {
    /// Whether the unit was only not for this decoder: it can be passed over, and decoding goes on.
    pub fn is_skippable(&self) -> bool {
        matches!(self, Self::Frame(frame::Error::OtherLayer { .. }))
    }

    /// Whether the frame is missing what came before it: the stream is fine from its next key frame on.
    pub fn needs_key(&self) -> bool {
        matches!(
            self,
            Self::MissingReference { .. }
                | Self::Frame(frame::Error::NoKeyFrame | frame::Error::Broken { .. })
        )
    }
}

/// One decoded frame.
#[derive(Debug)]
pub struct Frame<'a> {
    /// What its unit says.
    pub header: Header,
    /// Its latents; they belong to the decoder.
    pub latents: &'a Latents,
}

/// Decoder of one layer of a stream.
#[derive(Debug)]
pub struct Decoder {
    bundle: BundleId,
    /// Bundles with the same front and prior.
    equals: Arc<[BundleId]>,
    prior: Arc<Prior>,
    headers: HeaderReader,
    coder: Option<FrameCoder>,
    latents: Latents,
    qindex: u8,
    vectors: Vectors,
    motion: Option<Motion>,
    rests: Vec<i32>,
}

impl Decoder {
    /// A decoder of the features for detection that waits for its first key frame.
    pub fn new(bundle: BundleId, prior: Arc<Prior>, limits: Limits) -> Self {
        Self::of_layer(DETECTION, bundle, prior, limits)
    }

    /// A decoder of `layer`, whose prior this is, that waits for its first key frame.
    pub fn of_layer(layer: u8, bundle: BundleId, prior: Arc<Prior>, limits: Limits) -> Self {
        Self {
            bundle,
            equals: Arc::new([]),
            prior,
            headers: HeaderReader::of_layer(layer, limits),
            coder: None,
            latents: Latents::default(),
            qindex: 0,
            vectors: Vectors::default(),
            motion: None,
            rests: Vec::new(),
        }
    }

    /// Takes streams that are predicted along the motion, too.
    pub fn drawing(self, transform: Arc<Transform>) -> Self {
        let motion = Some(Motion::new(transform));
        Self { motion, ..self }
    }

    /// The picture that the latents draw, where motion is predicted.
    pub fn canvas(&self) -> Option<&Canvas> {
        self.motion.as_ref().map(Motion::canvas)
    }

    /// Writes what the latents of the last frame stand for; zero where the symbol is, also where motion left a little.
    pub fn dequantize(&self, out: &mut Vec<f32>) {
        quant::values(&self.latents.q, &self.rests, self.qindex, out);
        for (value, &q) in out.iter_mut().zip(&self.latents.q) {
            if q == 0 {
                *value = 0.0;
            }
        }
    }

    /// Takes streams of these bundles, too: their front and prior are the same.
    pub fn accepting(self, equals: Arc<[BundleId]>) -> Self {
        Self { equals, ..self }
    }

    /// Decodes one whole unit.
    pub fn decode(&mut self, unit: &[u8]) -> Result<Frame<'_>, Error> {
        let result = self.decode_unit(unit);
        if result.as_ref().is_err_and(|error| !error.is_skippable()) {
            self.reset();
        }
        result.map(|header| Frame {
            header,
            latents: &self.latents,
        })
    }

    /// Forgets everything: the next unit has to be a key frame.
    pub fn reset(&mut self) {
        self.headers.reset();
        self.coder = None;
    }

    fn decode_unit(&mut self, unit: &[u8]) -> Result<Header, Error> {
        let (header, payload) = self.headers.read_with_payload(unit)?;
        let number = header.number;
        if header.bundle != self.bundle && !self.equals.contains(&header.bundle) {
            let (stream, receiver) = (header.bundle, self.bundle.clone());
            return Err(Error::BundleMismatch { stream, receiver });
        }
        let mut motion = self.motion.as_mut().filter(|_| is_moving(header.version));
        let channels = motion.as_ref().map_or(0, |motion| motion.channels());
        if is_moving(header.version) && channels != usize::from(header.shape.channels) {
            return Err(Error::Transform {
                number,
                found: header.shape.channels,
                transform: channels,
            });
        }
        if header.key {
            let coder = self.coder.get_or_insert_default();
            coder.start(&self.prior, header.shape, header.qindex, motion.is_some());
            if let Some(motion) = &mut motion {
                motion.start(header.shape);
                self.vectors.start(header.shape, header.version);
            }
        }
        let coder = self.coder.as_mut().ok_or(Error::MissingReference { number })?;
        if header.repeat {
            return Ok(header);
        }
        if !header.key && header.qindex != self.qindex {
            coder.rescale(self.qindex, header.qindex);
        }
        self.qindex = header.qindex;
        let mut reader = Reader::new(payload);
        if let Some(motion) = &mut motion
            && !header.key
        {
            self.vectors
                .code(&mut reader, &[])
                .map_err(|_| Error::Corrupt { number })?;
            motion.displace(self.vectors.now(), coder, header.qindex);
        }
        coder
            .code(&mut reader, Wish::Exactly(&[]), header.key)
            .map_err(|_| Error::Corrupt { number })?;
        if !reader.is_exhausted() {
            return Err(Error::Corrupt { number });
        }
        coder.write_latents(&mut self.latents);
        coder.write_rests(&mut self.rests);
        if let Some(motion) = &mut motion {
            motion.draw(self.vectors.now(), coder, header.qindex);
        }
        Ok(header)
    }
}
