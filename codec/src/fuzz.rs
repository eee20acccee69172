//! Bodies of fuzz targets: any bytes, no panic, bounded memory and time.

use std::sync::Arc;

use crate::{BundleId, Decoder, Limits, Prior, frame};

/// Small limits, so that a fuzzer finds its way and memory stays bounded.
pub fn limits() -> Limits {
    Limits {
        max_side: 4096,
        max_latents: 1 << 14,
        max_payload: 1 << 14,
    }
}

/// Reads a stream the way a parser and a decoder behind it do; returns the number of frames decoded.
pub fn stream(mut data: &[u8]) -> usize {
    let limits = limits();
    let Ok(bundle) = "test".parse::<BundleId>() else {
        return 0;
    };
    let decoder = |layer| Decoder::of_layer(layer, bundle.clone(), Arc::new(Prior::default()), limits);
    let mut decoders = [frame::DETECTION, frame::ENHANCEMENT].map(decoder);
    let mut decoded = 0;
    while let Some(at) = frame::find_sync(data) {
        data = &data[at..];
        while let Ok(peek) = frame::peek(data, &limits) {
            let Some((unit, rest)) = data.split_at_checked(peek.unit_len) else {
                break;
            };
            let Some(decoder) = decoders.get_mut(usize::from(peek.layer)) else {
                break;
            };
            if decoder.decode(unit).is_err() {
                break;
            }
            decoded += 1;
            data = rest;
        }
        data = data.get(1..).unwrap_or_default();
    }
    decoded
}

/// Reads a prior; a good one is written back as it was.
pub fn prior(data: &[u8]) {
    if let Ok(prior) = Prior::from_bytes(data) {
        assert!(Prior::from_bytes(&prior.to_bytes()).is_ok());
    }
}
