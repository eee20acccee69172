//! A model as bytes: what `prior.bin` is made of.

use std::{ops::Range, sync::Arc};

use super::{Bank, COLD_WEIGHT, INPUTS, Kind, Model, WEIGHT_MAX};
use crate::{entropy::counter::Counter, frame::varint};

/// Counts that a packed counter can have; the index takes four bits, 0 stands for an untouched counter.
const COUNTS: [u8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 255];
/// Packed weights lose this many low bits.
const WEIGHT_SHIFT: u32 = 6;

/// Why bytes are no model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackError(pub &'static str);

const KINDS: [Kind; 4] = [Kind::Position, Kind::Change, Kind::Sign, Kind::More];

impl Model {
    /// The same model with every count at most `confidence`, as precise as it can be packed.
    pub fn damped(mut self, confidence: u8) -> Self {
        for bank in [&mut self.key, &mut self.inter].map(Arc::make_mut) {
            damp(bank.counters.as_mut_slice(), confidence);
            for weight in bank.weights.iter_mut().flatten().flatten().flatten() {
                *weight = COLD_WEIGHT + ((*weight - COLD_WEIGHT) >> WEIGHT_SHIFT << WEIGHT_SHIFT);
            }
        }
        damp(&mut self.escapes, confidence);
        self
    }

    /// Appends a [damped](Model::damped) model.
    pub fn pack(&self, out: &mut Vec<u8>) {
        for bank in [&self.key, &self.inter] {
            for (kind, weights) in KINDS.into_iter().zip(&bank.weights) {
                pack_counters(&bank.counters[range(kind)], out);
                for weight in weights.iter().flatten().flatten() {
                    varint::put_signed(out, i64::from((weight - COLD_WEIGHT) >> WEIGHT_SHIFT));
                }
            }
        }
        pack_counters(&self.escapes, out);
    }
}

/// The counters of a kind.
fn range(kind: Kind) -> Range<usize> {
    kind.start()..kind.start() + (INPUTS << kind.bits())
}

/// Takes a model off the front of `bytes`.
pub fn unpack(bytes: &mut &[u8]) -> Result<Model, PackError> {
    let mut model = Model::default();
    for bank in [&mut model.key, &mut model.inter] {
        unpack_bank(bytes, Arc::make_mut(bank))?;
    }
    unpack_counters(bytes, &mut model.escapes)?;
    Ok(model)
}

fn unpack_bank(bytes: &mut &[u8], bank: &mut Bank) -> Result<(), PackError> {
    for (kind, weights) in KINDS.into_iter().zip(&mut bank.weights) {
        unpack_counters(bytes, &mut bank.counters[range(kind)])?;
        for weight in weights.iter_mut().flatten().flatten() {
            let packed = varint::take_signed(bytes).map_err(|_| PackError("truncated weights"))?;
            let value = packed
                .checked_mul(1 << WEIGHT_SHIFT)
                .map(|value| value.saturating_add(COLD_WEIGHT.into()));
            let value = value.and_then(|value| i32::try_from(value).ok());
            *weight = value
                .filter(|value| value.abs() <= WEIGHT_MAX)
                .ok_or(PackError("weight out of range"))?;
        }
    }
    Ok(())
}

fn damp(counters: &mut [Counter], confidence: u8) {
    counters
        .iter_mut()
        .for_each(|counter| *counter = damped(*counter, confidence));
}

fn damped(counter: Counter, confidence: u8) -> Counter {
    let n = counter.n().min(confidence);
    let n = COUNTS.into_iter().rev().find(|&count| count <= n).unwrap_or(0);
    if n == 0 {
        Counter::default()
    } else {
        Counter::new(counter.p() & !0xF | 8, n)
    }
}

/// Runs of untouched counters and of touched ones, in turn.
fn pack_counters(counters: &[Counter], out: &mut Vec<u8>) {
    let mut rest = counters;
    while !rest.is_empty() {
        let untouched = rest.iter().take_while(|counter| counter.n() == 0).count();
        let touched = rest[untouched..]
            .iter()
            .take_while(|counter| counter.n() != 0)
            .count();
        varint::put(out, untouched as u64);
        varint::put(out, touched as u64);
        for counter in &rest[untouched..][..touched] {
            let count = COUNTS
                .iter()
                .rposition(|&count| count <= counter.n())
                .unwrap_or(0) as u16;
            out.extend_from_slice(&(counter.p() & !0xF | count).to_le_bytes());
        }
        rest = &rest[untouched + touched..];
    }
}

fn unpack_counters(bytes: &mut &[u8], counters: &mut [Counter]) -> Result<(), PackError> {
    let mut at = 0usize;
    while at < counters.len() {
        let mut run = || {
            varint::take(bytes)
                .map_err(|_| PackError("truncated run"))
                .map(|run| run as usize)
        };
        let (untouched, touched) = (run()?, run()?);
        if untouched.saturating_add(touched) == 0 {
            return Err(PackError("empty run"));
        }
        let start = at.saturating_add(untouched);
        let end = start.saturating_add(touched);
        let run = counters
            .get_mut(start..end)
            .ok_or(PackError("run beyond the last counter"))?;
        let (packed, tail) = bytes
            .split_at_checked(2 * touched)
            .ok_or(PackError("truncated counters"))?;
        *bytes = tail;
        for (counter, packed) in run.iter_mut().zip(packed.chunks_exact(2)) {
            let value = u16::from_le_bytes([packed[0], packed[1]]);
            *counter = Counter::new(value & !0xF | 8, COUNTS[usize::from(value & 0xF)]);
            if counter.n() == 0 {
                return Err(PackError("touched counter without a count"));
            }
        }
        at = end;
    }
    Ok(())
}
