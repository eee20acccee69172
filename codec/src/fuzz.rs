//! Bodies of fuzz targets: any bytes, no panic, bounded memory and time.

use std::sync::Arc;

use crate::frame::{Fields, HeaderWriter};
use crate::{BundleId, Decoder, Latents, Limits, Prior, Shape, Size, Transform, frame, quant};

/// Small limits, so that a fuzzer finds its way and memory stays bounded.
pub fn limits() -> Limits {
    Limits {
        max_side: 4096,
        max_latents: 1 << 14,
        max_payload: 1 << 14,
    }
}

/// Reads a stream the way a parser and a decoder behind it do, with whatever bundle its key frames name; returns the number of frames decoded.
pub fn stream(mut data: &[u8]) -> usize {
    let limits = limits();
    let Ok(bundle) = "test".parse::<BundleId>() else {
        return 0;
    };
    let decoder = |layer, bundle| Decoder::of_layer(layer, bundle, Arc::new(Prior::default()), limits);
    let mut decoders = [frame::DETECTION, frame::ENHANCEMENT].map(|layer| decoder(layer, bundle.clone()));
    let mut decoded = 0;
    while let Some(at) = frame::find_sync(data) {
        data = &data[at..];
        while let Ok(peek) = frame::peek(data, &limits) {
            let Some((unit, rest)) = data.split_at_checked(peek.unit_len) else {
                break;
            };
            let Some(known) = decoders.get_mut(usize::from(peek.layer)) else {
                break;
            };
            if let Ok(key) = frame::HeaderReader::of_layer(peek.layer, limits).read(unit) {
                *known = decoder(peek.layer, key.bundle);
            }
            if known.decode(unit).is_err() {
                break;
            }
            decoded += 1;
            data = rest;
        }
        data = data.get(1..).unwrap_or_default();
    }
    decoded
}

/// Coefficients of a simple transform, for whoever tests prediction along the motion.
pub fn transform(channels: u16) -> Arc<Transform> {
    Arc::new(Transform::walsh(channels.into()))
}

/// Decodes entropy-coded payloads in headers that are right: checksums keep whole units that a fuzzer invents from ever getting here. The first four bytes are channels (from 128 on with prediction along the motion, from 224 on as version 3 had it),
/// width, height and qindex, then two bytes of length come before each payload; the first one is of a key frame. Returns the number of frames decoded.
pub fn payload(data: &[u8]) -> usize {
    let (Ok(bundle), Some((&[channels, width, height, qindex], mut rest))) =
        ("test".parse::<BundleId>(), data.split_first_chunk::<4>())
    else {
        return 0;
    };
    let shape = Shape {
        channels: 1 + u16::from(channels) % 96,
        width: 1 + u16::from(width) % 12,
        height: 1 + u16::from(height) % 12,
    };
    let moving = channels >= 128;
    let mut fields = Fields {
        version: match channels {
            224.. => frame::MOVING_ONE,
            128.. => frame::MOVING,
            _ => frame::VERSION,
        },
        layer: frame::DETECTION,
        pts_ns: 0,
        capture_utc_ns: 0,
        bundle: bundle.clone(),
        source: Size {
            width: 64,
            height: 64,
        },
        shape,
        qindex: qindex % (quant::QINDEX_MAX + 1),
    };
    let mut writer = HeaderWriter::default();
    let mut decoder = Decoder::new(bundle, Arc::new(Prior::default()), limits());
    if moving {
        decoder = decoder.drawing(transform(shape.channels));
    }
    let mut decoded = 0;
    while let Some((&[low, high], after)) = rest.split_first_chunk::<2>() {
        let (payload, after) = after.split_at(
            after
                .len()
                .min(usize::from(u16::from_le_bytes([low, high]) % 4096)),
        );
        rest = after;
        let unit = match fields.pts_ns {
            0 => Some(writer.key(&fields, payload)),
            _ => writer.inter(&fields, Some(payload)),
        };
        fields.pts_ns += 40_000_000;
        fields.qindex = (fields.qindex + low % 3) % (quant::QINDEX_MAX + 1);
        let Some((unit, _)) = unit else { break };
        let Ok(frame) = decoder.decode(&unit) else { break };
        assert!(
            frame.latents.q.len() == shape.len() && frame.latents.q.iter().all(|q| q.abs() <= Latents::MAX)
        );
        decoded += 1;
    }
    decoded
}

/// Reads a prior; a good one is written back as it was.
pub fn prior(data: &[u8]) {
    if let Ok(prior) = Prior::from_bytes(data) {
        assert!(Prior::from_bytes(&prior.to_bytes()).is_ok());
    }
}
