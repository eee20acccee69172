//! Time of one frame at the receiver: the back-end of the embedded bundle on batches of several sizes. Processor time of the whole
//! process on one thread, so that a busy machine does not blur it; wall time where threads share the work.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use cis_inference::bundle::Bundle;
use cis_inference::detect::{Detector, Item, Params};
use cis_inference::front::Front;
use cis_inference::geometry::Geometry;
use cis_inference::runtime::{Runtime, Search, SessionOptions};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Sources whose latents are 26x16, 26x12 (bikes.mp4) and 26x20 (4:3).
const SIZES: [(u32, u32); 3] = [(1280, 720), (640, 272), (640, 480)];

/// Processor time of this process so far.
fn used() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the clock exists on Linux, and `time` is ours to write.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

fn runtime() -> Runtime {
    let mut search = Search::from_environment();
    search.folders.insert(
        0,
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.cis/onnxruntime"),
    );
    Runtime::load_with(&search).expect("run scripts/setup first")
}

fn detect(c: &mut Criterion) {
    let (runtime, bundle) = (runtime(), Bundle::embedded().expect("valid"));
    let params = Params::default();
    for threads in [1, 2] {
        let options = SessionOptions {
            threads,
            ..SessionOptions::default()
        };
        for size in SIZES {
            let geometry = Geometry::new(size, 416, bundle.manifest()).expect("legal");
            let x: Vec<u8> = (0..geometry.x_bytes()).map(|i| (i * 31 % 251) as u8).collect();
            let mut front = Front::new(&runtime, &bundle, &SessionOptions::default()).expect("opens");
            let latents: Vec<f32> = front
                .run(&x, &geometry)
                .expect("runs")
                .iter()
                .map(|y| y.round())
                .collect();
            let mut detector = Detector::new(&runtime, &bundle, &options).expect("opens");
            let (w, h) = geometry.latents;
            let mut group = c.benchmark_group(format!("detect {w}x{h} threads {threads}"));
            for batch in [1_usize, 2, 4, 8] {
                let item = Item {
                    latents: &latents,
                    geometry: &geometry,
                    params: &params,
                };
                let items = vec![item; batch];
                group.throughput(Throughput::Elements(batch as u64));
                group.bench_function(format!("batch {batch}"), |b| {
                    b.iter_custom(|rounds| {
                        let (cpu, wall) = (used(), Instant::now());
                        for _ in 0..rounds {
                            black_box(detector.detect_batch(&items).expect("runs"));
                        }
                        if threads == 1 {
                            used() - cpu
                        } else {
                            wall.elapsed()
                        }
                    });
                });
            }
            group.finish();
        }
    }
}

criterion_group!(benches, detect);
criterion_main!(benches);
