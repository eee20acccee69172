//! What each position could get in a frame, what that costs, and which of it is best.

use super::Known;
use super::felt::{Felt, energy};
use super::field::Field;
use super::regard::Regard;
use super::still::Stillness;
use crate::motion::Vector;
use crate::{Shape, quant};

/// How much of a position is sent: channels of 64.
///
/// None at all: what was sent before is worse than nothing, because the scene has moved on. (Tried with vectors that were chosen block by block: with 3, 8, 18, 36 a moving camera gets nothing but the first ones; with 10 and 26 a crowd gains
/// and a moving camera loses.)
const STAGES: [usize; 4] = [0, 6, 18, 64];
/// Bits that a position takes, and a symbol that changes by one, before anything was measured; each doubling of a change takes one more.
const POSITION_BITS: f32 = 6.0;
const SYMBOL_BITS: f32 = 5.0;
/// Squared error, in steps squared, that a bit has to take away: what the encoder asks for, too.
pub const WORTH: f32 = 0.05;
/// Most doublings of that for a position of which the encoder coded nothing after all.
const REFUSALS_MAX: u8 = 6;
/// For so long an update of something that moves is of use.
const MOMENT_S: f32 = 0.1;
/// Moments that an update counts for at most: what moves must have its turn, too.
const LASTS_MAX: f32 = 60.0;
/// Rounds of the search for the price of a bit, and the doublings of [`WORTH`] that it may have.
const ROUNDS: usize = 10;
const PRICE_DOUBLINGS: f32 = 20.0;

/// What an offer depends on besides the picture.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Quantiser index of what moves, and of the frame.
    pub asked: u8,
    pub qindex: u8,
    /// What bits cost, over what is assumed here.
    pub dearness: f32,
    /// What a bit of something that moves has to take away, as it counts; none: nothing can be sent.
    pub price: Option<f32>,
    /// Bits that all offers for what stands still should take together.
    pub affordable: f32,
}

/// What a position could get.
#[derive(Clone, Copy, Debug)]
struct Offer {
    position: u32,
    channels: usize,
    moves: bool,
    /// Whether it begins with nothing: without its vector, if it has one, and without what is not sent of it.
    fresh: bool,
    bits: f32,
    /// Squared error taken away, as it is felt, times the moments for which it will be; and how much of that a bit has to take away at least.
    saved: f32,
    least: f32,
    /// How much errors count here.
    regard: f32,
}

impl Offer {
    fn worth(&self) -> f32 {
        self.saved * self.regard / self.bits
    }
}

/// A position that something can be done for.
struct Place {
    position: usize,
    moves: bool,
    /// Squared error of what the receiver will have without an offer, and what such errors amount to where it moves.
    before: f32,
    felt: Option<Felt>,
    /// Moments for which an update is of use, what a bit has to take away at least, and how much errors count here.
    lasts: f32,
    least: f32,
    regard: f32,
    dearness: f32,
}

impl Place {
    /// The offers that are worth their bits, from squared error and bits of each stage.
    fn offers(
        &self,
        fresh: bool,
        updates: [(f32, f32); STAGES.len()],
    ) -> impl Iterator<Item = Offer> + use<'_> {
        let counts = move |error| self.felt.map_or(error, |felt| felt.of(error));
        let before = counts(self.before);
        let offers = updates.into_iter().zip(STAGES);
        let offers = offers.map(move |((after, bits), channels)| Offer {
            // At most 65535 on each side.
            position: self.position as u32,
            channels,
            moves: self.moves,
            fresh,
            bits: bits * self.dearness,
            saved: (before - counts(after)) * self.lasts,
            least: self.least,
            regard: self.regard,
        });
        offers.filter(|offer| offer.saved > offer.least * offer.bits)
    }
}

/// The offers of a frame, the best of all first.
#[derive(Clone, Debug, Default)]
pub struct Offers {
    options: Vec<Offer>,
    chosen: Vec<Offer>,
    field: Field,
    /// Latents that positions have along their vectors, one position after the other, and where in that those of each position begin.
    predicted: Vec<f32>,
    along: Vec<Option<usize>>,
    /// The same of one position, as integers.
    values: Vec<i32>,
    /// Positions whose offers were taken, and how often in a row the encoder coded nothing of it.
    asked: Vec<u32>,
    refusals: Vec<u8>,
}

impl Offers {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.chosen.len()
    }

    /// What a bit of an offer takes away, as it counts.
    pub fn worth(&self, at: usize) -> f32 {
        self.chosen[at].worth()
    }

    /// Bits of an offer, as far as is known.
    pub fn bits(&self, at: usize) -> f32 {
        self.chosen[at].bits
    }

    /// Bits of all offers for what stands still.
    pub fn bits_of_still(&self) -> f32 {
        let still = self.chosen.iter().filter(|offer| !offer.moves);
        still.map(|offer| offer.bits).sum()
    }

    /// What was refused may be offered again.
    pub fn forget(&mut self) {
        self.asked.clear();
        self.refusals.fill(0);
    }

    /// Makes the best offer of each position that is worth one.
    pub fn rank(&mut self, still: &Stillness, shape: Shape, known: &Known<'_>, terms: &Terms) {
        let plane = shape.positions();
        self.hear(known.changed, plane);
        self.options.clear();
        self.predicted.clear();
        self.along.clear();
        self.along.resize(plane, None);
        let scale = 1.0 / quant::step(terms.qindex);
        let to_asked = quant::step(terms.qindex) / quant::step(terms.asked);
        let regard = Regard::new(still.moving());
        match (&known.seen, terms.price) {
            (Some(seen), Some(price)) => {
                // A unit of the layer is 64 grey levels, and luma stands for three planes.
                let level = 3.0 * (scale / 64.0).powi(2);
                let counts = |energy: f32| regard.of(energy * level * to_asked * to_asked, true);
                self.field
                    .find(still, seen, |energy| price / (level * counts(energy)));
            }
            _ => self.field.clear(),
        }
        let gather = |from: &[f32], position: usize, to: &mut Vec<f32>| {
            to.clear();
            to.extend(
                from.iter()
                    .skip(position)
                    .step_by(plane)
                    .map(|value| value * scale),
            );
        };
        let (mut wanted, mut had) = (Vec::new(), Vec::new());
        for position in 0..plane {
            let moves = still.moves(position);
            gather(still.settled(), position, &mut wanted);
            gather(known.latents, position, &mut had);
            // What has stood still for long will go on to: its bits serve for as long.
            let lasts = (1.0 + still.still_s(position) / MOMENT_S).min(LASTS_MAX);
            let refusals = if moves { 0 } else { self.refusals[position] };
            let cells = Cells::new(moves, terms);
            let fresh = cells.updates(&wanted, &had, true);
            let displaced = self.displace(position, known, scale, &mut had);
            let energy = energy(&wanted);
            let place = Place {
                position,
                moves,
                before: error(&wanted, &had),
                felt: moves.then(|| Felt::new(energy)),
                lasts,
                least: WORTH * lasts * f32::from(refusals).exp2(),
                regard: regard.of(energy * to_asked * to_asked, moves),
                dearness: terms.dearness,
            };
            self.options.extend(place.offers(true, fresh));
            if displaced {
                let updates = cells.updates(&wanted, &had, false);
                self.options.extend(place.offers(false, updates));
            }
        }
        self.settle(terms);
    }

    /// Makes `had` what a position has along its vector, if it has one.
    fn displace(&mut self, position: usize, known: &Known<'_>, scale: f32, had: &mut Vec<f32>) -> bool {
        let vector = self.field.vectors().get(position).copied().unwrap_or_default();
        let Some(seen) = known.seen.as_ref().filter(|_| vector.moves()) else {
            return false;
        };
        seen.canvas.predict(position, vector, &mut self.values);
        let from = self.predicted.len();
        self.along[position] = Some(from);
        self.predicted
            .extend(self.values.iter().map(|&value| value as f32 / 256.0));
        had.clear();
        had.extend(self.predicted[from..].iter().map(|value| value * scale));
        true
    }

    /// Writes the vectors and what positions have along them; the bits that the vectors take.
    pub fn start(&self, latents: &mut [f32], vectors: &mut [Vector]) -> f32 {
        for (to, &from) in vectors.iter_mut().zip(self.field.vectors()) {
            *to = from;
        }
        let plane = self.along.len();
        for (position, along) in self.along.iter().enumerate() {
            let Some(from) = *along else { continue };
            let values = &self.predicted[from..];
            for (to, &value) in latents.iter_mut().skip(position).step_by(plane).zip(values) {
                *to = value;
            }
        }
        self.field.bits()
    }

    /// Writes what an offer makes of its position; `known` is what the receiver has.
    pub fn take(
        &mut self,
        at: usize,
        still: &Stillness,
        known: &[f32],
        terms: &Terms,
        latents: &mut [f32],
        vectors: &mut [Vector],
    ) {
        let offer = self.chosen[at];
        let position = offer.position as usize;
        self.asked.push(offer.position);
        let along = self.along[position].filter(|_| !offer.fresh);
        let along = along.map(|from| &self.predicted[from..]);
        if offer.fresh
            && let Some(vector) = vectors.get_mut(position)
        {
            *vector = Vector::default();
        }
        let cells = Cells::new(offer.moves, terms);
        let step = quant::step(terms.qindex);
        let (settled, plane) = (still.settled(), self.refusals.len());
        for (channel, at) in (position..latents.len()).step_by(plane).enumerate() {
            let had = along.map_or(known[at], |values| values[channel]);
            let value = cells.symbol(settled[at] / step, had / step, offer.fresh).0;
            latents[at] = match channel < offer.channels {
                true if value == had / step => had,
                // Where it stands still the encoder has the last word.
                true if !offer.moves => settled[at],
                true => value * step,
                false if offer.fresh => 0.0,
                false => had,
            };
        }
    }

    /// Learns what the encoder found not worth its bits after all: that has to promise more the next time.
    fn hear(&mut self, changed: &[bool], plane: usize) {
        self.refusals.resize(plane, 0);
        for position in self.asked.drain(..) {
            let position = position as usize;
            if let (Some(refusals), Some(&changed)) = (self.refusals.get_mut(position), changed.get(position))
            {
                *refusals = if changed {
                    0
                } else {
                    (*refusals + 1).min(REFUSALS_MAX)
                };
            }
        }
    }

    /// Chooses for each position: of what stands still at the price of a bit at which all that is worth it can be sent, of what moves at the price of late.
    fn settle(&mut self, terms: &Terms) {
        let of_moving = terms.price.unwrap_or(WORTH);
        let (mut low, mut high) = (0.0, PRICE_DOUBLINGS);
        for _ in 0..ROUNDS {
            let middle: f32 = (low + high) / 2.0;
            self.choose(WORTH * middle.exp2(), of_moving);
            if self.bits_of_still() > terms.affordable {
                low = middle;
            } else {
                high = middle;
            }
        }
        self.choose(WORTH * high.exp2(), of_moving);
        self.chosen
            .sort_unstable_by(|a, b| b.worth().total_cmp(&a.worth()));
    }

    /// The best offer of each position where a bit costs so much.
    fn choose(&mut self, of_still: f32, of_moving: f32) {
        self.chosen.clear();
        for options in self.options.chunk_by(|a, b| a.position == b.position) {
            let gain = |offer: &Offer| {
                let price = match offer.moves {
                    true => of_moving,
                    false => of_still.max(offer.least),
                };
                offer.saved * offer.regard - offer.bits * price
            };
            let best = options.iter().max_by(|a, b| gain(a).total_cmp(&gain(b)));
            self.chosen.extend(best.filter(|best| gain(best) > 0.0));
        }
    }
}

/// The quantiser's cells of a position, in steps of the frame.
struct Cells {
    /// What its symbols are multiples of.
    coarse: f32,
    /// Squared error that a bit of a symbol has to take away.
    slope: f32,
}

impl Cells {
    fn new(moves: bool, terms: &Terms) -> Self {
        Self {
            coarse: match moves {
                true => quant::step(terms.asked) / quant::step(terms.qindex),
                false => 1.0,
            },
            slope: WORTH * terms.dearness,
        }
    }

    /// Squared error and bits of each stage where `had` is what is changed. `fresh`: channels beyond the stage become zero, and do not stay.
    fn updates(&self, wanted: &[f32], had: &[f32], fresh: bool) -> [(f32, f32); STAGES.len()] {
        let mut updates = [(0.0, POSITION_BITS); STAGES.len()];
        for (channel, (&wanted, &had)) in wanted.iter().zip(had).enumerate() {
            let (value, price) = self.symbol(wanted, had, fresh);
            let sent = (wanted - value, price);
            let beyond = match fresh {
                true if had != 0.0 => (wanted, symbol_bits(had)),
                true => (wanted, 0.0),
                false => (wanted - had, 0.0),
            };
            for (update, channels) in updates.iter_mut().zip(STAGES) {
                let (error, price) = if channel < channels { sent } else { beyond };
                update.0 += error * error;
                update.1 += price;
            }
        }
        updates
    }

    /// What becomes of a symbol that may change, and the bits that this takes.
    fn symbol(&self, wanted: f32, had: f32, fresh: bool) -> (f32, f32) {
        let (off, start) = (wanted - had, if fresh { 0.0 } else { had });
        let sent = start + ((wanted - start) / self.coarse).round() * self.coarse;
        let (nearest, price) = (wanted - sent, symbol_bits(sent - had));
        match off * off - nearest * nearest > self.slope * price {
            true => (sent, price),
            false => (had, 0.0),
        }
    }
}

fn error(wanted: &[f32], had: &[f32]) -> f32 {
    wanted
        .iter()
        .zip(had)
        .map(|(wanted, had)| (wanted - had).powi(2))
        .sum()
}

/// Bits of a symbol that changes by so many steps.
fn symbol_bits(change: f32) -> f32 {
    SYMBOL_BITS + change.abs().max(1.0).log2()
}
