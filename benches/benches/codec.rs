//! Speed of the codec: key frames, inter frames of a busy and of a static scene, both ways, in values and bytes a second.

#![allow(missing_docs, reason = "criterion's macros make an undocumented function")]

use std::{hint::black_box, sync::Arc};

use cis_codec::{Decoder, Encoder, Limits, Prior, Shape, Size, encode};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const SHAPE: Shape = Shape {
    channels: 48,
    width: 26,
    height: 16,
};

/// A texture whose channels get weaker, with a block that moves one position a frame, and noise.
fn scene(index: u32, moving: bool, noise: f32) -> Vec<f32> {
    let (width, height) = (u32::from(SHAPE.width), u32::from(SHAPE.height));
    let hash = |a: u32, b: u32| {
        let mut x = a.wrapping_mul(0x9E37_79B1) ^ b.wrapping_mul(0x85EB_CA77);
        x ^= x >> 15;
        x = x.wrapping_mul(0x2C1B_3C6D);
        ((x ^ x >> 13) % 65_536) as f32 / 65_536.0 - 0.5
    };
    let value = |at: u32| {
        let (channel, y, x) = (at / width / height, at / width % height, at % width);
        let sum = hash(at, 1) + hash(at, 2) + hash(at, 3);
        let block = moving && (x + width - index % width) % width < 5 && (4..10).contains(&y);
        let object = if block { 2.5 * hash(channel, 4) } else { 0.0 };
        5.0 * sum / (1.0 + channel as f32 / 4.0) + object + noise * hash(at, 5 + index)
    };
    (0..SHAPE.len() as u32).map(value).collect()
}

fn input(latents: &[f32], index: u64, force_key: bool) -> encode::Input<'_> {
    let source = Size {
        width: 1280,
        height: 720,
    };
    encode::Input {
        latents,
        shape: SHAPE,
        source,
        pts_ns: index * 33_333_333,
        capture_utc_ns: 0,
        force_key,
        vectors: &[],
    }
}

fn encoder() -> Encoder {
    let config = encode::Config {
        key_interval: 0,
        ..encode::Config::new("bench".parse().expect("a valid id"))
    };
    Encoder::new(config, Arc::new(Prior::default())).expect("a valid configuration")
}

fn codec(criterion: &mut Criterion) {
    for (name, moving, force_key) in [
        ("key", true, true),
        ("inter", true, false),
        ("static", false, false),
    ] {
        let frames: Vec<_> = (0..64).map(|index| scene(index, moving, 0.2)).collect();
        let mut coder = encoder();
        let mut units = Vec::new();
        for (index, latents) in frames.iter().enumerate() {
            units.push(
                coder
                    .encode(&input(latents, index as u64, force_key))
                    .expect("a good frame")
                    .data,
            );
        }
        let bytes = units[1..].iter().map(|unit| unit.len()).sum::<usize>() / (units.len() - 1);
        let mut group = |criterion: &mut Criterion, throughput, unit: &str| {
            let mut group = criterion.benchmark_group(format!("{name} ({bytes} bytes), {unit}"));
            group.throughput(throughput);
            group.bench_function(BenchmarkId::from_parameter("encode"), |bencher| {
                let mut index = 0;
                bencher.iter(|| {
                    index += 1;
                    let latents = &frames[index % frames.len()];
                    black_box(
                        coder
                            .encode(&input(latents, index as u64, force_key))
                            .expect("a good frame"),
                    )
                });
            });
            group.bench_function(BenchmarkId::from_parameter("decode"), |bencher| {
                let mut decoder = Decoder::new(
                    "bench".parse().expect("a valid id"),
                    Arc::new(Prior::default()),
                    Limits::default(),
                );
                if force_key {
                    bencher.iter(|| black_box(decoder.decode(&units[1]).expect("a good unit").latents.q[0]));
                    return;
                }
                // A group cannot be decoded twice: its whole course is timed, its key frame is not.
                bencher.iter_custom(|rounds| {
                    let mut spent = std::time::Duration::ZERO;
                    let mut done = 0;
                    while done < rounds {
                        decoder.decode(&units[0]).expect("a key frame");
                        let start = std::time::Instant::now();
                        for unit in units[1..].iter().take((rounds - done) as usize) {
                            black_box(decoder.decode(unit).expect("a good unit").latents.q[0]);
                            done += 1;
                        }
                        spent += start.elapsed();
                    }
                    spent
                });
            });
            group.finish();
        };
        group(criterion, Throughput::Elements(SHAPE.len() as u64), "symbols");
        group(
            criterion,
            Throughput::Bytes(2 * SHAPE.len() as u64),
            "bytes of 16-bit latents",
        );
    }
}

criterion_group!(benches, codec);
criterion_main!(benches);
