//! Priors: learned, written, read back, refused.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use std::sync::Arc;

use cis_codec::{Decoder, Encoder, Latents, Limits, Prior, encode, prior};
use common::*;

fn trained() -> Prior {
    let mut trainer = prior::Trainer::new(&[24, 32, 99]);
    for qindex in [24, 32] {
        let mut encoder = encoder(encode::Config {
            qindex,
            key_interval: 5,
            ..encode::Config::new(bundle())
        });
        let shape = shape(12, 10, 8);
        for seed in 0..8 {
            let mut scene = Scene::new(shape, 100 + seed, 0.4);
            for index in 0..10 {
                let latents = scene.frame(index);
                let packet = encoder.encode(&input(&latents, shape, index)).unwrap();
                trainer.learn(qindex, encoder.reconstruction(), packet.header.key);
            }
        }
    }
    trainer.finish(32)
}

fn code(prior: &Arc<Prior>) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(encode::Config::new(bundle()), prior.clone()).unwrap();
    let mut decoder = Decoder::new(bundle(), prior.clone(), Limits::default());
    let mut scene = Scene::new(shape(12, 10, 8), 7, 0.4);
    let unit = |index| {
        let latents = scene.frame(index);
        let packet = encoder.encode(&input(&latents, scene.shape, index)).unwrap();
        assert_eq!(
            decoder.decode(&packet.data).unwrap().latents,
            encoder.reconstruction()
        );
        packet.data.to_vec()
    };
    (0..10).map(unit).collect()
}

#[test]
fn a_prior_survives_its_bytes_and_saves_some() {
    let prior = trained();
    let bytes = prior.to_bytes();
    let read = Prior::from_bytes(&bytes).unwrap();
    assert_eq!(read.to_bytes(), bytes);
    let warm = code(&Arc::new(prior));
    assert_eq!(warm, code(&Arc::new(read)));
    let cold = code(&Arc::new(Prior::from_bytes(&[]).unwrap()));
    let size = |units: &[Vec<u8>]| units.iter().map(Vec::len).sum::<usize>();
    assert!(
        size(&warm) < size(&cold),
        "{} warm, {} cold",
        size(&warm),
        size(&cold)
    );
}

#[test]
fn training_is_deterministic() {
    assert_eq!(trained().to_bytes(), trained().to_bytes());
}

#[test]
fn ends_with_different_priors_do_not_agree_in_silence() {
    let units = code(&Arc::new(trained()));
    let mut decoder = decoder();
    let frame = decoder.decode(&units[0]);
    let mut right = Decoder::new(bundle(), Arc::new(trained()), Limits::default());
    let wanted = right.decode(&units[0]).unwrap();
    // The bundle id is what tells priors apart; without it the best that can happen is an error.
    assert!(frame.map_or(true, |frame| frame.latents != wanted.latents));
}

#[test]
fn damaged_priors_are_refused() {
    let bytes = trained().to_bytes();
    for at in (0..bytes.len()).step_by(97).chain(0..16) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        assert!(Prior::from_bytes(&damaged).is_err(), "byte {at}");
        if at > 0 {
            assert!(Prior::from_bytes(&bytes[..at]).is_err(), "cut to {at}");
        }
    }
    assert_eq!(
        Prior::from_bytes(b"cisprior").unwrap_err(),
        prior::Error::NotAPrior
    );
    assert_eq!(Prior::from_bytes(b"onnx").unwrap_err(), prior::Error::NotAPrior);
    let mut future = bytes.clone();
    future[8] = 9;
    assert_eq!(
        Prior::from_bytes(&future).unwrap_err(),
        prior::Error::UnsupportedVersion { found: 9 }
    );
}

#[test]
fn symbols_out_of_range_do_not_stop_a_trainer() {
    let mut trainer = prior::Trainer::new(&[32]);
    let latents = Latents {
        shape: shape(1, 2, 1),
        q: vec![i16::MIN, i16::MAX],
    };
    trainer.learn(32, &latents, true);
    assert!(Prior::from_bytes(&trainer.finish(8).to_bytes()).is_ok());
    assert!(Prior::from_bytes(&prior::Trainer::new(&[]).finish(8).to_bytes()).is_ok());
}
