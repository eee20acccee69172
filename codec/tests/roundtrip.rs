//! What the encoder keeps is what the decoder gets, bit for bit, whatever the symbols are.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use cis_codec::{
    Decoder, Encoder, Limits, Prior, encode,
    frame::{self, DETECTION, ENHANCEMENT},
    quant,
};
use common::*;
use proptest::prelude::*;
use std::sync::Arc;

/// Codes every frame and compares the two ends.
fn assert_round_trip(encoder: &mut Encoder, frames: &[(Vec<f32>, cis_codec::Shape, bool)]) {
    let mut decoder = decoder();
    for (index, (latents, shape, force_key)) in frames.iter().enumerate() {
        let input = encode::Input {
            force_key: *force_key,
            vectors: &[],
            ..input(latents, *shape, index as u64)
        };
        let packet = encoder.encode(&input).unwrap();
        let frame = decoder.decode(&packet.data).unwrap();
        assert_eq!(frame.header, packet.header);
        assert_eq!(frame.latents, encoder.reconstruction());
        assert_eq!(frame.header.pts_ns, input.pts_ns);
        assert_eq!(frame.header.capture_utc_ns, input.capture_utc_ns);
    }
}

/// A second layer is a stream of its own: neither end of one looks at the units of the other.
#[test]
fn layers_do_not_touch_each_other() {
    let (low, high) = (shape(6, 5, 4), shape(3, 10, 8));
    let config = |layer| encode::Config {
        layer,
        key_interval: 7,
        ..encode::Config::new(bundle())
    };
    let code = |layers: &[(u8, cis_codec::Shape)]| {
        let mut sides: Vec<_> = layers
            .iter()
            .map(|&(layer, shape)| (encoder(config(layer)), Scene::new(shape, 5, 0.3)))
            .collect();
        let mut units = Vec::new();
        for index in 0..20 {
            for (encoder, scene) in &mut sides {
                let latents = scene.frame(index);
                let packet = encoder.encode(&input(&latents, scene.shape, index)).unwrap();
                units.push((packet.header.layer, packet.data, encoder.reconstruction().clone()));
            }
        }
        units
    };
    let both = code(&[(DETECTION, low), (ENHANCEMENT, high)]);
    let alone = code(&[(DETECTION, low)]);
    let mut decoders = [DETECTION, ENHANCEMENT]
        .map(|layer| Decoder::of_layer(layer, bundle(), Arc::new(Prior::default()), Limits::default()));
    let (mut detection, mut smallest) = (Vec::new(), usize::MAX);
    for (layer, unit, kept) in &both {
        assert_eq!(frame::peek(unit, &Limits::default()).unwrap().layer, *layer);
        for decoder in &mut decoders {
            match decoder.decode(unit) {
                Ok(frame) => assert_eq!((frame.header.layer, frame.latents), (*layer, kept)),
                Err(error) => assert!(error.is_skippable(), "{error}"),
            }
        }
        match *layer {
            DETECTION => detection.push(unit),
            _ => smallest = smallest.min(unit.len()),
        }
    }
    assert!(
        detection.into_iter().eq(alone.iter().map(|(_, unit, _)| unit)),
        "layer 0 is the same with and without layer 1"
    );
    assert!(smallest < 200, "inter units of layer 1 exist");
    let mut encoder = encoder(config(ENHANCEMENT));
    assert!(
        encoder.set_config(config(DETECTION)).is_err(),
        "an encoder stays in its layer"
    );
}

/// Integers as the latents that `exact()` turns back into them.
fn as_latents(q: &[i16], qindex: u8) -> Vec<f32> {
    let mut out = vec![0.0; q.len()];
    quant::dequantize(q, qindex, &mut out);
    out
}

fn symbol() -> impl Strategy<Value = i16> {
    prop_oneof![
        6 => Just(0i16),
        4 => -2i16..=2,
        2 => -20i16..=20,
        1 => -2047i16..=2047,
        1 => prop_oneof![Just(-2047i16), Just(2047i16)],
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_symbols_come_back(
        (shape, frames) in (1u16..70, 1u16..9, 1u16..7).prop_flat_map(|(c, w, h)| {
            let shape = shape(c, w, h);
            let frame = (proptest::collection::vec(symbol(), shape.len()), prop::bool::weighted(0.2));
            (Just(shape), proptest::collection::vec(frame, 1..5))
        })
    ) {
        let mut encoder = encoder(exact());
        let mut decoder = decoder();
        for (index, (q, force_key)) in frames.iter().enumerate() {
            let latents = as_latents(q, 32);
            let input = encode::Input { force_key: *force_key, ..input(&latents, shape, index as u64) };
            let packet = encoder.encode(&input).unwrap();
            let frame = decoder.decode(&packet.data).unwrap();
            prop_assert_eq!(&frame.latents.q, q);
            prop_assert_eq!(&encoder.reconstruction().q, q);
        }
    }

    #[test]
    fn quantiser_index_may_change_within_a_group(
        indices in proptest::collection::vec(0u8..=63, 2..8), seed in any::<u64>()
    ) {
        let shape = shape(12, 7, 5);
        let mut scene = Scene::new(shape, seed, 0.2);
        let mut encoder = encoder(encode::Config { key_interval: 0, ..exact() });
        let mut decoder = decoder();
        for (index, &qindex) in indices.iter().enumerate() {
            encoder.set_config(encode::Config { qindex, key_interval: 0, ..exact() }).unwrap();
            let latents = scene.frame(index as u64);
            let packet = encoder.encode(&input(&latents, shape, index as u64)).unwrap();
            prop_assert_eq!(packet.header.key, index == 0);
            prop_assert_eq!(packet.header.qindex, qindex);
            let frame = decoder.decode(&packet.data).unwrap();
            prop_assert_eq!(frame.latents, encoder.reconstruction());
            let step = quant::step(qindex);
            for (&y, &q) in latents.iter().zip(&frame.latents.q) {
                prop_assert!((y - f32::from(q) * step).abs() <= 0.501 * step);
            }
        }
    }
}

#[test]
fn symbols_lie_between_reference_and_nearest_and_the_dearer_a_bit_the_fewer_bytes() {
    let shape = shape(24, 13, 8);
    let bytes = [0.0f32, 0.05, 0.2].map(|sticky| {
        let mut scene = Scene::new(shape, 17, 1.5);
        let mut encoder = encoder(encode::Config { sticky, ..exact() });
        let mut decoder = decoder();
        let mut reference = vec![0; shape.len()];
        let mut bytes = 0;
        for index in 0..12 {
            let latents = scene.frame(index);
            let packet = encoder.encode(&input(&latents, shape, index)).unwrap();
            bytes += packet.data.len();
            let frame = decoder.decode(&packet.data).unwrap();
            assert_eq!(frame.latents, encoder.reconstruction());
            for ((&y, &q), kept) in latents.iter().zip(&frame.latents.q).zip(&mut reference) {
                let nearest = y.round_ties_even() as i16;
                let (low, high) = (nearest.min(*kept), nearest.max(*kept));
                assert!((low..=high).contains(&q), "{q} for {y}, before {kept}");
                *kept = q;
            }
        }
        bytes
    });
    assert!(bytes[0] > bytes[1] && bytes[1] > bytes[2], "{bytes:?}");
}

#[test]
fn extremes_and_alternation() {
    let shape = shape(48, 26, 16);
    let len = shape.len();
    let mut random = Random(7);
    let frames: Vec<Vec<i16>> = vec![
        vec![2047; len],
        vec![-2047; len],
        (0..len)
            .map(|at| if at % 2 == 0 { 2047 } else { -2047 })
            .collect(),
        (0..len).map(|_| (random.next() % 4095) as i16 - 2047).collect(),
        vec![0; len],
        (0..len).map(|at| i16::from(at % 2 == 0)).collect(),
        (0..len).map(|at| i16::from(at % 2 == 1)).collect(),
    ];
    let frames: Vec<_> = frames.iter().map(|q| (as_latents(q, 32), shape, false)).collect();
    assert_round_trip(&mut encoder(exact()), &frames);
}

#[test]
fn shapes_change_and_keys_are_forced() {
    let mut frames = Vec::new();
    for (index, shape) in [
        shape(48, 26, 16),
        shape(48, 26, 16),
        shape(48, 16, 26),
        shape(3, 1, 1),
        shape(300, 2, 3),
    ]
    .into_iter()
    .enumerate()
    {
        let mut scene = Scene::new(shape, 5 + index as u64, 0.3);
        frames.push((scene.frame(0), shape, false));
        frames.push((scene.frame(1), shape, false));
        frames.push((scene.frame(2), shape, true));
        frames.push((scene.frame(3), shape, false));
    }
    assert_round_trip(&mut encoder(encode::Config::new(bundle())), &frames);
}

#[test]
fn a_repeat_is_a_header_and_nothing_else() {
    let shape = shape(48, 26, 16);
    let mut scene = Scene::new(shape, 3, 0.1);
    let (mut encoder, mut decoder) = (encoder(encode::Config::new(bundle())), decoder());
    assert_eq!(
        encoder.encode_repeat(0, 0).unwrap_err(),
        encode::Error::NothingToRepeat
    );
    for index in 0..3 {
        let latents = scene.frame(index);
        let packet = encoder.encode(&input(&latents, shape, index * 2)).unwrap();
        decoder.decode(&packet.data).unwrap();
        let pts = input(&latents, shape, index * 2 + 1);
        let packet = encoder.encode_repeat(pts.pts_ns, pts.capture_utc_ns).unwrap();
        assert!(packet.header.repeat && packet.header.payload_len == 0);
        assert!(packet.data.len() <= 10, "{} bytes", packet.data.len());
        let frame = decoder.decode(&packet.data).unwrap();
        assert_eq!(frame.header, packet.header);
        assert_eq!(frame.latents, encoder.reconstruction());
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let shape = shape(48, 26, 16);
    let run = || {
        let mut scene = Scene::new(shape, 11, 0.4);
        let mut encoder = encoder(encode::Config {
            bitrate: 20,
            ..encode::Config::new(bundle())
        });
        (0..20)
            .map(|index| {
                encoder
                    .encode(&input(&scene.frame(index), shape, index))
                    .unwrap()
                    .data
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}
