//! A camera runs for months: preparing a frame must not allocate pictures once the first one is through.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use cis_inference::geometry::Geometry;
use cis_inference::picture::{Colorimetry, PixelFormat, Preparer};
use common::Frame;

struct Counting;

static BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: passes everything to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: `at` came from `alloc`, that is from the system.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One test in this file: the counter belongs to the whole process.
#[test]
fn steady_state_allocates_no_pictures() {
    let size = (1280, 720);
    let manifest = common::tiny().manifest().clone();
    let g = Geometry::new(size, 416, &manifest).expect("legal");
    for format in PixelFormat::ALL {
        let frame = Frame::paint(format, Colorimetry::default(), size, 0, |x, y| {
            [x as u8, y as u8, 7]
        });
        let mut preparer = Preparer::new(&manifest);
        let mut prepare = || {
            frame
                .view(|view| preparer.prepare(view, &g).map(<[u8]>::len))
                .expect("good")
        };
        prepare();
        let before = BYTES.load(Ordering::Relaxed);
        prepare();
        let used = BYTES.load(Ordering::Relaxed) - before;
        // The list of planes of the view; x alone would be 1.3 MB.
        assert!(used < 1 << 10, "{format:?}: {used} bytes for one frame");
    }
}
