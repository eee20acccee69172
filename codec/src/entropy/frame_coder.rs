//! Codes the latents of a frame against those of the frame before: the order and the shape of its decisions.

use super::{
    contexts::{self, Symbol},
    field::Field,
    model::{Kind, Model},
    range::BitCoder,
};
use crate::{Latents, Prior, Shape, quant::Rescale};

/// A decoded symbol is out of range: the payload is corrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange;

/// Differences up to this are counted in ones; the rest is an Exp-Golomb code.
const UNARY_MAX: i32 = 16;
/// Bits of the largest rest: differences are within ±4094.
const ESCAPE_BITS_MAX: u32 = 12;

/// History and adaptive state of one stream.
#[derive(Debug, Default)]
pub struct FrameCoder {
    model: Model,
    field: Field,
}

impl Clone for FrameCoder {
    fn clone(&self) -> Self {
        Self {
            model: self.model.clone(),
            field: self.field.clone(),
        }
    }

    fn clone_from(&mut self, source: &Self) {
        self.model.clone_from(&source.model);
        self.field.clone_from(&source.field);
    }
}

impl FrameCoder {
    /// Begins a group: forgets the reference and takes the prior.
    pub fn start(&mut self, prior: &Prior, shape: Shape, qindex: u8) {
        self.model.clone_from(prior.model(qindex));
        self.field.start(shape);
    }

    /// Begins a group without touching what has been learned.
    pub fn start_group(&mut self, shape: Shape) {
        self.field.start(shape);
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
    pub fn rescale(&mut self, rescale: Rescale) {
        self.field.rescale(rescale);
    }

    /// Codes one frame. `want` holds its latents channel by channel; a reader gets none.
    pub fn code<C: BitCoder>(&mut self, coder: &mut C, want: &[i16], key: bool) -> Result<(), OutOfRange> {
        self.field.advance();
        let Shape { width, height, .. } = self.field.shape;
        let plane = usize::from(width) * usize::from(height);
        let mut changed = 0;
        for y in 0..usize::from(height) {
            for x in 0..usize::from(width) {
                let position = self.field.position(x, y);
                let want = want.get(y * usize::from(width) + x..).unwrap_or_default();
                let wanted = |channel: usize| want.get(channel * plane).copied().unwrap_or(0);
                changed += usize::from(self.code_position(coder, position, wanted, key, changed)?);
            }
        }
        Ok(())
    }

    /// Writes the latents of the last frame.
    pub fn write_latents(&self, out: &mut Latents) {
        self.field.write(out);
    }

    fn code_position<C: BitCoder>(
        &mut self,
        coder: &mut C,
        position: usize,
        wanted: impl Fn(usize) -> i16,
        key: bool,
        changed_so_far: usize,
    ) -> Result<bool, OutOfRange> {
        let Self { model, field } = self;
        let channels = field.channels();
        let first = position * channels;
        let differs =
            C::WRITES && (0..channels).any(|channel| wanted(channel) != field.reference[first + channel]);
        let (contexts, sets) = contexts::position(field, position, changed_so_far);
        if !model
            .bank(Kind::Position, key)
            .code(coder, differs, &contexts, sets)
        {
            return Ok(false);
        }
        let (mut changed, mut sum) = (0, 0);
        for channel in 0..channels {
            let at = first + channel;
            let reference = i32::from(field.reference[at]);
            let difference = if C::WRITES {
                i32::from(wanted(channel)) - reference
            } else {
                0
            };
            let symbol = Symbol::new(field, position, channel, changed, sum);
            // A position that differs has a channel that does: the last one has no choice if no other did.
            let implied = changed == 0 && channel + 1 == channels;
            if !implied {
                let (contexts, sets) = if key {
                    symbol.change_intra()
                } else {
                    symbol.change_inter()
                };
                if !model
                    .bank(Kind::Change, key)
                    .code(coder, difference != 0, &contexts, sets)
                {
                    continue;
                }
            }
            let difference = code_difference(model, coder, &symbol, difference, key)?;
            let value = reference + difference;
            let value = i16::try_from(value)
                .ok()
                .filter(|value| value.abs() <= Latents::MAX);
            field.change(at, value.ok_or(OutOfRange)?);
            changed += 1;
            sum += difference.unsigned_abs() as usize;
        }
        field.close_position(position, changed);
        Ok(true)
    }
}

/// Codes a difference that is not zero.
fn code_difference<C: BitCoder>(
    model: &mut Model,
    coder: &mut C,
    symbol: &Symbol,
    difference: i32,
    key: bool,
) -> Result<i32, OutOfRange> {
    let (contexts, sets) = symbol.sign();
    let negative = model
        .bank(Kind::Sign, key)
        .code(coder, difference < 0, &contexts, sets);
    let wanted = difference.abs();
    let mut magnitude = 1;
    while magnitude < UNARY_MAX {
        let (contexts, sets) = symbol.more(magnitude, negative);
        if !model
            .bank(Kind::More, key)
            .code(coder, wanted > magnitude, &contexts, sets)
        {
            break;
        }
        magnitude += 1;
    }
    if magnitude == UNARY_MAX {
        magnitude += code_escape(model, coder, wanted - UNARY_MAX)?;
    }
    Ok(if negative { -magnitude } else { magnitude })
}

/// Codes what lies beyond the unary part: the number of bits of `rest + 1` in ones, then the bits below the highest.
fn code_escape<C: BitCoder>(model: &mut Model, coder: &mut C, rest: i32) -> Result<i32, OutOfRange> {
    let wanted = (rest.max(0) + 1) as u32;
    let mut bits = 0;
    while model.escape(coder, wanted >> (bits + 1) != 0, bits as usize) {
        bits += 1;
        if bits > ESCAPE_BITS_MAX {
            return Err(OutOfRange);
        }
    }
    let mut value = 1u32;
    for bit in (0..bits).rev() {
        let one = model.escape(
            coder,
            wanted >> bit & 1 == 1,
            16 + bit as usize + 16 * usize::from(bit + 1 == bits),
        );
        value = value << 1 | u32::from(one);
    }
    Ok(value as i32 - 1)
}
