//! Streams come and go: a thousand cameras over real connections, and nothing of them is left: no thread, no file, no memory.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{Camera, Site, wait_for};
use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};

/// Cameras at a time; each name comes again and again.
const NAMES: [&str; 5] = ["gate-1", "gate-2", "gate-3", "gate-4", "gate-5"];
const FRAMES: usize = 3;

/// Bytes that are in use. Resident memory alone would not do: the allocator gives each thread of the cameras an arena, and keeps them.
struct Counting;

static IN_USE: AtomicIsize = AtomicIsize::new(0);

// SAFETY: passes everything to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size() as isize, Relaxed);
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size() as isize, Relaxed);
        // SAFETY: `at` came from `alloc`, that is from the system.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Threads and open files of this process: receiver and cameras.
fn held() -> (usize, usize) {
    let count = |path: &str| fs::read_dir(path).unwrap().count();
    (count("/proc/self/task"), count("/proc/self/fd"))
}

/// Resident memory, KiB.
fn resident() -> isize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// One test in this file: the counters belong to the whole process.
#[test]
fn a_thousand_joins_and_leaves_leave_nothing_behind() {
    let site = Site::new(&NAMES);
    // All cameras are at one address here, and come faster than one may.
    let receiver = site.receiver_with(
        "handshakes-per-second = 0\n",
        "[rtsp]\nenabled = false\n[json]\noutput = 'out.jsonl'\n[detect]\nwhen-full = 'wait'\nbatch-size = 4\nworkers = 2\n\
         [record]\nfolder = 'recordings'\n",
    );
    let address = receiver.address();
    // Every camera joins, sends, and leaves when the receiver has confirmed its frames.
    let join = |times: usize| {
        std::thread::scope(|scope| {
            for name in NAMES {
                let site = &site;
                scope.spawn(move || {
                    for _ in 0..times {
                        let mut camera = Camera::start(site, name, address, 0).connected();
                        camera.frames(FRAMES);
                        camera.finish();
                    }
                });
            }
        });
    };
    let ended = |streams: u64| {
        wait_for("the streams have ended", || {
            receiver.ended().0 == streams && receiver.streams().is_empty()
        });
    };
    // Caches of sessions and the like are full afterwards.
    join(80);
    ended(400);
    let (before, in_use, kib) = (held(), IN_USE.load(Relaxed), resident());
    join(120);
    ended(1000);
    wait_for("threads and files are those of before", || {
        let now = held();
        // One or two of the runtime's own come and go.
        now.0 <= before.0 + 2 && now.1 <= before.1 + 2
    });
    let (grown, kib) = (IN_USE.load(Relaxed) - in_use, resident() - kib);
    println!("600 joins: {grown} bytes more in use, {kib} KiB more resident");
    assert!(grown < 256 << 10, "{grown} bytes more in use after 600 joins");
    assert!(kib < 64 << 10, "{kib} KiB more after 600 joins");
    let totals = receiver.shutdown();
    assert_eq!((totals.streams, totals.lines_lost), (1000, 0));
    assert_eq!(totals.sum.frames, 1000 * FRAMES as u64);
    assert_eq!(totals.sum.results, totals.sum.frames, "{totals:?}");
    assert_eq!(totals.sum.unrecorded, 0);
}
