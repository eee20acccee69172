//! Which symbols an encoder codes: those whose squared error and bits together are least, by the prices of the moment.
//!
//! The decoder knows nothing of it. Prices come from the models as they are when a position has its turn, so a change that its
//! surroundings make likely costs less than a lone one, and noise less often moves a symbol than objects do.

use super::{
    contexts::{self, Progress, Symbol},
    frame_coder::{Positions, UNARY_MAX},
    logistic::price,
    model::Kind,
    range::BitCoder,
};

/// What a bit is worth.
#[derive(Clone, Copy, Debug)]
pub struct Worth {
    /// Cells per unit of the latents: `1 / step`.
    pub scale: f32,
    /// Squared error, in steps squared, that a bit has to save.
    pub bit: f32,
}

/// Assumed price of a magnitude beyond the unary part, in 1/256 bit.
const ESCAPE_PRICE: u32 = 8 * 256;
/// Price that no change is assumed to fall below, in 1/256 bit: what saves less is not worth a closer look. The quantiser's margin agrees with it.
const LEAST_PRICE: u32 = 2 * 256;
/// Price that the channels of a changed position that do not change are assumed not to fall below together, in 1/256 bit.
const LEAST_REST: i32 = 4 * 256;
/// Assumed price of sign and magnitude of a one in a key frame, in 1/256 bit: they are many, and these prices hardly differ.
const KEY_ONE_PRICE: u32 = 5 * 256 / 4;

/// How much squared error `to` saves where `from` stood.
#[inline(always)]
fn saved(scaled: f32, from: i32, to: i32) -> f32 {
    let (from, to) = (scaled - from as f32, scaled - to as f32);
    from * from - to * to
}

/// A symbol with what it saves and costs.
#[derive(Clone, Copy)]
struct Choice {
    value: i32,
    saved: f32,
    price: u32,
}

impl Choice {
    /// The better of two.
    #[inline(always)]
    fn or(self, other: Self, rate: f32) -> Self {
        if self.saved - self.price as f32 * rate > other.saved - other.price as f32 * rate {
            self
        } else {
            other
        }
    }
}

impl<C: BitCoder> Positions<'_, C> {
    /// Replaces wanted symbols of a position by cheaper ones where that loses less than it saves: by their reference, one by one or all
    /// of them, or by the neighbour on the way to it.
    #[inline(always)]
    pub(super) fn choose<const KEY: bool>(
        &mut self,
        worth: &Worth,
        (position, at): (usize, usize),
        wanted: &mut [i16],
        changed_so_far: usize,
    ) {
        let channels = self.field.channels();
        let first = position * channels;
        let reference = &self.field.reference[first..][..channels];
        if *wanted == *reference {
            return;
        }
        // A price in 1/256 bit times this is squared error.
        let rate = worth.bit / 256.0;
        let (plane, latents) = (self.plane, self.latents);
        let scaled = |channel: usize| latents.get(channel * plane + at).map_or(0.0, |y| y * worth.scale);
        let mut most = 0.0;
        for (channel, (&w, &r)) in wanted.iter().zip(reference).enumerate() {
            if w != r {
                let saved = saved(scaled(channel), r.into(), w.into());
                most += (saved - LEAST_PRICE as f32 * rate).max(0.0);
            }
        }
        let (contexts, sets) = contexts::position(self.field, position, changed_so_far);
        let yes = self.bank.predict(Kind::Position, (&contexts, sets));
        let mut bits = price(yes) as i32 - price(65_536 - yes) as i32;
        if !KEY && most <= (bits + LEAST_REST) as f32 * rate {
            wanted.copy_from_slice(&self.field.reference[first..][..channels]);
            return;
        }
        let mut total = 0.0;
        let mut progress = Progress::default();
        for (channel, wanted) in wanted.iter_mut().enumerate() {
            let reference = i32::from(self.field.reference[first + channel]);
            if KEY && i32::from(*wanted) == reference {
                // What zeros cost would only tell whether to drop the whole position, which next to no key frame does.
                progress.push(reference, 0);
                continue;
            }
            let symbol = Symbol::new::<KEY>(self.field, position, channel, &progress);
            let (contexts, sets) = if KEY {
                symbol.change_intra()
            } else {
                symbol.change_inter()
            };
            let yes = self.bank.predict(Kind::Change, (&contexts, sets));
            let mut best = Choice {
                value: reference,
                saved: 0.0,
                price: price(65_536 - yes),
            };
            if i32::from(*wanted) != reference {
                let wanted = i32::from(*wanted);
                best = if KEY && (wanted - reference).abs() == 1 {
                    let one = Choice {
                        value: wanted,
                        saved: saved(scaled(channel), reference, wanted),
                        price: price(yes) + KEY_ONE_PRICE,
                    };
                    one.or(best, rate)
                } else {
                    self.dearer(&symbol, rate, scaled(channel), best, wanted, price(yes))
                };
            }
            total += best.saved;
            bits = bits.saturating_add_unsigned(best.price);
            // Between reference and wanted symbol, both of which are in range.
            *wanted = best.value as i16;
            progress.push(best.value, best.value - reference);
        }
        if !KEY && total <= bits as f32 * rate {
            wanted.copy_from_slice(&self.field.reference[first..][..channels]);
        }
    }

    /// The best of `kept`, the symbol `wanted` and its neighbour on the way to the kept one; `change` is the price of a change as such.
    #[inline(always)]
    fn dearer(
        &mut self,
        symbol: &Symbol,
        rate: f32,
        scaled: f32,
        kept: Choice,
        wanted: i32,
        change: u32,
    ) -> Choice {
        let steps = (wanted - kept.value).abs();
        let sign = (wanted - kept.value).signum();
        let (contexts, sets) = symbol.sign();
        let negative = self.bank.predict(Kind::Sign, (&contexts, sets));
        let mut price_so_far = change + price(if sign < 0 { negative } else { 65_536 - negative });
        let mut best = kept;
        let mut offer = |value: i32, price: u32| {
            let saved = saved(scaled, kept.value, value);
            best = Choice { value, saved, price }.or(best, rate);
        };
        for magnitude in 1..=steps.min(UNARY_MAX - 1) {
            let (contexts, sets) = symbol.more(magnitude, sign < 0);
            let more = self.bank.predict(Kind::More, (&contexts, sets));
            if magnitude + 1 >= steps {
                offer(kept.value + sign * magnitude, price_so_far + price(65_536 - more));
            }
            price_so_far += price(more);
        }
        if steps >= UNARY_MAX {
            offer(wanted, price_so_far + ESCAPE_PRICE);
        }
        best
    }
}
