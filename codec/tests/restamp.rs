//! A recording sent as if it were live: other times, the same frames.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use cis_codec::frame::{Error, HeaderReader, Restamper};
use cis_codec::{Limits, encode};
use common::*;

/// Twelve frames, a key frame every fifth, the seventh a repeat.
fn recording() -> Vec<Vec<u8>> {
    let mut scene = Scene::new(shape(6, 5, 4), 3, 0.5);
    let mut encoder = encoder(encode::Config {
        key_interval: 5,
        ..encode::Config::new(bundle())
    });
    (0..12)
        .map(|n| {
            if n == 7 {
                return encoder.encode_repeat(n, n).unwrap().data.to_vec();
            }
            let latents = scene.frame(n);
            encoder
                .encode(&input(&latents, scene.shape, n))
                .unwrap()
                .data
                .to_vec()
        })
        .collect()
}

#[test]
fn frames_stay_and_times_change_also_when_it_starts_again() {
    let units = recording();
    let (mut original, mut restamped) = (decoder(), decoder());
    let mut restamper = Restamper::new(Limits::default());
    let mut headers = HeaderReader::new(Limits::default());
    // Twice, and then from the second key frame on.
    let order = (0..12).chain(0..12).chain(5..12);
    for (n, index) in order.enumerate() {
        let unit = &units[index];
        let (pts, capture) = (1_000 + 40 * n as u64, 5_000_000 + 41 * (n * n) as u64);
        let (data, header) = restamper.restamp(unit, pts, capture).unwrap();
        assert_eq!(headers.read(&data).unwrap(), header);
        let before = original.decode(unit).unwrap();
        let after = restamped.decode(&data).unwrap();
        assert_eq!(after.latents, before.latents);
        assert_eq!(
            (after.header.key, after.header.repeat),
            (before.header.key, before.header.repeat)
        );
        assert_eq!((after.header.pts_ns, after.header.capture_utc_ns), (pts, capture));
        assert_eq!(after.header.number, n as u64, "numbers run on");
    }
}

#[test]
fn it_begins_with_a_key_frame_and_takes_no_damage() {
    let units = recording();
    let mut restamper = Restamper::new(Limits::default());
    assert_eq!(restamper.restamp(&units[1], 0, 0).unwrap_err(), Error::NoKeyFrame);
    restamper.restamp(&units[0], 0, 0).unwrap();
    let mut broken = units[1].clone();
    *broken.last_mut().unwrap() ^= 1;
    assert!(matches!(
        restamper.restamp(&broken, 1, 1),
        Err(Error::Broken { .. })
    ));
    assert_eq!(restamper.restamp(&units[2], 2, 2).unwrap_err(), Error::NoKeyFrame);
    restamper.restamp(&units[5], 3, 3).unwrap();
}
