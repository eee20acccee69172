//! Codes the latents of a frame against those of the frame before: the order and the shape of its decisions.

use super::{
    choose::Worth,
    contexts::{self, Progress, Symbol},
    field::Field,
    model::{Bank, Escapes, INPUTS, Kind, Model},
    range::BitCoder,
};
use crate::{Latents, Prior, Shape};

/// A decoded symbol is out of range: the payload is corrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange;

/// Differences up to this are counted in ones; the rest is an Exp-Golomb code.
pub(super) const UNARY_MAX: i32 = 16;
/// Bits of the largest rest: differences are within ±4094.
const ESCAPE_BITS_MAX: u32 = 12;

/// History and adaptive state of one stream.
#[derive(Debug, Default)]
pub struct FrameCoder {
    model: Model,
    field: Field,
    /// The frame that is wanted, position by position.
    wanted: Vec<i16>,
}

/// What a writer is to code.
#[derive(Clone, Copy, Debug)]
pub enum Wish<'a> {
    /// These symbols, channel by channel; a reader's are empty.
    Exactly(&'a [i16]),
    /// These, or cheaper ones that stand for the latents nearly as well.
    Nearly {
        symbols: &'a [i16],
        latents: &'a [f32],
        worth: Worth,
    },
}

impl Clone for FrameCoder {
    fn clone(&self) -> Self {
        let mut clone = Self::default();
        clone.clone_from(self);
        clone
    }

    fn clone_from(&mut self, source: &Self) {
        self.model.clone_from(&source.model);
        self.field.clone_from(&source.field);
    }
}

impl FrameCoder {
    /// Begins a group: forgets the reference and takes the prior. `exact`: values do not end with the symbols (versions 3 and 4).
    pub fn start(&mut self, prior: &Prior, shape: Shape, qindex: u8, exact: bool) {
        self.model.clone_from(prior.model(qindex));
        self.field.start(shape, exact);
    }

    /// Begins a group without touching what has been learned.
    pub fn start_group(&mut self, shape: Shape) {
        self.field.start(shape, false);
    }

    /// Shape of the group.
    pub fn shape(&self) -> Shape {
        self.field.shape
    }

    /// What has been learned.
    pub fn into_model(self) -> Model {
        self.model
    }

    /// Changes the scale of the reference.
    pub fn rescale(&mut self, from: u8, to: u8) {
        self.field.rescale(from, to);
    }

    /// Gives a position, counted row by row, a new reference before its frame is coded: these values, in 1/256.
    pub fn displace(&mut self, position: usize, values: &[i32], qindex: u8) {
        let at = self.place(position);
        self.field.displace(at, values, qindex);
    }

    /// Whether a position, counted row by row, has changed in the last frame.
    pub fn has_changed(&self, position: usize) -> bool {
        self.field.changes[0][self.place(position)] > 0
    }

    /// The values of a position, counted row by row, in 1/256.
    pub fn values(&self, position: usize, qindex: u8) -> impl Iterator<Item = i32> + '_ {
        self.field.values(self.place(position), qindex)
    }

    /// Writes what values are more than their symbols stand for, channel by channel, in 1/256; nothing where symbols are all there is.
    pub fn write_rests(&self, out: &mut Vec<i32>) {
        match self.field.rest.is_empty() {
            true => out.clear(),
            false => self.field.spread(&self.field.rest, out),
        }
    }

    fn place(&self, position: usize) -> usize {
        let columns = usize::from(self.field.shape.width).max(1);
        self.field.position(position % columns, position / columns)
    }

    /// Codes one frame. What has become of a wish [`write_symbols`](Self::write_symbols) tells.
    pub fn code<C: BitCoder>(&mut self, coder: &mut C, wish: Wish<'_>, key: bool) -> Result<(), OutOfRange> {
        let Self { model, field, wanted } = self;
        field.advance();
        let (mut worth, mut held) = (None, &[][..]);
        match wish {
            Wish::Exactly(symbols) if C::WRITES => field.gather(symbols, wanted),
            Wish::Exactly(_) => {}
            Wish::Nearly {
                symbols,
                latents,
                worth: given,
            } => {
                field.gather(symbols, wanted);
                held = latents;
                worth = Some(given);
            }
        }
        let plane = usize::from(field.shape.width) * usize::from(field.shape.height);
        let (bank, escapes) = model.parts(key);
        let positions = Positions {
            coder,
            bank,
            escapes,
            field,
            wanted,
            latents: held,
            plane,
            worth,
        };
        positions.code(key)
    }

    /// Writes the latents of the last frame.
    pub fn write_latents(&self, out: &mut Latents) {
        out.shape = self.field.shape;
        self.field.write(&mut out.q);
    }

    /// Writes the symbols of the last frame, channel by channel.
    pub fn write_symbols(&self, out: &mut Vec<i16>) {
        self.field.write(out);
    }
}

/// One frame on its way through the coder.
pub(super) struct Positions<'a, C> {
    coder: &'a mut C,
    pub(super) bank: &'a mut Bank,
    escapes: Escapes<'a>,
    pub(super) field: &'a mut Field,
    wanted: &'a mut [i16],
    /// Channel by channel, and how many positions each has.
    pub(super) latents: &'a [f32],
    pub(super) plane: usize,
    worth: Option<Worth>,
}

impl<C: BitCoder> Positions<'_, C> {
    /// The same integer arithmetic with the widest instructions that this processor has.
    fn code(self, key: bool) -> Result<(), OutOfRange> {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            #[allow(unsafe_code, reason = "a call to a function for AVX2")]
            // SAFETY: the processor has AVX2.
            return unsafe {
                if key {
                    self.code_avx2::<true>()
                } else {
                    self.code_avx2::<false>()
                }
            };
        }
        if key {
            self.code_all::<true>()
        } else {
            self.code_all::<false>()
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn code_avx2<const KEY: bool>(self) -> Result<(), OutOfRange> {
        self.code_all::<KEY>()
    }

    #[inline(always)]
    fn code_all<const KEY: bool>(mut self) -> Result<(), OutOfRange> {
        let Shape { width, height, .. } = self.field.shape;
        let (channels, mut changed) = (self.field.channels(), 0);
        let mut wanted = std::mem::take(&mut self.wanted).chunks_exact_mut(channels.max(1));
        for y in 0..usize::from(height) {
            for x in 0..usize::from(width) {
                let position = self.field.position(x, y);
                let wanted = wanted.next().unwrap_or_default();
                if C::WRITES
                    && let Some(worth) = self.worth
                {
                    let at = y * usize::from(width) + x;
                    self.choose::<KEY>(&worth, (position, at), wanted, changed);
                }
                changed += usize::from(self.position::<KEY>(position, wanted, changed)?);
            }
        }
        Ok(())
    }

    /// Codes all channels of a position; returns whether any has changed. `wanted` is empty for a reader.
    #[inline(always)]
    fn position<const KEY: bool>(
        &mut self,
        position: usize,
        wanted: &[i16],
        changed_so_far: usize,
    ) -> Result<bool, OutOfRange> {
        let channels = self.field.channels();
        let first = position * channels;
        let differs = C::WRITES && *wanted != self.field.reference[first..][..channels];
        let (contexts, sets) = contexts::position(self.field, position, changed_so_far);
        if !self.decide::<KEY>(Kind::Position, differs, (&contexts, sets)) {
            return Ok(false);
        }
        let mut progress = Progress::default();
        for channel in 0..channels {
            let at = first + channel;
            let reference = i32::from(self.field.reference[at]);
            let difference = wanted
                .get(channel)
                .map_or(0, |&wanted| i32::from(wanted) - reference);
            let symbol = Symbol::new::<KEY>(self.field, position, channel, &progress);
            // A position that differs has a channel that does: the last one has no choice if no other did.
            let implied = progress.changed == 0 && channel + 1 == channels;
            let (contexts, sets) = if KEY {
                symbol.change_intra()
            } else {
                symbol.change_inter()
            };
            if !implied && !self.decide::<KEY>(Kind::Change, difference != 0, (&contexts, sets)) {
                progress.push(reference, 0);
                continue;
            }
            let difference = self.difference::<KEY>(&symbol, difference)?;
            let value = reference + difference;
            let symbol = i16::try_from(value)
                .ok()
                .filter(|value| value.abs() <= Latents::MAX);
            self.field.change(at, symbol.ok_or(OutOfRange)?);
            progress.push(value, difference);
        }
        self.field.close_position(position, progress.changed);
        Ok(true)
    }

    #[inline(always)]
    fn decide<const KEY: bool>(
        &mut self,
        kind: Kind,
        bit: bool,
        contexts: (&[usize; INPUTS], [usize; 2]),
    ) -> bool {
        self.bank.code::<C, KEY>(self.coder, kind, bit, contexts)
    }

    /// Codes a difference that is not zero.
    #[inline(always)]
    fn difference<const KEY: bool>(&mut self, symbol: &Symbol, difference: i32) -> Result<i32, OutOfRange> {
        let (contexts, sets) = symbol.sign();
        let negative = self.decide::<KEY>(Kind::Sign, difference < 0, (&contexts, sets));
        let wanted = difference.abs();
        let mut magnitude = 1;
        while magnitude < UNARY_MAX {
            let (contexts, sets) = symbol.more(magnitude, negative);
            if !self.decide::<KEY>(Kind::More, wanted > magnitude, (&contexts, sets)) {
                break;
            }
            magnitude += 1;
        }
        if magnitude == UNARY_MAX {
            magnitude += code_escape(&mut self.escapes, self.coder, wanted - UNARY_MAX)?;
        }
        Ok(if negative { -magnitude } else { magnitude })
    }
}

/// Codes what lies beyond the unary part: the number of bits of `rest + 1` in ones, then the bits below the highest.
fn code_escape<C: BitCoder>(escapes: &mut Escapes<'_>, coder: &mut C, rest: i32) -> Result<i32, OutOfRange> {
    let wanted = (rest.max(0) + 1) as u32;
    let mut bits = 0;
    while escapes.code(coder, wanted >> (bits + 1) != 0, bits as usize) {
        bits += 1;
        if bits > ESCAPE_BITS_MAX {
            return Err(OutOfRange);
        }
    }
    let mut value = 1u32;
    for bit in (0..bits).rev() {
        let one = escapes.code(
            coder,
            wanted >> bit & 1 == 1,
            16 + bit as usize + 16 * usize::from(bit + 1 == bits),
        );
        value = value << 1 | u32::from(one);
    }
    Ok(value as i32 - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::range::Writer;

    /// Codes frames of noise that partly stands still, with whatever `code` picks; returns their bytes.
    fn coded(code: impl Fn(Positions<'_, Writer>, bool) -> Result<(), OutOfRange>) -> Vec<Vec<u8>> {
        let (channels, width, height) = (20, 9, 7);
        let mut coder = FrameCoder::default();
        coder.start_group(Shape {
            channels,
            width,
            height,
        });
        let mut random = 1u32;
        let frame = |index: u32| {
            let latents: Vec<i16> = (0..coder.shape().len() as u32)
                .map(|at| {
                    random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let still = (at.wrapping_mul(2_654_435_761) >> 24) as i16 % 5 - 2;
                    still
                        + if random >> 28 < index {
                            (random >> 20) as i16 % 40 - 20
                        } else {
                            0
                        }
                })
                .collect();
            let FrameCoder {
                model, field, wanted, ..
            } = &mut coder;
            field.advance();
            field.gather(&latents, wanted);
            let (bank, escapes) = model.parts(index == 0);
            let mut writer = Writer::new(Vec::new());
            let positions = Positions {
                coder: &mut writer,
                bank,
                escapes,
                field,
                wanted,
                latents: &[],
                plane: 0,
                worth: None,
            };
            assert_eq!(code(positions, index == 0), Ok(()));
            writer.finish()
        };
        (0..6).map(frame).collect()
    }

    #[test]
    fn wide_and_plain_instructions_make_the_same_bytes() {
        let plain = coded(|positions, key| {
            if key {
                positions.code_all::<true>()
            } else {
                positions.code_all::<false>()
            }
        });
        assert_eq!(plain, coded(|positions, key| positions.code(key)));
        assert!(plain.iter().all(|bytes| bytes.len() > 20), "{plain:?}");
    }
}
