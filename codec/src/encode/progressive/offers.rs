//! What each position could get in a frame, what that costs, and which of it is best.

use super::Known;
use super::felt::Felt;
use super::seek::Seeker;
use super::still::Stillness;
use crate::motion::{Canvas, Vector};
use crate::{Shape, quant};

/// How much of a position is sent: channels of 64.
///
/// None at all: what was sent before is worse than nothing, because the scene has moved on. With more stages (3, 8, 18, 36) a moving camera gets nothing but the first ones; with 10 and 26 a crowd gains and a moving camera loses.
const STAGES: [usize; 4] = [0, 6, 18, 64];
/// Bits that a position takes, and a symbol that changes by one, before anything was measured; each doubling of a change takes one more.
const POSITION_BITS: f32 = 6.0;
const SYMBOL_BITS: f32 = 5.0;
/// Bits of a vector: of one that its surroundings have, too, and of another one. All in all a position with one takes about 20 (these and [`POSITION_BITS`] are 11 and 18), for what is brought up to date here and there has little in common with
/// what lies around it. Said to be cheaper (2 and 9 bits), they take four fifths of a thin link where the camera moves (at 24 kbit/s the VGG distance of the dashcam is .093 instead of .066); dearer (10 and 18),
/// a crowd falls behind at 40.
const VECTOR_BITS: [f32; 2] = [5.0, 12.0];
/// Squared error, in steps squared, that a bit has to take away: what the encoder asks for, too.
const WORTH: f32 = 0.05;
/// Most doublings of that for a position of which the encoder coded nothing after all.
const REFUSALS_MAX: u8 = 6;
/// For so long an update of something that moves is of use.
const MOMENT_S: f32 = 0.1;
/// Moments that an update counts for at most: what moves must have its turn, too.
const LASTS_MAX: f32 = 60.0;
/// Moments that what is sent of something that moves counts for: it goes on along the motion, while a vector has to be sent again. With 1 vectors take all bits of a thin link and copy what was never sharp; with 8
/// and more a crowd falls behind.
const COEFFICIENTS_LAST: f32 = 2.5;
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
    /// Bits that all offers should take together.
    pub affordable: f32,
}

/// What a position could get.
#[derive(Clone, Copy, Debug)]
struct Offer {
    position: u32,
    channels: usize,
    moves: bool,
    /// Where it comes from, and where in [`Offers::predicted`] that is to be found.
    vector: Vector,
    from: usize,
    bits: f32,
    /// Squared error taken away, as it counts, times the moments for which it will be; and how much of that a bit has to take away at least.
    saved: f32,
    least: f32,
}

impl Offer {
    fn worth(&self) -> f32 {
        self.saved / self.bits
    }
}

/// A position that something can be done for.
struct Place {
    position: usize,
    moves: bool,
    /// Squared error of what the receiver has, and what such errors amount to where it moves.
    before: f32,
    felt: Option<Felt>,
    /// Moments for which an update is of use, and what a bit has to take away at least.
    lasts: f32,
    least: f32,
    dearness: f32,
}

impl Place {
    /// The offers that are worth their bits, from squared error and bits of each stage and the error that is left if nothing but the reference changes.
    fn offers(
        &self,
        without: f32,
        updates: [(f32, f32); STAGES.len()],
    ) -> impl Iterator<Item = Offer> + use<'_> {
        let weight = if self.moves { COEFFICIENTS_LAST } else { 1.0 };
        let counts = move |error| self.felt.map_or(error, |felt| felt.of(error));
        let (before, without) = (counts(self.before), counts(without));
        let offers = updates.into_iter().zip(STAGES);
        let offers = offers.map(move |((after, bits), channels)| Offer {
            // At most 65535 on each side.
            position: self.position as u32,
            channels,
            moves: self.moves,
            vector: Vector::default(),
            from: 0,
            bits: bits * self.dearness,
            saved: (before - without + (without - counts(after)) * weight) * self.lasts,
            least: self.least,
        });
        offers.filter(|offer| offer.saved > offer.least * offer.bits)
    }
}

/// The offers of a frame, the best of all first.
#[derive(Clone, Debug, Default)]
pub struct Offers {
    options: Vec<Offer>,
    chosen: Vec<Offer>,
    seeker: Seeker,
    /// Latents that positions would have along their vectors, one position after the other.
    predicted: Vec<f32>,
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
        if let Some((canvas, luma)) = known.seen {
            self.seeker.look(canvas, luma);
        }
        let scale = 1.0 / quant::step(terms.qindex);
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
            let place = Place {
                position,
                moves,
                before: error(&wanted, &had),
                felt: moves.then(|| Felt::new(&wanted)),
                lasts,
                least: WORTH * lasts * f32::from(refusals).exp2(),
                dearness: terms.dearness,
            };
            let cells = Cells::new(moves, terms);
            let updates = cells.updates(&wanted, &had, POSITION_BITS, true);
            self.options.extend(place.offers(place.before, updates));
            if let Some((canvas, _)) = known.seen
                && moves
                && place.before > WORTH * POSITION_BITS
            {
                self.follow(canvas, &place, &cells, &wanted, scale, &mut had);
            }
        }
        self.settle(terms.affordable);
    }

    /// Adds what a position could get along its motion, where any is found; `had` is overwritten.
    fn follow(
        &mut self,
        canvas: &Canvas,
        place: &Place,
        cells: &Cells,
        wanted: &[f32],
        scale: f32,
        had: &mut Vec<f32>,
    ) {
        let (vector, near) = self.seeker.seek(place.position);
        if !vector.moves() {
            return;
        }
        canvas.predict(place.position, vector, &mut self.values);
        let from = self.predicted.len();
        self.predicted
            .extend(self.values.iter().map(|&value| value as f32 / 256.0));
        had.clear();
        had.extend(self.predicted[from..].iter().map(|value| value * scale));
        let bits = POSITION_BITS + VECTOR_BITS[usize::from(!near)];
        let updates = cells.updates(wanted, had, bits, false);
        let offers = place.offers(error(wanted, had), updates);
        self.options.extend(offers.map(|offer| Offer {
            vector,
            from,
            ..offer
        }));
    }

    /// Writes what an offer makes of its position.
    pub fn take(
        &mut self,
        at: usize,
        still: &Stillness,
        terms: &Terms,
        latents: &mut [f32],
        vectors: &mut [Vector],
    ) {
        let offer = self.chosen[at];
        let position = offer.position as usize;
        self.asked.push(offer.position);
        let along = offer.vector.moves().then(|| &self.predicted[offer.from..]);
        if let Some(vector) = vectors.get_mut(position) {
            *vector = offer.vector;
        }
        let cells = Cells::new(offer.moves, terms);
        let step = quant::step(terms.qindex);
        let (settled, plane) = (still.settled(), self.refusals.len());
        for (channel, at) in (position..latents.len()).step_by(plane).enumerate() {
            let had = along.map_or(latents[at], |values| values[channel]);
            let value = cells.symbol(settled[at] / step, had / step, along.is_none()).0;
            latents[at] = match (channel < offer.channels, along) {
                (true, _) if value == had / step => had,
                // Where it stands still the encoder has the last word.
                (true, _) if !offer.moves => settled[at],
                (true, _) => value * step,
                (false, Some(_)) => had,
                (false, None) => 0.0,
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

    /// Chooses for each position at the price of a bit at which all that is worth it can be sent.
    fn settle(&mut self, affordable: f32) {
        let (mut low, mut high) = (0.0, PRICE_DOUBLINGS);
        for _ in 0..ROUNDS {
            let middle: f32 = (low + high) / 2.0;
            self.choose(WORTH * middle.exp2());
            let bits: f32 = self.chosen.iter().map(|offer| offer.bits).sum();
            if bits > affordable {
                low = middle;
            } else {
                high = middle;
            }
        }
        self.choose(WORTH * high.exp2());
        self.chosen
            .sort_unstable_by(|a, b| b.worth().total_cmp(&a.worth()));
    }

    /// The best offer of each position where a bit costs `price`: what moves gets what is cheapest for what it does, for it will soon be another thing; what stands still gets all that is worth the price at once, for
    /// coming back costs bits.
    fn choose(&mut self, price: f32) {
        self.chosen.clear();
        for options in self.options.chunk_by(|a, b| a.position == b.position) {
            let gain = |offer: &Offer| match offer.moves {
                true => offer.worth(),
                false => offer.saved - offer.bits * price.max(offer.least),
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
    fn updates(
        &self,
        wanted: &[f32],
        had: &[f32],
        position_bits: f32,
        fresh: bool,
    ) -> [(f32, f32); STAGES.len()] {
        let mut updates = [(0.0, position_bits); STAGES.len()];
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
