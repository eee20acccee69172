//! Processor time of one frame on the camera: x from a 720p frame, and the front of the embedded bundle, on one thread.
//!
//! Not wall time, so that a busy machine does not blur it.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

use cis_inference::bundle::Bundle;
use cis_inference::front::Front;
use cis_inference::geometry::Geometry;
use cis_inference::picture::{Colorimetry, PixelFormat, Plane, Preparer, View};
use cis_inference::runtime::{Runtime, Search, SessionOptions};
use criterion::{Criterion, criterion_group, criterion_main};

const SIZE: (u32, u32) = (1280, 720);

/// Processor time of this thread so far.
fn used() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the clock exists on Linux, and `time` is ours to write.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

/// Processor time of `rounds` calls.
fn spent<R>(rounds: u64, mut call: impl FnMut() -> R) -> Duration {
    let start = used();
    for _ in 0..rounds {
        black_box(call());
    }
    used() - start
}

fn prepare(c: &mut Criterion) {
    let bundle = Bundle::embedded().expect("valid");
    let geometry = Geometry::new(SIZE, 416, bundle.manifest()).expect("legal");
    for format in [
        PixelFormat::I420,
        PixelFormat::Nv12,
        PixelFormat::Yuy2,
        PixelFormat::Rgb,
        PixelFormat::Bgrx,
    ] {
        let data: Vec<(Vec<u8>, usize)> = format
            .plane_sizes(SIZE.0, SIZE.1)
            .into_iter()
            .map(|(row, rows)| ((0..row * rows).map(|i| (i * 7 + i / row) as u8).collect(), row))
            .collect();
        let planes: Vec<Plane<'_>> = data
            .iter()
            .map(|(data, stride)| Plane {
                data,
                stride: *stride,
            })
            .collect();
        let view = View {
            format,
            colorimetry: Colorimetry::default(),
            width: SIZE.0,
            height: SIZE.1,
            planes: &planes,
        };
        let mut preparer = Preparer::new(bundle.manifest());
        c.bench_function(&format!("prepare {format:?} 1280x720 -> 832x512"), |b| {
            b.iter_custom(|n| {
                spent(n, || {
                    preparer.prepare(black_box(&view), &geometry).map(<[u8]>::len)
                })
            });
        });
    }
}

fn front(c: &mut Criterion) {
    let mut search = Search::from_environment();
    search.folders.insert(
        0,
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.cis/onnxruntime"),
    );
    let runtime = Runtime::load_with(&search).expect("run scripts/setup first");
    let bundle = Bundle::embedded().expect("valid");
    let geometry = Geometry::new(SIZE, 416, bundle.manifest()).expect("legal");
    let mut front = Front::new(&runtime, &bundle, &SessionOptions::default()).expect("opens");
    let x: Vec<u8> = (0..geometry.x_bytes()).map(|i| (i * 31 % 251) as u8).collect();
    c.bench_function("front 832x512", |b| {
        b.iter_custom(|n| spent(n, || front.run(black_box(&x), &geometry).map(<[f32]>::len)));
    });
}

criterion_group!(benches, prepare, front);
criterion_main!(benches);
