//! Codes the latents of a frame against those of the frame before.

use super::range::BitCoder;
use crate::{Latents, Prior, Shape, quant::Rescale};

/// A decoded symbol is out of range: the payload is corrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange;

/// History and adaptive state of one stream.
#[derive(Clone, Debug, Default)]
pub struct FrameCoder {
    shape: Shape,
    cur: Vec<i16>,
    bits: Vec<super::counter::Counter>,
}

impl FrameCoder {
    /// Begins a group: forgets the reference and takes the prior.
    pub fn start(&mut self, prior: &Prior, shape: Shape, qindex: u8) {
        let _ = (prior, qindex);
        self.shape = shape;
        self.cur = vec![0; shape.len()];
        self.bits = vec![Default::default(); 64];
    }

    /// Changes the scale of the reference.
    pub fn rescale(&mut self, rescale: Rescale) {
        self.cur.iter_mut().for_each(|q| *q = rescale.apply(*q));
    }

    /// Codes one frame.
    pub fn code<C: BitCoder>(&mut self, coder: &mut C, want: &[i16], key: bool) -> Result<(), OutOfRange> {
        let _ = key;
        for i in 0..self.cur.len() {
            let r = i32::from(self.cur[i]);
            let d = if C::WRITES { i32::from(want[i]) - r } else { 0 };
            let mut bit = |hint: bool, at: usize| {
                let counter = &mut self.bits[at.min(63)];
                let bit = coder.code(hint, u32::from(counter.p).max(1));
                counter.learn(bit, 255);
                bit
            };
            if !bit(d != 0, 0) {
                continue;
            }
            let negative = bit(d < 0, 1);
            let mut m = 1;
            while m < 4095 && bit(d.abs() > m, 2 + m as usize) {
                m += 1;
            }
            let q = r + if negative { -m } else { m };
            self.cur[i] = i16::try_from(q).ok().filter(|q| q.abs() <= Latents::MAX).ok_or(OutOfRange)?;
        }
        Ok(())
    }

    /// Writes the latents of the last frame.
    pub fn write_latents(&self, out: &mut Latents) {
        out.shape = self.shape;
        out.q.clear();
        out.q.extend_from_slice(&self.cur);
    }
}
