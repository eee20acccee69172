//! A bundle that squeezes by 4, takes x in planes and has the squeezed image in a file of its own.

mod common;

use std::path::{Path, PathBuf};

use cis_inference::bundle::Bundle;
use cis_inference::detect::{Detector, Params};
use cis_inference::front::Front;
use cis_inference::geometry::Geometry;
use cis_inference::picture::{Colorimetry, Layout, PixelFormat, Preparer};
use cis_inference::restore::Restorer;
use cis_inference::runtime::SessionOptions;
use common::{Frame, runtime, tiny, tiny_folder};
use tempfile::TempDir;

fn folder() -> PathBuf {
    tiny_folder().with_file_name("tiny4")
}

fn bundle() -> Bundle {
    Bundle::load(&folder()).expect("the fixture bundle is valid")
}

/// A copy of a bundle with another manifest.
fn edited(folder: &Path, edit: impl FnOnce(String) -> String) -> TempDir {
    let copy = TempDir::new().expect("temporary folder");
    for entry in std::fs::read_dir(folder).expect("readable").flatten() {
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).expect("copied");
    }
    let manifest = copy.path().join("manifest.toml");
    let text = std::fs::read_to_string(&manifest).expect("readable");
    std::fs::write(&manifest, edit(text)).expect("written");
    copy
}

/// Grey, with one white and one red cell of 64x64 pixels.
fn scene(x: u32, y: u32) -> [u8; 3] {
    match (x / 64, y / 64) {
        (3, 2) => [255; 3],
        (25, 14) => [255, 0, 0],
        _ => [128; 3],
    }
}

fn prepared(bundle: &Bundle, g: &Geometry, format: PixelFormat) -> Vec<u8> {
    let frame = Frame::paint(format, Colorimetry::default(), g.source, 0, scene);
    let mut preparer = Preparer::new(bundle.manifest());
    frame.view(|view| preparer.prepare(view, g).expect("good frame").to_vec())
}

#[test]
fn a_wide_source_goes_into_a_small_image_and_comes_back() {
    let bundle = bundle();
    assert_eq!(bundle.manifest().input.layout, Layout::Planar);
    // Of this size x is the source, padded below.
    let g = Geometry::new((1664, 936), 416, bundle.manifest()).expect("legal");
    assert_eq!((g.x, g.content, g.latents), ((1664, 1024), (1664, 936), (26, 16)));
    assert_eq!(
        Geometry::from_latents(g.source, g.latents, bundle.manifest()).ok(),
        Some(g)
    );
    let x = prepared(&bundle, &g, PixelFormat::Rgb);
    let options = SessionOptions::default();
    let mut front = Front::new(&runtime(), &bundle, &options).expect("opens");
    let latents = front.run(&x, &g).expect("runs").to_vec();
    let at = |channel: usize, x: usize, y: usize| latents[(channel * 16 + y) * 26 + x];
    for quarter in 0..4 {
        assert_eq!([0, 1, 2].map(|c| at(3 * quarter + c, 3, 2)), [15.875; 3]);
        // The last row of the frame's cells is half padding: only its upper quarters are whole.
        if quarter < 2 {
            assert_eq!(
                [0, 1, 2].map(|c| at(3 * quarter + c, 25, 14)),
                [15.875, -16.0, -16.0]
            );
        }
        assert_eq!([0, 1, 2].map(|c| at(3 * quarter + c, 0, 0)), [0.0; 3]);
    }

    let (again, squeezed) = front.run_with_squeezed(&x, &g).expect("runs");
    assert_eq!(again, latents);
    assert_eq!((squeezed.width, squeezed.height), (416, 234));
    let pixel = |x: usize, y: usize| &squeezed.data[(y * 416 + x) * 3..][..3];
    assert_eq!((pixel(56, 40), pixel(0, 0)), (&[255; 3][..], &[128; 3][..]));

    let mut detector = Detector::new(&runtime(), &bundle, &options).expect("opens");
    let found = detector.detect(&latents, &g, &Params::default()).expect("runs");
    let boxes: Vec<_> = found
        .iter()
        .map(|d| (d.label.as_ref(), [d.x, d.y, d.w, d.h]))
        .collect();
    assert!(
        boxes.contains(&("bright", [192.0, 128.0, 64.0, 64.0])),
        "{boxes:?}"
    );

    let mut restorer = Restorer::new(&runtime(), &bundle, &options).expect("opens");
    let picture = restorer.restore(latents.as_slice().into(), &g).expect("runs");
    assert_eq!((picture.width, picture.height), (1664, 936));
    let pixel = |x: usize, y: usize| &picture.data[(y * 1664 + x) * 3..][..3];
    assert_eq!((pixel(224, 160), pixel(1500, 40)), (&[255; 3][..], &[128; 3][..]));
}

#[test]
fn planes_hold_what_interleaved_pixels_do() {
    let mut manifest = bundle().manifest().clone();
    for size in [(1280, 720), (333, 251)] {
        let g = Geometry::new(size, 416, &manifest).expect("legal");
        for format in PixelFormat::ALL {
            let frame = Frame::paint(format, Colorimetry::default(), size, 3, |x, y| {
                [x as u8, y as u8, (x * y) as u8]
            });
            let mut x = |layout| {
                manifest.input.layout = layout;
                let mut preparer = Preparer::new(&manifest);
                frame.view(|view| preparer.prepare(view, &g).expect("good frame").to_vec())
            };
            let (planar, interleaved) = (x(Layout::Planar), x(Layout::Interleaved));
            let plane = g.x.0 as usize * g.x.1 as usize;
            for channel in 0..3 {
                let mut woven = interleaved.iter().skip(channel).step_by(3);
                assert!(
                    planar[channel * plane..][..plane]
                        .iter()
                        .all(|v| woven.next() == Some(v)),
                    "{format:?} {size:?}"
                );
            }
        }
    }
}

#[test]
fn a_layout_that_the_network_does_not_have_is_refused() {
    let copy = edited(&folder(), |manifest| {
        manifest.replace("\"planar\"", "\"interleaved\"")
    });
    let bundle = Bundle::load(copy.path()).expect("the manifest is legal");
    let error = Front::new(&runtime(), &bundle, &SessionOptions::default())
        .err()
        .expect("must be refused");
    let text = error.to_string();
    assert!(
        text.contains("front.onnx") && text.contains("Tensor<u8>(1, ?, ?, 3)"),
        "{text}"
    );
    // The other way round too.
    let copy = edited(&tiny_folder(), |manifest| {
        manifest.replace("pad = 114", "pad = 114\nlayout = \"planar\"")
    });
    let bundle = Bundle::load(copy.path()).expect("the manifest is legal");
    assert!(Front::new(&runtime(), &bundle, &SessionOptions::default()).is_err());
    assert_eq!(tiny().manifest().input.layout, Layout::Interleaved);
}

#[test]
fn a_squeezed_file_must_be_listed() {
    let copy = edited(&folder(), |manifest| {
        manifest.replace(
            "squeezed-file = \"squeezed.onnx\"",
            "squeezed-file = \"other.onnx\"",
        )
    });
    let text = Bundle::load(copy.path())
        .expect_err("must be refused")
        .to_string();
    assert!(
        text.contains("front.squeezed-file") && text.contains("other.onnx"),
        "{text}"
    );
}
