//! Rate control, key frames and caps, by the sizes and time stamps alone.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use cis_codec::{Encoder, Shape, encode};
use common::*;

const SHAPE: Shape = Shape {
    channels: 48,
    width: 26,
    height: 16,
};

/// Codes `frames` frames at `fps` and returns their sizes.
fn sizes(encoder: &mut Encoder, scene: &mut Scene, frames: u64, fps: f64) -> Vec<usize> {
    let mut decoder = decoder();
    let code = |index: u64| {
        let latents = scene.frame(index);
        let pts_ns = (index as f64 * 1e9 / fps) as u64;
        let packet = encoder
            .encode(&encode::Input {
                pts_ns,
                ..input(&latents, scene.shape, index)
            })
            .unwrap();
        assert_eq!(
            decoder.decode(&packet.data).unwrap().latents,
            encoder.reconstruction()
        );
        packet.data.len()
    };
    (0..frames).map(code).collect()
}

#[test]
fn the_mean_is_on_target() {
    for (bitrate, fps) in [(20, 10.0), (50, 10.0), (50, 30.0)] {
        let mut encoder = encoder(encode::Config {
            bitrate,
            key_interval: 100,
            ..encode::Config::new(bundle())
        });
        let mut scene = Scene::new(shape(24, 13, 8), 9, 3.0);
        let frames = (30.0 * fps) as u64;
        let bytes: usize = sizes(&mut encoder, &mut scene, frames, fps).iter().sum();
        let rate = bytes as f64 * 8.0 / 1000.0 / 30.0;
        let wanted = f64::from(bitrate);
        assert!(
            (0.75 * wanted..1.1 * wanted).contains(&rate),
            "{rate:.1} kbit/s instead of {wanted} at {fps} fps"
        );
    }
}

/// Somebody asks for keys again and again, each of which is more than the bucket has room for just then.
#[test]
fn keys_that_are_asked_for_do_not_overrun_the_bucket() {
    let (bitrate, fps) = (60.0, 10);
    let mut encoder = encoder(encode::Config {
        bitrate: 60,
        key_interval: 0,
        ..encode::Config::new(bundle())
    });
    let mut scene = Scene::new(SHAPE, 9, 3.0);
    let (mut level, mut keys, mut asked) = (0.0_f64, 0, 0);
    for index in 0..300u64 {
        let latents = scene.frame(index);
        let force_key = index % 13 == 5;
        asked += u32::from(force_key);
        let packet = encoder
            .encode(&encode::Input {
                pts_ns: index * 1_000_000_000 / fps,
                force_key,
                vectors: &[],
                ..input(&latents, scene.shape, index)
            })
            .unwrap();
        keys += u32::from(index > 0 && packet.header.key);
        // Seconds of the rate, as the bucket counts them.
        level = (level - 1.0 / fps as f64 + packet.data.len() as f64 * 8.0 / (bitrate * 1000.0)).max(-0.2);
        assert!(
            index < 20 || level < 0.29,
            "frame {index}: {level:.2} s ahead, key {}",
            packet.header.key
        );
    }
    // Each has come, within the second.
    assert_eq!(keys, asked);
}

#[test]
fn no_unit_is_longer_than_the_cap() {
    let mut scene = Scene::new(SHAPE, 9, 4.0);
    let mut encoder = encoder(encode::Config {
        key_interval: 10,
        ..encode::Config::new(bundle())
    });
    let free = sizes(&mut encoder, &mut scene, 30, 10.0);
    let cap = free.iter().max().unwrap() / 3;
    let config = encode::Config {
        max_frame_bytes: cap as u32,
        ..encoder.config().clone()
    };
    let mut encoder = common::encoder(config);
    let capped = sizes(&mut encoder, &mut scene, 30, 10.0);
    assert!(capped.iter().all(|&size| size <= cap), "{capped:?} beyond {cap}");
}

#[test]
fn changes_that_cannot_fit_are_dropped_and_what_never_fits_is_an_error() {
    let mut scene = Scene::new(SHAPE, 2, 20.0);
    let config = encode::Config {
        key_interval: 0,
        ..encode::Config::new(bundle())
    };
    let mut encoder = encoder(config.clone());
    let first = scene.frame(0);
    encoder.encode(&input(&first, SHAPE, 0)).unwrap();
    let before = encoder.reconstruction().clone();

    encoder
        .set_config(encode::Config {
            max_frame_bytes: 16,
            ..config.clone()
        })
        .unwrap();
    let packet = encoder.encode(&input(&scene.frame(1), SHAPE, 1)).unwrap();
    assert!(packet.header.repeat && packet.data.len() <= 16);
    assert_eq!(*encoder.reconstruction(), before);

    encoder
        .set_config(encode::Config {
            max_frame_bytes: 3,
            ..config.clone()
        })
        .unwrap();
    let frame = scene.frame(2);
    let error = encoder.encode(&input(&frame, SHAPE, 2)).unwrap_err();
    assert!(
        matches!(
            error,
            encode::Error::TooLarge {
                smallest: 4..,
                cap: 3
            }
        ),
        "{error}"
    );
    let key = encode::Input {
        force_key: true,
        vectors: &[],
        ..input(&frame, SHAPE, 2)
    };
    let error = encoder.encode(&key).unwrap_err();
    assert!(
        matches!(
            error,
            encode::Error::TooLarge {
                smallest: 50..,
                cap: 3
            }
        ),
        "{error}"
    );
    assert_eq!(*encoder.reconstruction(), before);

    // A refused frame leaves no trace: the same encoder goes on as one that never saw it.
    let mut clean = common::encoder(config.clone());
    clean.encode(&input(&first, SHAPE, 0)).unwrap();
    clean
        .encode_repeat(packet.header.pts_ns, packet.header.capture_utc_ns)
        .unwrap();
    encoder.set_config(config).unwrap();
    let next = input(&frame, SHAPE, 3);
    assert_eq!(
        encoder.encode(&next).unwrap().data,
        clean.encode(&next).unwrap().data
    );
}

#[test]
fn a_refused_frame_leaves_the_rate_control_as_it_was() {
    let config = encode::Config {
        bitrate: 50,
        ..encode::Config::new(bundle())
    };
    let mut scene = Scene::new(SHAPE, 12, 2.0);
    let frames: Vec<_> = (0..12).map(|index| scene.frame(index)).collect();
    let run = |refused: bool| {
        let mut encoder = encoder(config.clone());
        let code = |(index, latents): (usize, &Vec<f32>)| {
            let good = input(latents, SHAPE, index as u64);
            if refused {
                let bad = encode::Input {
                    latents: &latents[1..],
                    ..good
                };
                assert!(matches!(encoder.encode(&bad), Err(encode::Error::Length { .. })));
                let bad = encode::Input {
                    source: Default::default(),
                    ..good
                };
                assert!(matches!(
                    encoder.encode(&bad),
                    Err(encode::Error::Limit {
                        what: "width",
                        found: 0,
                        ..
                    })
                ));
            }
            encoder.encode(&good).unwrap().data
        };
        frames.iter().enumerate().map(code).collect::<Vec<_>>()
    };
    assert_eq!(run(false), run(true));
}

#[test]
fn key_frames_come_when_due_asked_for_or_needed() {
    let mut scene = Scene::new(SHAPE, 1, 0.1);
    let mut encoder = encoder(encode::Config {
        key_interval: 4,
        ..encode::Config::new(bundle())
    });
    let mut keys = Vec::new();
    for index in 0..12 {
        let latents = scene.frame(index);
        let mut input = input(&latents, SHAPE, index);
        input.force_key = index == 6;
        input.source.width = if index < 11 { 1280 } else { 640 };
        let packet = encoder.encode(&input).unwrap();
        keys.push(packet.header.key);
        assert_eq!(packet.header.number, index);
    }
    let wanted = [0, 4, 6, 10, 11];
    assert!(
        keys.iter()
            .enumerate()
            .all(|(index, &key)| key == wanted.contains(&index)),
        "{keys:?}"
    );
}

#[test]
fn settings_out_of_range_are_named() {
    let good = encode::Config::new(bundle());
    for (config, field) in [
        (
            encode::Config {
                sticky: 0.5,
                ..good.clone()
            },
            "sticky",
        ),
        (
            encode::Config {
                sticky: f32::NAN,
                ..good.clone()
            },
            "sticky",
        ),
        (
            encode::Config {
                qindex: 64,
                ..good.clone()
            },
            "qindex",
        ),
        (
            encode::Config {
                qindex_max: 64,
                ..good.clone()
            },
            "qindex_max",
        ),
        (
            encode::Config {
                qindex_min: 57,
                ..good.clone()
            },
            "qindex_min",
        ),
        (
            encode::Config {
                sticky: 0.5,
                ..good.clone()
            },
            "sticky",
        ),
    ] {
        let error = Encoder::new(config, Default::default()).unwrap_err();
        assert!(error.to_string().starts_with(field), "{error}");
    }
    let mut encoder = encoder(good.clone());
    let other = encode::Config {
        bundle: "other".parse().unwrap(),
        ..good
    };
    assert!(matches!(
        encoder.set_config(other),
        Err(encode::Error::BundleChanged { .. })
    ));
}

#[test]
fn the_header_of_an_inter_frame_is_small() {
    let mut scene = Scene::new(SHAPE, 1, 0.5);
    let mut encoder = encoder(encode::Config::new(bundle()));
    let mut random = Random(5);
    for index in 0..50 {
        let latents = scene.frame(index);
        // A live source: time stamps jitter by a millisecond.
        let pts_ns = index * 33_333_333 + random.next() % 1_000_000;
        let input = encode::Input {
            pts_ns,
            capture_utc_ns: 1_790_000_000_000_000_000 + pts_ns,
            ..input(&latents, SHAPE, index)
        };
        let header = encoder.encode(&input).unwrap().header;
        // The second frame introduces the frame duration.
        let most = if index < 2 { 80 } else { 9 };
        assert!(header.unit_len - header.payload_len <= most, "{header:?}");
    }
}
