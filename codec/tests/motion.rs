//! Prediction along the motion: what encoder and decoder agree on, what it saves, and what is refused.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use std::sync::Arc;

use cis_codec::motion::Vector;
use cis_codec::{Decoder, Encoder, Limits, Prior, Shape, Transform, decode, encode, frame, fuzz};
use common::*;
use proptest::prelude::*;

const SHAPE: Shape = Shape {
    channels: 24,
    width: 8,
    height: 6,
};

fn config() -> encode::Config {
    encode::Config {
        layer: frame::ENHANCEMENT,
        qindex: 24,
        qindex_min: 0,
        ..exact()
    }
}

fn moving_encoder() -> Encoder {
    encoder(config()).predicting(fuzz::transform(SHAPE.channels))
}

fn plain_decoder() -> Decoder {
    Decoder::of_layer(
        frame::ENHANCEMENT,
        bundle(),
        Arc::new(Prior::default()),
        Limits::default(),
    )
}

fn moving_decoder() -> Decoder {
    plain_decoder().drawing(fuzz::transform(SHAPE.channels))
}

/// Coefficients that get smaller from channel to channel.
fn latents(random: &mut Random) -> Vec<f32> {
    let plane = SHAPE.len() / usize::from(SHAPE.channels);
    let value = |at: usize| random.laplace(3.0 / (1.0 + (at / plane) as f32));
    (0..SHAPE.len()).map(value).collect()
}

fn all(vector: Vector) -> Vec<Vector> {
    vec![vector; SHAPE.len() / usize::from(SHAPE.channels)]
}

#[test]
fn both_ends_have_the_same_whatever_the_vectors() {
    let mut random = Random(7);
    let (mut encoder, mut decoder) = (moving_encoder(), moving_decoder());
    let (mut sent, mut received) = (Vec::new(), Vec::new());
    for index in 0..60 {
        let qindex = 16 + (random.next() % 30) as u8;
        encoder.set_config(encode::Config { qindex, ..config() }).unwrap();
        let latents = latents(&mut random);
        let vectors: Vec<Vector> = all(Vector::default())
            .iter()
            .map(|_| match random.next() % 3 {
                0 => Vector::default(),
                _ => Vector {
                    x: (random.next() % 511) as i16 - 255,
                    y: (random.next() % 511) as i16 - 255,
                },
            })
            .collect();
        let mut input = input(&latents, SHAPE, index);
        input.vectors = &vectors;
        let unit = match index % 7 {
            3 => encoder.encode_repeat(input.pts_ns, input.capture_utc_ns).unwrap(),
            _ => encoder.encode(&input).unwrap(),
        };
        assert_eq!(unit.header.version, frame::MOVING);
        let frame = decoder.decode(&unit.data).unwrap();
        assert_eq!(frame.latents, encoder.reconstruction(), "frame {index}");
        encoder.dequantize(&mut sent);
        decoder.dequantize(&mut received);
        let zero = |at: usize| received[at] == 0.0 && encoder.reconstruction().q[at] == 0;
        assert!((0..sent.len()).all(|at| sent[at] == received[at] || zero(at)));
        let canvases = [encoder.canvas(), decoder.canvas()].map(|canvas| canvas.unwrap().samples().to_vec());
        assert_eq!(canvases[0], canvases[1], "frame {index}");
    }
}

#[test]
fn a_picture_that_shifts_by_a_block_costs_next_to_nothing() {
    let mut random = Random(3);
    let first = latents(&mut random);
    let columns = usize::from(SHAPE.width);
    // Everything comes from the position to the right; the last column stays.
    let from = |at: usize| if at % columns + 1 < columns { at + 1 } else { at };
    let shifted: Vec<f32> = (0..first.len()).map(|at| first[from(at)]).collect();
    let mut vectors = all(Vector { x: 64, y: 0 });
    vectors
        .iter_mut()
        .skip(columns - 1)
        .step_by(columns)
        .for_each(|last| *last = Vector::default());
    let size = |vectors: &[Vector]| {
        let mut encoder = encoder(encode::Config {
            sticky: 0.05,
            ..config()
        })
        .predicting(fuzz::transform(SHAPE.channels));
        encoder.encode(&input(&first, SHAPE, 0)).unwrap();
        let mut second = input(&shifted, SHAPE, 1);
        second.vectors = vectors;
        let unit = encoder.encode(&second).unwrap();
        let mut back = Vec::new();
        encoder.dequantize(&mut back);
        let error: f32 = back.iter().zip(&shifted).map(|(a, b)| (a - b).powi(2)).sum();
        (unit.data.len(), error / back.len() as f32)
    };
    let (along, plain) = (size(&vectors), size(&[]));
    assert!(
        along.0 * 5 < plain.0,
        "{along:?} bytes and error along the motion, {plain:?} without"
    );
    assert!(
        along.1 < 2.0 * plain.1 + 0.05,
        "{along:?} bytes and error along the motion, {plain:?} without"
    );
}

#[test]
fn another_quantiser_changes_no_value() {
    let mut random = Random(11);
    let latents = latents(&mut random);
    let mut encoder = moving_encoder();
    encoder.encode(&input(&latents, SHAPE, 0)).unwrap();
    let (mut before, mut after) = (Vec::new(), Vec::new());
    encoder.dequantize(&mut before);
    for (index, qindex) in [(1, 40), (2, 13), (3, 56), (4, 0)] {
        let config = encode::Config { qindex, ..config() };
        encoder.set_config(config).unwrap();
        // What the receiver has is what is wanted: nothing is to change.
        encoder.encode(&input(&before, SHAPE, index)).unwrap();
        encoder.dequantize(&mut after);
        assert_eq!(before, after, "at qindex {qindex}");
    }
}

#[test]
fn a_reader_without_the_transform_says_so_and_goes_on_at_the_next_key() {
    let mut random = Random(5);
    let unit = moving_encoder()
        .encode(&input(&latents(&mut random), SHAPE, 0))
        .unwrap();
    let error = plain_decoder().decode(&unit.data).unwrap_err();
    assert!(
        error.to_string().contains("24 latents a position") && error.to_string().contains("has 0"),
        "{error}"
    );
    let other = plain_decoder()
        .drawing(fuzz::transform(3))
        .decode(&unit.data)
        .unwrap_err();
    assert!(matches!(
        other,
        decode::Error::Transform {
            found: 24,
            transform: 3,
            ..
        }
    ));
    let plain = encoder(config())
        .encode(&input(&latents(&mut random), SHAPE, 1))
        .unwrap();
    assert_eq!(plain.header.version, frame::VERSION);
    assert!(
        moving_decoder().decode(&plain.data).is_ok(),
        "version 2 is understood, too"
    );
}

#[test]
fn bad_vectors_are_refused_by_name() {
    let mut random = Random(9);
    let latents = latents(&mut random);
    let refused = |encoder: &mut Encoder, vectors: &[Vector]| {
        let mut input = input(&latents, SHAPE, 0);
        input.vectors = vectors;
        encoder.encode(&input).unwrap_err().to_string()
    };
    let far = all(Vector { x: 0, y: 256 });
    assert!(refused(&mut moving_encoder(), &far).contains("(0, 256), legal are components of -255 to 255"));
    assert!(
        refused(&mut moving_encoder(), &far[1..]).contains("47 vectors were given, legal are none or 48")
    );
    assert!(refused(&mut encoder(config()), &all(Vector::default())).contains("nothing is predicted"));
    let mut other = encoder(config()).predicting(fuzz::transform(3));
    assert!(refused(&mut other, &[]).contains("24 channels, the transform has 3"));
}

#[test]
fn a_transform_is_read_back_and_bad_ones_are_refused() {
    let bytes = fuzz::transform(5).to_bytes();
    assert_eq!(Transform::from_bytes(&bytes).unwrap().to_bytes(), bytes);
    let refused = |bytes: &[u8]| Transform::from_bytes(bytes).unwrap_err().to_string();
    assert!(refused(b"something").contains("cistrans"));
    assert!(refused(&bytes[..bytes.len() - 1]).contains("length of the basis in bytes"));
    let with = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        refused(&bytes)
    };
    assert!(with(8, 2).contains("version 2"));
    assert!(with(9, 0).contains("number of coefficients of the transform is 0, legal are 1 to 256"));
    assert!(
        with(12, 127).contains("norm"),
        "too large a number could overflow"
    );
    assert!((0..11).all(|len| Transform::from_bytes(&bytes[..len]).is_err()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_payload_of_a_moving_layer_is_survived(data in proptest::collection::vec(any::<u8>(), 0..900), qindex in 0u8..64) {
        // Sizes and qindex of a moving layer, then payloads that no encoder made.
        fuzz::payload(&[&[150, 6, 4, qindex][..], &data].concat());
    }
}
