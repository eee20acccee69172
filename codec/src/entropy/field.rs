//! The latents of a frame and its predecessor as contexts need them: position by position, with a margin.

use crate::{
    Shape,
    quant::{self, Rescale},
};

/// Values of the frame being coded and of the one before, and how they have changed. Position-major: all channels of
/// a position lie together. A margin of positions that never change saves contexts from asking where the edge is.
#[derive(Debug, Default)]
pub struct Field {
    pub shape: Shape,
    /// Positions from one row to the next.
    pub stride: usize,
    /// The frame being coded; as far as it has not been coded yet, the reference.
    pub cur: Vec<i16>,
    /// The frame before.
    pub reference: Vec<i16>,
    /// What each symbol was before it last changed.
    pub older: Vec<i16>,
    /// What the value of each symbol is more than its symbol stands for, in 1/256: after movement, or another qindex. Empty where symbols are all there is (version 2).
    pub rest: Vec<i32>,
    /// Frames since each symbol changed, up to 255.
    pub age: Vec<u8>,
    /// Changed channels of each position in this frame, and in the one before.
    pub changes: [Vec<u16>; 2],
    /// Frames since each position changed, up to 255.
    pub position_age: Vec<u8>,
    /// How often each position changes lately, 0 to 255.
    pub unrest: Vec<u8>,
    /// Channels of each position that are not zero.
    pub filled: Vec<u16>,
    /// Changed positions of the frame before.
    pub changed_before: usize,
}

impl Clone for Field {
    fn clone(&self) -> Self {
        let mut clone = Self::default();
        clone.clone_from(self);
        clone
    }

    fn clone_from(&mut self, source: &Self) {
        (self.shape, self.stride, self.changed_before) = (source.shape, source.stride, source.changed_before);
        self.cur.clone_from(&source.cur);
        self.reference.clone_from(&source.reference);
        self.older.clone_from(&source.older);
        self.rest.clone_from(&source.rest);
        self.age.clone_from(&source.age);
        for (changes, source) in self.changes.iter_mut().zip(&source.changes) {
            changes.clone_from(source);
        }
        self.position_age.clone_from(&source.position_age);
        self.unrest.clone_from(&source.unrest);
        self.filled.clone_from(&source.filled);
    }
}

fn zeros<T: Copy + Default>(values: &mut Vec<T>, len: usize, value: T) {
    values.clear();
    values.resize(len, value);
}

impl Field {
    /// Forgets everything and takes a new shape; `exact`: symbols have rests.
    pub fn start(&mut self, shape: Shape, exact: bool) {
        self.shape = shape;
        self.stride = usize::from(shape.width) + 1;
        let positions = self.stride * (usize::from(shape.height) + 2) + 1;
        let len = positions * self.channels();
        zeros(&mut self.cur, len, 0);
        zeros(&mut self.reference, len, 0);
        zeros(&mut self.older, len, 0);
        zeros(&mut self.rest, if exact { len } else { 0 }, 0);
        zeros(&mut self.age, len, 255);
        self.changes
            .iter_mut()
            .for_each(|changes| zeros(changes, positions, 0));
        zeros(&mut self.position_age, positions, 255);
        zeros(&mut self.unrest, positions, 0);
        zeros(&mut self.filled, positions, 0);
        self.changed_before = 0;
    }

    pub fn channels(&self) -> usize {
        usize::from(self.shape.channels)
    }

    /// Index of a position.
    #[inline]
    pub fn position(&self, x: usize, y: usize) -> usize {
        (y + 1) * self.stride + x + 1
    }

    /// Changes the scale of the reference and of what came before it. Where symbols have rests no value changes.
    pub fn rescale(&mut self, from: u8, to: u8) {
        let rescale = Rescale::new(from, to);
        self.older.iter_mut().for_each(|q| *q = rescale.apply(*q));
        if self.rest.is_empty() {
            self.cur.iter_mut().for_each(|q| *q = rescale.apply(*q));
        }
        for (q, rest) in self.cur.iter_mut().zip(&mut self.rest) {
            let value = quant::value_q8(*q, from) + *rest;
            *q = quant::symbol_q8(value, to);
            *rest = value - quant::value_q8(*q, to);
        }
    }

    /// Gives a position a new reference: these values, in 1/256. Where all symbols are zero values are, too: nothing is known there.
    pub fn displace(&mut self, position: usize, values: &[i32], qindex: u8) {
        let first = position * self.channels();
        for (at, &value) in (first..first + self.channels()).zip(values) {
            let q = quant::symbol_q8(value, qindex);
            (self.cur[at], self.older[at]) = (q, q);
            if let Some(rest) = self.rest.get_mut(at) {
                *rest = value - quant::value_q8(q, qindex);
            }
        }
        self.count_filled(position);
        self.forget_rests(position);
    }

    fn forget_rests(&mut self, position: usize) {
        let first = position * self.channels();
        if self.filled[position] == 0 && !self.rest.is_empty() {
            self.rest[first..first + usize::from(self.shape.channels)].fill(0);
        }
    }

    /// The values of a position, in 1/256.
    pub fn values(&self, position: usize, qindex: u8) -> impl Iterator<Item = i32> + '_ {
        let first = position * self.channels();
        let rests = self.rest.get(first..).unwrap_or_default();
        let symbols = self.cur[first..].iter().take(self.channels());
        symbols
            .zip(rests)
            .map(move |(&q, rest)| quant::value_q8(q, qindex) + rest)
    }

    /// Makes the frame before out of the last one.
    pub fn advance(&mut self) {
        self.reference.copy_from_slice(&self.cur);
        self.age.iter_mut().for_each(|age| *age = age.saturating_add(1));
        self.position_age
            .iter_mut()
            .for_each(|age| *age = age.saturating_add(1));
        self.unrest
            .iter_mut()
            .for_each(|unrest| *unrest -= unrest.div_ceil(16).min(*unrest));
        self.changes.swap(0, 1);
        self.changed_before = self.changes[1].iter().filter(|&&changes| changes > 0).count();
        self.changes[0].fill(0);
    }

    /// Notes that a symbol has changed to `value`.
    #[inline]
    pub fn change(&mut self, at: usize, value: i16) {
        self.older[at] = self.reference[at];
        self.age[at] = 0;
        self.cur[at] = value;
    }

    /// Notes how many channels of a position have changed.
    #[inline]
    pub fn close_position(&mut self, position: usize, changes: usize) {
        if changes == 0 {
            return;
        }
        self.changes[0][position] = changes.min(usize::from(u16::MAX)) as u16;
        self.position_age[position] = 0;
        self.unrest[position] = self.unrest[position].saturating_add(16);
        self.count_filled(position);
        self.forget_rests(position);
    }

    fn count_filled(&mut self, position: usize) {
        let channels = self.channels();
        let values = &self.cur[position * channels..][..channels];
        self.filled[position] = values.iter().filter(|&&q| q != 0).count() as u16;
    }

    /// Turns latents channel by channel into latents position by position. Where there are too few the rest is zero.
    pub fn gather<T: Copy + Default>(&self, latents: &[T], out: &mut Vec<T>) {
        let plane = usize::from(self.shape.width) * usize::from(self.shape.height);
        zeros(out, self.shape.len(), T::default());
        for (channel, plane) in latents
            .chunks_exact(plane.max(1))
            .take(self.channels())
            .enumerate()
        {
            let places = out[channel..].iter_mut().step_by(self.channels());
            places.zip(plane).for_each(|(out, &value)| *out = value);
        }
    }

    /// Writes the latents channel by channel.
    pub fn write(&self, out: &mut Vec<i16>) {
        self.spread(&self.cur, out);
    }

    /// Writes what lies position by position, with its margin, channel by channel.
    pub fn spread<T: Copy + Default>(&self, values: &[T], out: &mut Vec<T>) {
        let (channels, width) = (self.channels(), usize::from(self.shape.width));
        zeros(out, self.shape.len(), T::default());
        for (index, row) in out.chunks_exact_mut(width.max(1)).enumerate() {
            let (channel, y) = (
                index / usize::from(self.shape.height),
                index % usize::from(self.shape.height),
            );
            let start = self.position(0, y) * channels + channel;
            let values = values.get(start..).unwrap_or_default();
            for (out, &value) in row.iter_mut().zip(values.iter().step_by(channels)) {
                *out = value;
            }
        }
    }
}
