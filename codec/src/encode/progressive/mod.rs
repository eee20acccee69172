//! Spending a rate on a picture that gets better: which positions of an enhancement layer are brought up to date in a frame, and how much of each.
//!
//! A layer for the eye has too much in it for any one frame of a thin link. A key frame has the whole picture where that fits into half a second of the rate, as fine as it then can be, for nothing is cheaper than all of it at
//! once; else it is empty. Every other frame updates the positions where a bit takes most error away, for as long as what is sent is likely to be of use, as many as the rate allows, and leaves the others as the
//! receiver has them. What stands still gets sharper as bits are left over; where it has all that it asks for the quantiser gets finer by an octave, which changes no symbol that is there but doubles it. What moves goes on in
//! steps as coarse as before, along its motion where that is known: vectors come first (`field`), coefficients after them. Channels come in the order of their importance. A pure function of latents, pictures, time stamps and sizes.

mod felt;
mod field;
mod offers;
mod regard;
mod seek;
mod still;

use super::Encoder;
use crate::motion::{Canvas, Vector, Vectors};
use crate::{Shape, quant};
use offers::Offers;
use still::Stillness;

/// Weight of a new measurement.
const MEMORY: f64 = 0.1;
/// The same of what a bit is worth.
const PRICE_MEMORY: f32 = 0.2;
/// In so many seconds all that is offered of what stands still should be sent: what is too much for that is sent coarser.
const HORIZON_S: f64 = 1.0;
/// Seconds of the rate that a key frame may take, and by how many quantiser indices it may be finer and coarser than was asked for.
const KEY_S: f64 = 0.5;
const KEY_FINER: u8 = 12;
const KEY_COARSER: u8 = 6;
/// Octaves (eight quantiser indices) by which the layer may get finer.
const OCTAVES_MAX: u8 = 3;
/// Part of the positions that move from which on the layer gets no finer.
const RESTLESS: f64 = 0.25;
/// Frames' worth of bits below which what stands still asks for little more, and part of all that can be saved up that is much to have left over.
const SPARE_FRAMES: f64 = 2.0;
const SPARE_SAVED: f64 = 0.4;
/// For so long bits have to be left over, or much has to move, before the quantiser changes.
const PATIENCE_S: f64 = 0.2;
/// A gap between time stamps counts as this at most, and most of the rate that is saved up.
const GAP_MAX_S: f64 = 0.5;

/// What is planned for a frame.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The latents to code: what the receiver has already wherever nothing is to change.
    pub latents: &'a [f32],
    /// Where positions come from; empty where nothing moves.
    pub vectors: &'a [Vector],
    /// The quantiser index to code them with: the one asked for or, where bits are left over, a finer one.
    pub qindex: u8,
    /// Up to which the quantiser index of a key frame may go for it to fit. Others are to keep theirs.
    pub coarsest: u8,
    /// Bytes that a key frame may have; what does not fit is to be sent empty.
    pub most_bytes: Option<u32>,
}

/// What the receiver has before a frame.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Dequantised latents.
    pub latents: &'a [f32],
    /// Positions that the last frame changed, row by row; may be empty.
    pub changed: &'a [bool],
    /// What it sees, where motion is predicted.
    pub seen: Option<Seen<'a>>,
}

/// What a receiver sees before a frame, and the picture of the frame, where motion is predicted.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    pub(crate) canvas: &'a Canvas,
    pub(crate) luma: &'a [u8],
    pub(crate) vectors: &'a Vectors,
}

impl<'a> Seen<'a> {
    /// What the receiver of this encoder sees, beside the luma of the frame to come in the canvas's size; none where no motion is predicted.
    pub fn of(encoder: &'a Encoder, luma: &'a [u8]) -> Option<Self> {
        encoder.canvas().map(|canvas| Self {
            canvas,
            luma,
            vectors: &encoder.vectors,
        })
    }
}

/// Chooses what is brought up to date in each frame of one layer.
#[derive(Clone, Debug, Default)]
pub struct Progressive {
    /// Bits that may still be sent; negative: a debt.
    credit: f64,
    /// What updates cost, over what they would by their symbols; its logarithm.
    dearness: f64,
    /// Bits that the updates of the frame should take.
    expected: f64,
    /// Bits that its vectors should take.
    of_vectors: f64,
    /// What a bit takes away where the rate ends, by the frames of late: squared error as it counts, in steps squared of what was asked for, over the least that it may. Its logarithm.
    price: f32,
    last_pts_ns: Option<u64>,
    /// By how many octaves the quantiser is finer than it was asked to be, and for how long bits have been left over, or much has moved.
    finer: u8,
    spare_s: f64,
    restless_s: f64,
    still: Stillness,
    offers: Offers,
    latents: Vec<f32>,
    vectors: Vec<Vector>,
}

impl Progressive {
    /// What to code of the frame at `pts_ns`, at `rate` bit/s, with the quantiser index `asked` or, where bits are left over, a finer one down to `finest`. `known` is what the receiver has; `None`: the frame is a key
    /// frame.
    pub fn plan(
        &mut self,
        latents: &[f32],
        shape: Shape,
        known: Option<Known<'_>>,
        pts_ns: u64,
        rate: f64,
        (asked, finest): (u8, u8),
    ) -> Plan<'_> {
        let gap = self
            .last_pts_ns
            .map_or(0.0, |last| pts_ns.saturating_sub(last) as f64 / 1e9);
        self.last_pts_ns = Some(pts_ns);
        self.credit = (self.credit + rate * gap.min(GAP_MAX_S)).min(rate * GAP_MAX_S);
        self.expected = 0.0;
        let finest = finest.min(asked);
        // By the step that was asked for: noise must not count as movement because the step got finer.
        self.still.observe(latents, shape, asked, gap as f32);
        self.latents.clear();
        self.vectors.clear();
        let whole = |known: &Known<'_>| known.latents.len() == shape.len() && latents.len() == shape.len();
        let Some(known) = known.filter(whole) else {
            (self.finer, self.spare_s, self.restless_s) = (0, 0.0, 0.0);
            self.offers.forget();
            self.latents.extend_from_slice(latents);
            return Plan {
                latents: &self.latents,
                vectors: &[],
                qindex: asked.saturating_sub(KEY_FINER).max(finest),
                coarsest: (asked + KEY_COARSER).min(quant::QINDEX_MAX),
                most_bytes: Some((rate * KEY_S / 8.0) as u32),
            };
        };
        let qindex = asked.saturating_sub(8 * self.finer).max(finest);
        self.latents.extend_from_slice(known.latents);
        if known.seen.is_some() {
            self.vectors.resize(shape.positions(), Vector::default());
        }
        // A price counts squared error in steps of what was asked for, so that an octave does not change it.
        let per_step = (quant::step(asked) / quant::step(qindex)).powi(2);
        let terms = offers::Terms {
            asked,
            qindex,
            dearness: self.dearness.exp() as f32,
            price: (self.credit > 0.0).then_some(self.price.exp() * offers::WORTH * per_step),
            affordable: (rate * HORIZON_S) as f32,
        };
        self.offers.rank(&self.still, shape, &known, &terms);
        let of_vectors = self.offers.start(&mut self.latents, &mut self.vectors);
        self.of_vectors = of_vectors.into();
        let mut room = self.credit as f32 - of_vectors;
        let mut price = offers::WORTH;
        for at in 0..self.offers.len() {
            let bits = self.offers.bits(at);
            // One that is dearer than all that can be saved up has its turn, too, and makes a debt.
            let first = self.expected == 0.0 && room > 0.0;
            if bits > room && !first {
                price = self.offers.worth(at);
                break;
            }
            room -= bits;
            self.expected += f64::from(bits);
            let (latents, vectors) = (&mut self.latents, &mut self.vectors);
            self.offers
                .take(at, &self.still, known.latents, &terms, latents, vectors);
        }
        let price = (price / offers::WORTH / per_step).ln();
        if price.is_finite() {
            self.price += (price - self.price) * PRICE_MEMORY;
        }
        self.consider_octave(gap, rate, room.into());
        Plan {
            latents: &self.latents,
            vectors: &self.vectors,
            qindex,
            coarsest: qindex,
            most_bytes: None,
        }
    }

    /// Learns what the frame has become; 0: it was not sent.
    pub fn sent(&mut self, bytes: usize) {
        let bits = bytes as f64 * 8.0;
        self.credit -= bits;
        if self.expected > 0.0 && bytes > 0 {
            let off = ((bits - self.of_vectors).max(8.0) / self.expected).ln();
            self.dearness = (self.dearness + off * MEMORY).clamp(-3.0, 3.0);
        }
    }

    /// The frame did not fit into its cap.
    pub fn refused(&mut self) {
        self.dearness = (self.dearness + 0.5).min(3.0);
        self.expected = 0.0;
    }

    /// Finer if there is little left to say of what stands still, and back if so much moves that little does.
    fn consider_octave(&mut self, gap: f64, rate: f64, room: f64) {
        let goes_on = |holds: bool, so_far: f64| if holds { so_far + gap } else { 0.0 };
        let restless = self.still.moving() > RESTLESS;
        let wanted = f64::from(self.offers.bits_of_still());
        let spare = wanted < SPARE_FRAMES * rate * gap || room > SPARE_SAVED * rate * GAP_MAX_S;
        self.spare_s = goes_on(!restless && spare, self.spare_s);
        self.restless_s = goes_on(restless, self.restless_s);
        if self.spare_s > PATIENCE_S && self.finer < OCTAVES_MAX {
            (self.finer, self.spare_s) = (self.finer + 1, 0.0);
            self.offers.forget();
        } else if self.restless_s > PATIENCE_S && self.finer > 0 {
            (self.finer, self.restless_s) = (self.finer - 1, 0.0);
        }
    }
}

#[cfg(test)]
mod tests;
