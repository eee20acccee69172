//! Streams come and go: a thousand cameras over real connections, and nothing of them is left.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{Camera, Site, wait_for};
use std::fs;

/// Cameras at a time; each name comes again and again.
const NAMES: [&str; 5] = ["gate-1", "gate-2", "gate-3", "gate-4", "gate-5"];
const FRAMES: usize = 3;

/// Threads and open files of this process: receiver and cameras.
fn held() -> (usize, usize) {
    let count = |path: &str| fs::read_dir(path).unwrap().count();
    (count("/proc/self/task"), count("/proc/self/fd"))
}

/// Resident memory, KiB.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn a_thousand_joins_and_leaves_leave_nothing_behind() {
    let site = Site::new(&NAMES);
    // All cameras are at one address here, and come faster than one may.
    let receiver = site.receiver_with(
        "handshakes-per-second = 0\n",
        "[rtsp]\nenabled = false\n[json]\noutput = 'out.jsonl'\n[detect]\nwhen-full = 'wait'\nbatch-size = 4\n[record]\nfolder = 'recordings'\n",
    );
    let address = receiver.address();
    // Every camera joins, sends, and leaves; its name is free again when the receiver has confirmed its frames.
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
    join(40);
    ended(200);
    let (before, kib) = (held(), memory());
    join(160);
    ended(1000);
    wait_for("threads and files are those of before", || {
        let now = held();
        now.0 <= before.0 && now.1 <= before.1
    });
    let grown = memory().saturating_sub(kib);
    // One decoder that is left behind holds over a MiB; 800 times a thread's stack or a connection would show as well.
    assert!(grown < 16 << 10, "{grown} KiB more after 800 joins");
    let totals = receiver.shutdown();
    assert_eq!((totals.streams, totals.lines_lost), (1000, 0));
    assert_eq!(totals.sum.frames, 1000 * FRAMES as u64);
    assert_eq!(totals.sum.results, totals.sum.frames, "{totals:?}");
    assert_eq!(totals.sum.unrecorded, 0);
}
