//! Learning a prior: the coder runs over training latents, and what it has learned by then is kept.

use super::{MAX_ANCHORS, Prior};
use crate::{
    Latents,
    entropy::{FrameCoder, Model, Wish, range::BitCoder},
    quant::QINDEX_MAX,
};

/// Collects what training latents teach, one model per quantiser index.
#[derive(Debug)]
pub struct Trainer {
    anchors: Vec<(u8, FrameCoder)>,
}

/// Takes decisions and keeps no bytes.
struct Discard;

impl BitCoder for Discard {
    const WRITES: bool = true;

    fn code(&mut self, bit: bool, _one: u32) -> bool {
        bit
    }
}

impl Trainer {
    /// A trainer with one cold model for each of `qindices`; indices out of range, repeated or beyond the sixteenth are left out.
    pub fn new(qindices: &[u8]) -> Self {
        let mut qindices: Vec<u8> = qindices
            .iter()
            .copied()
            .filter(|&qindex| qindex <= QINDEX_MAX)
            .collect();
        qindices.sort_unstable();
        qindices.dedup();
        qindices.truncate(MAX_ANCHORS);
        Self {
            anchors: qindices
                .into_iter()
                .map(|qindex| (qindex, FrameCoder::default()))
                .collect(),
        }
    }

    /// Learns one frame at the model nearest to `qindex`. `key` frames start anew; the others follow the frame before, which must have had
    /// the same shape and index. Symbols out of range are taken as the nearest in range.
    pub fn learn(&mut self, qindex: u8, latents: &Latents, key: bool) {
        let Some((_, coder)) = self
            .anchors
            .iter_mut()
            .min_by_key(|(anchor, _)| anchor.abs_diff(qindex))
        else {
            return;
        };
        let key = key || coder.shape() != latents.shape;
        if key {
            coder.start_group(latents.shape);
        }
        let clamped: Vec<i16> = latents
            .q
            .iter()
            .map(|q| (*q).clamp(-Latents::MAX, Latents::MAX))
            .collect();
        // Symbols in range can always be coded.
        let coded = coder.code(&mut Discard, Wish::Exactly(&clamped), key);
        debug_assert!(coded.is_ok());
    }

    /// The prior. Contexts trust it as if they had seen at most `confidence` decisions: the lower, the quicker a stream's own
    /// statistics take over.
    pub fn finish(self, confidence: u8) -> Prior {
        let anchors: Vec<(u8, Model)> = self
            .anchors
            .into_iter()
            .map(|(qindex, coder)| (qindex, coder.into_model().damped(confidence)))
            .collect();
        if anchors.is_empty() {
            Prior::default()
        } else {
            Prior { anchors }
        }
    }
}
