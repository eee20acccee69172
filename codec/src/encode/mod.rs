//! Encoding: float latents in, units out. Chooses symbols, frame kinds and quantiser indices.

mod config;
mod error;
pub mod progressive;
mod quantiser;
mod rate;
mod search;

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    Latents, Prior, Shape, Size,
    entropy::{FrameCoder, Wish, range::Writer},
    frame::{Fields, Header, HeaderWriter, MOVING, VERSION},
    motion::{Canvas, Motion, Transform, Vector, Vectors},
    quant,
};
use quantiser::Quantiser;

pub use config::Config;
pub use error::Error;
pub use rate::STEP as MAX_STEP;

/// How long a key that was asked for may wait until the bucket has room for it.
const KEY_WAIT_NS: u64 = 1_000_000_000;

/// One frame to code.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Float latents, channel by channel.
    pub latents: &'a [f32],
    /// Their size.
    pub shape: Shape,
    /// Size of the source picture.
    pub source: Size,
    /// Presentation time in ns.
    pub pts_ns: u64,
    /// Capture time in ns since the Unix epoch, UTC.
    pub capture_utc_ns: u64,
    /// Whether this has to be a key frame.
    pub force_key: bool,
    /// Where each position comes from; empty: nothing moves. For an encoder that [predicts](Encoder::predicting) along the motion, and no key frame.
    pub vectors: &'a [Vector],
}

/// One coded frame.
#[derive(Clone, Debug)]
pub struct Packet {
    /// The whole unit.
    pub data: Bytes,
    /// What it says.
    pub header: Header,
}

/// Encoder of one stream.
#[derive(Debug)]
pub struct Encoder {
    config: Config,
    prior: Arc<Prior>,
    headers: HeaderWriter,
    rate: rate::RateControl,
    /// What the decoder has after the last packet; `None` before the first.
    coder: Option<FrameCoder>,
    source: Size,
    qindex: u8,
    since_key: u32,
    /// Time stamp of the frame with which a key was asked for that has not come yet.
    key_asked: Option<u64>,
    latents: Latents,
    rests: Vec<i32>,
    vectors: Vectors,
    motion: Option<Motion>,
    trial: Trial,
    attempts: u64,
}

/// One attempt at coding a frame, kept to be compared or thrown away; its buffers are used again.
#[derive(Debug, Default)]
struct Trial {
    coder: FrameCoder,
    symbols: Vec<i16>,
    reference: Vec<i16>,
    rests: Vec<i32>,
    vectors: Vectors,
    /// What symbols have to stand for: latents without the rests.
    wanted: Vec<f32>,
    payload: Vec<u8>,
    choice: rate::Choice,
}

/// A coded frame that has not been decided on yet.
struct Candidate {
    unit: Vec<u8>,
    header: Header,
    headers: HeaderWriter,
}

impl Encoder {
    /// An encoder whose first packet will be a key frame.
    pub fn new(config: Config, prior: Arc<Prior>) -> Result<Self, Error> {
        config.check()?;
        Ok(Self {
            rate: rate::RateControl::new(&config),
            config,
            prior,
            headers: HeaderWriter::default(),
            coder: None,
            source: Size::default(),
            qindex: 0,
            since_key: 0,
            key_asked: None,
            latents: Latents::default(),
            rests: Vec::new(),
            vectors: Vectors::default(),
            motion: None,
            trial: Trial::default(),
            attempts: 0,
        })
    }

    /// Predicts along the motion: the latents are coefficients of this transform.
    pub fn predicting(self, transform: Arc<Transform>) -> Self {
        let motion = Some(Motion::new(transform));
        Self { motion, ..self }
    }

    /// What the receiver has on its canvas, where motion is predicted.
    pub fn canvas(&self) -> Option<&Canvas> {
        self.motion.as_ref().map(Motion::canvas)
    }

    /// Writes which positions the last packet has changed, row by row.
    pub fn write_changed(&self, out: &mut Vec<bool>) {
        let vectors = self
            .vectors
            .now()
            .iter()
            .map(|vector| vector.moves())
            .chain(std::iter::repeat(false));
        out.clear();
        if let Some(coder) = &self.coder {
            let positions = 0..self.latents.shape.positions();
            out.extend(
                positions
                    .zip(vectors)
                    .map(|(at, moves)| moves || coder.has_changed(at)),
            );
        }
    }

    /// Writes what the latents of the last packet stand for at the receiver.
    pub fn dequantize(&self, out: &mut Vec<f32>) {
        quant::values(&self.latents.q, &self.rests, self.qindex, out);
    }

    /// Changes the settings from the next frame on. Bundle and layer have to stay.
    pub fn set_config(&mut self, config: Config) -> Result<(), Error> {
        config.check()?;
        if config.layer != self.config.layer {
            let own = f64::from(self.config.layer);
            return Err(Error::Config {
                field: "layer",
                found: config.layer.into(),
                min: own,
                max: own,
            });
        }
        if config.bundle != self.config.bundle {
            return Err(Error::BundleChanged {
                stream: self.config.bundle.clone(),
                found: config.bundle,
            });
        }
        if config.bitrate != self.config.bitrate {
            self.rate.set_rate(&config, self.qindex);
        }
        self.config = config;
        Ok(())
    }

    /// The settings in use.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The latents that the decoder has after the last packet.
    pub fn reconstruction(&self) -> &Latents {
        &self.latents
    }

    /// How often a frame was coded, attempts that were thrown away included.
    pub fn attempts_made(&self) -> u64 {
        self.attempts
    }

    /// Codes one frame.
    pub fn encode(&mut self, input: &Input<'_>) -> Result<Packet, Error> {
        self.check(input)?;
        let changed = input.shape != self.latents.shape || input.source != self.source;
        let needed = self.coder.is_none() || changed;
        let asked = input.force_key || self.key_asked.is_some();
        let must_be_key = needed || asked;
        let due = self.config.key_interval != 0 && self.since_key >= self.config.key_interval;

        let mut rate = self.rate.clone();
        let mut plan = rate.plan(&self.config, self.next(input.pts_ns, must_be_key || due));
        let mut best = self.attempts(input, plan, must_be_key || due);
        // A key that was asked for may wait for the bucket a little, and next to nothing is sent meanwhile; after that, or where
        // there is nothing to go on from, there is no way around it.
        let since = self.key_asked.unwrap_or(input.pts_ns);
        let first = self.key_asked.is_none() || input.pts_ns > since;
        let waits = !needed && first && (since..since.saturating_add(KEY_WAIT_NS)).contains(&input.pts_ns);
        if best.is_err() && must_be_key && !waits && plan.max_bytes < plan.cap {
            // The bucket runs over rather than the stream standing still.
            plan.start.qindex = plan.coarsest;
            plan.max_bytes = plan.cap;
            best = self.attempts(input, plan, true);
        }
        if best.is_err() && due && !must_be_key {
            best = self.attempts(input, plan, false);
        }
        let candidate = match best {
            Ok(candidate) => candidate,
            Err(smallest) if must_be_key && !(waits && plan.max_bytes < plan.cap) => {
                return Err(Error::TooLarge {
                    smallest,
                    cap: plan.cap,
                });
            }
            Err(_) => {
                let fields = self.fields(
                    input.source,
                    input.shape,
                    self.qindex,
                    input.pts_ns,
                    input.capture_utc_ns,
                );
                self.repeat(&fields)?
            }
        };
        self.rate = rate;
        self.key_asked = (asked && !candidate.header.key).then_some(since);
        Ok(self.commit(candidate, input.source))
    }

    /// Codes a frame that is the same as the one before: a header and nothing else.
    pub fn encode_repeat(&mut self, pts_ns: u64, capture_utc_ns: u64) -> Result<Packet, Error> {
        if self.coder.is_none() {
            return Err(Error::NothingToRepeat);
        }
        let fields = self.fields(
            self.source,
            self.latents.shape,
            self.qindex,
            pts_ns,
            capture_utc_ns,
        );
        let candidate = self.repeat(&fields)?;
        let next = self.next(pts_ns, false);
        self.rate.plan(&self.config, next);
        Ok(self.commit(candidate, self.source))
    }

    fn cap(&self) -> usize {
        match self.config.max_frame_bytes {
            0 => usize::MAX,
            cap => cap as usize,
        }
    }

    fn check(&self, input: &Input<'_>) -> Result<(), Error> {
        let limits = &self.config.limits;
        let bounded = |what, found: u64, limit: u64| {
            if found == 0 || found > limit {
                Err(Error::Limit { what, found, limit })
            } else {
                Ok(())
            }
        };
        bounded("width", input.source.width.into(), limits.max_side.into())?;
        bounded("height", input.source.height.into(), limits.max_side.into())?;
        bounded("latents", input.shape.len() as u64, limits.max_latents as u64)?;
        if input.latents.len() != input.shape.len() {
            return Err(Error::Length {
                shape: input.shape,
                found: input.latents.len(),
            });
        }
        self.check_motion(input)
    }

    fn check_motion(&self, input: &Input<'_>) -> Result<(), Error> {
        let found = input.vectors.len();
        let Some(motion) = &self.motion else {
            let legal = "none: nothing is predicted along the motion".to_owned();
            return if found == 0 {
                Ok(())
            } else {
                Err(Error::Vectors { found, legal })
            };
        };
        if usize::from(input.shape.channels) != motion.channels() {
            let (found, transform) = (input.shape.channels, motion.channels());
            return Err(Error::Transform { found, transform });
        }
        let positions = input.shape.positions();
        if found != 0 && found != positions {
            let legal = format!("none or {positions}");
            return Err(Error::Vectors { found, legal });
        }
        let far = |part: i16| !(-Vector::MAX..=Vector::MAX).contains(&part);
        match input.vectors.iter().find(|vector| far(vector.x) || far(vector.y)) {
            Some(&Vector { x, y }) => Err(Error::Vector { x, y }),
            None => Ok(()),
        }
    }

    fn fields(&self, source: Size, shape: Shape, qindex: u8, pts_ns: u64, capture_utc_ns: u64) -> Fields {
        Fields {
            version: if self.motion.is_some() { MOVING } else { VERSION },
            layer: self.config.layer,
            pts_ns,
            capture_utc_ns,
            bundle: self.config.bundle.clone(),
            source,
            shape,
            qindex,
        }
    }

    /// A header and nothing else, where that fits into the cap.
    fn repeat(&self, fields: &Fields) -> Result<Candidate, Error> {
        let mut headers = self.headers.clone();
        let (unit, header) = headers.inter(fields, None).ok_or(Error::NothingToRepeat)?;
        let (smallest, cap) = (unit.len(), self.cap());
        if smallest > cap {
            return Err(Error::TooLarge { smallest, cap });
        }
        Ok(Candidate {
            unit,
            header,
            headers,
        })
    }

    /// Codes the frame until its size is as planned; on failure the smallest size reached.
    fn attempts(&mut self, input: &Input<'_>, plan: rate::Plan, key: bool) -> Result<Candidate, usize> {
        let mut search = search::Search::new(plan);
        let (mut choice, mut smallest) = (plan.start, usize::MAX);
        loop {
            self.attempts += 1;
            let candidate = self.attempt(input, choice, key);
            let size = candidate.unit.len();
            smallest = smallest.min(size);
            match search.after(choice, size) {
                search::Step::Done => {
                    self.trial.choice = choice;
                    return Ok(candidate);
                }
                search::Step::Failed => return Err(smallest),
                search::Step::Try(next) => choice = next,
            }
        }
    }

    /// What rate control has to know of the frame to come.
    fn next(&self, pts: u64, key: bool) -> rate::Next {
        let until_key =
            (self.config.key_interval != 0).then(|| self.config.key_interval.saturating_sub(self.since_key));
        rate::Next { pts, key, until_key }
    }

    fn attempt(&mut self, input: &Input<'_>, choice: rate::Choice, key: bool) -> Candidate {
        let qindex = choice.qindex;
        let Self {
            trial,
            config,
            motion,
            ..
        } = self;
        let quantiser = Quantiser::new(config, choice);
        let mut writer = Writer::new(std::mem::take(&mut trial.payload));
        let mut latents = input.latents;
        match (&self.coder, key) {
            (Some(coder), false) => {
                trial.coder.clone_from(coder);
                let mut reference = &self.latents.q;
                if qindex != self.qindex {
                    trial.coder.rescale(self.qindex, qindex);
                }
                if let Some(motion) = motion {
                    trial.vectors.clone_from(&self.vectors);
                    let coded = trial.vectors.code(&mut writer, input.vectors);
                    debug_assert!(coded.is_ok(), "vectors of an encoder are in range");
                    motion.displace(trial.vectors.now(), &mut trial.coder, qindex);
                    trial.coder.write_rests(&mut trial.rests);
                    trial.wanted.clear();
                    let without = |(y, &rest): (&f32, &i32)| y - rest as f32 / 256.0;
                    trial.wanted.extend(latents.iter().zip(&trial.rests).map(without));
                    latents = &trial.wanted;
                }
                if motion.is_some() || qindex != self.qindex {
                    trial.coder.write_symbols(&mut trial.reference);
                    reference = &trial.reference;
                }
                quantiser.inter(latents, input.shape, reference, &mut trial.symbols);
            }
            _ => {
                let exact = motion.is_some();
                trial.coder.start(&self.prior, input.shape, qindex, exact);
                if exact {
                    trial.vectors.start(input.shape, MOVING);
                }
                quantiser.intra(latents, &mut trial.symbols);
            }
        }
        // Symbols of the quantiser are always in range.
        let wish = match quantiser.worth() {
            Some(worth) => Wish::Nearly {
                symbols: &trial.symbols,
                latents,
                worth,
            },
            None => Wish::Exactly(&trial.symbols),
        };
        let coded = trial.coder.code(&mut writer, wish, key);
        debug_assert!(coded.is_ok());
        trial.payload = writer.finish();
        if quantiser.worth().is_some() {
            trial.coder.write_symbols(&mut trial.symbols);
        }

        let mut headers = self.headers.clone();
        let fields = self.fields(
            input.source,
            input.shape,
            qindex,
            input.pts_ns,
            input.capture_utc_ns,
        );
        let payload = &self.trial.payload;
        let inter = if key {
            None
        } else {
            headers.inter(&fields, Some(payload))
        };
        let (unit, header) = inter.unwrap_or_else(|| headers.key(&fields, payload));
        Candidate {
            unit,
            header,
            headers,
        }
    }

    /// Makes a candidate the truth. Unless it is a repeat it is the last attempt made.
    fn commit(&mut self, candidate: Candidate, source: Size) -> Packet {
        let Candidate {
            unit,
            header,
            headers,
        } = candidate;
        self.rate.commit(
            &self.config,
            unit.len(),
            header.key,
            header.repeat,
            self.trial.choice,
        );
        self.headers = headers;
        self.source = source;
        self.qindex = header.qindex;
        self.since_key = if header.key {
            1
        } else {
            self.since_key.saturating_add(1)
        };
        if !header.repeat {
            std::mem::swap(self.coder.get_or_insert_default(), &mut self.trial.coder);
            self.latents.shape = header.shape;
            std::mem::swap(&mut self.latents.q, &mut self.trial.symbols);
            if let (Some(motion), Some(coder)) = (&mut self.motion, &self.coder) {
                std::mem::swap(&mut self.vectors, &mut self.trial.vectors);
                coder.write_rests(&mut self.rests);
                if header.key {
                    motion.start(header.shape);
                }
                motion.draw(self.vectors.now(), coder, header.qindex);
            }
        }
        Packet {
            data: unit.into(),
            header,
        }
    }
}
