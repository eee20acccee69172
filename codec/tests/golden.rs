//! Streams of every version that was ever released decode to what they always did.
//!
//! `cis-latents golden codec/tests/golden/v2` and `cis-latents golden-moving codec/tests/golden/v4` made them; each sum covers number, time stamps, kind, qindex and latents of all frames, and the canvas where there is one.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use std::{fs, path::Path, sync::Arc};

use cis_codec::{Decoder, Limits, Prior, Transform, frame};
use sha2::{Digest, Sha256};

fn sum_of(stream: &[u8], prior: Arc<Prior>, transform: Option<Arc<Transform>>) -> (u64, String) {
    let decoder = |layer| {
        let decoder = Decoder::of_layer(layer, "golden".parse().unwrap(), prior.clone(), Limits::default());
        match &transform {
            Some(transform) => decoder.drawing(transform.clone()),
            None => decoder,
        }
    };
    let mut decoders = [frame::DETECTION, frame::ENHANCEMENT].map(decoder);
    let (mut rest, mut frames, mut sum) = (stream, 0, Sha256::new());
    while !rest.is_empty() {
        let peek = frame::peek(rest, &Limits::default()).unwrap();
        let (unit, tail) = rest.split_at(peek.unit_len);
        let frame = decoders[usize::from(peek.layer)].decode(unit).unwrap();
        let header = &frame.header;
        sum.update(header.number.to_le_bytes());
        sum.update(header.pts_ns.to_le_bytes());
        sum.update(header.capture_utc_ns.to_le_bytes());
        sum.update([u8::from(header.key), header.qindex]);
        frame.latents.q.iter().for_each(|q| sum.update(q.to_le_bytes()));
        let version = header.version;
        if let Some(canvas) = decoders[usize::from(peek.layer)]
            .canvas()
            .filter(|_| frame::is_moving(version))
        {
            sum.update(canvas.samples());
        }
        (rest, frames) = (tail, frames + u64::from(peek.layer == 0 || transform.is_some()));
    }
    (
        frames,
        sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
    )
}

#[test]
fn golden_streams_decode_for_ever() {
    decode_all("v2", 10);
    decode_all("v3", 3);
    decode_all("v4", 3);
}

fn decode_all(version: &str, count: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(version);
    let list = fs::read_to_string(folder.join("golden.json")).unwrap();
    let list: Vec<serde_json::Value> = serde_json::from_str(&list).unwrap();
    assert_eq!(list.len(), count);
    for vector in list {
        let file = vector["file"].as_str().unwrap();
        let prior = vector["prior"]
            .as_str()
            .map_or(Vec::new(), |name| fs::read(folder.join(name)).unwrap());
        let prior = Arc::new(Prior::from_bytes(&prior).unwrap());
        let transform = vector.get("transform").and_then(|name| name.as_str());
        let transform = transform.map(|name| fs::read(folder.join(name)).unwrap());
        let transform = transform.map(|bytes| Arc::new(Transform::from_bytes(&bytes).unwrap()));
        let (frames, sum) = sum_of(&fs::read(folder.join(file)).unwrap(), prior, transform);
        assert_eq!(Some(frames), vector["frames"].as_u64(), "{file}");
        assert_eq!(Some(&*sum), vector["sha256"].as_str(), "{file}");
    }
}
