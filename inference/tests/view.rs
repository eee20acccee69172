//! The operator's view with an enhancement layer and a memory, on a bundle whose results can be computed by hand.

mod common;

use std::path::PathBuf;

use cis_inference::bundle::Bundle;
use cis_inference::enhance::Enhancer;
use cis_inference::front::Front;
use cis_inference::geometry::Geometry;
use cis_inference::picture::{Colorimetry, PixelFormat, Preparer};
use cis_inference::restore::{Features, Restorer};
use cis_inference::runtime::SessionOptions;
use common::{Frame, runtime};

fn tinyview() -> Bundle {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tinyview");
    Bundle::load(&folder).expect("the fixture bundle is valid")
}

fn geometry(bundle: &Bundle, size: (u32, u32)) -> Geometry {
    Geometry::new(size, 416, bundle.manifest()).expect("legal")
}

/// x of one colour.
fn plain(bundle: &Bundle, g: &Geometry, colour: [u8; 3]) -> Vec<u8> {
    let frame = Frame::paint(PixelFormat::Rgb, Colorimetry::default(), g.source, 0, |_, _| {
        colour
    });
    let mut preparer = Preparer::new(bundle.manifest());
    frame.view(|view| preparer.prepare(view, g).expect("good frame").to_vec())
}

#[test]
fn the_layer_brings_what_the_receiver_does_not_have() {
    let (bundle, options) = (tinyview(), SessionOptions::default());
    let g = geometry(&bundle, (832, 512));
    let x = plain(&bundle, &g, [200, 100, 40]);
    let mut enhancer = Enhancer::new(&runtime(), &bundle, &options)
        .expect("opens")
        .expect("has one");
    // The receiver has grey only.
    let grey = vec![0.0; 12 * 26 * 16];
    let z = enhancer.run(&x, &grey, &g).expect("runs").to_vec();
    assert_eq!(z.len(), 3 * 52 * 32);
    for (channel, expected) in [9.0, -3.5, -11.0].into_iter().enumerate() {
        assert!(z[channel * 52 * 32..][..52 * 32].iter().all(|&v| v == expected));
    }
    let mut restorer = Restorer::new(&runtime(), &bundle, &options).expect("opens");
    let enhanced = restorer
        .restore(
            Features {
                latents: &grey,
                enhanced: Some(&z),
                touch_up: None,
            },
            &g,
        )
        .expect("runs");
    assert!(enhanced.data.chunks_exact(3).all(|pixel| pixel == [200, 100, 40]));
    // The receiver has everything.
    let y = Front::new(&runtime(), &bundle, &options)
        .expect("opens")
        .run(&x, &g)
        .expect("runs")
        .to_vec();
    let z = enhancer.run(&x, &y, &g).expect("runs");
    assert!(z.iter().all(|&v| v == 0.0));
}

#[test]
fn what_is_remembered_stays_with_its_stream() {
    let (bundle, options) = (tinyview(), SessionOptions::default());
    let (wide, small) = (geometry(&bundle, (832, 512)), geometry(&bundle, (416, 416)));
    let mut restorer = Restorer::new(&runtime(), &bundle, &options).expect("opens");
    let level = |restorer: &mut Restorer, g: &Geometry| {
        let grey = vec![0.0; 12 * g.latents_per_channel()];
        let picture = restorer.restore(grey.as_slice().into(), g).expect("runs");
        assert!(picture.data.iter().all(|&v| v == picture.data[0]));
        picture.data[0]
    };
    assert_eq!([0; 3].map(|_| level(&mut restorer, &wide)), [128, 129, 130]);
    restorer.forget();
    assert_eq!([0; 2].map(|_| level(&mut restorer, &wide)), [128, 129]);
    assert_eq!(
        level(&mut restorer, &small),
        128,
        "another size is another stream"
    );
    assert_eq!(level(&mut restorer, &wide), 128);
    let broken = vec![f32::NAN; 12 * wide.latents_per_channel()];
    restorer.restore(broken.as_slice().into(), &wide).expect("runs");
    assert_eq!(
        level(&mut restorer, &wide),
        128,
        "a broken picture is not remembered"
    );
}

#[test]
fn lengths_that_do_not_fit_are_refused() {
    let (bundle, options) = (tinyview(), SessionOptions::default());
    let g = geometry(&bundle, (832, 512));
    let grey = vec![0.0; 12 * 26 * 16];
    let mut enhancer = Enhancer::new(&runtime(), &bundle, &options)
        .expect("opens")
        .expect("has one");
    let x = plain(&bundle, &g, [0; 3]);
    for (x, y, what) in [
        (&x[1..], &grey[..], "length of x"),
        (&x, &grey[1..], "number of latents"),
    ] {
        let error = enhancer.run(x, y, &g).expect_err("must be refused").to_string();
        assert!(error.contains(what), "{error}");
    }
    let mut restorer = Restorer::new(&runtime(), &bundle, &options).expect("opens");
    let features = Features {
        latents: &grey,
        enhanced: Some(&grey[..5]),
        touch_up: None,
    };
    let error = restorer
        .restore(features, &g)
        .expect_err("must be refused")
        .to_string();
    assert!(error.contains("5") && error.contains("4992"), "{error}");
    assert!(
        Enhancer::new(&runtime(), &common::tiny(), &options)
            .expect("no fault")
            .is_none()
    );
}

#[test]
fn a_picture_is_touched_up_before_it_is_enlarged() {
    let (bundle, options) = (tinyview(), SessionOptions::default());
    let g = geometry(&bundle, (1664, 1024));
    let grey = vec![0.0; 12 * 26 * 16];
    let mut restorer = Restorer::new(&runtime(), &bundle, &options).expect("opens");
    let paint = |picture: &mut [u8], stride: usize| {
        assert_eq!((picture.len(), stride), (512 * 832 * 3, 832 * 3));
        picture.fill(7);
    };
    let features = Features {
        latents: &grey,
        enhanced: None,
        touch_up: Some(&paint),
    };
    let picture = restorer.restore(features, &g).expect("restores");
    assert!(picture.data.iter().all(|&sample| sample == 7));
    let untouched = restorer.restore(Features::from(&grey[..]), &g).expect("restores");
    assert!(untouched.data.iter().any(|&sample| sample != 7));
}
