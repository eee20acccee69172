//! Geometry: the documented example, its properties over all sizes, and hostile sizes from a peer.

mod common;

use cis_inference::geometry::{Geometry, MAX_INPUT, MAX_SOURCE, MIN_INPUT, MIN_SOURCE};
use proptest::prelude::*;

fn new(source: (u32, u32), input: u32) -> cis_inference::Result<Geometry> {
    Geometry::new(source, input, common::tiny().manifest())
}

#[test]
fn documented_example() {
    let g = new((1280, 720), 416).expect("legal");
    assert_eq!(
        (g.content, g.x, g.latents, g.scale),
        ((832, 468), (832, 512), (26, 16), 0.65)
    );
    let g = new((720, 1280), 416).expect("legal");
    assert_eq!((g.content, g.x, g.latents), ((468, 832), (512, 832), (16, 26)));
}

#[test]
fn extreme_aspect_keeps_at_least_one_row() {
    let g = new((MAX_SOURCE, MIN_SOURCE), MIN_INPUT).expect("legal");
    assert_eq!((g.content, g.x, g.latents), ((128, 1), (128, 64), (4, 2)));
}

#[test]
fn sizes_out_of_range_are_named() {
    for (source, input, words) in [
        ((63, 720), 416, ["source width is 63", "64..=8192"]),
        ((1280, 8193), 416, ["source height is 8193", "64..=8192"]),
        ((1280, 0), 416, ["source height is 0", "64..=8192"]),
        ((1280, 720), 400, ["input-size is 400", "multiple of 32"]),
        ((1280, 720), 0, ["input-size is 0", "64..=2048"]),
        ((1280, 720), u32::MAX, ["input-size is 4294967295", "64..=2048"]),
    ] {
        let error = new(source, input).expect_err("must be refused").to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }
}

#[test]
fn hostile_latents_are_refused() {
    let bundle = common::tiny();
    for latents in [
        (0, 0),
        (26, 15),
        (25, 16),
        (16, 26),
        (27, 16),
        (65535, 65535),
        (1, 65535),
        (129, 2),
    ] {
        let error =
            Geometry::from_latents((1280, 720), latents, bundle.manifest()).expect_err("must be refused");
        let text = error.to_string();
        assert!(
            text.contains(&format!("latents is {}x{}", latents.0, latents.1)),
            "{text}"
        );
        assert!(text.contains("legal is"), "{text}");
    }
    let error = Geometry::from_latents((0, 720), (26, 16), bundle.manifest()).expect_err("must be refused");
    assert!(error.to_string().contains("source width is 0"), "{error}");
}

#[test]
fn boxes_without_area_or_sense_are_dropped() {
    let g = new((1280, 720), 416).expect("legal");
    for corners in [
        [f32::NAN, 0.0, 10.0, 10.0],
        [0.0, 0.0, f32::INFINITY, 10.0],
        [10.0, 10.0, 10.0, 20.0],
        [20.0, 10.0, 10.0, 20.0],
        [-50.0, 0.0, -10.0, 10.0],
        [900.0, 0.0, 990.0, 10.0],
        [0.0, 480.0, 10.0, 500.0],
    ] {
        assert_eq!(g.to_source(corners), None, "{corners:?}");
    }
    assert_eq!(
        g.to_source([-1e30, -1e30, 1e30, 1e30]),
        Some([0.0, 0.0, 1280.0, 720.0])
    );
}

proptest! {
    #[test]
    fn properties(w in MIN_SOURCE..=MAX_SOURCE, h in MIN_SOURCE..=MAX_SOURCE, step in MIN_INPUT / 32..=MAX_INPUT / 32) {
        let g = new((w, h), step * 32).expect("legal");
        let long = step * 64;
        prop_assert_eq!(g.content.0.max(g.content.1), long);
        prop_assert!(g.content.0 >= 1 && g.content.1 >= 1);
        prop_assert!(g.content.0 <= g.x.0 && g.content.1 <= g.x.1);
        prop_assert!(g.x.0 < g.content.0 + 64 && g.x.1 < g.content.1 + 64);
        prop_assert!(g.x.0.is_multiple_of(64) && g.x.1.is_multiple_of(64));
        prop_assert_eq!((u32::from(g.latents.0) * 32, u32::from(g.latents.1) * 32), g.x);
        // Aspect: within half a pixel.
        prop_assert!((f64::from(h) * g.scale - f64::from(g.content.1)).abs() <= 1.0);
        // The receiver finds the same geometry.
        let other = Geometry::from_latents((w, h), g.latents, common::tiny().manifest()).expect("legal");
        prop_assert_eq!(other, g);
    }

    #[test]
    fn to_source_is_the_inverse(w in 64u32..4096, h in 64u32..4096, a in 0.0f64..0.9, b in 0.0f64..0.9, s in 0.05f64..0.1) {
        let g = new((w, h), 416).expect("legal");
        let source = [a * f64::from(w), b * f64::from(h), s * f64::from(w), s * f64::from(h)];
        let x = [source[0], source[1], source[0] + source[2], source[1] + source[3]].map(|v| (v * g.scale) as f32);
        let back = g.to_source(x).expect("inside");
        for (found, expected) in back.iter().zip(source) {
            prop_assert!((f64::from(*found) - expected).abs() < 0.01, "{:?} {:?}", back, source);
        }
    }

    #[test]
    fn no_box_leaves_the_frame(c in prop::array::uniform4(prop::num::f32::ANY), w in 64u32..8192, h in 64u32..8192) {
        let g = new((w, h), 416).expect("legal");
        if let Some([x, y, bw, bh]) = g.to_source(c) {
            prop_assert!(x >= 0.0 && y >= 0.0 && bw > 0.0 && bh > 0.0);
            prop_assert!(x + bw <= w as f32 * 1.000_001 && y + bh <= h as f32 * 1.000_001);
        }
    }

    #[test]
    fn any_peer_size_is_answered(w: u32, h: u32, lw: u16, lh: u16) {
        if let Ok(g) = Geometry::from_latents((w, h), (lw, lh), common::tiny().manifest()) {
            prop_assert_eq!((g.source, g.latents), ((w, h), (lw, lh)));
        }
    }
}
