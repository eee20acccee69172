//! Bytes that no encoder made: errors, never panics, never wrong latents.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use std::{fs, path::Path};

use cis_codec::{Decoder, Limits, Prior, decode, encode, frame, fuzz};
use common::*;
use proptest::prelude::*;

/// A key frame, an inter frame and a repeat of a small scene.
fn stream() -> Vec<Vec<u8>> {
    let shape = shape(6, 5, 4);
    let mut scene = Scene::new(shape, 21, 0.5);
    let mut encoder = encoder(exact());
    let mut units: Vec<Vec<u8>> = (0..2)
        .map(|index| {
            encoder
                .encode(&input(&scene.frame(index), shape, index))
                .unwrap()
                .data
                .to_vec()
        })
        .collect();
    units.push(encoder.encode_repeat(123_456_789, 5).unwrap().data.to_vec());
    assert!(units[1].len() > 20, "the inter frame must have something to say");
    units
}

#[test]
fn every_truncation_is_an_error() {
    let units = stream();
    for (index, unit) in units.iter().enumerate() {
        for cut in 0..unit.len() {
            let mut decoder = decoder();
            units[..index]
                .iter()
                .for_each(|unit| drop(decoder.decode(unit).unwrap()));
            assert!(decoder.decode(&unit[..cut]).is_err(), "unit {index} cut to {cut}");
            match frame::peek(&unit[..cut], &Limits::default()) {
                Ok(peek) => assert_eq!(peek.unit_len, unit.len()),
                Err(frame::PeekError::NeedMore { at_least }) => {
                    assert!(at_least > cut && at_least <= unit.len())
                }
                Err(error) => panic!("unit {index} cut to {cut}: {error}"),
            }
        }
    }
}

#[test]
fn every_flipped_bit_is_an_error_but_the_late_one() {
    let units = stream();
    for (index, unit) in units.iter().enumerate() {
        for bit in 0..unit.len() * 8 {
            let mut decoder = decoder();
            units[..index]
                .iter()
                .for_each(|unit| drop(decoder.decode(unit).unwrap()));
            let mut damaged = unit.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let late = bit == if index == 0 { 8 + 1 } else { 0 };
            match decoder.decode(&damaged) {
                Ok(frame) => assert!(late && frame.header.late, "unit {index} bit {bit}"),
                Err(error) => assert!(
                    !late && !error.to_string().is_empty(),
                    "unit {index} bit {bit}: {error}"
                ),
            }
        }
    }
}

#[test]
fn a_missing_foreign_or_repeated_unit_is_noticed_and_the_next_key_frame_heals() {
    let shape = shape(6, 5, 4);
    let mut scene = Scene::new(shape, 4, 0.5);
    let mut encoder = encoder(encode::Config {
        key_interval: 4,
        ..exact()
    });
    let packets: Vec<_> = (0..9)
        .map(|index| encoder.encode(&input(&scene.frame(index), shape, index)).unwrap())
        .collect();
    let decode_order = |order: &[usize]| {
        let mut decoder = decoder();
        order
            .iter()
            .map(|&index| {
                decoder
                    .decode(&packets[index].data)
                    .map(|frame| frame.header.number)
            })
            .collect::<Vec<_>>()
    };
    for (order, wrong) in [
        (vec![0, 2], 1),
        (vec![0, 1, 1], 2),
        (vec![4, 1], 1),
        (vec![0, 1, 6], 2),
        (vec![1], 0),
    ] {
        let results = decode_order(&order);
        for (at, result) in results.iter().enumerate() {
            assert_eq!(result.is_err(), at == wrong, "{order:?}: {results:?}");
        }
        assert!(results[wrong].as_ref().unwrap_err().needs_key());
    }
    let healed = decode_order(&[0, 2, 3, 4, 5]);
    assert_eq!(
        healed[1],
        Err(decode::Error::Frame(frame::Error::Broken { last: 0 }))
    );
    assert_eq!(healed[2], Err(decode::Error::Frame(frame::Error::NoKeyFrame)));
    assert_eq!(healed[3..], [Ok(4), Ok(5)]);
}

#[test]
fn errors_name_what_is_wrong() {
    let units = stream();
    let mut other = Decoder::new(
        "other".parse().unwrap(),
        std::sync::Arc::new(Prior::default()),
        Limits::default(),
    );
    let message = other.decode(&units[0]).unwrap_err().to_string();
    assert!(message.contains("test") && message.contains("other"), "{message}");

    // A bundle that says to understand those of "test" decodes it.
    let mut other = Decoder::new(
        "other".parse().unwrap(),
        std::sync::Arc::new(Prior::default()),
        Limits::default(),
    )
    .accepting(["older".parse().unwrap(), bundle()].into());
    let latents = other.decode(&units[0]).unwrap().latents.clone();
    assert_eq!(latents, *decoder().decode(&units[0]).unwrap().latents);

    let mut future = units[0].clone();
    future[1] += 3 << 5;
    let message = decoder().decode(&future).unwrap_err().to_string();
    assert!(message.contains("version 5"), "{message}");
    assert_eq!(
        frame::peek(&future, &Limits::default()),
        Err(frame::PeekError::UnsupportedVersion { found: 5 })
    );

    let small = Limits {
        max_latents: 119,
        ..Limits::default()
    };
    let mut limited = Decoder::new(bundle(), std::sync::Arc::new(Prior::default()), small);
    let message = limited.decode(&units[0]).unwrap_err().to_string();
    assert!(message.contains("120") && message.contains("119"), "{message}");

    let small = Limits {
        max_side: 1000,
        ..Limits::default()
    };
    let mut limited = Decoder::new(bundle(), std::sync::Arc::new(Prior::default()), small);
    let message = limited.decode(&units[0]).unwrap_err().to_string();
    assert!(message.contains("1280") && message.contains("1000"), "{message}");

    let small = Limits {
        max_payload: 0,
        ..Limits::default()
    };
    assert!(matches!(
        frame::peek(&units[0], &small),
        Ok(_) | Err(frame::PeekError::TooLarge { .. })
    ));
    let huge = [0xC5, 0x41, b'c', b'i', b's', 0, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F];
    assert!(matches!(
        frame::peek(&huge, &Limits::default()),
        Err(frame::PeekError::TooLarge { .. })
    ));
}

#[test]
fn the_late_mark_can_be_set_in_place() {
    let mut units = stream();
    let mut decoder = decoder();
    for unit in &mut units {
        frame::set_late(unit, true).unwrap();
        assert!(decoder.decode(unit).unwrap().header.late);
    }
    frame::set_late(&mut units[0], false).unwrap();
    assert!(!decoder.decode(&units[0]).unwrap().header.late);
    assert!(frame::set_late(&mut [], true).is_err());
    assert!(frame::set_late(&mut [1, 2], true).is_err());
}

#[test]
fn another_layer_is_passed_over() {
    let units = stream();
    let mut decoder = decoder();
    decoder.decode(&units[0]).unwrap();
    let mut enhancement = units[0].clone();
    enhancement[5] = 1;
    assert_eq!(frame::peek(&enhancement, &Limits::default()).unwrap().layer, 1);
    let error = decoder.decode(&enhancement).unwrap_err();
    assert!(error.is_skippable(), "{error}");
    decoder.decode(&units[1]).unwrap();
}

#[test]
fn key_frames_are_found_after_garbage() {
    let units = stream();
    let mut data = vec![0xC5, 1, b'c', 7, 0xC5, 0xC5];
    let garbage = data.len();
    data.extend_from_slice(&units[0]);
    assert_eq!(frame::find_sync(&data), Some(garbage));
    assert_eq!(frame::find_sync(&data[..garbage + 3]), Some(garbage));
    assert_eq!(frame::find_sync(&units[1][1..]), None);
    assert_eq!(frame::find_sync(&[]), None);
    assert_eq!(fuzz::stream(&data), 1);
}

/// A unit with any payload and a right checksum, as a peer could make it.
fn forged(payload: &[u8], shape: [u8; 3]) -> Vec<u8> {
    let mut body = vec![4];
    body.extend_from_slice(b"test");
    body.extend_from_slice(&[0, 0, 0, 64, 64]);
    body.extend_from_slice(&shape);
    body.push(32);
    body.extend_from_slice(payload);
    let mut unit = vec![0xC5, 0x41, b'c', b'i', b's', 0];
    let mut length = body.len() + 4;
    while length >= 0x80 {
        unit.push(length as u8 | 0x80);
        length >>= 7;
    }
    unit.push(length as u8);
    unit.extend_from_slice(&body);
    let mut crc = !0u32;
    for &byte in &unit {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ (0x82F6_3B78 & 0u32.wrapping_sub(crc & 1));
        }
    }
    unit.extend_from_slice(&(!crc).to_le_bytes());
    unit
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_payload_ends_in_latents_in_range_or_an_error(
        payload in proptest::collection::vec(any::<u8>(), 0..400),
        shape in [1u8..60, 1u8..20, 1u8..20],
    ) {
        let unit = forged(&payload, shape);
        match decoder().decode(&unit) {
            Ok(frame) => {
                prop_assert_eq!(frame.latents.q.len(), frame.header.shape.len());
                prop_assert!(frame.latents.q.iter().all(|q| q.abs() <= 2047));
            }
            Err(error) => prop_assert!(matches!(error, decode::Error::Corrupt { .. }), "{}", error),
        }
    }

    #[test]
    fn any_bytes_are_survived(data in proptest::collection::vec(any::<u8>(), 0..300)) {
        fuzz::stream(&data);
        fuzz::prior(&data);
        let mut framed = vec![0xC5, 0x41, b'c', b'i', b's', 0];
        framed.extend_from_slice(&data);
        fuzz::stream(&framed);
        let mut prior = b"cisprior\x01".to_vec();
        prior.extend_from_slice(&data);
        fuzz::prior(&prior);
    }
}

#[test]
fn what_fuzzers_found_their_way_with_is_read_or_refused() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for (target, run) in [
        ("stream", fuzz::stream as fn(&[u8]) -> usize),
        ("payload", fuzz::payload),
    ] {
        let files = fs::read_dir(corpus.join(target)).unwrap();
        let decoded: usize = files
            .map(|file| run(&fs::read(file.unwrap().path()).unwrap()))
            .sum();
        assert!(decoded > 10, "{target}: {decoded} frames");
    }
}
